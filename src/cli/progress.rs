//! Shows progress on a separate thread, so that a blocked terminal or log collector cannot delay a run.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use crate::measure::Progress;
use crate::report::Live;

/// The most snapshots that may wait to be shown. Drops further ones: the next snapshot replaces them.
const WAITING: usize = 2;
/// The longest wait for the last snapshots, so that the summary comes after them.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// The progress view of a run.
pub(super) struct Shown {
    snapshots: SyncSender<Progress>,
    finished: Receiver<()>,
}

impl Shown {
    /// Starts to show snapshots. Shows nothing if the thread cannot be started.
    pub(super) fn start(mut live: Live) -> Self {
        let (snapshots, come) = sync_channel::<Progress>(WAITING);
        let (done, finished) = sync_channel(1);
        let show = move || {
            for now in come {
                live.update(&now);
            }
            live.finish();
            // Ignores the error: nobody waits any more if this took too long.
            let _ = done.send(());
        };
        let _ = std::thread::Builder::new()
            .name("progress".to_owned())
            .spawn(show);
        Self {
            snapshots,
            finished,
        }
    }

    /// Queues a snapshot; drops it if the queue is full.
    pub(super) fn update(&self, now: &Progress) {
        let _ = self.snapshots.try_send(now.clone());
    }

    /// Ends the view after the run, and waits at most [`MAX_WAIT`] until the terminal is free.
    pub(super) fn finish(self) {
        drop(self.snapshots);
        let _ = self.finished.recv_timeout(MAX_WAIT);
    }
}

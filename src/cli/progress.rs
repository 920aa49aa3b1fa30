//! Progress on a thread of its own: a terminal or a log collector that stands still holds up no run.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use crate::measure::Progress;
use crate::report::Live;

/// Snapshots that may wait to be shown. What comes while they do is dropped: the next one says as much.
const WAITING: usize = 2;
/// How long the last of them may take, so that the summary comes after it.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is shown while a run goes on.
pub(super) struct Shown {
    snapshots: SyncSender<Progress>,
    finished: Receiver<()>,
}

impl Shown {
    /// Shows what comes from now on. Without a thread for it nothing is shown.
    pub(super) fn start(mut live: Live) -> Self {
        let (snapshots, come) = sync_channel::<Progress>(WAITING);
        let (done, finished) = sync_channel(1);
        let show = move || {
            for now in come {
                live.update(&now);
            }
            live.finish();
            // Nobody waits for it where it took too long.
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

    /// Shows a snapshot, unless those before it wait to be shown.
    pub(super) fn update(&self, now: &Progress) {
        let _ = self.snapshots.try_send(now.clone());
    }

    /// The run is over: leaves the terminal free, or to whoever holds it up.
    pub(super) fn finish(self) {
        drop(self.snapshots);
        let _ = self.finished.recv_timeout(PATIENCE);
    }
}

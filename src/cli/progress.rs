//! Shows progress on a separate thread, so that a blocked terminal or log collector cannot delay a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, SystemTime};

use crate::measure::{Events, Progress};
use crate::report::Live;
use crate::units::counted;

/// The most snapshots that may wait to be shown. Drops further ones: the next snapshot replaces them.
const SNAPSHOTS: usize = 2;
/// The most lines that may wait. Further ones are counted.
const WAITING: usize = 1_000;
/// The longest wait for the last snapshots, so that the summary comes after them.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// The progress view of a run.
pub(super) struct Shown {
    queue: SyncSender<Show>,
    snapshots: Arc<AtomicUsize>,
    /// Lines that had no room.
    lost: Arc<AtomicU64>,
    finished: Receiver<()>,
}

enum Show {
    Progress(Box<Progress>),
    Line(String),
    Events(Box<Events>, (Duration, SystemTime)),
}

/// Adds lines to the view, from any thread. To be dropped before the view is finished.
#[derive(Clone)]
pub(super) struct Lines {
    queue: SyncSender<Show>,
    lost: Arc<AtomicU64>,
}

impl Lines {
    /// Queues a line that is to stay; counts it if the queue is full.
    pub(super) fn add(&self, line: String) {
        if self.queue.try_send(Show::Line(line)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Shown {
    /// Starts to show snapshots and lines. Shows nothing if the thread cannot be started.
    pub(super) fn start(mut live: Live) -> Self {
        let (queue, come) = sync_channel::<Show>(WAITING);
        let (done, finished) = sync_channel(1);
        let (snapshots, lost) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
        let (waiting, missing) = (snapshots.clone(), lost.clone());
        let show = move || {
            for now in come {
                match now {
                    Show::Progress(now) => {
                        waiting.fetch_sub(1, Ordering::AcqRel);
                        live.update(&now);
                    }
                    Show::Line(line) => live.line(&line),
                    Show::Events(events, now) => live.events(&events, now),
                }
                let lost = missing.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    live.line(&format!("{} had no room here", counted(lost, "line")));
                }
            }
            live.finish();
            // Ignores the error: nobody waits any more if this took too long.
            let _ = done.send(());
        };
        let _ = std::thread::Builder::new()
            .name("progress".to_owned())
            .spawn(show);
        Self {
            queue,
            snapshots,
            lost,
            finished,
        }
    }

    /// Queues a snapshot; drops it if others wait.
    pub(super) fn update(&self, now: &Progress) {
        if self.snapshots.load(Ordering::Acquire) >= SNAPSHOTS {
            return;
        }
        self.snapshots.fetch_add(1, Ordering::AcqRel);
        if self
            .queue
            .try_send(Show::Progress(Box::new(now.clone())))
            .is_err()
        {
            self.snapshots.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Queues what happened to clients until a time, by the clock of the run and by the wall clock.
    pub(super) fn events(&self, events: Events, until: (Duration, SystemTime)) {
        if events.rows.is_empty() && events.more == 0 {
            return;
        }
        let lost = events.rows.len() as u64;
        let show = Show::Events(Box::new(events), until);
        if self.queue.try_send(show).is_err() {
            self.lost.fetch_add(lost, Ordering::Relaxed);
        }
    }

    /// What adds lines to the view.
    pub(super) fn lines(&self) -> Lines {
        Lines {
            queue: self.queue.clone(),
            lost: self.lost.clone(),
        }
    }

    /// Ends the view after the run, and waits at most [`MAX_WAIT`] until the terminal is free.
    pub(super) fn finish(self) {
        drop(self.queue);
        let _ = self.finished.recv_timeout(MAX_WAIT);
    }
}

//! When a thread looked at its sockets: what it finds cannot have been there long before.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::units::Timestamp;

/// The last two looks of a thread. Shared with a hook of its runtime, which is where the runtime looks before it sleeps.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    before: AtomicU64,
    last: AtomicU64,
}

impl Looks {
    /// The thread looks now at all of its sockets.
    pub(crate) fn look(&self, now: Timestamp) {
        self.before
            .store(self.last.load(Ordering::Relaxed), Ordering::Relaxed);
        self.last.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// Returns the time of the look before the last one. What was found since then could not be read at that time: whatever
    /// stamp the kernel gives it, the rest of it was missing.
    #[inline]
    pub(crate) fn before(&self) -> Timestamp {
        Timestamp::from_nanos(self.before.load(Ordering::Relaxed))
    }
}

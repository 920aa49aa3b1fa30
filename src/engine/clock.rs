//! The one seam behind which time lies. Everything above counts nanoseconds since the first dial.

use std::time::Instant;

use crate::plan::Nanos;

/// Tells the time.
pub(super) trait Clock {
    /// Nanoseconds since the run's origin; never runs backwards.
    fn now(&self) -> Nanos;
}

/// The system's monotonic clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Monotonic {
    origin: Instant,
}

impl Monotonic {
    /// A clock that counts from now.
    pub(super) fn start() -> Self {
        Self {
            origin: Instant::now(),
        }
    }
}

impl Clock for Monotonic {
    fn now(&self) -> Nanos {
        self.origin.elapsed().as_nanos() as Nanos
    }
}

/// A clock that is set by hand, for tests.
#[cfg(test)]
#[derive(Debug, Clone, Default)]
pub(crate) struct Manual(std::rc::Rc<std::cell::Cell<Nanos>>);

#[cfg(test)]
impl Manual {
    pub(crate) fn set(&self, now: Nanos) {
        self.0.set(now);
    }
}

#[cfg(test)]
impl Clock for Manual {
    fn now(&self) -> Nanos {
        self.0.get()
    }
}

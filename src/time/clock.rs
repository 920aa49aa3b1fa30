//! The clock of a run, behind a trait that tests replace. All layers above count from the first dial.

use std::time::{Duration, Instant};

use crate::units::Timestamp;

/// Tells the time.
pub(crate) trait Clock {
    /// Returns the time since the run's origin; never runs backwards.
    fn now(&self) -> Timestamp;

    /// Converts a time of the system's monotonic clock.
    fn at(&self, instant: Instant) -> Timestamp;
}

/// The system's monotonic clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Monotonic {
    origin: Instant,
    /// The same time in nanoseconds of the system's clock.
    #[cfg(target_os = "linux")]
    origin_ns: u64,
}

impl Monotonic {
    /// Starts a clock that counts from now.
    pub(crate) fn start() -> Self {
        Self::since(Instant::now())
    }

    /// Starts a clock that counts from a time that has come.
    pub(crate) fn since(origin: Instant) -> Self {
        #[cfg(target_os = "linux")]
        let (now, now_ns) = together();
        Self {
            origin,
            #[cfg(target_os = "linux")]
            origin_ns: now_ns - now.saturating_duration_since(origin).as_nanos() as u64,
        }
    }

    /// Converts a time of this clock to the system's monotonic clock.
    pub(crate) fn instant(self, time: Timestamp) -> Instant {
        self.origin + Duration::from_nanos(time.as_nanos())
    }
}

impl Clock for Monotonic {
    // Called several times for each message. Making an `Instant` and computing a difference takes longer than the
    // system call.
    #[cfg(target_os = "linux")]
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(system_ns() - self.origin_ns)
    }

    #[cfg(not(target_os = "linux"))]
    fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }

    fn at(&self, instant: Instant) -> Timestamp {
        Timestamp::of(instant, self.origin)
    }
}

/// Reads the monotonic clock as an `Instant` and as nanoseconds. Retries if the thread was preempted between the two
/// reads.
#[cfg(target_os = "linux")]
fn together() -> (Instant, u64) {
    const TRIES: u32 = 100;
    const TOGETHER: u64 = 500;
    let mut tries = 0;
    loop {
        let before = system_ns();
        let instant = Instant::now();
        let apart = system_ns() - before;
        tries += 1;
        if apart <= TOGETHER || tries == TRIES {
            return (instant, before + apart / 2);
        }
    }
}

/// Reads the monotonic clock of the system, in nanoseconds.
#[cfg(target_os = "linux")]
fn system_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// A clock that is set by hand, for tests.
#[cfg(test)]
#[derive(Debug, Clone, Default)]
pub(crate) struct Manual(std::rc::Rc<std::cell::Cell<Timestamp>>);

#[cfg(test)]
impl Manual {
    pub(crate) fn set(&self, now: Timestamp) {
        self.0.set(now);
    }
}

#[cfg(test)]
impl Clock for Manual {
    fn now(&self) -> Timestamp {
        self.0.get()
    }

    /// Returns the time that was set, for any instant.
    fn at(&self, _instant: Instant) -> Timestamp {
        self.now()
    }
}

//! A clock that other machines can ask: nanoseconds since 1970 by the wall clock of this process's start, and steady from
//! then on. A step of the wall clock moves nothing.

use std::time::{Duration, Instant, SystemTime};

/// The clock.
#[derive(Debug, Clone, Copy)]
pub struct Steady {
    began: Instant,
    wall_ns: u64,
}

impl Steady {
    /// A clock that agrees with the wall clock now.
    #[must_use]
    pub fn start() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            began: Instant::now(),
            wall_ns: since.unwrap_or_default().as_nanos() as u64,
        }
    }

    /// What it says.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.of(Instant::now())
    }

    /// What it says at this time. Before its start it says what it did then.
    #[must_use]
    pub fn of(&self, instant: Instant) -> u64 {
        let since = instant.saturating_duration_since(self.began);
        self.wall_ns.saturating_add(since.as_nanos() as u64)
    }

    /// When it says this; `None` of a time that the system cannot represent.
    #[must_use]
    pub fn instant(&self, ns: u64) -> Option<Instant> {
        match ns.checked_sub(self.wall_ns) {
            Some(since) => self.began.checked_add(Duration::from_nanos(since)),
            None => (self.began).checked_sub(Duration::from_nanos(self.wall_ns - ns)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_and_found_again() {
        let clock = Steady::start();
        let now = clock.now_ns();
        let at = clock.instant(now).unwrap();
        assert_eq!(clock.of(at), now);
        let later = clock.instant(now + 5_000_000_000).unwrap();
        assert_eq!(later - at, Duration::from_secs(5));
        assert!(
            clock
                .instant(clock.wall_ns - 1_000)
                .is_some_and(|before| before < at)
        );
    }
}

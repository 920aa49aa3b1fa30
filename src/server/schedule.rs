//! A repeated event, at times that are fixed from the start.
//! Uses no timer; the caller passes the time.

use std::time::Duration;

use tokio::time::Instant;

/// An event that repeats at a fixed interval. A late event does not delay the following ones.
#[derive(Debug)]
pub(super) struct Schedule {
    first: Instant,
    every: Duration,
    /// The number of past events: the next one is at `first + over * every`.
    over: u64,
}

impl Schedule {
    /// Creates a schedule; `every` must be above zero.
    pub(super) fn new(first: Instant, every: Duration) -> Self {
        Self {
            first,
            every,
            over: 0,
        }
    }

    /// When the next event is due.
    pub(super) fn at(&self) -> Instant {
        let ns = self.every.as_nanos().saturating_mul(self.over.into());
        // After 584 years the nanoseconds overflow: later events never come.
        self.first + Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
    }

    /// Returns the number of the event that is due, from 1. Skips the missed events before it.
    pub(super) fn take(&mut self, now: Instant) -> Option<u64> {
        if now < self.at() {
            return None;
        }
        let past = now.duration_since(self.first).as_nanos() / self.every.as_nanos();
        self.over = u64::try_from(past).unwrap_or(u64::MAX).saturating_add(1);
        Some(self.over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_event_moves_none_that_follows() {
        let first = Instant::now();
        let every = Duration::from_millis(10);
        let mut schedule = Schedule::new(first, every);
        assert_eq!(schedule.at(), first);
        assert_eq!(schedule.take(first + every / 2), Some(1));
        assert_eq!(schedule.take(first + every / 2), None);
        assert_eq!(schedule.at(), first + every);
        // The second and third events are skipped.
        assert_eq!(schedule.take(first + 7 * every / 2), Some(4));
        assert_eq!(schedule.at(), first + 4 * every);
    }
}

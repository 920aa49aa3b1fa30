//! An event again and again, on times fixed from the start.
//! Knows no timer; the time is handed in.

use std::time::Duration;

use tokio::time::Instant;

/// An event every so often. A late one does not move those that follow.
#[derive(Debug)]
pub(super) struct Schedule {
    first: Instant,
    every: Duration,
    /// Events that are over: the next one is at `first + over * every`.
    over: u64,
}

impl Schedule {
    /// `every` is above zero.
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
        // 584 years of nanoseconds: what lies beyond never comes.
        self.first + Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
    }

    /// The number of the event that is due by now, from 1. Those missed before it are skipped.
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
        // The second and third are skipped.
        assert_eq!(schedule.take(first + 7 * every / 2), Some(4));
        assert_eq!(schedule.at(), first + 4 * every);
    }
}

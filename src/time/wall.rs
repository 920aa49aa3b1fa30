//! Converts times of the system's wall clock, which the kernel uses for its timestamps, to the monotonic clock. Two
//! clocks cannot be read at once, and on a busy machine much time can pass between two reads.

use std::time::{Duration, Instant, SystemTime};

/// Two reads of the monotonic clock that are closer together than this count as one.
const CLOSE: Duration = Duration::from_micros(5);
/// The most readings to get two such reads.
const TRIES: usize = 8;

/// A read of the wall clock between two reads of the monotonic one.
#[derive(Debug, Clone, Copy)]
struct Reading {
    before: Instant,
    wall: SystemTime,
    after: Instant,
}

impl Reading {
    fn take() -> Self {
        Self {
            before: Instant::now(),
            wall: SystemTime::now(),
            after: Instant::now(),
        }
    }

    fn width(&self) -> Duration {
        self.after.duration_since(self.before)
    }

    /// Converts a time of the wall clock, with a precision of half the width. A time in the future becomes the present.
    fn monotonic(&self, at: SystemTime) -> Instant {
        let now = self.before + self.width() / 2;
        let age = self.wall.duration_since(at).unwrap_or_default();
        now.checked_sub(age).unwrap_or(now)
    }
}

/// Converts a time of the wall clock to the monotonic clock.
pub(crate) fn monotonic(at: SystemTime) -> Instant {
    narrowest(Reading::take).monotonic(at)
}

/// Returns the best of a few readings. Retries if the thread was preempted between the two reads.
fn narrowest(mut take: impl FnMut() -> Reading) -> Reading {
    let mut best = take();
    for _ in 1..TRIES {
        if best.width() <= CLOSE {
            break;
        }
        let next = take();
        if next.width() < best.width() {
            best = next;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Returns readings with these widths, one after the other; each reads the wall clock at its very start.
    fn readings(widths: Vec<Duration>) -> (impl FnMut() -> Reading, Instant, SystemTime) {
        let (began, wall) = (Instant::now(), SystemTime::now());
        let mut passed = Duration::ZERO;
        let mut widths = widths.into_iter();
        let take = move || {
            let before = began + passed;
            let wall = wall + passed;
            passed += widths.next().expect("asked too often");
            Reading {
                before,
                wall,
                after: began + passed,
            }
        };
        (take, began, wall)
    }

    #[test]
    fn a_stamp_keeps_its_time_though_the_process_was_put_aside_between_two_reads() {
        let close = CLOSE / 2;
        let (take, began, wall) = readings(vec![MS, 3 * MS, close]);
        let found = narrowest(take).monotonic(wall - MS);
        let wrong = found.duration_since(began - MS);
        assert!(wrong <= close / 2, "{wrong:?} too late");
    }

    #[test]
    fn the_best_is_taken_where_all_are_bad() {
        let mut widths = vec![3 * MS; TRIES];
        widths[2] = MS;
        assert_eq!(narrowest(readings(widths).0).width(), MS);
    }

    #[test]
    fn a_clock_that_was_set_back_stamps_nothing_in_the_future() {
        let before = Instant::now();
        let at = monotonic(SystemTime::now() + 1000 * MS);
        assert!(at >= before && at <= Instant::now());
    }
}

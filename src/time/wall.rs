//! From the system's wall clock, by which the kernel stamps what comes, to the monotonic one.
//! Two clocks cannot be read at once, and on a busy machine much can lie between two reads.

use std::time::{Duration, Instant, SystemTime};

/// Reads that lie closer together than this are as good as one.
const CLOSE: Duration = Duration::from_micros(5);
/// So often is it tried to get them.
const TRIES: usize = 8;

/// The wall clock, read between two reads of the monotonic one.
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

    /// A moment of the wall clock, as exactly as half of the width; one that is still to come is now.
    fn monotonic(&self, at: SystemTime) -> Instant {
        let now = self.before + self.width() / 2;
        let age = self.wall.duration_since(at).unwrap_or_default();
        now.checked_sub(age).unwrap_or(now)
    }
}

/// When a moment of the wall clock was, as told by the monotonic one.
pub(crate) fn monotonic(at: SystemTime) -> Instant {
    narrowest(Reading::take).monotonic(at)
}

/// The best of a few readings. Retries if the thread was preempted between the two reads.
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

    /// Readings that took so long, one after the other; each read the wall clock at its very begin.
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

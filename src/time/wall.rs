//! Converts times of the system's wall clock, which the kernel uses for its timestamps, to the monotonic clock. Two
//! clocks cannot be read at once, and on a busy machine much time can pass between two reads.

use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixDatagram;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use crate::sys;

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

/// Whether the kernel's timestamps are of the wall clock that this process reads. They are not where a preloaded library
/// shifts the time of the process (libfaketime): such timestamps would be converted to wrong times.
pub(crate) fn is_the_kernels() -> bool {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    // Where it cannot be tried, a wrong clock is as unlikely as anywhere.
    *KNOWN.get_or_init(|| try_stamp().unwrap_or(true))
}

/// Compares the timestamp of a message with the wall clock before it was sent and after it was received.
fn try_stamp() -> io::Result<bool> {
    let (one, other) = UnixDatagram::pair()?;
    sys::stamp_receives(other.as_fd())?;
    let before = SystemTime::now();
    one.send(&[0])?;
    let (_, stamp) = sys::receive(other.as_fd(), &mut [0])?;
    let after = SystemTime::now();
    Ok(stamp.is_none_or(|stamp| is_between(before, SystemTime::UNIX_EPOCH + stamp, after)))
}

/// Whether a time is between two others, or nearly so: clocks are set by small steps all the time.
fn is_between(before: SystemTime, at: SystemTime, after: SystemTime) -> bool {
    const NEARLY: Duration = Duration::from_millis(10);
    before <= at + NEARLY && at <= after + NEARLY
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

/// The wall clock, in seconds since 1970.
pub(crate) fn unix_seconds() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs().cast_signed())
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

    #[cfg(target_os = "linux")]
    #[test]
    fn a_shifted_clock_is_told_from_that_of_the_kernel() {
        assert!(
            try_stamp().unwrap(),
            "this test runs with the time of the machine"
        );
        let (now, second) = (SystemTime::now(), 1000 * MS);
        assert!(is_between(now, now + MS, now + MS));
        assert!(!is_between(now, now - second, now + MS));
        assert!(!is_between(now, now + second, now + MS));
    }

    #[test]
    fn a_clock_that_was_set_back_stamps_nothing_in_the_future() {
        let before = Instant::now();
        let at = monotonic(SystemTime::now() + 1000 * MS);
        assert!(at >= before && at <= Instant::now());
    }
}

//! Whether the machine does other things too: then a server may be late, and look early, or end in another way.

use std::fs;
use std::time::{Duration, Instant};

/// The share of a run for which something may wait for a processor on a machine that does nothing else.
pub const QUIET: f64 = 0.1;

/// For how long something waited for a processor while this was done, of the time that it took; where the machine does not
/// tell, all of it.
pub fn pressure<T>(act: impl FnOnce() -> T) -> (T, f64) {
    let (before, began) = (waited(), Instant::now());
    let done = act();
    let share = before.zip(waited()).map_or(1.0, |(before, after)| {
        (after - before).as_secs_f64() / began.elapsed().as_secs_f64()
    });
    (done, share)
}

/// As the kernel counts it: `some avg10=0.00 avg60=0.00 avg300=0.00 total=123`, in microseconds.
fn waited() -> Option<Duration> {
    let told = fs::read_to_string("/proc/pressure/cpu").ok()?;
    let (_, total) = told.lines().next()?.split_once("total=")?;
    Some(Duration::from_micros(total.parse().ok()?))
}

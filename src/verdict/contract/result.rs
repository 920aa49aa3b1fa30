//! The results of promises: one for each key of a contract.

use std::fmt;
use std::time::Duration;

use crate::scenario::Origin;
use crate::units::plain_duration;

/// The times that were promised, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The earliest time. May be zero.
    pub lo_ns: u64,
    /// The latest time; `None`: no upper limit.
    pub hi_ns: Option<u64>,
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lo = promised(self.lo_ns);
        match (self.lo_ns, self.hi_ns.map(promised)) {
            (_, None) => write!(f, "{lo} or more"),
            (0, Some(hi)) => write!(f, "within {hi}"),
            (_, Some(hi)) => write!(f, "{lo} to {hi}"),
        }
    }
}

/// Formats a promised time as people write it: `2.1 s`.
pub(super) fn promised(ns: u64) -> String {
    plain_duration(Duration::from_nanos(ns))
}

/// Times that were observed, in nanoseconds. For `effective_timeout`: the threshold (`p50_ns`) and its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// How many connections, or events, were timed.
    pub n: u64,
    /// The shortest.
    pub min_ns: u64,
    /// Half of them were at most this.
    pub p50_ns: u64,
    /// 99 % of them were at most this.
    pub p99_ns: u64,
    /// The longest.
    pub max_ns: u64,
}

impl Times {
    /// The statistics of these times, in any order; `None` if there are none.
    pub(super) fn of(mut times: Vec<u64>) -> Option<Self> {
        times.sort_unstable();
        Some(Self {
            n: times.len() as u64,
            min_ns: *times.first()?,
            p50_ns: at_rank(&times, 50)?,
            p99_ns: at_rank(&times, 99)?,
            max_ns: *times.last()?,
        })
    }
}

/// The smallest of these sorted values that at least `percent` % of them do not exceed: the nearest rank.
pub(super) fn at_rank<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// The result of one promise.
#[derive(Debug, Clone, PartialEq)]
pub struct ContractResult {
    /// The key, such as `closed_between`.
    pub contract: &'static str,
    /// The cohort it is about.
    pub cohort: String,
    /// The origin of its times; `None` if the promise does not depend on it.
    pub from: Option<Origin>,
    /// The times that were promised; `None` if the promise is not about times.
    pub bounds: Option<Bounds>,
    /// What else was promised, in words: close codes, ways to end, a number.
    pub expected: String,
    /// The number of connections, or events, that were judged.
    pub n: u64,
    /// The times that were seen; `None` if the promise is not about times, or none were seen.
    pub times: Option<Times>,
    /// Whether the promise was kept.
    pub passed: bool,
    /// Whether a doubt concerns it, so that it has no verdict.
    pub doubted: bool,
    /// What was seen, in words; empty if the numbers say everything.
    pub why: String,
}

impl ContractResult {
    /// The name that doubts use: `closed of main`.
    pub fn name(&self) -> String {
        format!("{} of {}", self.contract, self.cohort)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_shown_as_people_write_them() {
        let shown = |lo_ms: u64, hi_ms: Option<u64>| {
            let bounds = Bounds {
                lo_ns: lo_ms * 1_000_000,
                hi_ns: hi_ms.map(|ms| ms * 1_000_000),
            };
            bounds.to_string()
        };
        assert_eq!(shown(1_900, Some(2_100)), "1.9 s to 2.1 s");
        assert_eq!(shown(0, Some(250)), "within 250 ms");
        assert_eq!(shown(60_000, Some(66_000)), "1m to 1m6s");
        assert_eq!(shown(9_000, None), "9 s or more");
    }

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let times = Times::of((1..=200).rev().collect()).unwrap();
        let Times {
            n,
            min_ns,
            p50_ns,
            p99_ns,
            max_ns,
        } = times;
        assert_eq!((n, min_ns, p50_ns, p99_ns, max_ns), (200, 1, 100, 198, 200));
        assert_eq!(Times::of(vec![7]).unwrap().p99_ns, 7);
        assert_eq!(Times::of(Vec::new()), None);
    }
}

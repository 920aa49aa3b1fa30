//! The results of promises: one for each key of a contract.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::scenario::{Origin, PromiseKind};
use crate::units::{Nanos, plain_duration};

/// The times that were promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The earliest time. May be zero.
    pub lo_ns: Nanos,
    /// The latest time; `None`: no upper limit.
    pub hi_ns: Option<Nanos>,
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lo = promised(self.lo_ns);
        match (self.lo_ns, self.hi_ns.map(promised)) {
            (_, None) => write!(f, "{lo} or more"),
            (Nanos::ZERO, Some(hi)) => write!(f, "within {hi}"),
            (_, Some(hi)) => write!(f, "{lo} to {hi}"),
        }
    }
}

/// Formats a promised time as people write it: `2.1 s`.
pub(super) fn promised(time: Nanos) -> String {
    plain_duration(time.into())
}

/// Times that were observed. For `effective_timeout`: the threshold (`p50_ns`) and its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// How many connections, or events, were timed.
    pub n: u64,
    /// The shortest.
    pub min_ns: Nanos,
    /// Half of them were at most this.
    pub p50_ns: Nanos,
    /// 99 % of them were at most this.
    pub p99_ns: Nanos,
    /// The longest.
    pub max_ns: Nanos,
}

impl Times {
    /// The statistics of these times, in any order; `None` if there are none.
    pub(super) fn of(mut times: Vec<Nanos>) -> Option<Self> {
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

/// What one connection did, or one of its pings, by which a promise was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Judged {
    /// The number of the connection.
    pub connection: u32,
    /// The level of its fault, if clients have different ones.
    pub level_ns: Option<Nanos>,
    /// What was seen of it.
    pub seen: Occurred,
    /// Whether it kept the promise. One that proves nothing keeps it.
    pub held: bool,
}

/// What was seen of one connection, where something was promised to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occurred {
    /// It happened at this time after the origin.
    After(Nanos),
    /// It happened before the origin, or although the origin never came.
    Before,
    /// It did not happen within this time.
    NotIn(Nanos),
    /// The origin never came, so there was nothing to time.
    NoOrigin,
    /// The end of the run cut short a reconnect, so it proves nothing.
    CutShort,
}

/// All that a promise was judged by, as far as there is room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// In the order of the connections; those that broke the promise have room first.
    pub rows: Vec<Judged>,
    /// How many more there were.
    pub more: u64,
}

impl Evidence {
    /// The most rows that are kept of all promises of a run.
    pub const MAX_ROWS: usize = 200_000;

    /// Keeps at most so many.
    pub(super) fn of(mut rows: Vec<Judged>, most: usize) -> Self {
        rows.sort_unstable();
        let more = rows.len().saturating_sub(most);
        let broken = rows.iter().filter(|row| !row.held).count();
        let (mut broken, mut held) = (most.min(broken), most.saturating_sub(broken));
        rows.retain(|row| {
            let room = if row.held { &mut held } else { &mut broken };
            let fits = *room > 0;
            *room -= usize::from(fits);
            fits
        });
        Self {
            rows,
            more: more as u64,
        }
    }
}

/// The result of one promise.
#[derive(Debug, Clone, PartialEq)]
pub struct ContractResult {
    /// The kind of promise.
    pub contract: PromiseKind,
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
    /// What each connection did, if that was judged one by one.
    pub evidence: Evidence,
}

impl ContractResult {
    /// The name that doubts use: `closed of main`.
    pub fn name(&self) -> String {
        format!("{} of {}", self.contract.key(), self.cohort)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_shown_as_people_write_them() {
        let shown = |lo_ms: u64, hi_ms: Option<u64>| {
            let bounds = Bounds {
                lo_ns: Nanos::from_millis(lo_ms),
                hi_ns: hi_ms.map(Nanos::from_millis),
            };
            bounds.to_string()
        };
        assert_eq!(shown(1_900, Some(2_100)), "1.9 s to 2.1 s");
        assert_eq!(shown(0, Some(250)), "within 250 ms");
        assert_eq!(shown(60_000, Some(66_000)), "1m to 1m6s");
        assert_eq!(shown(9_000, None), "9 s or more");
    }

    #[test]
    fn what_broke_a_promise_has_room_first() {
        let judged = |connection: u32| Judged {
            connection,
            level_ns: None,
            seen: Occurred::Before,
            held: connection % 4 != 3,
        };
        let kept = |most| {
            let Evidence { rows, more } = Evidence::of((0..8).map(judged).collect(), most);
            let rows: Vec<u32> = rows.iter().map(|row| row.connection).collect();
            (rows, more)
        };
        assert_eq!(kept(8), ((0..8).collect(), 0));
        assert_eq!(kept(3), (vec![0, 3, 7], 5));
        assert_eq!(kept(1), (vec![3], 7));
        assert_eq!(kept(0), (vec![], 8));
    }

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let times = Times::of((1..=200).rev().map(Nanos).collect()).unwrap();
        let Times {
            n,
            min_ns,
            p50_ns,
            p99_ns,
            max_ns,
        } = times;
        assert_eq!(n, 200);
        assert_eq!(
            [min_ns, p50_ns, p99_ns, max_ns],
            [1, 100, 198, 200].map(Nanos)
        );
        assert_eq!(Times::of(vec![Nanos(7)]).unwrap().p99_ns, Nanos(7));
        assert_eq!(Times::of(Vec::new()), None);
    }
}

//! What became of the promises: one result for each key of a contract.

use crate::scenario::Origin;

/// Times that were observed, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// How many connections, or events, were looked at.
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

/// What became of one promise.
#[derive(Debug, Clone, PartialEq)]
pub struct ContractResult {
    /// The key, such as `closed_between`.
    pub contract: &'static str,
    /// The cohort it is about.
    pub cohort: String,
    /// Where its times begin; `None` where it has none.
    pub from: Option<Origin>,
    /// The window that was promised, in nanoseconds; `None` where it has none.
    pub expected_ns: Option<(u64, u64)>,
    /// What else was promised, in words: close codes, ways to end, a number.
    pub expected: String,
    /// Connections that were looked at, where it is about no times.
    pub n: u64,
    /// The times that were seen; `None` where it is about none, or there were none.
    pub times: Option<Times>,
    /// Whether it was kept.
    pub passed: bool,
    /// What was seen, in words.
    pub why: String,
}

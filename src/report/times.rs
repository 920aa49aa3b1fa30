//! Which times a run has, in the order in which people ask for them, and which percentiles of them say something.

use crate::measure::Histogram;
use crate::verdict::{View, samples_for};

/// What the names of times begin with, the most wanted first. Others come behind these.
const ORDER: [&str; 8] = [
    "latency.",
    "service.",
    "delivery.",
    "gap.",
    "age.",
    "heartbeat.",
    "handshake.",
    "reconnect.",
];

/// The names of all times of healthy cohorts and of the generator, each once.
pub(super) fn names<'a>(view: &View<'a>) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for metric in view.distributions() {
        if !names.contains(&metric.name.as_str()) {
            names.push(&metric.name);
        }
    }
    let rank = |name: &&str| ORDER.iter().position(|start| name.starts_with(start));
    names.sort_by_key(|name| rank(name).unwrap_or(ORDER.len()));
    names
}

/// A percentile in nanoseconds; `None` where there are too few samples for it.
pub(super) fn covered(times: &Histogram, percent: f64) -> Option<u64> {
    let is_covered = times.count() >= samples_for(percent);
    times.percentile(percent).filter(|_| is_covered)
}

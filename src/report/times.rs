//! Which times a run has, in the order in which people ask for them, and which percentiles of them say something.

use crate::verdict::View;

pub(super) use crate::verdict::covered;

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

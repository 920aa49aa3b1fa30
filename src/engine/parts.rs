//! What the processes of a run used, second by second, all of them together.

use std::collections::BTreeMap;

use crate::measure::{Sample, Shard};

/// What they used in the seconds that are not over for all of them.
#[derive(Debug, Default)]
pub(super) struct Used(BTreeMap<u64, Second>);

#[derive(Debug, Default)]
struct Second {
    cpu: Option<f64>,
    rss: Option<f64>,
    /// By how much those have grown that tell it, and how many connections they have.
    grown: (f64, u64),
}

impl Used {
    /// Adds what one process used in the second of its shard.
    pub(super) fn add(&mut self, shard: &Shard, sample: &Sample) {
        let second = self.0.entry(shard.interval).or_default();
        let sum = |mine: Option<f64>, theirs: Option<f64>| match (mine, theirs) {
            (Some(mine), Some(theirs)) => Some(mine + theirs),
            (mine, theirs) => mine.or(theirs),
        };
        second.cpu = sum(second.cpu, sample.cpu);
        second.rss = sum(second.rss, sample.rss);
        if let Some(each) = sample.bytes_per_connection {
            let open: u64 = shard.cohorts.iter().map(|cohort| cohort.open.open).sum();
            second.grown.0 += each * open as f64;
            second.grown.1 += open;
        }
    }

    /// What they used together in a second.
    pub(super) fn take(&mut self, interval: u64) -> Sample {
        let second = self.0.remove(&interval).unwrap_or_default();
        let (grown, open) = second.grown;
        Sample {
            cpu: second.cpu,
            rss: second.rss,
            bytes_per_connection: (open > 0).then(|| grown / open as f64),
            target: None,
        }
    }
}

//! The percentiles that are sent where a system stores no distributions.

use crate::measure::Histogram;

/// One percentile.
pub(super) struct Quantile {
    /// Its name as a part of a metric's.
    pub(super) name: &'static str,
    percent: f64,
}

/// All of them, in ascending order.
pub(super) const QUANTILES: [Quantile; 4] = [
    Quantile {
        name: "p50",
        percent: 50.0,
    },
    Quantile {
        name: "p90",
        percent: 90.0,
    },
    Quantile {
        name: "p99",
        percent: 99.0,
    },
    Quantile {
        name: "p999",
        percent: 99.9,
    },
];

impl Quantile {
    /// Its value in nanoseconds; `None` if there was no time.
    pub(super) fn of(&self, times: &Histogram) -> Option<u64> {
        times.percentile(self.percent)
    }
}

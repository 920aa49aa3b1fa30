//! Formats numbers for files: microseconds, seconds, and the statistics that fit each kind of metric.
//! Exact as far as a float allows, and never with more digits than were measured.

use crate::measure::{Histogram, Metric, Value};
use crate::metric::{Unit, unit_of};
use crate::units::{Nanos, visible};

/// Converts to microseconds, exact to the nanosecond.
pub(super) fn us(ns: u64) -> f64 {
    ns as f64 / 1e3
}

/// Converts from microseconds. The reverse of [`us`] up to 2^51 ns, which are 26 days.
pub(super) fn of_us(us: f64) -> Nanos {
    Nanos((us * 1e3).round() as u64)
}

/// Converts from seconds. The reverse of [`Nanos::as_secs_f64`] up to 2^51 ns, which are 26 days.
pub(super) fn of_seconds(seconds: f64) -> Nanos {
    Nanos((seconds * 1e9).round() as u64)
}

/// Converts to seconds, rounded to the microsecond.
pub(super) fn seconds(ns: u64) -> f64 {
    rounded(ns as f64 / 1e9, 1e6)
}

/// Rounds to three decimals.
pub(super) fn milli(value: f64) -> f64 {
    rounded(value, 1e3)
}

/// Formats a cell: whole numbers without a decimal point, unknown values empty.
pub(super) fn cell(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Formats a cell of text that a server may have written. Escapes what would move a terminal's cursor, and puts a
/// quote before what begins like a formula, so that spreadsheets read it as text.
pub(super) fn text_cell(text: &str) -> String {
    let shown = visible(text);
    match shown.starts_with(['=', '+', '-', '@']) {
        true => format!("'{shown}"),
        false => shown,
    }
}

/// Rounds to a multiple of `1 / scale`. Leaves large numbers unchanged: a float has no decimals left for them.
fn rounded(value: f64, scale: f64) -> f64 {
    if value.abs() < 1e12 {
        (value * scale).round() / scale
    } else {
        value
    }
}

/// The mean in microseconds; `None` when empty.
pub(super) fn mean_us(times: &Histogram) -> Option<f64> {
    times.mean().map(|ns| milli(ns / 1e3))
}

/// The percentiles that every report shows for a distribution.
pub(super) const PERCENTILES: [(&str, f64); 5] = [
    ("p50", 50.0),
    ("p90", 90.0),
    ("p99", 99.0),
    ("p99.9", 99.9),
    ("p99.99", 99.99),
];

/// One statistic of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Statistic {
    pub(super) name: &'static str,
    /// `None` is "unknown".
    pub(super) value: Option<f64>,
    pub(super) unit: &'static str,
}

/// Every statistic that fits the kind of this metric, under the names that gates use.
pub(super) fn statistics(metric: &Metric) -> Vec<Statistic> {
    let unit = unit_of(&metric.name);
    let of = |name, value| Statistic {
        name,
        value,
        unit: unit.name(),
    };
    let rate = |count: u64, unit: Unit| Statistic {
        name: "rate",
        value: (metric.seconds > 0.0).then(|| milli(count as f64 / metric.seconds)),
        unit: unit.name_per_second(),
    };
    match &metric.value {
        Value::Counter(count) => vec![of("count", Some(*count as f64)), rate(*count, unit)],
        Value::Gauge(stats) => vec![
            of("min", Some(milli(stats.min))),
            of("mean", Some(milli(stats.mean))),
            of("peak", Some(milli(stats.max))),
            of("last", Some(milli(stats.last))),
        ],
        Value::Histogram(times) => {
            let count = Statistic {
                name: "count",
                value: Some(times.count() as f64),
                unit: Unit::Count.name(),
            };
            let mut all = vec![
                count,
                rate(times.count(), Unit::Count),
                of("min", times.min().map(us)),
                of("mean", mean_us(times)),
            ];
            all.extend(PERCENTILES.map(|(name, p)| of(name, times.percentile(p).map(us))));
            all.push(of("max", times.max().map(us)));
            all
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_writes_to_no_terminal_and_into_no_spreadsheet() {
        assert_eq!(text_cell("\x1b]0;x\u{7}"), r"\x1b]0;x\x07");
        assert_eq!(text_cell("=1+1"), "'=1+1");
        assert_eq!(text_cell("\t=1+1"), r"\t=1+1");
    }
    use proptest::prelude::*;

    #[test]
    fn cells_are_as_short_as_they_can_be() {
        assert_eq!(cell(Some(9_997.0)), "9997");
        assert_eq!(cell(Some(0.25)), "0.25");
        assert_eq!(cell(None), "");
    }

    #[test]
    fn a_rate_over_no_time_is_unknown() {
        let metric = Metric {
            name: "messages.sent".to_owned(),
            cohort: None,
            stage: None,
            seconds: 0.0,
            value: Value::Counter(3),
        };
        assert_eq!(statistics(&metric)[1].value, None);
    }

    proptest! {
        #[test]
        fn microseconds_have_three_decimals_at_most(ns in 0u64..3_600_000_000_000) {
            let text = us(ns).to_string();
            let decimals = text.split_once('.').map_or(0, |(_, after)| after.len());
            prop_assert!(decimals <= 3, "{text}");
            let whole: f64 = text.parse().unwrap();
            prop_assert_eq!((whole * 1e3).round() as u64, ns);
        }

        #[test]
        fn seconds_have_six_decimals_at_most(ns in 0u64..2_592_000_000_000_000) {
            let text = seconds(ns).to_string();
            let decimals = text.split_once('.').map_or(0, |(_, after)| after.len());
            prop_assert!(decimals <= 6, "{text}");
        }
    }
}

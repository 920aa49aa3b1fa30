//! The numbers of a run by name, for gates, reports and people.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::agreed::Agreed;
use super::border::Border;
use super::connection_record::ConnectionRecord;
use super::ending::Ending;
use super::fallbacks::Fallbacks;
use super::histogram::{Encoded, Histogram};
use super::interval::Interval;
use super::named::OfCohort;
use super::stops::Stops;
use super::timeline::{Phase, Row};
use crate::metric::{Cause, Counter, Gauge, Kind};
use crate::units::Timestamp;

/// The statistics of a gauge that is sampled once a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct GaugeStats {
    /// The number of samples.
    pub samples: u64,
    /// The smallest.
    pub min: f64,
    /// The largest, also called the peak.
    pub max: f64,
    /// The mean.
    pub mean: f64,
    /// The newest.
    pub last: f64,
}

impl GaugeStats {
    /// The statistics of one sample.
    pub fn of(value: f64) -> Self {
        Self {
            samples: 1,
            min: value,
            max: value,
            mean: value,
            last: value,
        }
    }

    /// Adds a sample.
    pub fn add(&mut self, value: f64) {
        self.samples += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.mean += (value - self.mean) / self.samples as f64;
        self.last = value;
    }

    /// Adds a sample to the statistics, which may not exist yet.
    pub fn push(this: &mut Option<Self>, value: f64) {
        match this {
            Some(stats) => stats.add(value),
            None => *this = Some(Self::of(value)),
        }
    }

    /// Adds samples that are later than these.
    pub fn merge(this: &mut Option<Self>, later: Self) {
        let Some(stats) = this else {
            *this = Some(later);
            return;
        };
        let sum = |stats: &Self| stats.mean * stats.samples as f64;
        let samples = stats.samples + later.samples;
        *stats = Self {
            samples,
            min: stats.min.min(later.min),
            max: stats.max.max(later.max),
            mean: (sum(stats) + sum(&later)) / samples as f64,
            last: later.last,
        };
    }
}

/// The number of connections in each state during one phase of a run, sampled every second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct States {
    /// The index of the cohort. `None`: the sum over the cohorts that gates look at if they name none; kept separately
    /// because the peak of a sum is not the sum of the peaks.
    #[serde(skip)]
    pub cohort: Option<usize>,
    /// The phase.
    pub phase: Phase,
    /// In the handshake (readyState 0).
    pub connecting: GaugeStats,
    /// Open (readyState 1).
    pub open: GaugeStats,
    /// Open, and the client is ready.
    #[serde(default)]
    pub ready: GaugeStats,
    /// In the close handshake (readyState 2).
    pub closing: GaugeStats,
}

impl States {
    /// The gauge of one state of connections; `None` for other gauges.
    pub fn gauge(&self, gauge: Gauge) -> Option<GaugeStats> {
        match gauge {
            Gauge::Connecting => Some(self.connecting),
            Gauge::Open => Some(self.open),
            Gauge::Ready => Some(self.ready),
            Gauge::Closing => Some(self.closing),
            _ => None,
        }
    }
}

impl OfCohort for States {
    fn cohort(&self) -> Option<usize> {
        self.cohort
    }

    fn in_cohort(self, cohort: Option<usize>) -> Option<Self> {
        Some(Self { cohort, ..self })
    }
}

/// The value of a metric.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A count.
    Counter(u64),
    /// Times in nanoseconds; never empty.
    Histogram(Box<Histogram>),
    /// Samples.
    Gauge(GaugeStats),
}

impl Value {
    /// The kind of this metric.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Counter(_) => Kind::Counter,
            Self::Histogram(_) => Kind::Histogram,
            Self::Gauge(_) => Kind::Gauge,
        }
    }
}

/// One metric of one cohort in one stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// The name from the catalogue.
    pub name: String,
    /// `None` if the metric belongs to the generator.
    pub cohort: Option<String>,
    /// The stage, from 1; `None` if the scenario has no stages, or the metric covers the whole run.
    pub stage: Option<u32>,
    /// The length of the window that it covers, in seconds.
    pub seconds: f64,
    /// What was measured.
    pub value: Value,
}

/// The connections that did not end as planned.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Endings {
    /// In the order of their ends, to the second; bounded.
    pub rows: Vec<Ending>,
    /// How many more there were, which were not kept.
    pub more: u64,
    /// For each cause that has any, the first few different details; never empty.
    pub examples: BTreeMap<Cause, Vec<String>>,
    /// The first words of the first few different messages that answered nothing.
    pub unexpected: Vec<String>,
}

impl Endings {
    /// The most rows that are kept.
    pub const MAX_ROWS: usize = 100_000;
    /// The most rows that are kept of a run without end, where newer ones take the place of older ones.
    pub const MAX_NEWEST: usize = 10_000;
    /// The most details that are kept for each cause.
    pub const MAX_EXAMPLES: usize = 5;
}

/// The connections that contracts are judged by.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConnectionRecords {
    /// In the order of their ends, to the second; bounded.
    pub rows: Vec<ConnectionRecord>,
    /// How many more there were, which were not kept.
    pub more: u64,
}

impl ConnectionRecords {
    /// The most records that are kept.
    pub const MAX_ROWS: usize = 200_000;
}

/// The numbers of a run.
///
/// A counter of the catalogue without a row is zero; a histogram without a row is empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// The names of the cohorts, in the order of the scenario.
    pub cohorts: Vec<String>,
    /// The seconds from the first dial to the end of the last connection.
    pub seconds: f64,
    /// The length of the measured window, or of all stages, in seconds.
    pub measured_seconds: f64,
    /// One row for each metric, cohort and stage, in the order of the catalogue.
    pub metrics: Vec<Metric>,
    /// The same for the whole run, including time that was not measured; one row for each metric and cohort.
    pub totals: Vec<Metric>,
    /// The states of connections, summarised second by second, in the order of the phases. For each phase: one entry
    /// for each cohort, and one for the sum over the cohorts that gates look at, if there are any.
    pub states: Vec<States>,
    /// The measurements over time, oldest first, in steps of equal width: at most [`super::Timeline::MAX_INTERVALS`]
    /// for each cohort.
    pub timeline: Vec<Row>,
    /// The same steps with all that was measured in them, as [`super::Timeline`] keeps them.
    pub intervals: Vec<Interval<Encoded>>,
    /// The connections that did not end as planned.
    pub endings: Endings,
    /// The connections of cohorts with a contract.
    pub records: ConnectionRecords,
    /// Addresses of the target that accepted no connection.
    pub fallbacks: Fallbacks,
    /// What clients and servers agreed on.
    pub agreed: Agreed,
    /// When wsbench itself stood still. Not part of reports: only the verdict of the run looks at it.
    pub stops: Stops,
    /// When measuring began; `None` if that is not known.
    pub measured_from: Option<Timestamp>,
    /// For each cohort, how many of its clients had opened a connection before this report began; empty for the first.
    /// Not part of reports: only the verdict looks at it.
    pub carried: Vec<u64>,
    /// What it took over from the report before and left to the next; `None` for a run of one report.
    pub border: Option<Border>,
}

impl Summary {
    /// The rows of a metric, of one cohort or all (`None`), of one stage or all (`None`).
    pub fn select<'a>(
        &'a self,
        name: &'a str,
        cohort: Option<&'a str>,
        stage: Option<u32>,
    ) -> impl Iterator<Item = &'a Metric> {
        self.metrics.iter().filter(move |metric| {
            metric.name == name
                && cohort.is_none_or(|cohort| metric.cohort.as_deref() == Some(cohort))
                && stage.is_none_or(|stage| metric.stage == Some(stage))
        })
    }

    /// Adds `dials` of a cohort (its index) that continued with another address after these.
    pub fn add_fallbacks(&mut self, cohort: usize, dials: u64, addresses: &Fallbacks) {
        self.fallbacks.merge(addresses);
        let cohort = self.cohorts.get(cohort);
        for row in self.metrics.iter_mut().chain(&mut self.totals) {
            let is_of = row.cohort.as_ref() == cohort;
            if let Value::Counter(all) = &mut row.value
                && is_of
                && row.name == Counter::ConnectionsFallbacks.name()
            {
                *all += dials;
            }
        }
    }

    /// Applies `change` to each text that a server may have written, to mask what must not be shown.
    pub fn each_text(&mut self, mut change: impl FnMut(&mut String)) {
        for ending in &mut self.endings.rows {
            change(&mut ending.detail);
            change(&mut ending.close_reason);
        }
        for example in self.endings.examples.values_mut().flatten() {
            change(example);
        }
        self.endings.unexpected.iter_mut().for_each(&mut change);
        for record in &mut self.records.rows {
            change(&mut record.close_reason);
        }
    }

    /// How many clients of a cohort had opened a connection before this report began.
    pub fn carried(&self, cohort: &str) -> u64 {
        let place = self.cohorts.iter().position(|name| name == cohort);
        let carried = place.and_then(|place| self.carried.get(place));
        carried.copied().unwrap_or(0)
    }

    /// Whether a connection has opened, in this report or before.
    pub fn opened_any(&self) -> bool {
        self.count(Counter::ConnectionsOpened.name()) > 0
            || self.carried.iter().any(|some| *some > 0)
    }

    /// A counter, added up over all cohorts and stages.
    pub fn count(&self, name: &str) -> u64 {
        Self::sum(self.select(name, None, None))
    }

    /// A counter of the whole run, added up over all cohorts.
    pub fn total(&self, name: &str) -> u64 {
        Self::sum(self.totals.iter().filter(|metric| metric.name == name))
    }

    /// A distribution, merged over all cohorts and stages; `None` if it is empty.
    pub fn histogram(&self, name: &str) -> Option<Histogram> {
        Self::merged(self.select(name, None, None))
    }

    /// Merges the distributions of these rows; `None` if there is no sample.
    pub fn merged<'a>(rows: impl Iterator<Item = &'a Metric>) -> Option<Histogram> {
        let mut all: Option<Histogram> = None;
        for row in rows {
            if let Value::Histogram(histogram) = &row.value {
                match &mut all {
                    Some(all) => all.merge(histogram),
                    None => all = Some((**histogram).clone()),
                }
            }
        }
        all
    }

    /// Adds up the counters of these rows.
    pub fn sum<'a>(rows: impl Iterator<Item = &'a Metric>) -> u64 {
        rows.map(|row| match row.value {
            Value::Counter(count) => count,
            _ => 0,
        })
        .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Collector, Layout};

    #[test]
    fn fallbacks_that_are_added_later_count_in_every_number_of_their_cohort() {
        let cohorts = ["direct", "led"].map(|name| (name.to_owned(), Vec::new()));
        let layout = Layout {
            cohorts: cohorts.into(),
            stages: 2,
            topics: Default::default(),
        };
        let mut summary = Collector::new(layout).summary(1.0, &[1.0, 1.0]);
        let mut addresses = Fallbacks::default();
        addresses.add("[::1]:1", 3, "refused");
        summary.add_fallbacks(1, 3, &addresses);
        let name = Counter::ConnectionsFallbacks.name();
        assert_eq!((summary.count(name), summary.total(name)), (3, 3));
        let of_led = summary.select(name, Some("led"), None);
        assert_eq!(Summary::sum(of_led), 3);
        let (address, told) = summary.fallbacks.iter().next().unwrap();
        assert_eq!((address, told.count), ("[::1]:1", 3));
    }
}

//! The numbers of a run, by name: what gates, reports and people look at.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::connection_record::ConnectionRecord;
use super::fallbacks::Fallbacks;
use super::histogram::Histogram;
use super::shard::Ending;
use super::timeline::{Phase, Row};
use crate::metric::{Cause, Gauge, Kind};

/// The samples of a gauge, one a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GaugeStats {
    /// How many samples.
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
    /// One sample.
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

    /// Adds a sample to those that there may be.
    pub fn push(this: &mut Option<Self>, value: f64) {
        match this {
            Some(stats) => stats.add(value),
            None => *this = Some(Self::of(value)),
        }
    }

    /// Adds the samples that came after these.
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

/// How many connections were in which state in one phase of a run, second by second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct States {
    /// The index of the cohort; `None`: those together that gates look at where they name none, since the peak of a sum is
    /// not the sum of the peaks.
    pub cohort: Option<usize>,
    /// The phase.
    pub phase: Phase,
    /// In the handshake (readyState 0).
    pub connecting: GaugeStats,
    /// Open (readyState 1).
    pub open: GaugeStats,
    /// In the close handshake (readyState 2).
    pub closing: GaugeStats,
}

impl States {
    /// One of the three gauges of a connection's state; `None` for another gauge.
    pub fn gauge(&self, gauge: Gauge) -> Option<GaugeStats> {
        match gauge {
            Gauge::Connecting => Some(self.connecting),
            Gauge::Open => Some(self.open),
            Gauge::Closing => Some(self.closing),
            _ => None,
        }
    }
}

/// What a metric holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// A count.
    Counter(u64),
    /// Times in nanoseconds; never empty.
    Histogram(Box<Histogram>),
    /// Samples.
    Gauge(GaugeStats),
}

impl Value {
    /// What kind of number it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Counter(_) => Kind::Counter,
            Self::Histogram(_) => Kind::Histogram,
            Self::Gauge(_) => Kind::Gauge,
        }
    }
}

/// One metric of one cohort in one stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// A name of the catalogue.
    pub name: String,
    /// `None` for what belongs to the generator.
    pub cohort: Option<String>,
    /// From 1; `None` where the scenario has no stages, or the metric covers the whole run.
    pub stage: Option<u32>,
    /// How long the window was that it covers.
    pub seconds: f64,
    /// What was measured.
    pub value: Value,
}

/// The connections that did not end as planned.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Endings {
    /// In the order they ended, within a second; bounded.
    pub rows: Vec<Ending>,
    /// How many more there were.
    pub more: u64,
    /// For each cause the first few different details.
    pub examples: BTreeMap<Cause, Vec<String>>,
    /// The first words of the first few different messages that answered nothing.
    pub unexpected: Vec<String>,
}

impl Endings {
    /// How many rows are kept.
    pub const MAX_ROWS: usize = 100_000;
    /// How many details are kept for each cause.
    pub const MAX_EXAMPLES: usize = 5;
}

/// The connections that a contract is judged by.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ConnectionRecords {
    /// In the order they ended, within a second; bounded.
    pub rows: Vec<ConnectionRecord>,
    /// How many more there were.
    pub more: u64,
}

impl ConnectionRecords {
    /// How many records are kept.
    pub const MAX_ROWS: usize = 200_000;
}

/// The numbers of a run. Written and read again they are the same, to the last digit.
///
/// A counter of the catalogue that has no row is zero; a histogram that has no row is empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The names of the cohorts, in the order of the scenario.
    pub cohorts: Vec<String>,
    /// From the first dial to the end of the last connection.
    pub seconds: f64,
    /// How long was measured: the window, or all stages.
    pub measured_seconds: f64,
    /// One row for each metric, cohort and stage, in the order of the catalogue.
    pub metrics: Vec<Metric>,
    /// The same over the whole run, what was not measured included; one row for each metric and cohort.
    pub totals: Vec<Metric>,
    /// The states of connections, folded second by second: in the order of the phases, and in each of them one for each
    /// cohort and one for those together that gates look at, where there are any.
    pub states: Vec<States>,
    /// What happened over time, oldest first, in steps of one width: at most [`super::Timeline::MAX_INTERVALS`] for each
    /// cohort.
    pub timeline: Vec<Row>,
    /// Who did not end as planned.
    pub endings: Endings,
    /// The connections of cohorts with a contract.
    pub records: ConnectionRecords,
    /// Addresses of the target that took no connection.
    pub fallbacks: Fallbacks,
}

impl Summary {
    /// The rows of a metric, of one cohort or all, of one stage or all.
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

    /// Each text that a server may have written, so that what must not be shown can be taken out.
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

    /// A counter, all cohorts and stages together.
    pub fn count(&self, name: &str) -> u64 {
        Self::sum(self.select(name, None, None))
    }

    /// A counter over the whole run, all cohorts together.
    pub fn total(&self, name: &str) -> u64 {
        Self::sum(self.totals.iter().filter(|metric| metric.name == name))
    }

    /// A distribution, all cohorts and stages together; `None` where it is empty.
    pub fn histogram(&self, name: &str) -> Option<Histogram> {
        Self::merged(self.select(name, None, None))
    }

    /// The distributions of these rows in one; `None` where there is no sample.
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

    /// The counters of these rows together.
    pub fn sum<'a>(rows: impl Iterator<Item = &'a Metric>) -> u64 {
        rows.map(|row| match row.value {
            Value::Counter(count) => count,
            _ => 0,
        })
        .sum()
    }
}

//! The numbers of a run in the text format of Prometheus (version 0.0.4), which GitLab compares between branches too.
//! Counters are those of the measured time; a gauge is the mean of it.

use std::collections::BTreeMap;
use std::io::{self, Write};

use prometheus_client::metrics::MetricType;

use super::exposition::{Families, Point};
use super::run::Run;
use super::words::Stands;
use crate::measure::{GaugeStats, Histogram, Metric, Value};
use crate::metric::{Exported, Kind, exported};

/// Writes the numbers of a run.
///
/// # Errors
/// When writing to `out` fails.
pub fn write(run: &Run, mut out: impl Write) -> io::Result<()> {
    let scenario = ("scenario", run.scenario.name.as_str());
    let labels = [scenario].into_iter().chain(run.options.labels.iter());
    let all = Numbers::of(run).0.text(labels).map_err(io::Error::other)?;
    out.write_all(all.as_bytes())
}

/// All that is known of a run, by name.
#[derive(Default)]
struct Numbers(Families);

impl Numbers {
    fn of(run: &Run) -> Self {
        let mut numbers = Self::default();
        let mut merged: BTreeMap<(&str, Option<&str>), Sum> = BTreeMap::new();
        for metric in &run.summary.metrics {
            let sum = merged.entry((&metric.name, metric.cohort.as_deref()));
            sum.and_modify(|sum| sum.add(metric))
                .or_insert_with(|| Sum::of(metric));
        }
        for ((name, cohort), sum) in merged {
            numbers.add(name, cohort, &sum);
        }
        numbers.judged(run);
        numbers
    }

    fn add(&mut self, metric: &str, cohort: Option<&str>, sum: &Sum) {
        let Exported {
            name,
            labels,
            help,
            scale,
            ..
        } = exported(metric, sum.kind());
        let cohort = cohort.map(|name| ("cohort", name.to_owned()));
        let labels = cohort.into_iter().chain(labels);
        let (kind, point) = sum.point(scale);
        self.0.put(name, &help, kind, labels, point);
    }

    /// The verdict. What is in doubt, or was not decided, has none.
    fn judged(&mut self, run: &Run) {
        let verdict = &run.verdict;
        let code = Point::Count(verdict.exit.code().into());
        let help = "The exit code of the run: 0 passed, 3 failed, 4 in doubt, 130 interrupted.";
        self.0.put("exit_code", help, MetricType::Gauge, [], code);
        let seconds = Point::Value(run.summary.measured_seconds);
        let help = "The length of the measured time.";
        self.0
            .put("measured_seconds", help, MetricType::Gauge, [], seconds);
        for gate in &verdict.gates {
            let Some(held) = held(Stands::of_gate(gate)) else {
                continue;
            };
            let labels = [("gate", gate.gate.clone())];
            let help = "Whether the gate held.";
            self.0
                .put("gate_held", help, MetricType::Gauge, labels, held);
        }
        for promise in &verdict.contracts {
            let Some(held) = held(Stands::of_promise(promise)) else {
                continue;
            };
            let key = promise.contract.key().to_owned();
            let labels = [("cohort", promise.cohort.clone()), ("promise", key)];
            let help = "Whether the server kept the promise.";
            self.0
                .put("promise_held", help, MetricType::Gauge, labels, held);
        }
    }
}

/// 1 for what held, 0 for what did not.
fn held(stands: Stands) -> Option<Point> {
    match stands {
        Stands::Held => Some(Point::Count(1)),
        Stands::Broken => Some(Point::Count(0)),
        Stands::InDoubt | Stands::Open => None,
    }
}

/// The rows of one metric and cohort, all stages together.
enum Sum {
    Count(u64),
    Gauge { samples: u64, sum: f64 },
    Times(Histogram),
}

impl Sum {
    fn of(metric: &Metric) -> Self {
        match &metric.value {
            Value::Counter(count) => Self::Count(*count),
            Value::Gauge(GaugeStats { samples, mean, .. }) => Self::Gauge {
                samples: *samples,
                sum: mean * *samples as f64,
            },
            Value::Histogram(times) => Self::Times((**times).clone()),
        }
    }

    /// Adds a row. One of another kind, which no run has, is left out.
    fn add(&mut self, metric: &Metric) {
        match (self, Self::of(metric)) {
            (Self::Count(count), Self::Count(more)) => *count = count.saturating_add(more),
            (
                Self::Gauge { samples, sum },
                Self::Gauge {
                    samples: more,
                    sum: added,
                },
            ) => {
                *samples = samples.saturating_add(more);
                *sum += added;
            }
            (Self::Times(times), Self::Times(more)) => times.merge(&more),
            _ => {}
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Count(_) => Kind::Counter,
            Self::Gauge { .. } => Kind::Gauge,
            Self::Times(_) => Kind::Histogram,
        }
    }

    /// What is stored of it, in base units.
    fn point(&self, scale: f64) -> (MetricType, Point) {
        match self {
            Self::Count(count) => (MetricType::Counter, Point::Count(*count)),
            Self::Gauge { samples, sum } => {
                let mean = sum / (*samples).max(1) as f64;
                (MetricType::Gauge, Point::Value(mean * scale))
            }
            Self::Times(times) => (MetricType::Histogram, Point::of_times(times, scale)),
        }
    }
}

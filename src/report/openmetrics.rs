//! The numbers of a run in the text format of Prometheus (version 0.0.4), which GitLab compares between branches too.
//! Counters are those of the measured time; a gauge is the mean of it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::run::Run;
use super::words::Stands;
use crate::measure::{GaugeStats, Histogram, Metric, Value};
use crate::metric::{Exported, Kind, exported};
use crate::units::visible;

/// The limits of buckets in nanoseconds: 1, 2.5 and 5 from 50 µs to 60 s.
const LIMITS: [u64; 19] = [
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    25_000_000_000,
    60_000_000_000,
];

/// Writes the numbers of a run.
///
/// # Errors
/// When writing to `out` fails.
pub fn write(run: &Run, mut out: impl Write) -> io::Result<()> {
    let scenario = ("scenario", run.scenario.name.as_str());
    let labels = [scenario].into_iter().chain(run.options.labels.iter());
    let labels = labels.map(|(key, value)| (key.to_owned().into(), visible(value).into()));
    let mut registry = Registry::with_prefix_and_labels(env!("CARGO_PKG_NAME"), labels);
    registry.register_collector(Box::new(Families::of(run)));
    let mut all = String::new();
    text::encode_registry(&mut all, &registry).map_err(io::Error::other)?;
    out.write_all(all.as_bytes())
}

/// Labels and their values.
type Labels = Vec<(&'static str, String)>;

/// All metrics of one name.
#[derive(Debug)]
struct Family {
    help: String,
    kind: MetricType,
    points: BTreeMap<Labels, Point>,
}

/// One number, or one distribution.
#[derive(Debug)]
enum Point {
    Count(u64),
    Value(f64),
    Times {
        /// In seconds.
        sum: f64,
        count: u64,
        /// The limit of each bucket in seconds, and how many times are in it and in none before it.
        buckets: Vec<(f64, u64)>,
    },
}

/// All that is known of a run, by name.
#[derive(Debug, Default)]
struct Families(BTreeMap<String, Family>);

impl Families {
    fn of(run: &Run) -> Self {
        let mut families = Self::default();
        let mut merged: BTreeMap<(&str, Option<&str>), Sum> = BTreeMap::new();
        for metric in &run.summary.metrics {
            let sum = merged.entry((&metric.name, metric.cohort.as_deref()));
            sum.and_modify(|sum| sum.add(metric))
                .or_insert_with(|| Sum::of(metric));
        }
        for ((name, cohort), sum) in merged {
            families.add(name, cohort, &sum);
        }
        families.judged(run);
        families
    }

    fn add(&mut self, metric: &str, cohort: Option<&str>, sum: &Sum) {
        let Exported {
            name,
            labels,
            help,
            scale,
        } = exported(metric, sum.kind());
        let cohort = cohort.map(|name| ("cohort", name.to_owned()));
        let labels = cohort.into_iter().chain(labels);
        let (kind, point) = sum.point(scale);
        self.put(name, &help, kind, labels, point);
    }

    /// The verdict. What is in doubt, or was not decided, has none.
    fn judged(&mut self, run: &Run) {
        let verdict = &run.verdict;
        let code = Point::Count(verdict.exit.code().into());
        let help = "The exit code of the run: 0 passed, 3 failed, 4 in doubt, 130 interrupted.";
        self.put("exit_code", help, MetricType::Gauge, [], code);
        let seconds = Point::Value(run.summary.measured_seconds);
        let help = "The length of the measured time.";
        self.put("measured_seconds", help, MetricType::Gauge, [], seconds);
        for gate in &verdict.gates {
            let Some(held) = held(Stands::of_gate(gate)) else {
                continue;
            };
            let labels = [("gate", gate.gate.clone())];
            let help = "Whether the gate held.";
            self.put("gate_held", help, MetricType::Gauge, labels, held);
        }
        for promise in &verdict.contracts {
            let Some(held) = held(Stands::of_promise(promise)) else {
                continue;
            };
            let key = promise.contract.key().to_owned();
            let labels = [("cohort", promise.cohort.clone()), ("promise", key)];
            let help = "Whether the server kept the promise.";
            self.put("promise_held", help, MetricType::Gauge, labels, held);
        }
    }

    /// Adds a point, unless there is one with these labels, or its name has another kind.
    fn put(
        &mut self,
        name: impl Into<String>,
        help: &str,
        kind: MetricType,
        labels: impl IntoIterator<Item = (&'static str, String)>,
        point: Point,
    ) {
        let family = self.0.entry(name.into()).or_insert_with(|| Family {
            help: help.to_owned(),
            kind,
            points: BTreeMap::new(),
        });
        if family.kind == kind {
            let labels = labels.into_iter();
            let labels = labels.map(|(key, value)| (key, visible(&value)));
            family.points.entry(labels.collect()).or_insert(point);
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
            Self::Times(times) => {
                let limits = LIMITS.iter().map(|limit| *limit as f64 / 1e9);
                let limits = limits.chain([f64::INFINITY]);
                let point = Point::Times {
                    sum: times.sum() as f64 * scale,
                    count: times.count(),
                    buckets: limits.zip(times.parted(&LIMITS)).collect(),
                };
                (MetricType::Histogram, point)
            }
        }
    }
}

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for (name, family) in &self.0 {
            let mut all = encoder.encode_descriptor(name, &family.help, None, family.kind)?;
            for (labels, point) in &family.points {
                let mut one = all.encode_family(labels)?;
                match point {
                    // As a gauge: in this format the name of a counter is written with its `_total` everywhere.
                    Point::Count(count) => one.encode_gauge(count)?,
                    Point::Value(value) => one.encode_gauge(value)?,
                    Point::Times {
                        sum,
                        count,
                        buckets,
                    } => one.encode_histogram::<NoLabelSet>(*sum, *count, buckets, None)?,
                }
            }
        }
        Ok(())
    }
}

//! Numbers in the text format of Prometheus (version 0.0.4): families of one name, each with its points. Names and labels
//! come from the catalogue.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::measure::Histogram;
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
#[derive(Debug, Clone)]
pub(crate) enum Point {
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

/// All that is known, by name.
#[derive(Debug, Default)]
pub(crate) struct Families(BTreeMap<String, Family>);

impl Point {
    /// The distribution of times in nanoseconds, which are multiplied by `scale`.
    pub(crate) fn of_times(times: &Histogram, scale: f64) -> Self {
        let limits = LIMITS.iter().map(|limit| *limit as f64 / 1e9);
        let limits = limits.chain([f64::INFINITY]);
        Self::Times {
            sum: times.sum() as f64 * scale,
            count: times.count(),
            buckets: limits.zip(times.parted(&LIMITS)).collect(),
        }
    }
}

impl Families {
    /// All of them as text, by names that begin with that of the program. Each point has these labels besides its own.
    pub(crate) fn text<'a>(
        self,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<String, fmt::Error> {
        let labels = labels.into_iter();
        let labels = labels.map(|(key, value)| (key.to_owned().into(), visible(value).into()));
        let prefix = env!("CARGO_PKG_NAME");
        self.written(Registry::with_prefix_and_labels(prefix, labels))
    }

    /// All of them as text, by the names that they have.
    pub(crate) fn text_by_own_names(self) -> Result<String, fmt::Error> {
        self.written(Registry::default())
    }

    fn written(self, mut registry: Registry) -> Result<String, fmt::Error> {
        registry.register_collector(Box::new(self));
        let mut all = String::new();
        text::encode_registry(&mut all, &registry)?;
        Ok(all)
    }

    /// Adds a point, unless there is one with these labels, or its name has another kind.
    pub(crate) fn put(
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

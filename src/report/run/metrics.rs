//! A metric in the form of `run.json`: one flat object. Times are microseconds; a statistic that does not apply is left
//! out. The statistics are for readers: what is read back is the whole distribution with its exact numbers.

use std::borrow::Cow;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::measure::{GaugeStats, Histogram, Metric, Value};
use crate::metric::{Kind, Unit, unit_of};
use crate::report::numbers::{mean_us, milli, of_us, us};

/// One metric of one cohort in one stage.
#[derive(Default, Serialize, Deserialize)]
struct Row<'a> {
    name: Cow<'a, str>,
    cohort: Option<Cow<'a, str>>,
    stage: Option<u32>,
    kind: Cow<'a, str>,
    unit: Cow<'a, str>,
    /// The length of its window.
    seconds: f64,
    count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sum: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mean: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p50: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p90: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99_9: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99_99: Option<f64>,
    /// The sum in nanoseconds: a float in microseconds does not hold every sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    sum_ns: Option<u128>,
    /// How many times were longer than an hour, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    clipped: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hdr: Option<Cow<'a, str>>,
}

impl<'a> Row<'a> {
    fn of(metric: &'a Metric) -> Self {
        let plain = Row {
            name: (&*metric.name).into(),
            cohort: metric.cohort.as_deref().map(Cow::from),
            stage: metric.stage,
            kind: metric.value.kind().name().into(),
            unit: unit_of(&metric.name).name().into(),
            seconds: metric.seconds,
            ..Row::default()
        };
        match &metric.value {
            Value::Counter(count) => Row {
                count: *count,
                ..plain
            },
            Value::Gauge(stats) => Row {
                count: stats.samples,
                min: Some(stats.min),
                max: Some(stats.max),
                mean: Some(stats.mean),
                last: Some(stats.last),
                ..plain
            },
            Value::Histogram(times) => plain.with_times(times),
        }
    }

    fn with_times(self, times: &Histogram) -> Self {
        let percentile = |percent| times.percentile(percent).map(us);
        Row {
            unit: Unit::Time.name().into(),
            count: times.count(),
            sum: Some(milli(times.sum() as f64 / 1e3)),
            min: times.min().map(us),
            max: times.max().map(us),
            mean: mean_us(times),
            p50: percentile(50.0),
            p90: percentile(90.0),
            p99: percentile(99.0),
            p99_9: percentile(99.9),
            p99_99: percentile(99.99),
            sum_ns: Some(times.sum()),
            clipped: Some(times.clipped()).filter(|clipped| *clipped > 0),
            hdr: Some(times.to_base64().into()),
            ..self
        }
    }

    /// The value; `Err` says what is wrong with it.
    fn value(&self) -> Result<Value, String> {
        let kinds = [Kind::Counter, Kind::Gauge, Kind::Histogram];
        match kinds.into_iter().find(|kind| kind.name() == self.kind) {
            Some(Kind::Counter) => Ok(Value::Counter(self.count)),
            Some(Kind::Gauge) => {
                let stats = self.gauge().ok_or("a statistic is missing")?;
                Ok(Value::Gauge(stats))
            }
            Some(Kind::Histogram) => Ok(Value::Histogram(Box::new(self.times()?))),
            None => Err(format!("there is no kind `{}`", self.kind)),
        }
    }

    fn gauge(&self) -> Option<GaugeStats> {
        Some(GaugeStats {
            samples: self.count,
            min: self.min?,
            max: self.max?,
            mean: self.mean?,
            last: self.last?,
        })
    }

    fn times(&self) -> Result<Histogram, String> {
        let hdr = self.hdr.as_deref().ok_or("`hdr` is missing")?;
        let times = Histogram::from_base64(hdr).map_err(|error| format!("failed to {error}"))?;
        let ns = |us: Option<f64>| us.map(|us| of_us(us).0);
        let sum = self.sum_ns.ok_or("`sum_ns` is missing")?;
        (times.with_exact(sum, ns(self.min), ns(self.max), self.clipped.unwrap_or(0)))
            .filter(|times| times.count() == self.count)
            .ok_or_else(|| "its numbers contradict its `hdr`".to_owned())
    }
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Row::of(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Metric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let row = Row::deserialize(deserializer)?;
        let value = row.value();
        let value = value.map_err(|why| {
            D::Error::custom(format_args!("the metric `{}` is broken: {why}", row.name))
        })?;
        Ok(Self {
            value,
            name: row.name.into_owned(),
            cohort: row.cohort.map(Cow::into_owned),
            stage: row.stage,
            seconds: row.seconds,
        })
    }
}

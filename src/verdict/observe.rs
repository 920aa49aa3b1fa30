//! Looks up the value for a gate: one number from the summary, or the reason why there is none.
//! Missing data is never reported as a number.

use std::fmt;

use super::view::View;
use crate::measure::{GaugeStats, Histogram, Phase, Summary, Value};
use crate::metric::{self, Counter, Gauge, Kind, Unit};
use crate::scenario::{Selector, Stat, Subject};
use crate::units::{human_count, human_ns};

/// The unit of an observed number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// The metric's own unit.
    Plain(Unit),
    /// The metric's unit per second.
    PerSecond(Unit),
    /// A ratio.
    Ratio,
}

impl Measure {
    /// The stable name, as reports write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain(unit) => unit.name(),
            Self::PerSecond(unit) => unit.name_per_second(),
            Self::Ratio => "ratio",
        }
    }

    /// The unit with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        let plain = [Unit::Time, Unit::Count, Unit::Bytes, Unit::Percent].map(Self::Plain);
        let rates = [Unit::Count, Unit::Bytes].map(Self::PerSecond);
        let mut all = plain.into_iter().chain(rates).chain([Self::Ratio]);
        all.find(|measure| measure.name() == name)
    }
}

/// A number and its unit; times are nanoseconds. `Display` formats it for people.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed {
    /// Comparable with [`crate::scenario::Gate::value`].
    pub value: f64,
    /// The unit of `value`.
    pub measure: Measure,
}

impl Observed {
    /// The number as reports write it, in the unit that [`Measure::name`] names: times are microseconds.
    pub fn reported(self) -> f64 {
        match self.measure {
            Measure::Plain(Unit::Time) => (self.value).round() / 1e3,
            _ => self.value,
        }
    }

    /// The reverse of [`Self::reported`].
    pub fn of_reported(reported: f64, measure: Measure) -> Self {
        let value = match measure {
            Measure::Plain(Unit::Time) => (reported * 1e3).round(),
            _ => reported,
        };
        Self { value, measure }
    }
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value, measure } = *self;
        match measure {
            Measure::Plain(Unit::Time) => f.write_str(&human_ns(value.round() as u64)),
            Measure::Plain(Unit::Count) => f.write_str(&plain(value)),
            Measure::Plain(Unit::Bytes) => write!(f, "{} B", plain(value)),
            Measure::Plain(Unit::Percent) => write!(f, "{value:.0} %"),
            Measure::PerSecond(Unit::Bytes) => write!(f, "{} B/s", plain(value)),
            Measure::PerSecond(_) => write!(f, "{}/s", plain(value)),
            Measure::Ratio => write!(f, "{} %", significant(value * 100.0)),
        }
    }
}

/// Formats whole numbers with digit groups, and others with their significant digits.
fn plain(value: f64) -> String {
    if value.fract() == 0.0 || value >= 999.5 {
        human_count(value.round() as u64)
    } else {
        significant(value)
    }
}

/// Formats three significant digits, without trailing zeros.
fn significant(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let places = (2 - value.abs().log10().floor() as i32).clamp(0, 9);
    let text = format!("{value:.*}", places as usize);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// Why there is no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoData {
    /// The gate names no cohort, and its metric covers no cohort of the scenario.
    #[error(
        "no cohort is looked at for `{0}`: each has a fault, or its contract expects the server to end it"
    )]
    Nobody(String),
    /// An empty histogram, or a gauge that was never sampled.
    #[error("no samples of `{0}`")]
    NoSamples(String),
    /// What it is counted among is zero: the denominator of a ratio, or the messages with a number that could be missing.
    #[error("no data: `{0}` is zero")]
    ZeroBase(String),
    /// The metric was asked for by stage, but is not recorded by stage.
    #[error("`{0}` covers the whole run, not a stage")]
    NotByStage(String),
    /// A rate over zero time.
    #[error("no time was measured")]
    NoTime,
    /// A statistic that this kind of metric does not have.
    #[error("`{0}` has no such statistic")]
    NoSuchStat(String),
}

/// Returns the number that this subject of a gate stands for.
///
/// # Errors
/// If there is no data: never returns a number that was not measured.
pub fn observe(subject: &Subject, view: &View<'_>) -> Result<Observed, NoData> {
    match subject {
        Subject::Ratio(above, below) => {
            let (above, of) = (count(above, view)?, count(below, view)?);
            if of == 0 {
                return Err(NoData::ZeroBase(below.metric.clone()));
            }
            Ok(Observed {
                value: above as f64 / of as f64,
                measure: Measure::Ratio,
            })
        }
        Subject::Stat(stat, selector) => match kind(&selector.metric) {
            _ if !view.sees_any(selector) => Err(NoData::Nobody(selector.metric.clone())),
            Some(Kind::Counter) => of_counter(*stat, selector, view),
            Some(Kind::Histogram) => of_histogram(*stat, selector, view),
            Some(Kind::Gauge) => of_gauge(*stat, selector, view),
            None => Err(NoData::NoSamples(selector.metric.clone())),
        },
    }
}

/// The kind of the metric. The names of messages were checked when the gate was read.
fn kind(metric: &str) -> Option<Kind> {
    let message = metric.split_once('.').map_or("", |(_, rest)| rest);
    metric::kind_of(metric, &[message])
}

fn histogram(selector: &Selector, view: &View<'_>) -> Result<Histogram, NoData> {
    Summary::merged(view.of(selector)).ok_or_else(|| NoData::NoSamples(selector.metric.clone()))
}

/// Returns the value of a counter. A counter that was never increased is zero, unless it was asked for by stage and is
/// not recorded by stage: then zero would be wrong. Nor is it an answer if nothing came that could have been counted.
fn count(selector: &Selector, view: &View<'_>) -> Result<u64, NoData> {
    if !view.sees_any(selector) {
        return Err(NoData::Nobody(selector.metric.clone()));
    }
    if kind(&selector.metric) == Some(Kind::Histogram) {
        return Ok(histogram(selector, view)?.count());
    }
    let mut counts = (view.of(selector))
        .filter_map(|row| match row.value {
            Value::Counter(count) => Some(count),
            _ => None,
        })
        .peekable();
    if selector.stage.is_some() && counts.peek().is_none() {
        return Err(NoData::NotByStage(selector.metric.clone()));
    }
    let sum = counts.sum();
    match among(&selector.metric) {
        Some(all) if sum == 0 && count(&of_metric(selector, all), view)? == 0 => {
            Err(NoData::ZeroBase(all.name().to_owned()))
        }
        _ => Ok(sum),
    }
}

/// What has to come so that a zero of this metric says something: messages, and numbers of them that can be compared.
fn among(metric: &str) -> Option<Counter> {
    match Counter::from_name(metric)? {
        Counter::PushesGaps | Counter::PushesRepeated | Counter::PushesUnordered => {
            Some(Counter::PushesNumbered)
        }
        Counter::PushesWrong => Some(Counter::PushesReceived),
        _ => None,
    }
}

/// The same selector of another counter.
fn of_metric(selector: &Selector, counter: Counter) -> Selector {
    Selector {
        metric: counter.name().to_owned(),
        ..selector.clone()
    }
}

fn of_counter(stat: Stat, selector: &Selector, view: &View<'_>) -> Result<Observed, NoData> {
    let unit = metric::unit_of(&selector.metric);
    let count = count(selector, view)?;
    match stat {
        Stat::Count => Ok(Observed {
            value: count as f64,
            measure: Measure::Plain(unit),
        }),
        Stat::Rate => per_second(count, unit, selector, view),
        _ => Err(NoData::NoSuchStat(selector.metric.clone())),
    }
}

fn of_histogram(stat: Stat, selector: &Selector, view: &View<'_>) -> Result<Observed, NoData> {
    let times = histogram(selector, view)?;
    match stat {
        Stat::Count => Ok(Observed {
            value: times.count() as f64,
            measure: Measure::Plain(Unit::Count),
        }),
        Stat::Rate => per_second(times.count(), Unit::Count, selector, view),
        Stat::Peak | Stat::Last => Err(NoData::NoSuchStat(selector.metric.clone())),
        Stat::Percentile(_) | Stat::Min | Stat::Max | Stat::Mean => value_of(stat, &times)
            .map(|value| Observed {
                value,
                measure: Measure::Plain(Unit::Time),
            })
            .ok_or_else(|| NoData::NoSamples(selector.metric.clone())),
    }
}

/// A statistic of these times in nanoseconds; `None` if times have no such statistic, or there are no times.
pub(super) fn value_of(stat: Stat, times: &Histogram) -> Option<f64> {
    match stat {
        Stat::Percentile(percent) => times.percentile(percent).map(|ns| ns as f64),
        Stat::Min => times.min().map(|ns| ns as f64),
        Stat::Max => times.max().map(|ns| ns as f64),
        Stat::Mean => times.mean(),
        Stat::Count | Stat::Rate | Stat::Peak | Stat::Last => None,
    }
}

fn of_gauge(stat: Stat, selector: &Selector, view: &View<'_>) -> Result<Observed, NoData> {
    let stats = match Gauge::from_name(&selector.metric) {
        Some(gauge @ (Gauge::Connecting | Gauge::Open | Gauge::Ready | Gauge::Closing)) => {
            states(gauge, selector, view)
        }
        _ => view.of(selector).find_map(|row| match row.value {
            Value::Gauge(stats) => Some(stats),
            _ => None,
        }),
    };
    let stats = stats.ok_or_else(|| NoData::NoSamples(selector.metric.clone()))?;
    let value = match stat {
        Stat::Min => stats.min,
        Stat::Max | Stat::Peak => stats.max,
        Stat::Mean => stats.mean,
        Stat::Last => stats.last,
        _ => return Err(NoData::NoSuchStat(selector.metric.clone())),
    };
    Ok(Observed {
        value,
        measure: Measure::Plain(metric::unit_of(&selector.metric)),
    })
}

/// One state of connections in the measured time, or in one stage of it. Leaves out the ramp-up and the drain: they
/// start or end with no connections, and would give the minimum and the last sample of any run.
fn states(gauge: Gauge, selector: &Selector, view: &View<'_>) -> Option<GaugeStats> {
    let in_stage = |phase| match phase {
        Phase::Measure => selector.stage.is_none(),
        Phase::Stage(stage) => selector.stage.is_none_or(|wanted| wanted == stage),
        Phase::RampUp | Phase::WarmUp | Phase::Drain => false,
    };
    let mut stats = None;
    for states in view.states(selector).filter(|one| in_stage(one.phase)) {
        if let Some(more) = states.gauge(gauge) {
            GaugeStats::merge(&mut stats, more);
        }
    }
    stats
}

fn per_second(
    count: u64,
    unit: Unit,
    selector: &Selector,
    view: &View<'_>,
) -> Result<Observed, NoData> {
    let seconds = seconds(selector, view);
    if seconds <= 0.0 {
        return Err(NoData::NoTime);
    }
    Ok(Observed {
        value: count as f64 / seconds,
        measure: Measure::PerSecond(unit),
    })
}

/// The length of this metric's windows: cohorts share a window, stages add up. A stage without samples counts as time
/// too.
fn seconds(selector: &Selector, view: &View<'_>) -> f64 {
    let found = view.of(selector).next();
    match found {
        None => view.all().seconds,
        Some(row) if row.stage.is_none() => row.seconds,
        Some(_) => {
            let mut stages: Vec<(u32, f64)> = (view.all().metrics)
                .iter()
                .filter_map(|row| Some((row.stage?, row.seconds)))
                .filter(|(stage, _)| selector.stage.is_none_or(|wanted| wanted == *stage))
                .collect();
            stages.sort_by_key(|(stage, _)| *stage);
            stages.dedup_by_key(|(stage, _)| *stage);
            stages.iter().map(|(_, seconds)| seconds).sum()
        }
    }
}

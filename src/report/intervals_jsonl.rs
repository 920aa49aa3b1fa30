//! `intervals.jsonl`: all that was measured, over time, with whole histograms. The first line describes the file; then
//! each line is what one cohort, one load generator, or the target's process did in one step of the run. The steps are those of
//! `timeline.csv`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::run::{Run, SCHEMA_VERSION, utc};
use crate::measure::{
    Encoded, HistogramError, Interval, Name, Open, Own, Part, Phase, Timeline, Usage,
};
use crate::metric::Timer;
use crate::units::{Nanos, Timestamp};

/// The name of the file in the folder of a report.
pub(super) const FILE: &str = "intervals.jsonl";

/// The most load generators that a run has.
const MAX_GENERATORS: usize = 1_000;

/// The first line.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Head<'a> {
    schema_version: u32,
    /// The start of the run it belongs to, as in `run.json`.
    started_at: Cow<'a, str>,
    /// The cohorts, in the order of their lines.
    cohorts: Cow<'a, [String]>,
}

/// Each other line: a cohort's, a load generator's, or the target's. Times are seconds after the first dial, and nanoseconds in
/// histograms.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    from_s: u64,
    to_s: u64,
    phase: Phase,
    #[serde(skip_serializing_if = "Option::is_none")]
    cohort: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generator: Option<Cow<'a, str>>,
    /// The resources of the target's process.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Target>,
    /// The states of the cohort's connections at the end of the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    connections: Option<Open>,
    /// The cohort's counts that are not zero.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    counts: BTreeMap<Cow<'a, str>, u64>,
    /// The processor time that the generator used.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_ns: Option<Nanos>,
    /// The generator's memory at the end of the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    rss_bytes: Option<u64>,
    /// The times that were measured.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    times: BTreeMap<Cow<'a, str>, Cow<'a, Encoded>>,
}

/// What the target's process used: processor time in the step, the others at its end.
#[derive(Serialize, Deserialize)]
struct Target {
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_ns: Option<Nanos>,
    rss_bytes: u64,
    descriptors: u64,
}

/// Writes `intervals.jsonl`.
///
/// # Errors
/// When writing to `out` fails.
pub fn write(run: &Run, mut out: impl Write) -> io::Result<()> {
    line(&Head::of(run), &mut out)?;
    let mut steps = run.summary.intervals.iter();
    steps.try_for_each(|interval| lines(interval, &run.summary.cohorts, &mut out))
}

/// Writes the first line of the file of a run that started at this time.
///
/// # Errors
/// When writing to `out` fails.
pub fn head(started_at: SystemTime, cohorts: &[String], mut out: impl Write) -> io::Result<()> {
    let head = Head {
        schema_version: SCHEMA_VERSION,
        started_at: utc(started_at).into(),
        cohorts: cohorts.into(),
    };
    line(&head, &mut out)
}

/// Writes the lines of one step.
///
/// # Errors
/// When writing to `out` fails.
pub fn lines(
    interval: &Interval<Encoded>,
    cohorts: &[String],
    mut out: impl Write,
) -> io::Result<()> {
    for (name, part) in cohorts.iter().zip(&interval.cohorts) {
        line(&Line::of(interval).with_cohort(name, part), &mut out)?;
    }
    for (name, own) in &interval.sources {
        line(&Line::of(interval).with_generator(name, own), &mut out)?;
    }
    if let Some(used) = interval.target {
        line(&Line::of(interval).with_target(used), &mut out)?;
    }
    Ok(())
}

fn line(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)
}

impl<'a> Head<'a> {
    fn of(run: &'a Run) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            started_at: Cow::from(&run.started_at),
            cohorts: Cow::from(&run.summary.cohorts),
        }
    }

    /// Checks that the first line is that of this run.
    fn check(line: &str, run: &Run) -> Result<(), Broken> {
        let head: Head<'_> = serde_json::from_str(line)?;
        match head == Head::of(run) {
            true => Ok(()),
            false => Err(Broken::Foreign),
        }
    }
}

/// The names of the histograms of a generator.
const LOOP_LAG: &str = Timer::GeneratorLoopLag.name();
const LOOK_UPS: &str = Timer::HandshakeDns.name();

impl<'a> Line<'a> {
    fn of(interval: &Interval<Encoded>) -> Self {
        Self {
            from_s: interval.from.as_nanos() / Interval::SECOND.0,
            to_s: interval.to.as_nanos() / Interval::SECOND.0,
            phase: interval.phase,
            cohort: None,
            generator: None,
            target: None,
            connections: None,
            counts: BTreeMap::new(),
            cpu_ns: None,
            rss_bytes: None,
            times: BTreeMap::new(),
        }
    }

    fn with_cohort(self, name: &'a str, part: &'a Part<Encoded>) -> Self {
        let counts = part.counts.iter();
        let times = part.times.iter();
        Self {
            cohort: Some(name.into()),
            connections: Some(part.gauges),
            counts: counts
                .map(|(name, count)| ((&**name).into(), *count))
                .collect(),
            times: times
                .map(|(name, times)| ((&**name).into(), Cow::Borrowed(times)))
                .collect(),
            ..self
        }
    }

    fn with_generator(self, name: &'a str, own: &'a Own<Encoded>) -> Self {
        let times = [(LOOP_LAG, &own.loop_lag), (LOOK_UPS, &own.look_ups)];
        let times = times
            .into_iter()
            .filter_map(|(name, times)| Some((Cow::from(name), Cow::Borrowed(times.as_ref()?))));
        Self {
            generator: Some(name.into()),
            cpu_ns: own.cpu,
            rss_bytes: own.rss,
            times: times.collect(),
            ..self
        }
    }

    fn with_target(self, used: Usage) -> Self {
        let target = Target {
            cpu_ns: used.cpu,
            rss_bytes: used.rss,
            descriptors: used.descriptors,
        };
        Self {
            target: Some(target),
            ..self
        }
    }

    /// An interval without cohorts and generators, of the step of this line.
    fn step(&self) -> Interval<Encoded> {
        Interval {
            index: self.from_s,
            from: Timestamp::ORIGIN + self.from_s * Interval::SECOND,
            to: Timestamp::ORIGIN + self.to_s * Interval::SECOND,
            phase: self.phase,
            cohorts: Vec::new(),
            sources: BTreeMap::new(),
            target: None,
        }
    }

    /// Adds this line to its interval.
    fn add_to(self, interval: &mut Interval<Encoded>, cohorts: &[String]) -> Result<(), Broken> {
        (self.times.values()).try_for_each(|times| times.decode().map(drop))?;
        let times = self.times.into_iter();
        let mut times: BTreeMap<Name, Encoded> = times
            .map(|(name, times)| (name.into_owned().into(), times.into_owned()))
            .collect();
        match (self.cohort, self.generator, self.target) {
            (Some(cohort), None, None) => {
                let expected = cohorts.get(interval.cohorts.len());
                if expected.is_none_or(|name| *name != cohort) {
                    return Err(Broken::Order);
                }
                let counts = self.counts.into_iter();
                interval.cohorts.push(Part {
                    gauges: self.connections.unwrap_or_default(),
                    counts: counts
                        .map(|(name, count)| (name.into_owned().into(), count))
                        .collect(),
                    times,
                });
            }
            (None, Some(generator), None) => {
                let own = Own {
                    cpu: self.cpu_ns,
                    rss: self.rss_bytes,
                    loop_lag: times.remove(LOOP_LAG),
                    look_ups: times.remove(LOOK_UPS),
                };
                interval.sources.insert(generator.into_owned().into(), own);
            }
            (None, None, Some(used)) if interval.target.is_none() => {
                interval.target = Some(Usage {
                    rss: used.rss_bytes,
                    descriptors: used.descriptors,
                    cpu: used.cpu_ns,
                });
            }
            _ => return Err(Broken::Owner),
        }
        Ok(())
    }
}

/// What is wrong with a line. Fits after "it is broken: ".
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The system could not read it.
    #[error(transparent)]
    System(#[from] io::Error),
    /// It is not JSON, or has another shape.
    #[error(transparent)]
    Shape(#[from] serde_json::Error),
    /// The first line is that of another run.
    #[error("it belongs to another run than the `run.json` beside it")]
    Foreign,
    /// It is not the next one.
    #[error("it is not the line that was written there")]
    Order,
    /// The file ends before it.
    #[error("it is missing")]
    Short,
    /// It is neither a cohort's nor a load generator's, nor the first of the target.
    #[error("it names not one `cohort` or `generator`, and no `target` before it")]
    Owner,
    /// A histogram cannot be decoded.
    #[error("failed to {0}")]
    Times(#[from] HistogramError),
    /// There are more lines than a run has.
    #[error("a run has fewer lines")]
    TooMany,
}

/// Reads back what [`write()`] wrote for this run, which had so many steps. With an error comes the number of the line,
/// from 1.
///
/// # Errors
/// When it cannot be read, belongs to another run, or is broken.
pub(super) fn read(
    run: &Run,
    text: impl BufRead,
    steps: usize,
) -> Result<Vec<Interval<Encoded>>, (usize, Broken)> {
    let cohorts = &run.summary.cohorts;
    let most = steps.min(Timeline::MAX_INTERVALS + 1) * (cohorts.len() + MAX_GENERATORS + 1) + 1;
    let mut all = Vec::new();
    let mut number = 0;
    for line in text.lines() {
        number += 1;
        let line = line.map_err(Broken::from).and_then(|line| match number {
            1 => Head::check(&line, run),
            _ if number > most => Err(Broken::TooMany),
            _ => add(&mut all, &line, cohorts),
        });
        line.map_err(|broken| (number, broken))?;
    }
    let is_whole = all
        .last()
        .is_none_or(|last| last.cohorts.len() == cohorts.len());
    match is_whole && all.len() == steps {
        true => Ok(all),
        false => Err((number + 1, Broken::Short)),
    }
}

/// Adds a line to the last step, or begins the next one with it.
fn add(all: &mut Vec<Interval<Encoded>>, line: &str, cohorts: &[String]) -> Result<(), Broken> {
    let line: Line<'_> = serde_json::from_str(line)?;
    let mut step = line.step();
    match all.last_mut() {
        Some(last) if last.from == step.from => line.add_to(last, cohorts),
        Some(last) if last.to > step.from || last.cohorts.len() < cohorts.len() => {
            Err(Broken::Order)
        }
        _ if step.to <= step.from => Err(Broken::Order),
        _ => {
            line.add_to(&mut step, cohorts)?;
            all.push(step);
            Ok(())
        }
    }
}

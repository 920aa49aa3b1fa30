//! A run over time in a bounded number of steps: what was completed in each, and who was open at its end.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;
use super::interval::{Interval, Part};
use super::shard::Open;
use crate::metric::{Counter, Timer};

/// What the run was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Connections are being opened.
    RampUp,
    /// All are open, nothing is measured yet.
    WarmUp,
    /// The measured window.
    Measure,
    /// One stage of it, counted from 1.
    Stage(u32),
    /// Answers still due are waited for, and connections are closed.
    Drain,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::RampUp => f.write_str("ramp_up"),
            Self::WarmUp => f.write_str("warm_up"),
            Self::Measure => f.write_str("measure"),
            Self::Stage(stage) => write!(f, "stage_{stage}"),
            Self::Drain => f.write_str("drain"),
        }
    }
}

/// One step of one cohort, all workers together. Times are nanoseconds; `None` is "no sample".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// It begins so many seconds after the first dial.
    pub second: u64,
    /// It is so many seconds long.
    pub seconds: u64,
    /// What the run was doing at its end.
    pub phase: Phase,
    /// The index of the cohort.
    pub cohort: usize,
    /// The state at its end.
    pub open: Open,
    /// Messages sent.
    pub sent: u64,
    /// Messages received.
    pub received: u64,
    /// Messages given up.
    pub timed_out: u64,
    /// Pings sent.
    pub pings_sent: u64,
    /// Pongs received in time.
    pub pongs_received: u64,
    /// Pings missed.
    pub missed: u64,
    /// Of all messages, from the intended send.
    pub latency_p50_ns: Option<u64>,
    /// Of all messages, from the intended send.
    pub latency_p99_ns: Option<u64>,
    /// Of all messages, from the intended send.
    pub latency_max_ns: Option<u64>,
    /// Of pings.
    pub rtt_p99_ns: Option<u64>,
    /// Of sends.
    pub lateness_p99_ns: Option<u64>,
}

impl Row {
    /// What an interval holds of the cohort with this index.
    fn of(interval: &Interval, index: usize, part: &Part) -> Self {
        let latency = merged(part.latencies());
        let p99 = |timer| part.timer(timer).and_then(|times| times.percentile(99.0));
        Self {
            second: interval.from_ns / Interval::SECOND_NS,
            seconds: (interval.to_ns - interval.from_ns) / Interval::SECOND_NS,
            phase: interval.phase,
            cohort: index,
            open: part.gauges,
            sent: part.count(Counter::MessagesSent),
            received: part.count(Counter::MessagesReceived),
            timed_out: part.count(Counter::MessagesTimedOut),
            pings_sent: part.count(Counter::PingsSent),
            pongs_received: part.count(Counter::PongsReceived),
            missed: part.count(Counter::PingsMissed),
            latency_p50_ns: latency.as_ref().and_then(|h| h.percentile(50.0)),
            latency_p99_ns: latency.as_ref().and_then(|h| h.percentile(99.0)),
            latency_max_ns: latency.as_ref().and_then(|h| h.max()),
            rtt_p99_ns: p99(Timer::HeartbeatRtt),
            lateness_p99_ns: p99(Timer::ScheduleLateness),
        }
    }
}

/// The rows of a run, in steps of one width, the ladder's: at most [`Timeline::MAX_INTERVALS`] of them for each cohort,
/// however long the run is. A run that takes longer than planned is shown in steps of twice the width, and so on.
///
/// Percentiles of two steps cannot be merged, so the wider steps are made of the same intervals beside the narrow ones,
/// before they are needed. An interval is given up when its rows are made. Whoever wants to keep whole intervals
/// takes them where a step is full.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// The narrowest first; each is twice as wide as the one before it, and holds the run from its beginning.
    steps: Vec<Steps>,
}

/// The run in steps of one width.
#[derive(Debug, Clone)]
struct Steps {
    width_ns: u64,
    rows: Vec<Row>,
    /// The step that is not full yet.
    running: Option<Interval>,
}

impl Timeline {
    /// How many full steps are kept of each cohort, besides one that is not full.
    pub const MAX_INTERVALS: usize = 720;

    /// The widths of steps, in seconds. Wider ones are twice, four times, … as wide as the last.
    const LADDER: [u64; 9] = [1, 2, 5, 10, 20, 30, 60, 120, 300];

    /// For a run that is planned to take so long.
    pub fn new(planned: Duration) -> Self {
        Self {
            steps: vec![Steps::new(
                Self::width(planned).as_secs() * Interval::SECOND_NS,
            )],
        }
    }

    /// The narrowest step with which a run that takes so long has no more than [`Self::MAX_INTERVALS`].
    pub fn width(planned: Duration) -> Duration {
        let most = Self::MAX_INTERVALS as f64;
        let fits = |width: &u64| planned.as_secs_f64() <= *width as f64 * most;
        let width = Self::LADDER.into_iter().find(fits).unwrap_or_else(|| {
            let mut width = Self::LADDER[8];
            while !fits(&width) {
                width *= 2;
            }
            width
        });
        Duration::from_secs(width)
    }

    /// Adds the newest second. Takes of it what the rows show.
    pub(super) fn push(&mut self, second: &Interval) {
        let mut next = Some(shown(second));
        for steps in &mut self.steps {
            next = next.and_then(|interval| steps.add(interval));
        }
        if let (Some(full), Some(widest)) = (next, self.steps.last()) {
            let mut wider = Steps::new(widest.width_ns * 2);
            wider.running = Some(full);
            self.steps.push(wider);
        }
        let narrow = &self.steps[0];
        if narrow.rows.len() > Self::MAX_INTERVALS * second.cohorts.len() {
            let narrow = self.steps.remove(0);
            // What it has beyond the last full step of the wider ones.
            if let (Some(rest), Some(wider)) = (narrow.running, self.steps.first_mut()) {
                wider.add(rest);
            }
        }
    }

    /// All rows, oldest first; the last step may not be full.
    pub fn rows(&self) -> Vec<Row> {
        let narrow = &self.steps[0];
        let mut rows = narrow.rows.clone();
        rows.extend(narrow.running.iter().flat_map(rows_of));
        rows
    }
}

impl Steps {
    fn new(width_ns: u64) -> Self {
        Self {
            width_ns,
            rows: Vec::new(),
            running: None,
        }
    }

    /// Adds an interval, and gives the step back if that fills it.
    fn add(&mut self, interval: Interval) -> Option<Interval> {
        let running = match &mut self.running {
            Some(running) => {
                running.merge(&interval);
                running
            }
            none => none.insert(interval),
        };
        let end = (running.from_ns / self.width_ns + 1) * self.width_ns;
        if running.to_ns < end {
            return None;
        }
        let full = self.running.take()?;
        self.rows.extend(rows_of(&full));
        Some(packed(full))
    }
}

fn rows_of(interval: &Interval) -> impl Iterator<Item = Row> {
    let parts = interval.cohorts.iter().enumerate();
    parts.map(move |(index, part)| Row::of(interval, index, part))
}

/// An interval with those times only that rows show.
fn shown(interval: &Interval) -> Interval {
    let is_shown = |name: &str| {
        name.starts_with("latency.")
            || [Timer::HeartbeatRtt, Timer::ScheduleLateness]
                .iter()
                .any(|timer| timer.name() == name)
    };
    let part = |part: &Part| Part {
        gauges: part.gauges,
        counts: part.counts.clone(),
        times: (part.times.iter())
            .filter(|(name, _)| is_shown(name))
            .map(|(name, times)| (name.clone(), times.clone()))
            .collect(),
    };
    Interval {
        cohorts: interval.cohorts.iter().map(part).collect(),
        sources: Default::default(),
        ..*interval
    }
}

/// The same in little memory: it may wait long for the next.
fn packed(mut interval: Interval) -> Interval {
    for part in &mut interval.cohorts {
        for times in part.times.values_mut() {
            *times = std::mem::take(times).packed();
        }
    }
    interval
}

/// All of them in one, which is only made where there are several; `None` where nothing was recorded.
fn merged<'a>(histograms: impl Iterator<Item = &'a Histogram>) -> Option<Cow<'a, Histogram>> {
    let mut filled = histograms.filter(|histogram| !histogram.is_empty());
    let mut all = Cow::Borrowed(filled.next()?);
    filled.for_each(|next| all.to_mut().merge(next));
    Some(all)
}

/// The newest second of all cohorts together: what a progress line shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// What the run is doing.
    pub phase: Phase,
    /// Since the first dial.
    pub elapsed: Duration,
    /// Until the phase ends, where that is known.
    pub left: Option<Duration>,
    /// How long the phase is planned to last, where that is known.
    pub planned: Option<Duration>,
    /// Connections by state.
    pub open: Open,
    /// How many connections are planned to be open together; `None` where they come and go.
    pub connections: Option<u64>,
    /// Failed dials, so far.
    pub failed: u64,
    /// Messages sent in that second.
    pub sent: u64,
    /// Messages received in that second.
    pub received: u64,
    /// Messages given up in that second.
    pub timed_out: u64,
    /// Pings sent in that second.
    pub pings_sent: u64,
    /// Pongs received in that second.
    pub pongs_received: u64,
    /// Pings missed in that second.
    pub missed: u64,
    /// Message latency in that second, in nanoseconds.
    pub latency_p50_ns: Option<u64>,
    /// Message latency in that second, in nanoseconds.
    pub latency_p99_ns: Option<u64>,
    /// Ping round trips in that second, in nanoseconds.
    pub rtt_p50_ns: Option<u64>,
    /// Ping round trips in that second, in nanoseconds.
    pub rtt_p99_ns: Option<u64>,
}

impl Progress {
    /// What the newest second held, where so many dials have failed so far.
    pub fn of(second: &Interval, failed: u64, connections: Option<u64>) -> Self {
        let parts = || second.cohorts.iter();
        let latency = merged(parts().flat_map(Part::latencies));
        let rtt = merged(parts().filter_map(|part| part.timer(Timer::HeartbeatRtt)));
        let percentile =
            |of: &Option<Cow<'_, Histogram>>, p| of.as_ref().and_then(|h| h.percentile(p));
        Self {
            phase: second.phase,
            elapsed: Duration::from_nanos(second.to_ns),
            left: None,
            planned: None,
            open: second.open(),
            connections,
            failed,
            sent: second.count(Counter::MessagesSent),
            received: second.count(Counter::MessagesReceived),
            timed_out: second.count(Counter::MessagesTimedOut),
            pings_sent: second.count(Counter::PingsSent),
            pongs_received: second.count(Counter::PongsReceived),
            missed: second.count(Counter::PingsMissed),
            latency_p50_ns: percentile(&latency, 50.0),
            latency_p99_ns: percentile(&latency, 99.0),
            rtt_p50_ns: percentile(&rtt, 50.0),
            rtt_p99_ns: percentile(&rtt, 99.0),
        }
    }
}

#[cfg(test)]
#[path = "timeline_tests.rs"]
mod tests;

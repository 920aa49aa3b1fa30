//! A run over time in a bounded number of steps: what was completed in each, and the open connections at its end.

use std::borrow::Cow;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::histogram::{Encoded, Histogram};
use super::interval::{Interval, Part};
use super::named::OfCohort;
use super::shard::Open;
use crate::metric::{Counter, Timer};
use crate::units::{Nanos, Timestamp};

/// The phase of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Connections are being opened.
    RampUp,
    /// All connections are open, nothing is measured yet.
    WarmUp,
    /// The measured window.
    Measure,
    /// One stage of the measured time, counted from 1.
    Stage(u32),
    /// Waits for answers that are still due, and closes the connections.
    Drain,
}

impl Phase {
    /// Whether it is a part of the measured time.
    pub fn is_measured(self) -> bool {
        matches!(self, Self::Measure | Self::Stage(_))
    }
}

/// The phases of one second, which may change within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InPhases {
    /// The phase in its middle: what was counted and timed in this second belongs there.
    pub mostly: Phase,
    /// The phase at its end: the states of connections, which are those at the end, belong there.
    pub at_end: Phase,
}

/// A second in one phase.
impl From<Phase> for InPhases {
    fn from(phase: Phase) -> Self {
        Self {
            mostly: phase,
            at_end: phase,
        }
    }
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

/// The reverse of `Display`. The error fits after "`warmup` is".
impl std::str::FromStr for Phase {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let stage = text.strip_prefix("stage_");
        let stage = stage
            .and_then(|number| number.parse().ok())
            .map(Self::Stage);
        let plain = [Self::RampUp, Self::WarmUp, Self::Measure, Self::Drain];
        let mut named = plain.into_iter().filter(|phase| phase.to_string() == text);
        stage.or_else(|| named.next()).ok_or("no phase of a run")
    }
}

impl Serialize for Phase {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Phase {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let phase = text.parse();
        phase.map_err(|what| D::Error::custom(format_args!("`{text}` is {what}")))
    }
}

/// One step of one cohort, merged from all workers. Times are nanoseconds; `None` is "no sample".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its start, in seconds after the first dial.
    pub second: u64,
    /// Its length in seconds.
    pub seconds: u64,
    /// The phase of the run in the middle of its last second.
    pub phase: Phase,
    /// The index of the cohort.
    #[serde(skip)]
    pub cohort: usize,
    /// The states of connections at its end.
    pub open: Open,
    /// Messages sent.
    pub sent: u64,
    /// Messages received.
    pub received: u64,
    /// Messages whose answer timed out.
    pub timed_out: u64,
    /// Pings sent.
    pub pings_sent: u64,
    /// Pongs received in time.
    pub pongs_received: u64,
    /// Pings missed.
    pub missed: u64,
    /// The median latency of all messages, from the intended send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_p50_ns: Option<u64>,
    /// The 99th percentile of the latency of all messages, from the intended send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_p99_ns: Option<u64>,
    /// The longest latency of all messages, from the intended send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_max_ns: Option<u64>,
    /// The 99th percentile of the round trips of pings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_p99_ns: Option<u64>,
    /// The 99th percentile of how late sends were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lateness_p99_ns: Option<u64>,
    /// Published messages that members heard, each the first time.
    #[serde(default)]
    pub delivered: u64,
}

impl OfCohort for Row {
    fn cohort(&self) -> Option<usize> {
        Some(self.cohort)
    }

    fn in_cohort(self, cohort: Option<usize>) -> Option<Self> {
        Some(Self {
            cohort: cohort?,
            ..self
        })
    }
}

impl Row {
    /// Builds the row of the cohort with this index from an interval.
    fn of(interval: &Interval, index: usize, part: &Part) -> Self {
        let latency = merged(part.latencies());
        let p99 = |timer| part.timer(timer).and_then(|times| times.percentile(99.0));
        Self {
            second: interval.from.as_nanos() / Interval::SECOND.0,
            seconds: interval.to.saturating_since(interval.from) / Interval::SECOND,
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
            delivered: part
                .timer(Timer::DeliveryLatency)
                .map_or(0, Histogram::count),
        }
    }
}

/// A run in steps of equal width, chosen from the ladder: at most [`Timeline::MAX_INTERVALS`] full ones, however long the
/// run is, in at most [`Timeline::MAX_BYTES`]. If a run takes longer than planned or measures more than has room, the
/// width doubles, as often as necessary.
///
/// Wider steps are built from the same intervals in parallel to the narrow ones, before they are needed: a full step is
/// kept packed, and would have to be unpacked to be merged.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// The narrowest first; each is twice as wide as the one before it, and covers the run from its start.
    steps: Vec<Steps>,
}

/// A full step as MessagePack, which takes less memory than maps do: a run of ten minutes keeps six hundred.
#[derive(Debug, Clone)]
struct Packed(Box<[u8]>);

impl Packed {
    fn of(step: &Interval) -> Self {
        let bytes = rmp_serde::to_vec_named(&step.encode());
        Self(
            bytes
                .expect("writing to a vector does not fail")
                .into_boxed_slice(),
        )
    }

    fn unpacked(&self) -> Interval<Encoded> {
        rmp_serde::from_slice(&self.0).expect("what was written can be read")
    }
}

/// The run in steps of one width.
#[derive(Debug, Clone)]
struct Steps {
    width: Nanos,
    rows: Vec<Row>,
    full: Vec<Packed>,
    /// The memory of `full`.
    bytes: usize,
    /// The step that is not full yet.
    running: Option<Interval>,
}

impl Timeline {
    /// The most full steps that are kept; one that is not full is kept in addition.
    pub const MAX_INTERVALS: usize = 720;
    /// The memory for full steps, in bytes. A busy cohort takes about 3 MB; this is for many cohorts.
    pub const MAX_BYTES: usize = 64 << 20;

    /// The widths of steps, in seconds. Wider ones are the last width times 2, 4, and so on.
    const LADDER: [u64; 9] = [1, 2, 5, 10, 20, 30, 60, 120, 300];

    /// Creates the timeline of a run with this planned length.
    pub fn new(planned: Duration) -> Self {
        Self {
            steps: vec![Steps::new(Self::width(planned).into())],
        }
    }

    /// The narrowest width with which a run of this length has at most [`Self::MAX_INTERVALS`] steps.
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

    /// Adds the newest second.
    pub fn push(&mut self, second: &Interval) {
        let mut next = Some(second.clone());
        for steps in &mut self.steps {
            next = next.and_then(|interval| steps.add(interval));
        }
        if let (Some(full), Some(widest)) = (next, self.steps.last()) {
            let mut wider = Steps::new(widest.width * 2);
            wider.running = Some(full);
            self.steps.push(wider);
        }
        let narrow = &self.steps[0];
        let is_too_much = narrow.full.len() > Self::MAX_INTERVALS || narrow.bytes > Self::MAX_BYTES;
        if is_too_much && self.steps.len() > 1 {
            let narrow = self.steps.remove(0);
            // Adds what the narrow steps hold after the last full step of the wider ones.
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

    /// All steps, oldest first; the last may not be full.
    pub fn intervals(&self) -> Vec<Interval<Encoded>> {
        let narrow = &self.steps[0];
        let mut all: Vec<_> = narrow.full.iter().map(Packed::unpacked).collect();
        all.extend(narrow.running.iter().map(Interval::encode));
        all
    }
}

impl Steps {
    fn new(width: Nanos) -> Self {
        Self {
            width,
            rows: Vec::new(),
            full: Vec::new(),
            bytes: 0,
            running: None,
        }
    }

    /// Adds an interval, and returns the step if that fills it.
    fn add(&mut self, interval: Interval) -> Option<Interval> {
        let running = match &mut self.running {
            Some(running) => {
                running.merge(&interval);
                running
            }
            none => none.insert(interval),
        };
        let step = running.from.as_nanos() / self.width.0;
        if running.to < Timestamp::ORIGIN + (step + 1) * self.width {
            return None;
        }
        let full = self.running.take()?;
        self.rows.extend(rows_of(&full));
        let step = Packed::of(&full);
        self.bytes += step.0.len();
        self.full.push(step);
        Some(trimmed(full))
    }
}

fn rows_of(interval: &Interval) -> impl Iterator<Item = Row> {
    let parts = interval.cohorts.iter().enumerate();
    parts.map(move |(index, part)| Row::of(interval, index, part))
}

/// Reduces the memory of an interval that may wait long for the next one.
fn trimmed(mut interval: Interval) -> Interval {
    for part in &mut interval.cohorts {
        for times in part.times.values_mut() {
            *times = std::mem::take(times).packed();
        }
    }
    interval
}

/// Merges all of them, and copies only if there are several; `None` if nothing was recorded.
pub(super) fn merged<'a>(
    histograms: impl Iterator<Item = &'a Histogram>,
) -> Option<Cow<'a, Histogram>> {
    let mut filled = histograms.filter(|histogram| !histogram.is_empty());
    let mut all = Cow::Borrowed(filled.next()?);
    filled.for_each(|next| all.to_mut().merge(next));
    Some(all)
}

#[cfg(test)]
#[path = "timeline_tests.rs"]
mod tests;

//! One row a second and cohort: what was completed in that second, and who was open at its end.

use std::borrow::Cow;

use super::cells::Cells;
use super::histogram::Histogram;
use super::shard::{CohortShard, Open};
use crate::metric::{Counter, Timer};

/// What the run was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// One second of one cohort, all workers together. Times are nanoseconds; `None` is "no sample".
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Seconds since the first dial, from 0.
    pub second: u64,
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

/// The rows of a run, oldest first. Shared, because there is a look at them each second.
pub type Timeline = std::sync::Arc<Vec<Row>>;

impl Row {
    /// The row of one interval's merged shard.
    pub(super) fn of(second: u64, phase: Phase, index: usize, cohort: &CohortShard) -> Self {
        let windows = || cohort.windows().map(|(_, cells)| cells);
        let sum = |counter| windows().map(|cells| cells.counter(counter)).sum();
        let latency = merged(windows().flat_map(all_latencies));
        let timer = |timer| merged(windows().filter_map(move |cells| cells.timer(timer)));
        Self {
            second,
            phase,
            cohort: index,
            open: cohort.open,
            sent: sum(Counter::MessagesSent),
            received: sum(Counter::MessagesReceived),
            timed_out: sum(Counter::MessagesTimedOut),
            pings_sent: sum(Counter::PingsSent),
            pongs_received: sum(Counter::PongsReceived),
            missed: sum(Counter::PingsMissed),
            latency_p50_ns: latency.as_ref().and_then(|h| h.percentile(50.0)),
            latency_p99_ns: latency.as_ref().and_then(|h| h.percentile(99.0)),
            latency_max_ns: latency.as_ref().and_then(|h| h.max()),
            rtt_p99_ns: timer(Timer::HeartbeatRtt).and_then(|h| h.percentile(99.0)),
            lateness_p99_ns: timer(Timer::ScheduleLateness).and_then(|h| h.percentile(99.0)),
        }
    }
}

fn all_latencies(cells: &Cells) -> impl Iterator<Item = &Histogram> {
    (0..cells.messages()).filter_map(|message| cells.latency(message))
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
    pub elapsed: std::time::Duration,
    /// Until the phase ends, where that is known.
    pub left: Option<std::time::Duration>,
    /// How long the phase is planned to last, where that is known.
    pub planned: Option<std::time::Duration>,
    /// Connections by state.
    pub open: Open,
    /// Connections planned, in all.
    pub connections: u64,
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
    /// The second that one interval's merged shard holds, of which these are the `rows`.
    pub fn of(
        phase: Phase,
        interval: &super::shard::Shard,
        rows: &[Row],
        failed: u64,
        connections: u64,
    ) -> Self {
        let sum = |of: fn(&Row) -> u64| rows.iter().map(of).sum();
        let mut open = Open::default();
        rows.iter().for_each(|row| open.merge(&row.open));
        let cohorts = interval.cohorts.iter();
        let windows = || {
            cohorts
                .clone()
                .flat_map(|cohort| cohort.windows().map(|(_, cells)| cells))
        };
        let latency = merged(windows().flat_map(all_latencies));
        let rtt = merged(windows().filter_map(|cells| cells.timer(Timer::HeartbeatRtt)));
        let percentile =
            |of: &Option<Cow<'_, Histogram>>, p| of.as_ref().and_then(|h| h.percentile(p));
        Self {
            phase,
            elapsed: std::time::Duration::from_secs(interval.interval + 1),
            left: None,
            planned: None,
            open,
            connections,
            failed,
            sent: sum(|row| row.sent),
            received: sum(|row| row.received),
            timed_out: sum(|row| row.timed_out),
            pings_sent: sum(|row| row.pings_sent),
            pongs_received: sum(|row| row.pongs_received),
            missed: sum(|row| row.missed),
            latency_p50_ns: percentile(&latency, 50.0),
            latency_p99_ns: percentile(&latency, 99.0),
            rtt_p50_ns: percentile(&rtt, 50.0),
            rtt_p99_ns: percentile(&rtt, 99.0),
        }
    }
}

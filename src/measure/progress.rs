//! The newest second of all cohorts together, and what happened so far: what is shown while a run goes on.

use std::borrow::Cow;
use std::time::Duration;

use super::histogram::Histogram;
use super::interval::{Interval, Part};
use super::shard::Open;
use super::timeline::{Phase, merged};
use crate::metric::{Counter, Timer};

/// A run as it is now. Counts are of the newest second, where nothing else is said.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// The current phase.
    pub phase: Phase,
    /// The time since the first dial.
    pub elapsed: Duration,
    /// The time until the phase ends, if known.
    pub left: Option<Duration>,
    /// The planned length of the phase, if known.
    pub planned: Option<Duration>,
    /// Connections in each state.
    pub open: Open,
    /// The number of connections planned to be open at once; `None` if connections come and go.
    pub connections: Option<u64>,
    /// What went wrong since the first dial.
    pub so_far: Troubles,
    /// Messages sent.
    pub sent: u64,
    /// Messages received.
    pub received: u64,
    /// Messages whose answer timed out.
    pub timed_out: u64,
    /// Pings sent.
    pub pings_sent: u64,
    /// Pongs received.
    pub pongs_received: u64,
    /// Pings missed.
    pub missed: u64,
    /// The latency of messages.
    pub latency: Times,
    /// The round trips of pings.
    pub rtt: Times,
    /// How much later than intended messages and pings were sent.
    pub lateness: Times,
    /// CPU that wsbench used, in percent of one core; `None` if the system does not say.
    pub cpu: Option<f64>,
}

/// What times of one second are shown, in nanoseconds; each `None` where there was no time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// The median.
    pub p50_ns: Option<u64>,
    /// The 99th percentile.
    pub p99_ns: Option<u64>,
    /// The longest.
    pub max_ns: Option<u64>,
}

/// Counts of what went wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Troubles {
    /// Dials that failed.
    pub failed: u64,
    /// Open connections that ended before their time.
    pub lost: u64,
    /// Messages whose answer timed out.
    pub timed_out: u64,
    /// Messages that were due and could not be sent in time.
    pub not_sent: u64,
    /// Pings without a pong in time.
    pub missed: u64,
}

impl Troubles {
    /// Adds those of one more second.
    pub fn add(&mut self, second: &Interval) {
        self.failed += second.count(Counter::ConnectionsFailed);
        self.lost += second.count(Counter::ConnectionsLost);
        self.timed_out += second.count(Counter::MessagesTimedOut);
        self.not_sent += second.count(Counter::MessagesNotSent);
        self.missed += second.count(Counter::PingsMissed);
    }
}

impl Times {
    fn of<'a>(histograms: impl Iterator<Item = &'a Histogram>) -> Self {
        let all = merged(histograms);
        let percentile = |p| all.as_ref().and_then(|all| all.percentile(p));
        Self {
            p50_ns: percentile(50.0),
            p99_ns: percentile(99.0),
            max_ns: all.as_ref().and_then(|all: &Cow<'_, Histogram>| all.max()),
        }
    }
}

impl Progress {
    /// Summarises the newest second of a run with so many planned connections.
    pub fn of(second: &Interval, so_far: Troubles, connections: Option<u64>) -> Self {
        let parts = || second.cohorts.iter();
        let timer = |timer| Times::of(parts().filter_map(move |part| part.timer(timer)));
        let own = second.sources.get(Interval::GENERATOR);
        let used = own.and_then(|own| own.cpu);
        Self {
            phase: second.phase,
            elapsed: Duration::from_nanos(second.to.as_nanos()),
            left: None,
            planned: None,
            open: second.open(),
            connections,
            so_far,
            sent: second.count(Counter::MessagesSent),
            received: second.count(Counter::MessagesReceived),
            timed_out: second.count(Counter::MessagesTimedOut),
            pings_sent: second.count(Counter::PingsSent),
            pongs_received: second.count(Counter::PongsReceived),
            missed: second.count(Counter::PingsMissed),
            latency: Times::of(parts().flat_map(Part::latencies)),
            rtt: timer(Timer::HeartbeatRtt),
            lateness: timer(Timer::ScheduleLateness),
            cpu: used.map(|used| 100.0 * used.as_secs_f64() / second.seconds()),
        }
    }
}

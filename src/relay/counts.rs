//! What the relay did, for the report.

use std::time::{Duration, Instant};

use crate::measure::{Incident, Relayed};

/// What the relay did, when it is over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RelayLog {
    /// The faults that have begun, in the order in which they did. A delay or a throttle that always holds is none.
    pub incidents: Vec<PathIncident>,
    /// Connections of clients that it took.
    pub connections: u64,
    /// Those among them that it reset for want of a descriptor.
    pub refused: u64,
    /// Those among them that it reset because the target did not take its connection within thirty seconds.
    pub unreachable: u64,
    /// Accepts that failed for another reason than a lack of descriptors; it waited after each.
    pub accepts_failed: u64,
    /// Connections for which its queue was full, so that it made a sender wait: more was on its way than a delay can
    /// hold, or a receiver was slow.
    pub backed_up: u64,
    /// Bytes it passed on to the target.
    pub bytes_to_server: u64,
    /// Bytes it passed on to the clients.
    pub bytes_to_client: u64,
    /// Bytes that a fault threw away.
    pub bytes_lost: u64,
    /// The first [`RelayLog::MAX_PASSAGES`] connections that reached the target.
    pub passages: Vec<Passage>,
    /// The processor time of its thread; `None` where the system does not say.
    pub cpu: Option<Duration>,
}

impl RelayLog {
    /// How many passages are kept.
    pub const MAX_PASSAGES: usize = 100_000;

    /// What became of the connections, for the report.
    pub fn relayed(&self) -> Relayed {
        Relayed {
            connections: self.connections,
            refused: self.refused,
            unreachable: self.unreachable,
            accepts_failed: self.accepts_failed,
            backed_up: self.backed_up,
            cpu_ns: self.cpu.map(|cpu| cpu.as_nanos() as u64),
        }
    }
}

/// A fault of the path that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathIncident {
    /// The key of `[path]`.
    pub kind: &'static str,
    /// The names of the cohorts it happened to. Empty: to all.
    pub cohorts: Vec<String>,
    /// When it began: a fault without `after` with the first connection.
    pub began: Instant,
    /// When it was over, which is when it began for what strikes once; `None`: it lasted to the end.
    pub ended: Option<Instant>,
}

impl PathIncident {
    /// The same on the clock of the run, which begins at `origin`.
    pub fn incident(&self, origin: Instant) -> Incident {
        Incident {
            kind: self.kind,
            cohorts: self.cohorts.clone(),
            began_ns: nanos(origin, self.began),
            ended_ns: self.ended.map(|ended| nanos(origin, ended)),
        }
    }
}

/// Nanoseconds from one time to another; zero if it lies before.
pub(super) fn nanos(origin: Instant, at: Instant) -> u64 {
    at.saturating_duration_since(origin).as_nanos() as u64
}

/// One connection's two names: the target knows it by another port than the client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passage {
    /// The place of its cohort.
    pub cohort: usize,
    /// The client's own port.
    pub client_port: u16,
    /// The port that the target sees.
    pub target_port: u16,
    /// When it was made. A port may come again.
    pub since: Instant,
}

//! The relay's counters and incidents, for the report.

use std::time::{Duration, Instant};

use crate::measure::{Incident, IncidentKind, Relayed};
use crate::net::PassedBy;
use crate::units::{Nanos, Timestamp};

/// What the relay did, known after its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RelayLog {
    /// The faults that have begun, in order. A delay or throttle that always holds is not an incident.
    pub incidents: Vec<PathIncident>,
    /// The client connections that it accepted.
    pub connections: u64,
    /// Of these, the ones that it reset because there was no free descriptor.
    pub refused: u64,
    /// Of these, the ones that it reset because no address of the target accepted its connection in time.
    pub unreachable: u64,
    /// Accepts that failed for a reason other than missing descriptors; the relay paused after each.
    pub accepts_failed: u64,
    /// Connections whose queue was full, so that the relay made a sender wait: more bytes were on their way than the
    /// queue can hold, or a receiver was slow.
    pub backed_up: u64,
    /// The bytes passed on to the target.
    pub bytes_to_server: u64,
    /// The bytes passed on to the clients.
    pub bytes_to_client: u64,
    /// The bytes dropped by faults.
    pub bytes_lost: u64,
    /// The first [`RelayLog::MAX_PASSAGES`] connections that reached the target.
    pub passages: Vec<Passage>,
    /// The addresses of the target that dials passed by, except for those that clients have taken from their routes,
    /// by the index of the cohort.
    pub passed: Vec<(usize, PassedBy)>,
    /// The processor time of the relay's thread; `None` where the system does not say.
    pub cpu: Option<Duration>,
}

impl RelayLog {
    /// The most passages that are kept.
    pub const MAX_PASSAGES: usize = 100_000;

    /// The counters of connections, for the report.
    pub fn relayed(&self) -> Relayed {
        Relayed {
            connections: self.connections,
            refused: self.refused,
            unreachable: self.unreachable,
            accepts_failed: self.accepts_failed,
            backed_up: self.backed_up,
            cpu_ns: self.cpu.map(Nanos::from),
        }
    }
}

/// A fault of the path that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathIncident {
    /// The kind of fault.
    pub kind: IncidentKind,
    /// The names of the cohorts that it concerned. Empty means all.
    pub cohorts: Vec<String>,
    /// When it began; a fault without `after` begins with the first connection.
    pub began: Instant,
    /// When it ended, which for a strike is when it began; `None` if it lasted to the end of the run.
    pub ended: Option<Instant>,
}

impl PathIncident {
    /// The same incident in the time of the run, which starts at `origin`.
    pub fn incident(&self, origin: Instant) -> Incident {
        Incident {
            kind: self.kind,
            cohorts: self.cohorts.clone(),
            began_ns: Timestamp::of(self.began, origin),
            ended_ns: self.ended.map(|ended| Timestamp::of(ended, origin)),
        }
    }
}

/// The two client ports of one connection: the target sees another port than the client's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passage {
    /// The index of its cohort.
    pub cohort: usize,
    /// The client's own port.
    pub client_port: u16,
    /// The port that the target sees.
    pub target_port: u16,
    /// When the connection was made. A port can be used again later.
    pub since: Instant,
}

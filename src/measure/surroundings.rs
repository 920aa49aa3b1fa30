//! What happened around the connections: faults of the target and the path, the server's own sockets, its resources.
//! Times are nanoseconds since the first dial.

use serde::{Deserialize, Serialize};

use super::named::OfCohort;
use crate::units::{Nanos, Timestamp};

/// What was done to the target or to the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum IncidentKind {
    /// The target's process was stopped.
    Sigstop,
    /// The target's process was asked to end.
    Sigterm,
    /// The path delayed what it passed on.
    Delay,
    /// The path passed on nothing.
    Freeze,
    /// The path dropped bytes.
    Drop,
    /// The path ended one half of TCP.
    HalfClose,
    /// The path reset connections.
    Reset,
    /// The path forgot connections.
    Forget,
    /// The path ended connections in the middle of a frame.
    Cut,
    /// The path passed on less than was sent.
    Throttle,
}

impl IncidentKind {
    /// The stable name: the signal, or the key of `[path]`.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Whether the server, or all of the path, stood still.
    pub fn is_stall(self) -> bool {
        matches!(self, Self::Sigstop | Self::Freeze)
    }
}

/// A fault of the target or of the path that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// What was done.
    pub kind: IncidentKind,
    /// The names of the cohorts that it affected. Empty: all cohorts.
    pub cohorts: Vec<String>,
    /// When it began.
    pub began_ns: Timestamp,
    /// When it ended; `None`: it lasted to the end of the run.
    pub ended_ns: Option<Timestamp>,
}

impl Incident {
    /// Whether it affected a cohort.
    pub fn concerns(&self, cohort: &str) -> bool {
        self.cohorts.is_empty() || self.cohorts.iter().any(|name| name == cohort)
    }
}

/// The life of one of the server's sockets, as seen in the system's table of sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketEnd {
    /// The client's port.
    pub client_port: u16,
    /// The index of the cohort, if the client came over the relay of the path; `None`: it connected directly.
    #[serde(skip)]
    pub relayed: Option<usize>,
    /// When it was first seen.
    pub seen_ns: Timestamp,
    /// When it left `ESTABLISHED` (or `CLOSE_WAIT`) by the server's decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_ns: Option<Timestamp>,
    /// When it was gone, or in `TIME_WAIT`, which holds no memory of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone_ns: Option<Timestamp>,
    /// Bytes in its send queue when it was last seen.
    pub send_queue: u64,
}

impl OfCohort for SocketEnd {
    fn cohort(&self) -> Option<usize> {
        self.relayed
    }

    fn in_cohort(self, relayed: Option<usize>) -> Option<Self> {
        Some(Self { relayed, ..self })
    }
}

/// The server's sockets, read from the table again and again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sockets {
    /// In the order in which they were first seen. A port may occur more than once.
    pub ends: Vec<SocketEnd>,
    /// The longest time between two reads of the table: the precision of the times.
    pub resolution_ns: Nanos,
    /// The number of sockets that were not kept, because there was no room.
    pub more: u64,
}

/// The resources that the target uses at one moment, all its processes together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Resident memory, in bytes.
    pub rss: u64,
    /// The number of open descriptors.
    pub descriptors: u64,
    /// Processor time: since it started, or in the interval that it is of. `None` where it is not known.
    #[serde(rename = "cpu_ns", default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Nanos>,
}

/// The number of connections through the relay of the path, by what happened to them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Relayed {
    /// Connections of clients that it accepted.
    pub connections: u64,
    /// Accepted connections that it reset because it had no free descriptor.
    pub refused: u64,
    /// Accepted connections that it reset because the target did not accept the relay's connection.
    pub unreachable: u64,
    /// Accepts that failed, each followed by a wait: because the client left, or the system had no memory for sockets.
    pub accepts_failed: u64,
    /// Connections for which it held as much as it may, and made a sender wait.
    pub backed_up: u64,
    /// Its processor time; `None` where the system does not say.
    pub cpu_ns: Option<Nanos>,
}

/// Everything that happened around the connections of a run. Empty if nothing was observed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// In the order in which they began.
    pub incidents: Vec<Incident>,
    /// Why a fault of the target could not be carried out; no later fault was tried.
    pub fault_failed: Option<String>,
    /// How many look-ups of a name failed during the run, and the error of the last one.
    pub look_ups_failed: Option<(u64, String)>,
    /// `None`: the scenario has no path.
    pub relayed: Option<Relayed>,
    /// `None`: the target is not on this machine, or nothing needed it.
    pub sockets: Option<Sockets>,
    /// The target's resources before the load, and after all connections had ended.
    pub usage: Option<(Usage, Usage)>,
}

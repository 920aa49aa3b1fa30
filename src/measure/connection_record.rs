//! The record of one connection, kept if a contract needs it.
//! Times are nanoseconds since the first dial, from the kernel's stamp if the system has one. `None` is "never".

use serde::{Deserialize, Serialize};

use super::named::OfCohort;
use crate::metric::Cause;
use crate::units::{Nanos, Timestamp};

/// How TCP ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TcpEnding {
    /// A FIN.
    Fin,
    /// A RST.
    Rst,
}

/// Who ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndedBy {
    /// The server: by a Close frame, or by the end of TCP without one.
    Server,
    /// The client, by its fault.
    Fault,
    /// The client, because its heartbeat declared the server dead.
    Heartbeat,
    /// The client, as planned: its own time or the run's time was over.
    Plan,
}

/// The record of one open connection, from its 101 to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConnectionRecord {
    /// The connection's number, from 0.
    pub connection: u32,
    /// The index of its cohort.
    #[serde(skip)]
    pub cohort: usize,
    /// The local port, which identifies the connection on the server's side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_port: Option<u16>,
    /// The delay of this connection, if the cohort sweeps over delays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level_ns: Option<Nanos>,
    /// When the 101 came: the time of the last bytes received with it.
    pub opened_ns: Timestamp,
    /// When the client was ready: the last step of its set-up was done, or the 101 came if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_ns: Option<Timestamp>,
    /// When the previous connection of the same client was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_before_ns: Option<Timestamp>,
    /// When the connection's own fault began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault_ns: Option<Timestamp>,
    /// When the connection's own fault ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault_end_ns: Option<Timestamp>,
    /// When the first ping came that was not answered, or not answered correctly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unanswered_ping_ns: Option<Timestamp>,
    /// When the last byte was sent: the time at which the write that took it returned. If none was sent, the time of
    /// the 101, because the idle time of a proxy that passed it on begins then. Does not count the first Close frame
    /// of either side, what follows it, or the end of TCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sent_ns: Option<Timestamp>,
    /// When the first message or pong came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_answer_ns: Option<Timestamp>,
    /// When pings of the server came: the first [`ConnectionRecord::MAX_PINGS`] of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pings_ns: Vec<Timestamp>,
    /// When a pong came after at least one was missed: one for each silence, at most [`ConnectionRecord::MAX_PINGS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resumed_ns: Vec<Timestamp>,
    /// When the client's heartbeat declared the server dead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_ns: Option<Timestamp>,
    /// The cause by the kernel's view at that moment: a frozen peer, or no path to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_as: Option<Cause>,
    /// When the client sent the first Close frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub close_sent_ns: Option<Timestamp>,
    /// The code of the Close frame in [`ConnectionRecord::close_sent_ns`]; `None` if it was empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub close_sent_code: Option<u16>,
    /// When the server's Close frame came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub close_received_ns: Option<Timestamp>,
    /// The code of the server's Close frame, as received; 1005 for an empty frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub close_code: Option<u16>,
    /// The reason of the server's Close frame.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub close_reason: String,
    /// The number of frames received after the server's Close frame.
    pub frames_after_close: u32,
    /// When TCP ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_end_ns: Option<Timestamp>,
    /// How TCP ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_end: Option<TcpEnding>,
    /// The probe of a client that does not read: when it asked the kernel whether the server is still there, and the
    /// answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<(Timestamp, bool)>,
    /// Who ended it.
    pub ended_by: EndedBy,
    /// The cause of the end, from the catalogue.
    pub cause: Cause,
    /// When the connection was over for the client.
    pub ended_ns: Timestamp,
}

impl OfCohort for ConnectionRecord {
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

impl ConnectionRecord {
    /// The most pings that are kept of one connection.
    pub const MAX_PINGS: usize = 32;

    /// Whether all of its times are before this one, and it has no more pings than are kept.
    pub(super) fn is_before(&self, latest: Timestamp) -> bool {
        let each = [
            Some(self.opened_ns),
            self.ready_ns,
            self.lost_before_ns,
            self.fault_ns,
            self.fault_end_ns,
            self.unanswered_ping_ns,
            self.last_sent_ns,
            self.first_answer_ns,
            self.dead_ns,
            self.close_sent_ns,
            self.close_received_ns,
            self.tcp_end_ns,
            self.probe.map(|(at, _)| at),
            self.level_ns.map(|level| Timestamp::ORIGIN + level),
            Some(self.ended_ns),
        ];
        let lists = [&self.pings_ns, &self.resumed_ns];
        let listed = lists.into_iter().flatten();
        lists.iter().all(|list| list.len() <= Self::MAX_PINGS)
            && (each.iter().flatten().chain(listed)).all(|time| *time < latest)
    }

    /// When the server decided to end it: the time of its Close frame, or of the end of TCP if no Close frame came
    /// first.
    pub fn decided_ns(&self) -> Option<Timestamp> {
        if self.ended_by != EndedBy::Server {
            return None;
        }
        self.close_received_ns.or(self.tcp_end_ns)
    }
}

//! What is kept of one connection, where a contract asks for it.
//! Times are nanoseconds since the first dial; the kernel's stamp where the system has one. `None` is "never".

use serde::{Deserialize, Serialize};

use crate::metric::Cause;

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
    /// The client, because its time or the run's was over.
    Plan,
}

/// The record of one open connection, from its 101 to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConnectionRecord {
    /// The connection's number, from 0.
    pub connection: u32,
    /// The index of its cohort.
    pub cohort: usize,
    /// The local port, which tells it from others on the server's side.
    pub local_port: Option<u16>,
    /// Where the cohort sweeps over a delay: this connection's, in nanoseconds.
    pub level_ns: Option<u64>,
    /// The 101: the last bytes of what came with it.
    pub opened_ns: u64,
    /// When the connection before it, of the same client, was lost.
    pub lost_before_ns: Option<u64>,
    /// Its own fault began.
    pub fault_ns: Option<u64>,
    /// Its own fault ended.
    pub fault_end_ns: Option<u64>,
    /// The first ping came that was not answered, or not as it should be.
    pub unanswered_ping_ns: Option<u64>,
    /// The last byte was sent: the write that took it had returned. Until there is one, the 101: with it the idle
    /// time of whoever passed it on begins. Neither the first Close frame, of either side, nor what follows it or
    /// the end of TCP counts.
    pub last_sent_ns: Option<u64>,
    /// The first message or pong came.
    pub first_answer_ns: Option<u64>,
    /// Pings of the server, the first [`ConnectionRecord::MAX_PINGS`] of them.
    pub pings_ns: Vec<u64>,
    /// Pongs that came after one had been missed: the first of each silence, [`ConnectionRecord::MAX_PINGS`] at most.
    pub resumed_ns: Vec<u64>,
    /// Our heartbeat declared the server dead.
    pub dead_ns: Option<u64>,
    /// What the kernel's view made of it at that moment: a frozen peer, or no path to it.
    pub dead_as: Option<Cause>,
    /// We sent the first Close frame; and its code.
    pub close_sent_ns: Option<u64>,
    /// See [`ConnectionRecord::close_sent_ns`]; `None` is an empty one.
    pub close_sent_code: Option<u16>,
    /// The server's Close frame came.
    pub close_received_ns: Option<u64>,
    /// Its code, as it was on the wire; 1005 stands for an empty one.
    pub close_code: Option<u16>,
    /// Its reason.
    pub close_reason: String,
    /// Frames that came after it.
    pub frames_after_close: u32,
    /// TCP ended.
    pub tcp_end_ns: Option<u64>,
    /// How TCP ended.
    pub tcp_end: Option<TcpEnding>,
    /// A client that does not read asked the kernel once whether the server is still there: when, and whether it was.
    pub probe: Option<(u64, bool)>,
    /// Who ended it.
    pub ended_by: EndedBy,
    /// Why, in the words of the catalogue.
    pub cause: Cause,
    /// It was over, for us.
    pub ended_ns: u64,
}

impl ConnectionRecord {
    /// How many pings of one connection are kept.
    pub const MAX_PINGS: usize = 32;

    /// When the server decided to end it: its Close frame, or the end of TCP where none came first.
    pub fn decided_ns(&self) -> Option<u64> {
        if self.ended_by != EndedBy::Server {
            return None;
        }
        self.close_received_ns.or(self.tcp_end_ns)
    }
}

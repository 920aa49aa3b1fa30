//! A connection that did not end as planned.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::named::OfCohort;
use crate::metric::{Cause, Side};
use crate::units::{Nanos, Timestamp};

/// The kernel's view of a connection (`TCP_INFO`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpView {
    /// Segments sent but not acknowledged.
    pub unacked: u32,
    /// Retransmissions of the oldest of these segments in a row.
    pub retransmits: u32,
    /// Time since the last acknowledgement, in nanoseconds.
    pub last_ack_ns: u64,
}

/// The state of a connection when it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// readyState 0.
    Connecting,
    /// readyState 1.
    Open,
    /// readyState 2.
    Closing,
    /// Declared dead by its heartbeat.
    Dead,
}

impl State {
    /// The name in `connections.csv`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Open => "open",
            Self::Closing => "closing",
            Self::Dead => "dead",
        }
    }
}

/// A connection that did not end as planned. Times are nanoseconds since the first dial; `None` is "never".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// The connection's number, from 0.
    pub connection: u32,
    /// The index of its cohort.
    #[serde(skip)]
    pub cohort: usize,
    /// When its handshake was complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_ns: Option<Timestamp>,
    /// When it ended; `None` for a connection declared dead that was kept open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_ns: Option<Timestamp>,
    /// The state in which it ended.
    pub state: State,
    /// The code of the Close frame that was received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub close_code: Option<u16>,
    /// The reason of the Close frame that was received.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub close_reason: String,
    /// The side that ended it, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<Side>,
    /// The cause of the end.
    pub cause: Cause,
    /// Details: a status line, the wrong header, the system's error.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// When the last bytes were received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_received_ns: Option<Timestamp>,
    /// When the last ping was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_ping_ns: Option<Timestamp>,
    /// When the last pong was received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_pong_ns: Option<Timestamp>,
    /// Pings missed in a row.
    pub pings_missed: u32,
    /// The kernel's view when it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp: Option<TcpView>,
    /// The extension that was agreed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// The address that its server was told to be its own (PROXY protocol).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<IpAddr>,
    /// The version of TLS, and how the session began: "1.3 full".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
}

impl Ending {
    /// Has all of its times this much earlier; none before the origin.
    pub(super) fn earlier(&mut self, by: Nanos) {
        let times = [
            &mut self.opened_ns,
            &mut self.ended_ns,
            &mut self.last_received_ns,
            &mut self.last_ping_ns,
            &mut self.last_pong_ns,
        ];
        for time in times.into_iter().flatten() {
            *time = time.saturating_sub(by);
        }
    }

    /// Whether all of its times are before this one.
    pub(super) fn is_before(&self, latest: Timestamp) -> bool {
        let times = [
            self.opened_ns,
            self.ended_ns,
            self.last_received_ns,
            self.last_ping_ns,
            self.last_pong_ns,
        ];
        times.into_iter().flatten().all(|time| time < latest)
    }
}

impl OfCohort for Ending {
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

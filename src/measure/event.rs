//! What happened on single connections, for people who watch a few of them: openings, round trips, losses. Kept only if it
//! was asked for, and never more than a shard has room for.

use std::net::SocketAddr;

use super::ending::Ending;
use crate::units::{Nanos, Timestamp};

/// Something that happened to one client.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When: nanoseconds since the first dial.
    pub at: Timestamp,
    /// The index of its cohort.
    pub cohort: usize,
    /// The connection's number, from 0.
    pub connection: u32,
    /// What happened.
    pub what: Happened,
}

impl Event {
    /// The most that are kept of one worker and interval.
    pub const MAX_ROWS: usize = 10_000;

    /// Applies `change` to each text that a server may have written, to mask what must not be shown.
    pub fn each_text(&mut self, mut change: impl FnMut(&mut String)) {
        if let Happened::Ended(ending) = &mut self.what {
            change(&mut ending.detail);
            change(&mut ending.close_reason);
        }
    }
}

/// What can happen to a client.
#[derive(Debug, Clone, PartialEq)]
pub enum Happened {
    /// Its connection is open.
    Opened(Opened),
    /// Its connection did not open, or ended otherwise than planned.
    Ended(Box<Ending>),
    /// An answer of the heartbeat came in time.
    Answered {
        /// From the ping to its answer.
        rtt: Nanos,
    },
    /// An answer of the heartbeat came after its time.
    Late {
        /// From the ping to its answer.
        rtt: Nanos,
    },
    /// An answer of the heartbeat did not come in time.
    Missed {
        /// How many in a row by now.
        in_row: u32,
    },
}

/// How a connection opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// From the dial to the 101.
    pub took: Nanos,
    /// How long there was none before; `None` for the first.
    pub away: Option<Nanos>,
    /// The address that was dialled: the server's, or its proxy's; `None` over a Unix socket, and where it is not known.
    pub address: Option<SocketAddr>,
    /// The end of the validity of the server's certificate, in seconds since 1970; `None` without TLS.
    pub expires: Option<i64>,
}

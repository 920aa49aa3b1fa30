//! The behaviour of the other end of a connection, as a script: what it answers to which frame, what it sends by
//! itself, and when it accepts no bytes.

use std::ops::Range;

use bytes::Bytes;

use crate::measure::TcpView;
use crate::net::Lost;
use crate::net::TcpEnd;
use crate::units::{Nanos, Timestamp};

pub(super) const MS: Nanos = Nanos::from_millis(1);
pub(super) const S: Nanos = Nanos::from_secs(1);

/// The local port of the client.
pub(super) const PORT: u16 = 40_000;

/// The payload of the peer's pings.
pub(super) const PING: &[u8] = b"are you there?";

/// The time in which a healthy peer answers.
pub(super) const RTT: Nanos = MS;

/// What the peer receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    Text(Bytes),
    Binary(Bytes),
    Ping(Bytes),
    /// The answer to the peer's ping.
    Pong(Bytes),
    Close(Option<u16>),
    /// The answer to the peer's Close.
    CloseReply(Option<u16>),
    /// Bytes that were put in between frames.
    Put(Vec<u8>),
}

impl Heard {
    /// Returns the number of payload bytes, without headers and masks; a Close frame has only its code.
    pub(super) fn bytes(&self) -> u64 {
        let bytes = match self {
            Self::Text(bytes) | Self::Binary(bytes) => bytes.len(),
            Self::Ping(bytes) | Self::Pong(bytes) => bytes.len(),
            Self::Close(_) | Self::CloseReply(_) => 2,
            Self::Put(bytes) => bytes.len(),
        };
        bytes as u64
    }
}

/// What the peer does.
#[derive(Debug, Clone)]
pub(super) enum Say {
    Text(Bytes),
    Binary(Bytes),
    Ping,
    Pong(Bytes),
    Close(Option<u16>),
    End(Lost),
}

/// What it does by itself or as an answer, and when.
pub(super) type Lines = Vec<(Timestamp, Say)>;

pub(super) type Part = Box<dyn FnMut(Timestamp, &Heard) -> Lines>;

/// The part of a peer in one connection.
pub(super) struct Script {
    pub(super) part: Part,
    pub(super) lines: Lines,
    pub(super) blocked: Vec<Range<Timestamp>>,
    pub(super) view: Option<TcpView>,
    pub(super) tcp_ends: Option<(Timestamp, TcpEnd)>,
    pub(super) stamps_lag: Option<i64>,
    pub(super) after_close: u32,
    pub(super) hangs_up_at: Timestamp,
    pub(super) is_refused: bool,
    pub(super) is_mute: bool,
}

impl Script {
    /// Answers what it receives, at a time of its choice.
    pub(super) fn new(part: impl FnMut(Timestamp, &Heard) -> Lines + 'static) -> Self {
        Self {
            part: Box::new(part),
            lines: Lines::new(),
            blocked: Vec::new(),
            view: None,
            tcp_ends: None,
            stamps_lag: None,
            after_close: 0,
            hangs_up_at: Timestamp::NEVER,
            is_refused: false,
            is_mute: false,
        }
    }

    /// The dial fails without a wait.
    pub(super) fn refused() -> Self {
        Self {
            is_refused: true,
            ..Self::new(|_, _| Lines::new())
        }
    }

    /// The upgrade is never answered.
    pub(super) fn mute() -> Self {
        Self {
            is_mute: true,
            ..Self::new(|_, _| Lines::new())
        }
    }

    /// Sends its Close and ends TCP just before it receives the first bytes from this time on.
    pub(super) fn hangs_up_on_bytes(mut self, from: Timestamp) -> Self {
        self.hangs_up_at = from;
        self
    }

    /// Ends TCP at this time, so that even a client that does not read can see it.
    pub(super) fn ends_tcp(mut self, at: Timestamp, end: TcpEnd) -> Self {
        self.tcp_ends = Some((at, end));
        self
    }

    /// Received data has kernel timestamps that are earlier by `lag`.
    pub(super) fn stamped_before(mut self, lag: Nanos) -> Self {
        self.stamps_lag = Some(lag.0.cast_signed());
        self
    }

    /// Received data reaches this machine this long after the session has read the clock.
    pub(super) fn stamped_after(mut self, lead: Nanos) -> Self {
        self.stamps_lag = Some(-lead.0.cast_signed());
        self
    }

    /// Sends this many frames after its Close frame.
    pub(super) fn speaks_after_close(mut self, frames: u32) -> Self {
        self.after_close = frames;
        self
    }

    /// Healthy until this time, and silent after it.
    pub(super) fn silent_from(time: Timestamp) -> Self {
        Self::new(move |at, heard| {
            let mut lines = if at < time {
                healthy(at, heard)
            } else {
                nothing()
            };
            lines.retain(|(when, _)| *when < time);
            lines
        })
    }

    /// Adds a line to the script.
    pub(super) fn says(mut self, at: Timestamp, say: Say) -> Self {
        self.lines.push((at, say));
        self
    }

    /// Accepts no bytes during this time.
    pub(super) fn blocked(mut self, time: Range<Timestamp>) -> Self {
        self.blocked.push(time);
        self
    }

    /// Sets the kernel's view of the connection.
    pub(super) fn seen_as(mut self, unacked: u32, retransmits: u32) -> Self {
        self.view = Some(TcpView {
            unacked,
            retransmits,
            last_ack_ns: 0,
        });
        self
    }
}

/// Echoes, pongs, answers a Close and ends TCP, each after [`RTT`].
pub(super) fn healthy(at: Timestamp, heard: &Heard) -> Lines {
    let after = at + RTT;
    match heard {
        Heard::Text(bytes) => vec![(after, text(bytes.clone()))],
        Heard::Binary(bytes) => vec![(after, binary(bytes.clone()))],
        Heard::Ping(bytes) => vec![(after, pong(bytes.clone()))],
        Heard::Close(code) => vec![(after, close(*code)), (after, fin())],
        Heard::CloseReply(_) => vec![(after, fin())],
        Heard::Pong(_) | Heard::Put(_) => nothing(),
    }
}

pub(super) fn nothing() -> Lines {
    Lines::new()
}

pub(super) fn text(bytes: impl Into<Bytes>) -> Say {
    Say::Text(bytes.into())
}

pub(super) fn binary(bytes: impl Into<Bytes>) -> Say {
    Say::Binary(bytes.into())
}

pub(super) fn ping() -> Say {
    Say::Ping
}

pub(super) fn pong(bytes: impl Into<Bytes>) -> Say {
    Say::Pong(bytes.into())
}

pub(super) fn close(code: Option<u16>) -> Say {
    Say::Close(code)
}

pub(super) fn fin() -> Say {
    Say::End(Lost::Tcp(TcpEnd::Fin))
}

pub(super) fn reset() -> Say {
    Say::End(Lost::Tcp(TcpEnd::Rst))
}

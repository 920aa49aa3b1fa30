//! What a client does wrong on purpose, so that a server can be seen to deal with it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

/// One thing a client does wrong. Several in one cohort go on side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// What it does.
    pub kind: FaultKind,
    /// From the 101 to the start of it. May be zero.
    pub after: Duration,
}

/// What a client does wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum FaultKind {
    /// Reads everything and answers no ping. Still answers a Close.
    NoPong,
    /// Answers no Close and does not end TCP: waits for the server to do it.
    NeverClose,
    /// Answers each ping so much later; each connection has one delay of the sweep.
    LatePong {
        /// From the ping to its pong.
        delay: Sweep,
    },
    /// Answers so many pings, and then no more.
    PongStopsAfter {
        /// Pings that are answered. May be zero.
        pings: u32,
    },
    /// Answers each ping with another payload.
    WrongPong,
    /// Sends nothing but one kind of frame, again and again: the activity matrix. Answers no ping, unless with
    /// [`Activity::Pong`].
    Only {
        /// What it sends.
        frame: Activity,
        /// Between two of them. Above zero. Each connection has one gap of the sweep.
        every: Sweep,
    },
    /// Reads no more bytes: the receive window shrinks to nothing.
    StopReading,
    /// Begins a message, and sends the rest of it a byte at a time. Sends nothing else.
    Trickle {
        /// Between two bytes. Above zero.
        every: Duration,
    },
    /// Sends a message in two fragments with a pause between them, again and again (RFC 6455 section 5.4).
    Fragments {
        /// Between the fragments. Above zero.
        pause: Duration,
    },
    /// Ends its sending half of TCP (FIN) without a Close frame, and goes on reading.
    HalfClose,
    /// Ends TCP with a RST.
    Reset,
    /// Is gone without a FIN or RST: takes and sends no packet. Needs `CAP_NET_ADMIN`.
    Vanish {
        /// After so long it is back. `None`: never.
        lasts: Option<Duration>,
    },
    /// Sends one frame that RFC 6455 forbids.
    IllegalFrame(Illegal),
    /// Begins the close handshake; each connection has one of the codes. `None` is a Close frame without a code.
    Close {
        /// Never empty.
        codes: Vec<Option<u16>>,
    },
    /// After the close handshake keeps its half of TCP, and reads no more: waits for the server to end it.
    Hold,
}

impl FaultKind {
    /// The word for it in `fault.kind`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NoPong => "no_pong",
            Self::NeverClose => "never_close",
            Self::LatePong { .. } => "late_pong",
            Self::PongStopsAfter { .. } => "pong_stops_after",
            Self::WrongPong => "wrong_pong",
            Self::Only { .. } => "only",
            Self::StopReading => "stop_reading",
            Self::Trickle { .. } => "trickle",
            Self::Fragments { .. } => "fragments",
            Self::HalfClose => "half_close",
            Self::Reset => "reset",
            Self::Vanish { .. } => "vanish",
            Self::IllegalFrame(_) => "illegal_frame",
            Self::Close { .. } => "close",
            Self::Hold => "hold",
        }
    }
}

/// One delay for all connections of a cohort, or several that they take in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// From the shortest to the longest. Never empty.
    pub levels: Vec<Duration>,
}

impl Sweep {
    /// The delay of the connection at this place in its cohort.
    pub fn at(&self, place: u32) -> Duration {
        self.levels[place as usize % self.levels.len()]
    }
}

/// The one kind of frame a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Nothing at all.
    Nothing,
    /// Pongs that answer pings.
    Pong,
    /// Pongs nobody asked for (RFC 6455 section 5.5.3).
    UnsolicitedPong,
    /// Pings.
    Ping,
    /// Text messages.
    Text,
    /// Text messages without a byte in them.
    EmptyText,
    /// One more byte of a frame that is never complete.
    Byte,
}

/// A frame that RFC 6455 forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Illegal {
    /// A ping with 126 bytes (section 5.5).
    LongPing,
    /// A ping in fragments (section 5.5).
    FragmentedPing,
    /// A Close with the code 1005 (section 7.4.1).
    BadCloseCode,
    /// A text message that is not UTF-8 (section 8.1).
    BadUtf8,
    /// A frame without a mask (section 5.1).
    Unmasked,
    /// An opcode that is reserved (section 5.2).
    ReservedOpcode,
}

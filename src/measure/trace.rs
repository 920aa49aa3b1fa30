//! What passes on a connection, frame by frame, each with what sent or took it: for users who write a scenario.
//! Kept only if it was asked for, and never more than a shard has room for.

use crate::metric::Side;
use crate::units::Timestamp;

/// Something that happened on a connection. Its texts are masked, cut, and safe to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Nanoseconds since the first dial.
    pub at: Timestamp,
    /// The index of its cohort.
    pub cohort: usize,
    /// What happened.
    pub what: Traced,
}

impl Trace {
    /// The most that are kept of one worker and interval.
    pub const MAX_ROWS: usize = 10_000;
}

/// What happened on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Traced {
    /// TCP, and TLS where there is any, is open, and no upgrade is asked for.
    Connected,
    /// It is open: the 101 came.
    Opened {
        /// The one that the server chose.
        subprotocol: Option<String>,
    },
    /// A frame passed.
    Frame {
        /// Which side sent it.
        from: Side,
        /// Its kind.
        kind: FrameType,
        /// What sent it, or took it.
        by: By,
        /// How it fits what was expected.
        fit: Fitting,
        /// What it says.
        text: String,
    },
    /// It ended, or could not be opened: why.
    Ended(String),
}

/// The kind of a frame (RFC 6455 section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum FrameType {
    /// A text message.
    Text,
    /// A binary message.
    Binary,
    /// A ping.
    Ping,
    /// A pong.
    Pong,
    /// A Close.
    Close,
    /// A request of HTTP or its answer, which are no frames.
    Http,
    /// The bytes of a fault, which need not be a frame.
    Bytes,
}

/// What sent a frame, or took it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum By {
    /// The message, the step or the `[[on]]` with this slot.
    Slot(usize),
    /// The heartbeat.
    Heartbeat,
    /// It was published to a topic that the client hears.
    Topic,
    /// The connection itself sent it; nothing took it.
    #[default]
    Nothing,
}

/// How a received message fits what was expected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fitting {
    /// It is as expected.
    #[default]
    Right,
    /// It is not as it should be.
    Wrong,
    /// It came after its time.
    Late,
    /// It came before.
    Twice,
}

//! What clients and the target do wrong, as the user wrote it: `[cohort.fault]`, `[[target.fault]]`, and the
//! heartbeat of the built-in server with its defects.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Key;
use crate::scenario::model::{Activity, Defect, Illegal, Signal};
use crate::scenario::reading::{Several, Short, Time, TimeOrZero, Whole};

/// One duration for all connections of a cohort, or several that they take in turn.
pub(in crate::scenario) type DelayOrSweep = Short<Time, SweepTable>;

/// One thing that a client does wrong on purpose.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a fault such as { kind = \"no_pong\" }, or a list of them"
)]
#[schemars(rename = "Fault")]
pub(in crate::scenario) struct FaultTable {
    /// What the client does. Required.
    pub(in crate::scenario) kind: Key<FaultWord>,
    /// From the 101 to the start of it. Default "0s".
    pub(in crate::scenario) after: Key<TimeOrZero>,
    /// From a ping to its pong: one duration, or { from, to, levels }. Required with `late_pong`, only there.
    pub(in crate::scenario) delay: Key<DelayOrSweep>,
    /// So many pings are answered before. Required with `pong_stops_after`, only there.
    pub(in crate::scenario) pings: Key<Whole<0, { u32::MAX }>>,
    /// What is sent. Required with `only` and `illegal_frame`, only there.
    pub(in crate::scenario) frame: Key<FrameWord>,
    /// Between two frames of `only` (a duration, or { from, to, levels }), or two bytes of `trickle`. Default "1s".
    pub(in crate::scenario) every: Key<DelayOrSweep>,
    /// Between the two `fragments` of a message. Default "500ms".
    pub(in crate::scenario) pause: Key<Time>,
    /// How long a client that does `vanish` is gone. Default: for good.
    #[serde(rename = "for")]
    pub(in crate::scenario) lasts: Key<Time>,
    /// The codes that `close` sends, one or a list that connections take in turn; 0 is an empty Close. Default 1000.
    pub(in crate::scenario) code: Key<Several<Whole<0, 4999>>>,
}

/// What a client does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "FaultKind")]
pub(in crate::scenario) enum FaultWord {
    /// Reads everything and answers no ping. Still answers a Close.
    NoPong,
    /// Answers no Close and does not end TCP.
    NeverClose,
    /// Answers each ping later.
    LatePong,
    /// Answers so many pings, and then no more.
    PongStopsAfter,
    /// Answers each ping with another payload.
    WrongPong,
    /// Sends nothing but one kind of frame.
    Only,
    /// Reads no more bytes.
    StopReading,
    /// Sends a message a byte at a time, and nothing else.
    Trickle,
    /// Sends messages in two fragments with a pause between them.
    Fragments,
    /// Ends its sending half of TCP without a Close frame.
    HalfClose,
    /// Ends TCP with a RST.
    Reset,
    /// Takes and sends no packet any more. Needs `CAP_NET_ADMIN`.
    Vanish,
    /// Sends one frame that RFC 6455 forbids.
    IllegalFrame,
    /// Begins the close handshake.
    Close,
    /// After the close handshake keeps its half of TCP, and reads no more.
    Hold,
}

/// A kind of frame: for `only` or for `illegal_frame`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Frame")]
pub(in crate::scenario) enum FrameWord {
    Legal(Activity),
    Illegal(Illegal),
}

/// Durations that connections take in turn, from the shortest to the longest.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
#[schemars(rename = "Sweep")]
pub(in crate::scenario) struct SweepTable {
    /// The shortest. Required.
    pub(in crate::scenario) from: Key<Time>,
    /// The longest. Required.
    pub(in crate::scenario) to: Key<Time>,
    /// So many, evenly apart. Default 16.
    pub(in crate::scenario) levels: Key<Whole<2, 1000>>,
}

/// One thing that is done to the target.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a fault such as { kind = \"sigstop\", for = \"3s\" }"
)]
#[schemars(rename = "TargetFault")]
pub(in crate::scenario) struct TargetFaultTable {
    /// "sigstop": it stands still for a time; "sigterm": it shall end in an orderly way. Required.
    pub(in crate::scenario) kind: Key<Signal>,
    /// From the start of measuring. Default "0s".
    pub(in crate::scenario) after: Key<TimeOrZero>,
    /// How long it stands still. Required with "sigstop", only there.
    #[serde(rename = "for")]
    pub(in crate::scenario) lasts: Key<Time>,
    /// How often it is done. Only with "sigstop". Default 1.
    pub(in crate::scenario) repeat: Key<Whole<1, 10_000>>,
    /// From one start to the next. Only with `repeat`. Default: twice `for`, and a second more than it at least.
    pub(in crate::scenario) every: Key<Time>,
    /// The starts are spread over this time, against the server's own timers. Only with `repeat`. Default "0s".
    pub(in crate::scenario) phase: Key<TimeOrZero>,
}

/// How the built-in server watches its clients.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { interval = \"1s\", timeout = \"1s\" }"
)]
#[schemars(rename = "ServerHeartbeat")]
pub(in crate::scenario) struct ServerHeartbeatTable {
    /// Between two pings to one client. Default "10s".
    pub(in crate::scenario) interval: Key<Time>,
    /// From a ping to its pong. Default "5s".
    pub(in crate::scenario) timeout: Key<Time>,
    /// What it does wrong on purpose, so that a contract can be seen to fail. Default: nothing.
    pub(in crate::scenario) defect: Key<Defect>,
}

//! The faults of the path between clients and target, and of the target itself.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::units::ByteSize;

/// A relay between wsbench's connections and the target, with what it does to them.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// The faults, in the order of the file, by name. Never empty.
    pub faults: Vec<PathFault>,
}

impl Path {
    /// Whether the connections of a cohort go through the relay.
    pub fn leads(&self, cohort: &str) -> bool {
        self.faults.iter().any(|fault| fault.concerns(cohort))
    }
}

/// One fault of the path.
#[derive(Debug, Clone, PartialEq)]
pub struct PathFault {
    /// The kind of fault.
    pub kind: PathFaultKind,
    /// The time from the start of measuring. `None` means from the first byte on.
    pub after: Option<Duration>,
    /// The length. `None` means to the end of the run.
    pub lasts: Option<Duration>,
    /// The names of the cohorts that it concerns. Empty means all.
    pub cohorts: Vec<String>,
}

impl PathFault {
    /// Whether it concerns a cohort.
    pub fn concerns(&self, cohort: &str) -> bool {
        self.cohorts.is_empty() || self.cohorts.iter().any(|name| name == cohort)
    }

    /// Whether it is a lasting property of the path rather than an incident: a delay or a throttle without an end.
    /// Times of a contract do not count from it.
    pub fn is_lasting(&self) -> bool {
        let slows = matches!(
            self.kind,
            PathFaultKind::Delay { .. } | PathFaultKind::Throttle(_)
        );
        slows && self.after.is_none() && self.lasts.is_none()
    }
}

/// A kind of fault of the path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PathFaultKind {
    /// Bytes arrive later in both directions, by `by` and a random part of `jitter`; their order is kept.
    Delay {
        /// The constant delay. May be zero.
        by: Duration,
        /// The range of the random delay. May be zero.
        jitter: Duration,
    },
    /// Nothing is passed on in either direction until the freeze ends; then everything is.
    Freeze,
    /// Bytes in one direction are dropped.
    Drop(Direction),
    /// The relay ends one half of TCP (FIN) and goes on with the other.
    HalfClose(Direction),
    /// The relay resets both of its connections.
    Reset,
    /// The relay forgets both of its connections without sending anything, as a NAT does; it answers whatever comes
    /// next with a RST.
    Forget,
    /// The relay ends both connections in the middle of a frame from the server.
    Cut,
    /// At most this many bytes pass per second in each direction.
    Throttle(ByteSize),
}

impl PathFaultKind {
    /// The key of `[path]`.
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Delay { .. } => "delay",
            Self::Freeze => "freeze",
            Self::Drop(_) => "drop",
            Self::HalfClose(_) => "half_close",
            Self::Reset => "reset",
            Self::Forget => "forget",
            Self::Cut => "cut",
            Self::Throttle(_) => "throttle",
        }
    }
}

/// One way along the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the clients to the server.
    ToServer,
    /// From the server to the clients.
    ToClient,
}

/// How wsbench gets to know the target's process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Process {
    /// The process is unknown.
    Unknown,
    /// wsbench starts this program with its arguments, and ends it after the run.
    Command(Vec<String>),
    /// The process runs already, under this id.
    Pid(u32),
}

/// A fault of the target's process.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetFault {
    /// The signal that is sent.
    pub kind: Signal,
    /// The time from the start of measuring.
    pub after: Duration,
    /// The length of a freeze. Above zero; not used for [`Signal::Terminate`].
    pub lasts: Duration,
    /// The number of repetitions. Above zero.
    pub repeat: u32,
    /// The time from one start to the next. Longer than `lasts`.
    pub every: Duration,
    /// The range over which the starts are spread, so that each meets another phase of the server's own timers. May be
    /// zero.
    pub phase: Duration,
}

/// A signal to the target's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
pub enum Signal {
    /// `SIGSTOP`, and `SIGCONT` afterwards: the process stands still.
    #[serde(rename = "sigstop")]
    Stop,
    /// `SIGTERM`: it shall end in an orderly way.
    #[serde(rename = "sigterm")]
    Terminate,
}

/// The heartbeat of the built-in server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerHeartbeat {
    /// The time between two pings to one client. Above zero.
    pub interval: Duration,
    /// The time from a ping to its pong. Above zero.
    pub timeout: Duration,
    /// The deliberate defect.
    pub defect: Option<Defect>,
}

/// What the built-in server does wrong on purpose, so that a contract can be seen to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Defect {
    /// One timer pings all clients at the same time, and reaps at the next tick.
    GlobalTick,
    /// Closes silent clients with the code 1000.
    NormalClose,
    /// Ends TCP without a Close frame.
    NoCloseFrame,
    /// Waits for room in the send buffer before the timer of a pong starts: a client that does not read lives forever.
    BlockedPing,
    /// Answers pings in turn with messages, behind a slow handler.
    SlowPong,
    /// Pings, and never looks whether an answer came.
    NeverReaps,
    /// Judges overdue pongs before it reads what has come: a stall of the server costs healthy clients.
    KillsAfterStall,
}

impl Defect {
    /// All defects.
    pub const ALL: [Self; 7] = [
        Self::GlobalTick,
        Self::NormalClose,
        Self::NoCloseFrame,
        Self::BlockedPing,
        Self::SlowPong,
        Self::NeverReaps,
        Self::KillsAfterStall,
    ];

    /// The stable name, in scenarios and for `wsbench serve --defect`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GlobalTick => "global_tick",
            Self::NormalClose => "normal_close",
            Self::NoCloseFrame => "no_close_frame",
            Self::BlockedPing => "blocked_ping",
            Self::SlowPong => "slow_pong",
            Self::NeverReaps => "never_reaps",
            Self::KillsAfterStall => "kills_after_stall",
        }
    }
}

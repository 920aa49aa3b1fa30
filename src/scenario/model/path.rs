//! What happens on the way between clients and target, and to the target itself.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::units::ByteSize;

/// A relay that wsbench puts between its connections and the target, and what it does to them.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// In the order of the file, by name. Never empty.
    pub faults: Vec<PathFault>,
}

impl Path {
    /// Whether the connections of a cohort go through the relay.
    pub fn leads(&self, cohort: &str) -> bool {
        self.faults.iter().any(|fault| fault.concerns(cohort))
    }
}

/// One thing that happens on the path.
#[derive(Debug, Clone, PartialEq)]
pub struct PathFault {
    /// What happens.
    pub kind: PathFaultKind,
    /// From the start of measuring. `None`: from the first byte on.
    pub after: Option<Duration>,
    /// How long it lasts. `None`: to the end.
    pub lasts: Option<Duration>,
    /// The names of the cohorts it happens to. Empty: to all.
    pub cohorts: Vec<String>,
}

impl PathFault {
    /// Whether it happens to a cohort.
    pub fn concerns(&self, cohort: &str) -> bool {
        self.cohorts.is_empty() || self.cohorts.iter().any(|name| name == cohort)
    }

    /// Whether it is how the path is, from the first byte to the last, rather than something that befalls it: a delay or
    /// a throttle without an end. Times of a contract do not begin with it.
    pub fn is_lasting(&self) -> bool {
        let slows = matches!(
            self.kind,
            PathFaultKind::Delay { .. } | PathFaultKind::Throttle(_)
        );
        slows && self.after.is_none() && self.lasts.is_none()
    }
}

/// What happens on the path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PathFaultKind {
    /// Bytes arrive later, each way, by `by` and a random part of `jitter` more; their order stays.
    Delay {
        /// May be zero.
        by: Duration,
        /// May be zero.
        jitter: Duration,
    },
    /// Nothing is passed on in either direction; it is passed on afterwards.
    Freeze,
    /// What is sent in one direction is thrown away.
    Drop(Direction),
    /// The relay ends one half of TCP (FIN) and goes on with the other.
    HalfClose(Direction),
    /// The relay resets both of its connections.
    Reset,
    /// The relay forgets both of its connections without a word, as a NAT does: whatever comes next is answered with a RST.
    Forget,
    /// The relay ends both connections in the middle of a frame of the server's.
    Cut,
    /// No more bytes than this pass in a second, each way.
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

/// How the target's process is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Process {
    /// Not at all.
    Unknown,
    /// wsbench starts it: the program and its arguments. Ended with the run.
    Command(Vec<String>),
    /// It runs already.
    Pid(u32),
}

/// What is done to the target's process.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetFault {
    /// What is done.
    pub kind: Signal,
    /// From the start of measuring.
    pub after: Duration,
    /// How long a freeze lasts. Above zero; without meaning for [`Signal::Terminate`].
    pub lasts: Duration,
    /// How often it is done. Above zero.
    pub repeat: u32,
    /// From one start to the next. Longer than `lasts`.
    pub every: Duration,
    /// The starts are spread over this time, so that each comes in another phase of the server's own timers. May be zero.
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
    /// Between two pings to one client. Above zero.
    pub interval: Duration,
    /// From a ping to its pong. Above zero.
    pub timeout: Duration,
    /// What it does wrong on purpose.
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
    /// Every defect there is.
    pub const ALL: [Self; 7] = [
        Self::GlobalTick,
        Self::NormalClose,
        Self::NoCloseFrame,
        Self::BlockedPing,
        Self::SlowPong,
        Self::NeverReaps,
        Self::KillsAfterStall,
    ];

    /// The stable name, as in scenarios and of `wsbench serve --defect`.
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

//! `[target.heartbeat]`: how the built-in server watches its clients, and what it does wrong on purpose.

use std::time::Duration;

use crate::scenario::reading::{Given as _, Time, keys, words};

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

words! {
    /// What the built-in server does wrong on purpose, so that a contract can be seen to fail.
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
}

keys! {
    /// How the built-in server watches its clients.
    #[serde(expecting = "a table such as { interval = \"1s\", timeout = \"1s\" }")]
    ServerHeartbeatTable = "ServerHeartbeat" {
        /// Between two pings to one client.
        interval: Time = Time::seconds(10),
        /// From a ping to its pong.
        timeout: Time = Time::seconds(5),
        /// What it does wrong on purpose, so that a contract can be seen to fail. Default: nothing.
        defect: Defect,
    }
}

/// Resolves `[target.heartbeat]`.
pub(super) fn resolve(keys: &ServerHeartbeatTable) -> ServerHeartbeat {
    ServerHeartbeat {
        interval: keys.interval().0,
        timeout: keys.timeout().0,
        defect: keys.defect.value(),
    }
}

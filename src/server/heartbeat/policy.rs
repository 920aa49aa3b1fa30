//! The behaviour of a heartbeat, and the one change that each defect makes to it.
//! A server with a defect breaks one rule and keeps all others, so that a test can tell which rule a contract found
//! broken.

use std::time::Duration;

use crate::scenario::{Defect, ServerHeartbeat};

/// The close codes of a correct heartbeat, and of a wrong one (RFC 6455 section 7.4.1).
const INTERNAL_ERROR: u16 = 1011;
const NORMAL: u16 = 1000;
/// The time that the slow handler of [`Defect::SlowPong`] takes for a message.
const SLOW_HANDLER: Duration = Duration::from_millis(100);

/// The settings of a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) pings: Pings,
    pub(super) judges: Judges,
    pub(super) ends: Ends,
    /// The time that each message takes, one after the other, if any; nothing is read meanwhile.
    pub(super) handler: Option<Duration>,
}

/// When clients are pinged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pings {
    /// Each client on its own schedule, which starts at a random time.
    Apart,
    /// All clients at the ticks of one clock. A pong is overdue at the next tick, or at the one after it if that is
    /// near.
    Together,
}

/// When an overdue pong makes the server give up a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judges {
    /// After all received bytes were read.
    AfterReading,
    /// Before the received bytes are read.
    BeforeReading,
    /// After all received bytes were read, and only while there is room in the send buffer.
    WithRoom,
    /// Never.
    Never,
}

/// How the connection of a client that is given up is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Ends {
    /// With a Close frame that has this code.
    Close(u16),
    /// With the end of TCP only.
    Silently,
}

impl Policy {
    const CORRECT: Self = Self {
        pings: Pings::Apart,
        judges: Judges::AfterReading,
        ends: Ends::Close(INTERNAL_ERROR),
        handler: None,
    };

    pub(super) fn of(defect: Option<Defect>) -> Self {
        let mut policy = Self::CORRECT;
        match defect {
            None => {}
            Some(Defect::GlobalTick) => policy.pings = Pings::Together,
            Some(Defect::NormalClose) => policy.ends = Ends::Close(NORMAL),
            Some(Defect::NoCloseFrame) => policy.ends = Ends::Silently,
            Some(Defect::BlockedPing) => policy.judges = Judges::WithRoom,
            Some(Defect::SlowPong) => policy.handler = Some(SLOW_HANDLER),
            Some(Defect::NeverReaps) => policy.judges = Judges::Never,
            Some(Defect::KillsAfterStall) => policy.judges = Judges::BeforeReading,
        }
        policy
    }
}

/// The time that each message takes, if messages are processed one after the other.
pub(in crate::server) fn slow_handler(heartbeat: ServerHeartbeat) -> Option<Duration> {
    Policy::of(heartbeat.defect).handler
}

//! What a heartbeat does, and the one thing each defect changes about it.
//! A guilty server breaks one rule and keeps all others, so that a test can tell which rule a contract found broken.

use std::time::Duration;

use crate::scenario::{Defect, ServerHeartbeat};

/// The closes of a heartbeat that is right, and of one that is not (RFC 6455 section 7.4.1).
const INTERNAL_ERROR: u16 = 1011;
const NORMAL: u16 = 1000;
/// How long the slow handler of [`Defect::SlowPong`] takes for a message.
const SLOW_HANDLER: Duration = Duration::from_millis(100);

/// The choices of a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) pings: Pings,
    pub(super) judges: Judges,
    pub(super) ends: Ends,
    /// Messages are handled one after the other, each for so long, and nothing is read meanwhile.
    pub(super) handler: Option<Duration>,
}

/// When clients are pinged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pings {
    /// Each on a schedule of its own, which starts at random.
    Apart,
    /// All at the ticks of one clock; a ping has time until the next tick, or the one behind it where that is near.
    Together,
}

/// When a pong that is overdue is held against a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judges {
    /// When all that has come is read.
    AfterReading,
    /// Before what has come is read.
    BeforeReading,
    /// When all that has come is read, and only while there is room in the send buffer.
    WithRoom,
    /// At no time.
    Never,
}

/// How a client that is given up is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Ends {
    /// By a Close frame with this code.
    Close(u16),
    /// By the end of TCP alone.
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

/// How long each message is handled, where one has to wait for the other.
pub(in crate::server) fn slow_handler(heartbeat: ServerHeartbeat) -> Option<Duration> {
    Policy::of(heartbeat.defect).handler
}

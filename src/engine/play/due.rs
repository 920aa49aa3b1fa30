//! What is due of the messages of one client.

use crate::scenario::FrameKind;
use crate::units::Timestamp;

/// A message that may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Due {
    /// The slot: the index of the message in its cohort; steps and replies follow.
    pub(in crate::engine) slot: usize,
    /// Which exchange books it; `None` for a reply, which nobody answers.
    pub(super) exchange: Option<usize>,
    /// When it should have been sent.
    pub(in crate::engine) intended: Timestamp,
    /// The sequence number, from 0 for each connection and exchange.
    pub(in crate::engine) sequence: u64,
    /// Whether it belongs to the set-up.
    pub(in crate::engine) is_setup: bool,
}

/// A payload that was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Written {
    /// The kind of its frame.
    pub(in crate::engine) kind: FrameKind,
    /// If it is compressed, its length before.
    pub(in crate::engine) packed: Option<usize>,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Task {
    /// Send this message, and report it with [`Play::sent`](super::Play::sent).
    Send(Due),
    /// This message is too late to be sent: count it.
    GiveUp(Lapsed),
}

/// A message that came to an end without an answer, or was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Lapsed {
    /// When it was due.
    pub(in crate::engine) intended: Timestamp,
    /// Whether it belongs to the set-up, whose messages are not counted one by one.
    pub(in crate::engine) is_setup: bool,
}

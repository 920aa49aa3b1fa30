//! What a received message means to one client.

use super::ledger::Answer;
use crate::units::Timestamp;

/// What a received message means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Meaning {
    /// It answers a message that was sent.
    Answer(Received),
    /// A step waited for it, or an `[[on]]` takes it.
    Taken {
        /// The slot of the step or the `[[on]]`.
        slot: usize,
        /// Whether it is not as it should be.
        is_wrong: bool,
    },
    /// Nothing takes it.
    Nothing,
}

/// A received message that answers one that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Received {
    /// The slot of the message that was sent.
    pub(in crate::engine) slot: usize,
    pub(in crate::engine) answer: Answer,
    /// The sequence number in its stamp; `None` if it has none.
    pub(in crate::engine) sequence: Option<u64>,
    /// How it fits.
    pub(in crate::engine) fit: Fit,
    /// It may answer another message of this exchange, so its times are unknown.
    pub(in crate::engine) is_uncertain: bool,
    /// The intended time, which decides the window it belongs to.
    pub(in crate::engine) intended: Timestamp,
    /// Whether it belongs to the set-up.
    pub(in crate::engine) is_setup: bool,
}

/// How an answer fits what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Fit {
    /// The bytes that were sent.
    Echo,
    /// Another answer, and all that was asked of it holds.
    Right,
    /// It is not as it should be.
    Wrong,
}

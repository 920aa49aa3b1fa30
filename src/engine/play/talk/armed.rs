//! An await that takes part in the dispatch of messages.

use crate::units::Timestamp;

/// An await from the send before it on, until its turn is over.
#[derive(Debug)]
pub(super) struct Armed {
    /// The index of its operation.
    pub(super) at: usize,
    /// Since when it is armed.
    pub(super) since: Timestamp,
    /// How many messages it still takes.
    pub(super) left: u32,
    pub(super) outcome: Outcome,
}

/// What became of an await.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It takes the next message that it matches.
    Waiting,
    /// Chance left it out.
    Skipped,
    /// Its last message came then.
    Met(Timestamp),
    /// A message was not as it should be; says what is wrong.
    Wrong(String),
}

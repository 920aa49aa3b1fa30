//! `[[on]]`: what a client does with messages that nothing else takes.

use super::matching::Match;
use super::message::FrameKind;
use super::payload::Payload;
use super::save::Save;

/// What is done with each message that nothing else takes and that this matches. The first in the order of the file
/// takes it.
#[derive(Debug, Clone, PartialEq)]
pub struct On {
    /// Names its metrics, as in `gap.<name>`. Unique in its cohort.
    pub name: String,
    /// Which messages it takes.
    pub matching: Match,
    /// What is sent at once.
    pub reply: Option<(Payload, FrameKind)>,
    /// What a message must be like to be right.
    pub check: Option<Match>,
    /// What is kept of it.
    pub save: Vec<Save>,
}

impl On {
    /// Whether messages tell how old they are.
    pub fn tells_age(&self) -> bool {
        false
    }

    /// Whether it follows the numbers of messages.
    pub fn counts(&self) -> bool {
        false
    }
}

//! MATCH: what a received message must be like to be taken by a step, a message or an `[[on]]`, or to be right.

use std::sync::Arc;

use super::payload::Segment;

/// What a message must be like: all of these hold. Text or binary makes no difference.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// At least one.
    pub conditions: Arc<[Condition]>,
}

/// One thing that must hold of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// It is exactly this.
    Whole(Arc<[Segment]>),
    /// It begins with this.
    Prefix(Arc<[Segment]>),
}

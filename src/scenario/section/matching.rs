//! MATCH: what a received message must be like to be taken by a step, a message or an `[[on]]`, or to be right.

use std::sync::Arc;

use super::payload::Segment;
use super::variable::{Number, Variable};
use crate::json::{Literal, Pointer};

/// What a message must be like: all of these hold. Text or binary makes no difference.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// At least one.
    pub conditions: Arc<[Condition]>,
}

/// One thing that must hold of a message. Segments that hold `{{id}}` hold it once, and only literals beside it.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// It is exactly this.
    Whole(Arc<[Segment]>),
    /// It begins with this. Does not end with a number, of which a message could hold more digits.
    Prefix(Arc<[Segment]>),
    /// It has these bytes from this one on, the first of them being 0.
    Bytes(u32, Arc<[u8]>),
    /// It has a part like this.
    Regex(Regex),
    /// It has this value at this place: of the same type, numbers by value.
    Value(Pointer, Literal),
    /// It has a value at this place that says this: a text, or another value that is spelled like it.
    Says(Pointer, Arc<[Segment]>),
    /// It has a value at this place, be it null.
    Has(Pointer),
    /// It has no value at this place.
    Lacks(Pointer),
    /// What this stands for is known by now.
    Known(Variable),
    /// The status of the HTTP answer is in one of these ranges, both ends included.
    Status(Arc<[(u16, u16)]>),
    /// The HTTP answer has a header of this name whose value is this.
    Header(Arc<str>, Arc<[Segment]>),
}

/// A regular expression, which looks at bytes.
#[derive(Debug, Clone)]
pub struct Regex(pub regex::bytes::Regex);

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Match {
    /// Whether it says where the id of the answered message stands.
    pub fn has_id(&self) -> bool {
        let mut segments = self.conditions.iter().flat_map(Condition::segments);
        segments.any(Segment::is_id)
    }
}

impl Condition {
    /// What it compares with, if it may hold placeholders.
    pub fn segments(&self) -> &[Segment] {
        match self {
            Self::Whole(segments)
            | Self::Prefix(segments)
            | Self::Says(_, segments)
            | Self::Header(_, segments) => segments,
            Self::Bytes(..)
            | Self::Regex(_)
            | Self::Value(..)
            | Self::Has(_)
            | Self::Lacks(_)
            | Self::Known(_)
            | Self::Status(_) => &[],
        }
    }
}

impl Segment {
    /// Whether it is `{{id}}` itself.
    pub fn is_id(&self) -> bool {
        matches!(self, Self::Variable(Variable::Number(Number::Id, None)))
    }
}

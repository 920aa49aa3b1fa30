//! What a message says.

use std::sync::Arc;

use super::{Expect, Message};
use crate::units::ByteSize;

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// So many bytes made by wsbench; from 48 bytes on they begin with a stamp that names the message.
    Size(ByteSize),
    /// Exactly these bytes, the same each time; cohorts share them. Valid UTF-8 where the frame is text.
    Fixed(Arc<[u8]>),
    /// These bytes, with one stamp at least between them. Valid UTF-8 where the frame is text.
    Stamped(Arc<[Segment]>),
}

/// A part of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// The same bytes each time.
    Literal(Arc<[u8]>),
    /// The stamp that names the message: [`STAMP_LEN`] bytes of ASCII text.
    Stamp,
}

/// The length of a stamp in bytes.
pub const STAMP_LEN: usize = 48;

impl Message {
    /// Whether its answers do not name it, so that they are matched by their order.
    pub fn is_matched_by_order(&self) -> bool {
        let has_stamp = match &self.payload {
            Payload::Size(size) => size.as_usize() >= STAMP_LEN,
            Payload::Fixed(_) => false,
            Payload::Stamped(_) => true,
        };
        !has_stamp && self.expect == Expect::Echo
    }
}

impl Payload {
    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Size(size) => size.0,
            Self::Fixed(bytes) => bytes.len() as u64,
            Self::Stamped(segments) => segments.iter().map(|segment| segment.len() as u64).sum(),
        }
    }

    /// Whether nothing is sent at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Segment {
    /// Its length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Literal(bytes) => bytes.len(),
            Self::Stamp => STAMP_LEN,
        }
    }

    /// Whether it is nothing at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

//! What the values of a search count, in words.

use std::fmt;

use crate::units::counted;

/// What the values of a search count, with its number: `1 connection of good`, `40 arrivals a second`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Varied {
    noun: &'static str,
    /// Empty, or begins with a space.
    more: String,
}

impl Varied {
    /// A noun in the singular, and what stands behind it in any number.
    pub fn new(noun: &'static str, more: &str) -> Self {
        let more = match more {
            "" => String::new(),
            more => format!(" {more}"),
        };
        Self { noun, more }
    }

    /// So many: `680 connections`.
    pub fn counted(&self, count: u64) -> String {
        counted(count, self.noun) + &self.more
    }
}

/// Writes the plural: `connections`.
impl fmt::Display for Varied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s{}", self.noun, self.more)
    }
}

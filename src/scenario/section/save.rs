//! `save`: what is kept of a message, for placeholders of later ones.

/// What is kept of a message, under a name that placeholders use.
#[derive(Debug, Clone, PartialEq)]
pub struct Save {
    /// The index of the name in [`super::Cohort::saved`].
    pub name: u8,
    /// What is kept. At most [`MAX_SAVED`] bytes: a longer value counts as not found.
    pub what: Kept,
}

/// The most bytes of a value that is kept.
pub const MAX_SAVED: usize = 4096;

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// All of it.
    Whole,
}

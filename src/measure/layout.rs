//! What the indices and windows of a shard stand for.

use std::sync::Arc;

use crate::metric::Timed;

/// The names behind the indices that a shard uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// For each cohort, its name and what is timed of its slots.
    pub cohorts: Vec<(String, Vec<Timed>)>,
    /// The number of stages that results are kept for; zero if the scenario has none.
    pub stages: u32,
    /// The names of the topics that messages are published to, in the order of their bytes.
    pub topics: Arc<[String]>,
}

impl Layout {
    /// The names of the cohorts.
    pub(super) fn names(&self) -> Vec<String> {
        self.cohorts.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The number of measured windows: the stages, or one in a run without stages.
    pub fn measured(&self) -> usize {
        self.stages.max(1) as usize
    }
}

/// A span of time that results are kept for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window(usize);

impl Window {
    /// The time that is not measured: ramp-up, warm-up and the time after the end. It is part of the totals only.
    pub const OUTSIDE: Self = Self(0);

    /// The measured window with this index, from 0: the stage `index + 1`.
    pub const fn measured(index: usize) -> Self {
        Self(index + 1)
    }

    /// Its number: 0 for the time that is not measured.
    pub(super) const fn number(self) -> usize {
        self.0
    }

    /// The window with this number, of a layout that has it.
    pub(super) const fn at(number: usize) -> Self {
        Self(number)
    }

    /// The window with this number; `None` if there is none.
    pub(super) fn numbered(number: usize, layout: &Layout) -> Option<Self> {
        (number <= layout.measured()).then_some(Self(number))
    }

    /// The index of a measured window; `None` for the time that is not measured.
    pub const fn index(self) -> Option<usize> {
        self.0.checked_sub(1)
    }
}

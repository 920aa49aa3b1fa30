//! How long each step of a handshake took.

use crate::metric::{Counter, Timer};
use crate::units::Nanos;

/// The steps that were taken, in order, each with its time; and what there was to count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Steps {
    times: Vec<(Timer, Nanos)>,
    counts: Vec<Counter>,
}

impl Steps {
    /// Adds a step.
    pub(crate) fn add(&mut self, step: Timer, took: Nanos) {
        self.times.push((step, took));
    }

    /// Returns how long this step took; `None` if it was not taken.
    pub(crate) fn took(&self, step: Timer) -> Option<Nanos> {
        self.iter()
            .find(|(known, _)| *known == step)
            .map(|(_, took)| took)
    }

    /// Iterates over the steps.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Timer, Nanos)> {
        self.times.iter().copied()
    }

    /// Counts one.
    pub(crate) fn count(&mut self, counter: Counter) {
        self.counts.push(counter);
    }

    /// Iterates over what was counted, each by one.
    pub(crate) fn counts(&self) -> impl Iterator<Item = Counter> {
        self.counts.iter().copied()
    }
}

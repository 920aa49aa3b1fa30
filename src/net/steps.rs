//! How long each step of a handshake took.

use crate::metric::Timer;
use crate::units::Nanos;

/// The steps that were taken, in order, each with its time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Steps(Vec<(Timer, Nanos)>);

impl Steps {
    /// Adds a step.
    pub(crate) fn add(&mut self, step: Timer, took: Nanos) {
        self.0.push((step, took));
    }

    /// Gives a step another time.
    pub(crate) fn set(&mut self, step: Timer, took: Nanos) {
        self.0.retain(|(known, _)| *known != step);
        self.add(step, took);
    }

    /// Returns how long this step took; `None` if it was not taken.
    pub(crate) fn took(&self, step: Timer) -> Option<Nanos> {
        self.iter()
            .find(|(known, _)| *known == step)
            .map(|(_, took)| took)
    }

    /// Iterates over the steps.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Timer, Nanos)> {
        self.0.iter().copied()
    }
}

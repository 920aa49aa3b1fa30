//! How long each step of a handshake took.

use crate::metric::Timer;
use crate::time::Nanos;

/// The steps that were taken, in their order, each with its time in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Steps(Vec<(Timer, Nanos)>);

impl Steps {
    /// One more step.
    pub(crate) fn add(&mut self, step: Timer, took: Nanos) {
        self.0.push((step, took));
    }

    /// How long this step took; `None` where it was not taken.
    pub(crate) fn took(&self, step: Timer) -> Option<Nanos> {
        self.iter()
            .find(|(known, _)| *known == step)
            .map(|(_, took)| took)
    }

    /// Each of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Timer, Nanos)> {
        self.0.iter().copied()
    }
}

//! The range in which a value lies, where it is not known exactly.

use crate::scenario::Gate;

/// The range in which the true value may lie. It contains the value that was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    pub(super) lo: f64,
    pub(super) hi: f64,
}

impl Range {
    pub(super) fn only(value: f64) -> Self {
        Self {
            lo: value,
            hi: value,
        }
    }

    /// Whether at least one value of the range gives the gate this result.
    pub(super) fn any(self, gate: &Gate, holds: bool) -> bool {
        let nearest = gate.value.clamp(self.lo, self.hi);
        let mut values = [self.lo, nearest, self.hi].into_iter();
        values.any(|value| gate.op.holds(value, gate.value) == holds)
    }

    pub(super) fn scaled(self, factor: f64) -> Self {
        Self {
            lo: self.lo * factor,
            hi: self.hi * factor,
        }
    }
}

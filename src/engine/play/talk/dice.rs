//! The chance of one client's steps: the same numbers for the same seed, whatever other clients do.

use std::time::Duration;

use crate::plan::Draws;
use crate::scenario::Pause;
use crate::units::Nanos;

/// Draws the random numbers of one client's steps.
#[derive(Debug)]
pub(super) struct Dice {
    draws: Draws,
    /// How many were drawn.
    drawn: u64,
}

impl Dice {
    pub(super) fn new(draws: Draws) -> Self {
        Self { draws, drawn: 0 }
    }

    /// A number from 0 to below 1.
    fn draw(&mut self, slot: usize) -> f64 {
        self.drawn += 1;
        (self.draws.at(slot, self.drawn) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Returns true with this probability.
    pub(super) fn falls(&mut self, slot: usize, chance: f64) -> bool {
        chance >= 1.0 || self.draw(slot) < chance
    }

    /// How long a pause lasts.
    pub(super) fn pause(&mut self, slot: usize, pause: Pause) -> Nanos {
        let length = |time: Duration| Nanos::from(time);
        match pause {
            Pause::Constant(time) => length(time),
            Pause::Even(low, high) => {
                let span = length(high).saturating_sub(length(low));
                length(low).saturating_add(span.mul_f64(self.draw(slot)))
            }
            Pause::Exponential(mean) => {
                let times = -(1.0 - self.draw(slot)).ln();
                length(mean).mul_f64(times.min(f64::from(Pause::LONGEST)))
            }
        }
    }
}

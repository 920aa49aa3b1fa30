//! Computes when the i-th message of a connection is due. Nothing depends on observed time, so a late send never moves
//! the ones after it.

use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::scenario::{Gaps, Phase, fraction};
use crate::units::Timestamp;

/// A schedule and the current position in it.
#[derive(Debug, Clone)]
pub struct Pacer {
    schedule: Schedule,
    next: Timestamp,
}

#[derive(Debug, Clone)]
enum Schedule {
    /// The i-th is due at `phase + i * gap`.
    Constant { gap: f64, phase: f64, index: u64 },
    /// Random gaps, drawn from a seed.
    Poisson(Box<Poisson>),
}

#[derive(Debug, Clone)]
struct Poisson {
    mean_gap: f64,
    random: Xoshiro256PlusPlus,
    at: f64,
}

impl Poisson {
    fn advance(&mut self) -> f64 {
        // Draws 53 random bits and adds one, because the logarithm of zero is not finite.
        let uniform = ((self.random.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64;
        self.at += -uniform.ln() * self.mean_gap;
        self.at
    }
}

impl Pacer {
    /// Makes a schedule with this mean gap in nanoseconds, for the connection at this place of its cohort. Random gaps
    /// begin at `from`, as they do not depend on what was before; constant ones begin at the start of the run, for all
    /// connections alike.
    pub fn new(gap: f64, gaps: Gaps, phase: Phase, place: u32, seed: u64, from: Timestamp) -> Self {
        let phase = match phase {
            Phase::Spread => fraction(place) * gap,
            Phase::Aligned => 0.0,
        };
        match gaps {
            Gaps::Constant => Self {
                schedule: Schedule::Constant {
                    gap,
                    phase,
                    index: 0,
                },
                next: Timestamp::from_nanos(phase as u64),
            },
            Gaps::Poisson => {
                let mut poisson = Poisson {
                    mean_gap: gap,
                    random: Xoshiro256PlusPlus::seed_from_u64(seed),
                    at: from.as_nanos() as f64,
                };
                let next = Timestamp::from_nanos(poisson.advance() as u64);
                Self {
                    schedule: Schedule::Poisson(Box::new(poisson)),
                    next,
                }
            }
        }
    }

    /// Returns when the next one is due.
    pub fn next(&self) -> Timestamp {
        self.next
    }

    /// Moves on to the next one.
    pub fn advance(&mut self) {
        let next = match &mut self.schedule {
            Schedule::Constant { gap, phase, index } => {
                *index += 1;
                *phase + *index as f64 * *gap
            }
            Schedule::Poisson(poisson) => poisson.advance(),
        };
        self.next = Timestamp::from_nanos(next as u64);
    }

    /// Moves on to the first one at or after `from`. Returns how many were skipped.
    pub fn skip_to(&mut self, from: Timestamp) -> u64 {
        let mut skipped = 0;
        if let Schedule::Constant { gap, phase, index } = &mut self.schedule {
            // Jumps close to it; the loop corrects the rounding.
            let near = ((from.as_nanos() as f64 - *phase) / *gap) as u64;
            if near > *index + 1 {
                skipped = near - 1 - *index;
                *index = near - 1;
                self.next = Timestamp::from_nanos((*phase + *index as f64 * *gap) as u64);
            }
        }
        while self.next < from {
            self.advance();
            skipped += 1;
        }
        skipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Nanos, after};
    use proptest::prelude::*;

    fn constant(gap: f64, place: u32) -> Pacer {
        Pacer::new(
            gap,
            Gaps::Constant,
            Phase::Spread,
            place,
            0,
            Timestamp::ORIGIN,
        )
    }

    #[test]
    fn aligned_ones_start_together() {
        let pacer = Pacer::new(
            1e9,
            Gaps::Constant,
            Phase::Aligned,
            17,
            0,
            Timestamp::ORIGIN,
        );
        assert_eq!(pacer.next(), Timestamp::ORIGIN);
    }

    #[test]
    fn a_constant_schedule_does_not_drift() {
        let mut pacer = Pacer::new(
            1e9 / 3.0,
            Gaps::Constant,
            Phase::Aligned,
            0,
            0,
            Timestamp::ORIGIN,
        );
        for _ in 0..3_000_000 {
            pacer.advance();
        }
        assert_eq!(pacer.next(), Timestamp::from_nanos(1_000_000_000_000_000));
    }

    #[test]
    fn a_poisson_schedule_keeps_its_rate_and_repeats() {
        let play = |seed| {
            let mut pacer = Pacer::new(
                1e6,
                Gaps::Poisson,
                Phase::Spread,
                0,
                seed,
                Timestamp::ORIGIN,
            );
            for _ in 0..100_000 {
                pacer.advance();
            }
            pacer.next()
        };
        let last = play(1);
        assert!(
            (last.as_nanos() as f64 / 1e11 - 1.0).abs() < 0.02,
            "{last:?}"
        );
        assert_eq!(last, play(1));
        assert_ne!(last, play(2));
    }

    proptest! {
        #[test]
        fn skipping_is_advancing(
            gap in 1_000.0f64..1e10, place in 0u32..10_000, from in 0u64..100_000_000_000, poisson in any::<bool>(),
        ) {
            let gap = gap.max(1e7);
            let mut skipped = if poisson {
                Pacer::new(gap, Gaps::Poisson, Phase::Spread, place, 3, Timestamp::ORIGIN)
            } else {
                constant(gap, place)
            };
            let mut advanced = skipped.clone();
            let mut count = 0;
            while advanced.next() < Timestamp::from_nanos(from) {
                advanced.advance();
                count += 1;
            }
            prop_assert_eq!(skipped.skip_to(Timestamp::from_nanos(from)), count);
            prop_assert_eq!(skipped.next(), advanced.next());
        }

        #[test]
        fn time_never_runs_backwards(gap in 1_000.0f64..1e9, place in 0u32..1_000_000) {
            let mut pacer = constant(gap, place);
            let mut last = pacer.next();
            prop_assert!(last < Timestamp::from_nanos(gap as u64 + 1));
            for _ in 0..100 {
                pacer.advance();
                prop_assert!(pacer.next() >= last);
                last = pacer.next();
            }
        }
    }

    /// Otherwise each connection of a long run would draw all gaps since the start of the run.
    #[test]
    fn gaps_by_chance_begin_with_their_connection() {
        const HOUR: Nanos = Nanos::from_secs(3600);
        let mut pacer = Pacer::new(1e8, Gaps::Poisson, Phase::Spread, 0, 7, after(HOUR));
        let first = pacer.next();
        assert!(first >= after(HOUR));
        assert_eq!(pacer.skip_to(after(HOUR)), 0);
        assert_eq!(pacer.next(), first);
    }
}

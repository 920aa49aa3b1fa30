//! Computes when the i-th message of a connection is due. Nothing depends on observed time, so a late send never moves
//! the ones after it.

use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::Nanos;
use crate::scenario::{Gaps, Phase, fraction};

/// A schedule and the current position in it.
#[derive(Debug, Clone)]
pub struct Pacer {
    schedule: Schedule,
    next: Nanos,
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
    pub fn new(gap: f64, gaps: Gaps, phase: Phase, place: u32, seed: u64, from: Nanos) -> Self {
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
                next: phase as Nanos,
            },
            Gaps::Poisson => {
                let mut poisson = Poisson {
                    mean_gap: gap,
                    random: Xoshiro256PlusPlus::seed_from_u64(seed),
                    at: from as f64,
                };
                let next = poisson.advance() as Nanos;
                Self {
                    schedule: Schedule::Poisson(Box::new(poisson)),
                    next,
                }
            }
        }
    }

    /// Returns when the next one is due, in nanoseconds since the first dial.
    pub fn next(&self) -> Nanos {
        self.next
    }

    /// Moves on to the next one.
    pub fn advance(&mut self) {
        self.next = match &mut self.schedule {
            Schedule::Constant { gap, phase, index } => {
                *index += 1;
                (*phase + *index as f64 * *gap) as Nanos
            }
            Schedule::Poisson(poisson) => poisson.advance() as Nanos,
        };
    }

    /// Moves on to the first one at or after `from`. Returns how many were skipped.
    pub fn skip_to(&mut self, from: Nanos) -> u64 {
        let mut skipped = 0;
        if let Schedule::Constant { gap, phase, index } = &mut self.schedule {
            // Jumps close to it; the loop corrects the rounding.
            let near = ((from as f64 - *phase) / *gap) as u64;
            if near > *index + 1 {
                skipped = near - 1 - *index;
                *index = near - 1;
                self.next = (*phase + *index as f64 * *gap) as Nanos;
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
    use proptest::prelude::*;

    fn constant(gap: f64, place: u32) -> Pacer {
        Pacer::new(gap, Gaps::Constant, Phase::Spread, place, 0, 0)
    }

    #[test]
    fn aligned_ones_start_together() {
        let pacer = Pacer::new(1e9, Gaps::Constant, Phase::Aligned, 17, 0, 0);
        assert_eq!(pacer.next(), 0);
    }

    #[test]
    fn a_constant_schedule_does_not_drift() {
        let mut pacer = Pacer::new(1e9 / 3.0, Gaps::Constant, Phase::Aligned, 0, 0, 0);
        for _ in 0..3_000_000 {
            pacer.advance();
        }
        assert_eq!(pacer.next(), 1_000_000_000_000_000);
    }

    #[test]
    fn a_poisson_schedule_keeps_its_rate_and_repeats() {
        let play = |seed| {
            let mut pacer = Pacer::new(1e6, Gaps::Poisson, Phase::Spread, 0, seed, 0);
            for _ in 0..100_000 {
                pacer.advance();
            }
            pacer.next()
        };
        let last = play(1);
        assert!((last as f64 / 1e11 - 1.0).abs() < 0.02, "{last}");
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
                Pacer::new(gap, Gaps::Poisson, Phase::Spread, place, 3, 0)
            } else {
                constant(gap, place)
            };
            let mut advanced = skipped.clone();
            let mut count = 0;
            while advanced.next() < from {
                advanced.advance();
                count += 1;
            }
            prop_assert_eq!(skipped.skip_to(from), count);
            prop_assert_eq!(skipped.next(), advanced.next());
        }

        #[test]
        fn time_never_runs_backwards(gap in 1_000.0f64..1e9, place in 0u32..1_000_000) {
            let mut pacer = constant(gap, place);
            let mut last = pacer.next();
            prop_assert!(last < gap as u64 + 1);
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
        const HOUR: Nanos = 3_600_000_000_000;
        let mut pacer = Pacer::new(1e8, Gaps::Poisson, Phase::Spread, 0, 7, HOUR);
        let first = pacer.next();
        assert!(first >= HOUR);
        assert_eq!(pacer.skip_to(HOUR), 0);
        assert_eq!(pacer.next(), first);
    }
}

//! What the observer does wrong on purpose: pure functions of a seed, so that each run does the same.

use std::num::NonZeroUsize;
use std::time::Duration;

/// The longest time for which a connection is not read.
const PAUSE: Duration = Duration::from_secs(1);

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Fate {
    /// As the client likes.
    Whole,
    /// The server begins a close handshake, with 1001.
    Close,
    /// By a RST.
    Reset,
}

/// The whole server stands still, again and again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standstill {
    pub(crate) lasts: Duration,
    /// From one begin to the next.
    pub(crate) every: Duration,
}

/// What becomes of a message that one connection says, for one that hears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lot {
    Given,
    Dropped,
    Doubled,
    /// It comes behind the next one of its speaker.
    Swapped,
}

/// All that there is to do.
#[derive(Debug, Clone)]
pub(crate) struct Conduct {
    pub(crate) seed: u64,
    /// The longest time for which an answer is kept.
    pub(crate) late: Duration,
    pub(crate) standstill: Option<Standstill>,
    /// By cohort.
    pub(crate) fates: Vec<Fate>,
    pub(crate) within: Duration,
    pub(crate) pause_every: Option<Duration>,
    /// So many connections hear what one of them says; `None`: each is echoed.
    pub(crate) circle: Option<NonZeroUsize>,
    /// Agrees to compression where it is offered.
    pub(crate) deflates: bool,
    /// The shares of deliveries that are dropped, doubled and swapped.
    pub(crate) lots: [f64; 3],
}

impl Conduct {
    /// How a connection of this cohort ends.
    pub(crate) fn fate(&self, cohort: u8) -> Fate {
        let known = self.fates.get(usize::from(cohort)).copied();
        known.unwrap_or(Fate::Whole)
    }

    /// After how long it does, where it does.
    pub(crate) fn ends_after(&self, peer: u64) -> Duration {
        self.within.mul_f64(self.draw(peer, 0, 0))
    }

    /// For how long the n-th answer to this peer is kept.
    pub(crate) fn kept(&self, peer: u64, nth: u64) -> Duration {
        self.late.mul_f64(self.draw(peer, nth, 1))
    }

    /// How long this peer is read until its n-th pause, and how long that is.
    pub(crate) fn pause(&self, peer: u64, nth: u64) -> Option<(Duration, Duration)> {
        let before = self.pause_every?.mul_f64(2.0 * self.draw(peer, nth, 2));
        Some((before, PAUSE.mul_f64(self.draw(peer, nth, 3))))
    }

    /// What becomes of the n-th message that this peer should hear.
    pub(crate) fn lot(&self, peer: u64, nth: u64) -> Lot {
        let mut drawn = self.draw(peer, nth, 4);
        for (share, lot) in (self.lots.iter()).zip([Lot::Dropped, Lot::Doubled, Lot::Swapped]) {
            if drawn < *share {
                return lot;
            }
            drawn -= share;
        }
        Lot::Given
    }

    /// A number from 0 to 1, for this question alone.
    fn draw(&self, peer: u64, nth: u64, question: u64) -> f64 {
        let mixed = [peer, nth, question]
            .into_iter()
            .fold(self.seed, |state, part| mix(state ^ part));
        (mixed >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The step of SplitMix64.
fn mix(state: u64) -> u64 {
    let a = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let b = (a ^ a >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let c = (b ^ b >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    c ^ c >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_even_and_repeats() {
        let conduct = Conduct {
            seed: 1,
            late: Duration::from_millis(100),
            standstill: None,
            fates: vec![Fate::Whole, Fate::Reset],
            within: Duration::from_secs(60),
            pause_every: Some(Duration::from_secs(10)),
            circle: None,
            deflates: false,
            lots: [0.01, 0.02, 0.03],
        };
        assert_eq!(conduct.fate(1), Fate::Reset);
        assert_eq!(conduct.fate(9), Fate::Whole);
        let mean = |of: &dyn Fn(u64) -> Duration| {
            (0..1000).map(of).sum::<Duration>().as_secs_f64() / 1000.0
        };
        assert!((28.0..32.0).contains(&mean(&|peer| conduct.ends_after(peer))));
        assert!((0.047..0.053).contains(&mean(&|nth| conduct.kept(3, nth))));
        assert!((9.0..11.0).contains(&mean(&|nth| conduct.pause(3, nth).unwrap().0)));
        assert!((0..1000).all(|nth| conduct.kept(3, nth) == conduct.kept(3, nth)));
        assert_ne!(conduct.kept(3, 1), conduct.kept(4, 1));
        let count = |lot| {
            (0..10_000)
                .filter(|nth| conduct.lot(3, *nth) == lot)
                .count()
        };
        assert!((80..120).contains(&count(Lot::Dropped)));
        assert!((160..240).contains(&count(Lot::Doubled)));
        assert!((250..350).contains(&count(Lot::Swapped)));
    }
}

//! Who is still there: an agent that gave no sign of life three times in a row is lost. Nobody is, while this process
//! itself hears nothing.

use std::time::{Duration, Instant};

/// The time between two signs of life.
pub(super) const SIGN: Duration = Duration::from_secs(1);
/// How many have to be missed.
const MISSED: u32 = 3;

/// The last signs of life of all agents.
#[derive(Debug)]
pub(super) struct Liveness {
    signs: Vec<Option<Instant>>,
    /// Since when this process can hear; `None` while it cannot.
    hears: Option<Instant>,
}

impl Liveness {
    /// So many agents, of which each has just given one.
    pub(super) fn new(agents: usize, now: Instant) -> Self {
        Self {
            signs: vec![Some(now); agents],
            hears: Some(now),
        }
    }

    /// An agent gave a sign of life.
    pub(super) fn sign(&mut self, agent: usize, now: Instant) {
        if let Some(Some(sign)) = self.signs.get_mut(agent) {
            *sign = now;
        }
    }

    /// An agent is not asked for any more: it is done, or lost.
    pub(super) fn forget(&mut self, agent: usize) {
        if let Some(sign) = self.signs.get_mut(agent) {
            *sign = None;
        }
    }

    /// Whether this process can hear.
    pub(super) fn hears(&mut self, can: bool, now: Instant) {
        match (can, self.hears) {
            (true, None) => self.hears = Some(now),
            (false, Some(_)) => self.hears = None,
            _ => {}
        }
    }

    /// Those of whom nothing was heard for too long, each with its last sign.
    pub(super) fn lost(&self, now: Instant) -> Vec<(usize, Instant)> {
        let Some(hears) = self.hears else {
            return Vec::new();
        };
        let limit = SIGN * MISSED;
        let signs = self.signs.iter().enumerate();
        let signs = signs.filter_map(|(agent, sign)| Some((agent, (*sign)?)));
        signs
            .filter(|(_, sign)| now.duration_since(hears.max(*sign)) > limit)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENTH: Duration = Duration::from_millis(100);

    #[test]
    fn who_misses_three_signs_is_lost_and_nobody_else() {
        let begun = Instant::now();
        let at = |tenths: u32| begun + TENTH * tenths;
        let mut liveness = Liveness::new(3, begun);
        liveness.forget(2);
        for tenths in [10, 20, 30] {
            liveness.sign(1, at(tenths));
        }
        assert_eq!(liveness.lost(at(30)), []);
        assert_eq!(liveness.lost(at(31)), [(0, begun)]);
        liveness.sign(0, at(32));
        assert_eq!(liveness.lost(at(33)), []);
        // Who is forgotten gives no signs any more.
        liveness.sign(2, at(33));
        assert_eq!(liveness.lost(at(90)).len(), 2);
    }

    #[test]
    fn nobody_is_lost_while_nothing_can_be_heard() {
        let begun = Instant::now();
        let at = |tenths: u32| begun + TENTH * tenths;
        let mut liveness = Liveness::new(1, begun);
        liveness.hears(false, at(10));
        assert_eq!(liveness.lost(at(500)), []);
        // Who is there has as long again to be heard of.
        liveness.hears(true, at(500));
        assert_eq!(liveness.lost(at(529)), []);
        assert_eq!(liveness.lost(at(531)), [(0, begun)]);
    }
}

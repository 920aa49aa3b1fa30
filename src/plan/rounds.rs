//! Which of several servers a connection goes to. A pure function of its number, so it is the same at its reconnects and
//! for any number of workers.

/// The order in which connections go to the servers of a list. Each server has its share by weight in each round, and the
/// shares are mixed as evenly as they can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rounds {
    /// One round: the server of each connection, and how many of the same round came to it before.
    round: Box<[Turn]>,
    /// By server, the connections of a round.
    shares: Box<[u32]>,
}

/// Where a connection goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    /// The place of its server in the list.
    pub(crate) server: usize,
    /// How many connections with lower numbers go to the same server.
    pub(crate) before: u32,
}

impl Rounds {
    /// Makes the rounds of servers with these weights, all above zero. There is at least one.
    pub(crate) fn new(weights: impl Iterator<Item = u32>) -> Self {
        let weights: Vec<u32> = weights.collect();
        let divisor = weights.iter().copied().fold(0, gcd).max(1);
        let shares: Box<[u32]> = weights.iter().map(|weight| weight / divisor).collect();
        let all: u32 = shares.iter().sum();
        // The smooth weighted rounds of nginx: each turn raises all by their shares, and lowers the highest by the sum.
        let mut levels = vec![0i64; shares.len()];
        let mut taken = vec![0; shares.len()];
        let turn = |_| {
            for (level, share) in levels.iter_mut().zip(&shares) {
                *level += i64::from(*share);
            }
            let highest = (0..levels.len()).rev().max_by_key(|server| levels[*server]);
            let server = highest.unwrap_or(0);
            levels[server] -= i64::from(all);
            taken[server] += 1;
            Turn {
                server,
                before: taken[server] - 1,
            }
        };
        Self {
            round: (0..all).map(turn).collect(),
            shares,
        }
    }

    /// Returns where the connection with this number goes.
    pub(crate) fn of(&self, connection: u32) -> Turn {
        let length = self.round.len() as u32;
        let Turn { server, before } = self.round[(connection % length) as usize];
        let before = connection / length * self.shares[server] + before;
        Turn { server, before }
    }
}

fn gcd(one: u32, other: u32) -> u32 {
    match other {
        0 => one,
        _ => gcd(other, one % other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn servers(weights: &[u32], connections: u32) -> Vec<usize> {
        let rounds = Rounds::new(weights.iter().copied());
        (0..connections)
            .map(|number| rounds.of(number).server)
            .collect()
    }

    #[test]
    fn shares_are_mixed_and_not_in_blocks() {
        assert_eq!(servers(&[5, 1, 1], 7), [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(servers(&[1, 1], 4), [0, 1, 0, 1]);
        assert_eq!(servers(&[100, 50], 6), [0, 1, 0, 0, 1, 0]);
        assert_eq!(servers(&[7], 3), [0, 0, 0]);
    }

    proptest! {
        /// In whole rounds each server has its share; within them it is never off by more than the number of servers.
        #[test]
        fn each_server_has_its_share(weights in prop::collection::vec(1u32..20, 1..8), from in 0u32..5) {
            let all: u32 = weights.iter().sum();
            let rounds = Rounds::new(weights.iter().copied());
            let mut taken = vec![0u32; weights.len()];
            for number in from * all..(from + 1) * all {
                taken[rounds.of(number).server] += 1;
                let passed = f64::from(number - from * all + 1);
                for (taken, weight) in taken.iter().zip(&weights) {
                    let due = passed * f64::from(*weight) / f64::from(all);
                    prop_assert!((f64::from(*taken) - due).abs() < weights.len() as f64);
                }
            }
            prop_assert_eq!(taken, weights);
        }

        /// The connections of a server are counted without a gap.
        #[test]
        fn each_server_counts_its_own(weights in prop::collection::vec(1u32..20, 1..8), most in 1u32..500) {
            let rounds = Rounds::new(weights.iter().copied());
            let mut taken = vec![0u32; weights.len()];
            for number in 0..most {
                let Turn { server, before } = rounds.of(number);
                prop_assert_eq!(before, taken[server]);
                taken[server] += 1;
            }
        }
    }
}

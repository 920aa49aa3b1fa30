//! What the rules say of versions whose difference is known, by drawing sessions.

use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::stat::{from_history, from_pairs, median};

/// How values differ although nothing has changed: standard deviations of logarithms.
#[derive(Clone, Copy)]
struct Noise {
    of_run: f64,
    of_session: f64,
    /// The part of the runs beside a neighbour that slows them down by [`NEIGHBOUR`].
    neighbours: f64,
}

const NEIGHBOUR: f64 = 0.25;

/// The noises of the columns "5 %, alike", "5 %, 10 %", "15 %, 10 %", "12 % bad neighbours, 5 %, 10 %".
const NOISES: [Noise; 4] = [
    Noise {
        of_run: 0.05,
        of_session: 0.0,
        neighbours: 0.0,
    },
    Noise {
        of_run: 0.05,
        of_session: 0.1,
        neighbours: 0.0,
    },
    Noise {
        of_run: 0.15,
        of_session: 0.1,
        neighbours: 0.0,
    },
    Noise {
        of_run: 0.05,
        of_session: 0.1,
        neighbours: 0.12,
    },
];

struct Dice(Xoshiro256PlusPlus);

impl Dice {
    fn normal(&mut self) -> f64 {
        let (radius, angle): (f64, f64) = (self.0.random(), self.0.random());
        (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }

    /// The logarithm of a run's value in a session with this one.
    fn run(&mut self, session: f64, noise: Noise) -> f64 {
        let slowed = self.0.random_bool(noise.neighbours);
        session + noise.of_run * self.normal() + if slowed { NEIGHBOUR } else { 0.0 }
    }

    /// The median of so many runs of a session.
    fn session(&mut self, runs: usize, noise: Noise) -> f64 {
        let own = noise.of_session * self.normal();
        let runs: Vec<f64> = (0..runs).map(|_| self.run(own, noise)).collect();
        median(&runs).unwrap()
    }
}

/// In which part of so many trials a rule finds it slower than 110 %.
fn alarms(trials: u32, seed: u64, mut rule: impl FnMut(&mut Dice) -> f64) -> f64 {
    let mut dice = Dice(Xoshiro256PlusPlus::seed_from_u64(seed));
    let found = (0..trials)
        .filter(|_| rule(&mut dice) > 1.1f64.ln())
        .count();
    found as f64 / f64::from(trials)
}

/// The lower end of the interval of one session against eight of the past.
fn history(dice: &mut Dice, noise: Noise) -> f64 {
    let base: Vec<f64> = (0..8).map(|_| dice.session(3, noise)).collect();
    from_history(&base, &[dice.session(3, noise)]).unwrap().lo()
}

/// The lower end of the interval of pairs within one session.
fn pairs(dice: &mut Dice, pairs: usize, noise: Noise, slower: f64) -> f64 {
    let own = noise.of_session * dice.normal();
    let differences: Vec<f64> = (0..pairs)
        .map(|_| slower.ln() + dice.run(own, noise) - dice.run(own, noise))
        .collect();
    from_pairs(&differences).unwrap().lo()
}

/// No rule alarms more often than this, in percent, where nothing has changed.
fn quiet(trials: u32) {
    for (column, noise) in NOISES.into_iter().enumerate() {
        let past = alarms(trials, 1, |dice| history(dice, noise));
        assert!(past <= 0.01, "column {column}: history alarms in {past}");
        let beside = alarms(trials, 2, |dice| pairs(dice, 5, noise, 1.0));
        assert!(beside <= 0.005, "column {column}: pairs alarm in {beside}");
    }
}

/// The part of the trials that finds a server so much slower, by the spread of runs and the number of pairs.
fn found(trials: u32, spread: f64, count: usize, slower: f64) -> f64 {
    let noise = Noise {
        of_run: spread,
        of_session: 0.1,
        neighbours: 0.0,
    };
    alarms(trials, 3, |dice| pairs(dice, count, noise, slower))
}

#[test]
fn nothing_alarms_where_nothing_has_changed() {
    quiet(400);
    assert!(found(200, 0.06, 10, 2.0) > 0.99, "twice as slow is seen");
}

/// Takes ten seconds.
#[test]
#[ignore = "draws a million sessions; run by scripts/test --all"]
fn the_whole_table_holds() {
    quiet(6_000);
    // By spread and pairs: how often 1.2, 1.5, 2 and 3 times as slow is found, in percent.
    let table = [
        (0.06, 5, [24, 99, 100, 100]),
        (0.06, 10, [67, 100, 100, 100]),
        (0.06, 20, [97, 100, 100, 100]),
        (0.11, 5, [8, 71, 100, 100]),
        (0.11, 10, [22, 100, 100, 100]),
        (0.11, 20, [50, 100, 100, 100]),
        (0.36, 5, [2, 9, 31, 73]),
        (0.36, 10, [3, 25, 80, 100]),
        (0.36, 20, [5, 59, 100, 100]),
        (0.53, 5, [2, 4, 15, 39]),
        (0.53, 10, [2, 11, 41, 89]),
        (0.53, 20, [3, 26, 83, 100]),
    ];
    for (spread, count, row) in table {
        for (slower, wanted) in [1.2, 1.5, 2.0, 3.0].into_iter().zip(row) {
            let percent = 100.0 * found(6_000, spread, count, slower);
            let off = percent - f64::from(wanted);
            assert!(
                off.abs() <= 6.0,
                "{count} pairs, {spread}, ×{slower}: {percent} instead of {wanted}"
            );
        }
    }
}

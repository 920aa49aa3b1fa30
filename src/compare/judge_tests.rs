//! What gates on a baseline come to, by sessions made by hand.

use super::super::session::{Machine, Setting};
use super::super::times::Times;
use super::*;
use crate::report::Labels;
use crate::units::parse_duration;
use proptest::prelude::*;

const P50: &str = "p50(latency.echo)";

/// A session whose runs had these values of one number.
fn session(name: &str, runs: &[f64]) -> Session {
    Session {
        started_at: "2026-11-23T20:15:00Z".to_owned(),
        wsbench: "0.1.0".to_owned(),
        machine: Machine {
            os: "linux".to_owned(),
            cpus: Some(2),
            cpu_model: Some("Fast Chip 9".to_owned()),
        },
        setting: Setting::new("chat", "name = \"chat\"\n", "ws://127.0.0.1:1/", &[], 2),
        labels: Labels::default(),
        runs: runs.len(),
        values: [(name.to_owned(), runs.iter().copied().map(Some).collect())].into(),
        times: Times::new(),
    }
}

fn history(name: &str, base: &[f64], new: f64) -> Evidence {
    Evidence::History {
        base: base.iter().map(|value| session(name, &[*value])).collect(),
        elsewhere: 0,
        new: vec![session(name, &[new])],
    }
}

fn pairs(base: &[f64], new: &[f64]) -> Evidence {
    Evidence::Pairs {
        base: Box::new(session(P50, base)),
        new: Box::new(session(P50, new)),
    }
}

fn gate(text: &str) -> BaselineGate {
    BaselineGate::stored(text).unwrap().unwrap()
}

fn came_to(text: &str, evidence: &Evidence) -> (Standing, String) {
    let result = judge(&gate(text), evidence);
    let standing = result.against.unwrap().standing;
    assert_eq!(result.passed, standing != Standing::Worse);
    (standing, result.why)
}

/// 1 % between sessions.
const CALM: [f64; 6] = [200.0, 202.0, 198.0, 201.0, 199.0, 200.0];
/// About 40 %.
const RESTLESS: [f64; 6] = [200.0, 300.0, 130.0, 260.0, 150.0, 220.0];

#[test]
fn only_what_is_wholly_beyond_is_worse() {
    let upper = "p50(latency.echo) < 110% of baseline";
    let (standing, why) = came_to(upper, &history(P50, &CALM, 300.0));
    assert_eq!(standing, Standing::Worse);
    assert_eq!(why, "150 % of the baseline, at least 146 %");
    let (standing, why) = came_to(upper, &history(P50, &CALM, 202.0));
    assert_eq!(standing, Standing::Held);
    assert_eq!(why, "101 % of the baseline, at most 104 %");
    let (standing, why) = came_to(upper, &history(P50, &CALM, 215.0));
    assert_eq!(standing, Standing::Undecided);
    assert!(why.contains("the noise hides changes below +6 %"), "{why}");
    assert_eq!(
        came_to(upper, &history(P50, &RESTLESS, 300.0)).0,
        Standing::Undecided
    );

    let lower = "p50(latency.echo) > 90% of baseline";
    let (standing, why) = came_to(lower, &history(P50, &CALM, 150.0));
    assert_eq!(standing, Standing::Worse);
    assert_eq!(why, "75 % of the baseline, at most 77 %");
    assert_eq!(
        came_to(lower, &history(P50, &CALM, 500.0)).0,
        Standing::Held
    );
}

#[test]
fn a_slack_swallows_what_nobody_feels() {
    let slack = "p50(latency.echo) < 110% of baseline + 2ms";
    let result = judge(&gate(slack), &history(P50, &RESTLESS, 500.0));
    assert_eq!(
        result.against.unwrap().standing,
        Standing::Held,
        "{}",
        result.why
    );
    let base = result.against.unwrap().base.unwrap();
    let two_ms = parse_duration("2ms").unwrap().as_nanos() as f64;
    let limit = result.limit.unwrap();
    assert!((limit - (1.1 * base * 1e3 + two_ms)).abs() < 1e4, "{limit}");
}

#[test]
fn pairs_are_judged_by_their_differences() {
    let upper = "p50(latency.echo) < 110% of baseline";
    // The session itself wanders by a factor of two, and the new one is always half slower.
    let base = [100.0, 130.0, 170.0, 200.0, 150.0];
    let new = [151.0, 193.0, 257.0, 298.0, 226.0];
    let (standing, why) = came_to(upper, &pairs(&base, &new));
    assert_eq!(standing, Standing::Worse, "{why}");
    assert!(
        why.starts_with("150 % of the baseline, at least 14"),
        "{why}"
    );
    assert_eq!(came_to(upper, &pairs(&base, &base)).0, Standing::Held);
}

#[test]
fn too_little_decides_nothing_and_says_so() {
    let upper = "p50(latency.echo) < 110% of baseline";
    for (evidence, why) in [
        (
            history(P50, &CALM[..4], 900.0),
            "there are 4 of 5 sessions, 1 more is needed",
        ),
        (
            history(P50, &CALM[..1], 900.0),
            "there is 1 of 5 sessions, 4 more are needed",
        ),
        (
            history(P50, &[], 900.0),
            "there are 0 of 5 sessions, 5 more are needed",
        ),
        (
            pairs(&CALM[..3], &[900.0; 3]),
            "there are 3 of 4 pairs, 1 more is needed",
        ),
    ] {
        assert_eq!(
            came_to(upper, &evidence),
            (Standing::NotCompared, why.to_owned())
        );
    }
    let mut elsewhere = history(P50, &[], 900.0);
    if let Evidence::History { elsewhere, .. } = &mut elsewhere {
        *elsewhere = 7;
    }
    let (standing, why) = came_to(upper, &elsewhere);
    assert_eq!(standing, Standing::NotCompared);
    assert_eq!(
        why,
        "the baseline is of another machine: none of its 7 sessions is of this one (Fast Chip 9, 2 cores, linux)"
    );
    let (standing, why) = came_to(
        "p99(latency.echo) < 110% of baseline",
        &history(P50, &CALM, 1.0),
    );
    assert_eq!(standing, Standing::NotCompared);
    assert_eq!(
        why,
        "not every session of the baseline has data enough for `p99(latency.echo)`"
    );
}

#[test]
fn zeros_are_compared_as_counts() {
    let name = "count(messages.timed_out)";
    let slack = "count(messages.timed_out) < 100% of baseline + 5";
    let zeros = [0.0; 5];
    let (standing, why) = came_to(slack, &history(name, &zeros, 4.0));
    assert_eq!((standing, why.as_str()), (Standing::Held, "4 instead of 0"));
    assert_eq!(
        came_to(slack, &history(name, &zeros, 5.0)).0,
        Standing::Worse
    );
    let none = "count(messages.timed_out) <= 100% of baseline";
    assert_eq!(came_to(none, &history(name, &zeros, 0.0)).0, Standing::Held);
    assert_eq!(
        came_to(none, &history(name, &zeros, 1.0)).0,
        Standing::Worse
    );
    let against = judge(&gate(slack), &history(name, &zeros, 4.0))
        .against
        .unwrap();
    assert_eq!((against.base, against.ratio), (Some(0.0), None));
}

#[test]
fn figures_are_short() {
    for (ratio, shown) in [
        (1.56, "156 %"),
        (0.071, "7.1 %"),
        (9.4, "940 %"),
        (23.4, "×23"),
        (1e9, "×1000 and more"),
    ] {
        assert_eq!(percent(ratio), shown);
    }
    for (more, shown) in [
        (0.2, "+20 %"),
        (0.221, "+23 %"),
        (3.7, "×4.7"),
        (40.0, "×41"),
        (f64::INFINITY, "×1000 and more"),
    ] {
        assert_eq!(growth(more), shown);
    }
}

proptest! {
    /// What is held could not be worse by a looser limit, and what is worse could not be held by a tighter one.
    #[test]
    fn a_looser_limit_is_never_harder(
        base in prop::collection::vec(1.0f64..1000.0, 5..12),
        new in 1.0f64..1000.0,
        tight in 50u32..150,
        more in 0u32..100,
    ) {
        let rank = |percent: u32| {
            let text = format!("p50(latency.echo) < {percent}% of baseline");
            match came_to(&text, &history(P50, &base, new)).0 {
                Standing::Held => 0,
                Standing::Undecided => 1,
                Standing::Worse => 2,
                Standing::NotCompared => unreachable!("there is enough"),
            }
        };
        prop_assert!(rank(tight) >= rank(tight + more));
    }

    /// A doubt about a limit that is known before the run is about the limit that is judged by.
    #[test]
    fn the_limit_is_the_one_that_was_known_before(base in prop::collection::vec(1.0f64..1000.0, 5..12)) {
        let gate = gate("p50(latency.echo) < 110% of baseline + 1ms");
        let Evidence::History { base: sessions, .. } = history(P50, &base, 1.0) else { unreachable!("it is") };
        let before = base_of(&sessions, &gate.subject).unwrap();
        let before = gate.limit(Observed::of_reported(before, measure_of(&gate.subject)).value);
        let judged = judge(&gate, &history(P50, &base, 1.0)).limit.unwrap();
        prop_assert!((before - judged).abs() < 2.0, "{before} {judged}");
    }
}

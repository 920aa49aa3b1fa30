//! Tests that a process of a run in parts is doubted by itself and by name.

use super::super::fixture::{Run, gate, scenario, timed_gate};
use super::super::{Exit, Facts, PartLost, Verdict, judge};
use super::*;
use crate::scenario::{Op, Scenario, Stat};
use crate::units::{Nanos, Timestamp};

const MS: u64 = 1_000_000;

fn part(number: u32, health: &Run) -> PartFacts {
    PartFacts {
        number,
        name: None,
        machine: String::new(),
        facts: Facts::completed(2),
        health: health.summary(),
        settled: Some(Timestamp::ORIGIN),
        told_late: None,
        clock: None,
        lost: None,
    }
}

fn judged(scenario: &Scenario, run: &Run, parts: Vec<PartFacts>) -> Verdict {
    let facts = Facts {
        parts,
        ..Facts::completed(8)
    };
    judge(scenario, &run.summary(), &facts)
}

fn texts(verdict: &Verdict) -> Vec<String> {
    let doubts = verdict.distrust.iter();
    doubts.map(|doubt| doubt.reason.to_string()).collect()
}

/// A limit that was broken, by times as long as a stop of 60 ms can have made them.
fn broken() -> (Scenario, Run) {
    let mut scenario = scenario();
    scenario.gates.pass = vec![timed_gate(
        Stat::Max,
        "service.echo",
        Op::Less,
        (30 * MS) as f64,
    )];
    let mut run = Run::healthy();
    run.echoed(500, 122 * MS);
    (scenario, run)
}

fn punctual() -> Run {
    let mut run = Run::new();
    run.opened(3).lagged(100_000, 4_000);
    run
}

fn held_up() -> Run {
    let mut run = punctual();
    run.lagged(60 * MS, 1);
    run
}

#[test]
fn a_late_part_is_doubted_by_name() {
    let (scenario, run) = broken();
    let parts = vec![part(1, &punctual()), part(2, &held_up())];
    let verdict = judged(&scenario, &run, parts);
    assert_eq!(verdict.exit, Exit::Untrusted);
    let texts = texts(&verdict);
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts[0].starts_with("part 2: wsbench itself was held up for 60"));
    assert!(verdict.gates[0].doubted);
}

#[test]
fn punctual_parts_leave_a_failure_standing() {
    let (scenario, run) = broken();
    let parts = vec![part(1, &punctual()), part(2, &punctual())];
    assert_eq!(judged(&scenario, &run, parts).exit, Exit::Failed);
}

#[test]
fn a_part_without_connections_feeds_no_gate() {
    let (scenario, run) = broken();
    let mut idle = Run::new();
    idle.lagged(60 * MS, 1);
    let parts = vec![part(1, &punctual()), part(2, &idle)];
    assert_eq!(judged(&scenario, &run, parts).exit, Exit::Failed);
}

/// One of twenty parts sends four of a thousand messages not at all: of all messages that is one in five thousand.
#[test]
fn what_one_part_did_not_send_is_not_averaged_away() {
    let scenario = scenario();
    let mut lazy = punctual();
    lazy.sent(996)
        .not_sent(4)
        .add(Counter::MessagesDue, 1_000 - 4);
    let mut parts: Vec<PartFacts> = (1..20).map(|number| part(number, &punctual())).collect();
    assert_eq!(
        judged(&scenario, &Run::healthy(), parts.clone()).exit,
        Exit::Passed
    );
    parts.push(part(20, &lazy));
    let verdict = judged(&scenario, &Run::healthy(), parts);
    assert_eq!(verdict.exit, Exit::Untrusted);
    let texts = texts(&verdict);
    assert!(texts[0].starts_with("part 20: 4 of"), "{texts:?}");
}

/// How late single messages were sent is measured, and not estimated: it needs no name, and is said once.
#[test]
fn late_sends_are_said_once() {
    let mut scenario = scenario();
    scenario.gates.pass = vec![timed_gate(
        Stat::Percentile(99.0),
        "latency.echo",
        Op::Less,
        (80 * MS) as f64,
    )];
    let mut run = Run::new();
    run.opened(10).echoed(1_000, 100 * MS).late(50 * MS, 1_000);
    run.add(Counter::MessagesDue, 1_000);
    let parts = vec![part(1, &punctual()), part(2, &punctual())];
    let verdict = judged(&scenario, &run, parts);
    let kinds: Vec<&str> = (verdict.distrust.iter())
        .map(|doubt| doubt.reason.kind())
        .collect();
    assert_eq!(kinds, ["sends_late"]);
}

#[test]
fn a_part_that_opens_too_slowly_voids_what_it_feeds() {
    let mut scenario = scenario();
    scenario.gates.pass = vec![
        gate(Stat::Count, "connections.dead", Op::Equal, 0.0),
        gate(Stat::Max, "generator.rss", Op::Less, 1e12),
    ];
    let measured = Timestamp::ORIGIN + Nanos::from_secs(3);
    let settling = |settled| {
        let mut part = part(3, &punctual());
        (part.settled, part.health.measured_from) = (settled, Some(measured));
        judged(&scenario, &Run::healthy(), vec![part])
    };
    let text = |verdict: &Verdict| texts(verdict).join("; ");
    let in_time = settling(Some(measured));
    assert!(!text(&in_time).contains("part 3"), "{in_time:?}");
    let late = settling(Some(measured + Nanos(1)));
    assert!(
        text(&late).starts_with("part 3: measuring began 3"),
        "{late:?}"
    );
    let of_dead = |verdict: &Verdict| verdict.gates[0].doubted;
    assert!(of_dead(&late) && !of_dead(&in_time));
    assert!(!late.gates[1].doubted, "it is about the generator");
    let never = settling(None);
    assert!(text(&never).contains("some never were"), "{never:?}");
}

/// Without a word nothing is judged; with it the rest is, and both say since when.
#[test]
fn a_part_that_was_lost_is_named() {
    let scenario = scenario();
    let run = Run::healthy();
    let lost = |went_on| PartFacts {
        settled: None,
        lost: Some(PartLost {
            at: Timestamp::from_nanos(12_000 * MS),
            why: "it gave no sign of life any more".to_owned(),
            went_on,
        }),
        ..part(2, &punctual())
    };
    let verdict = judged(&scenario, &run, vec![part(1, &punctual()), lost(false)]);
    assert_eq!(verdict.exit, Exit::Untrusted);
    assert_eq!(
        texts(&verdict)[0],
        "part 2: it gave no sign of life any more, 12.0 s after the start: what its connections saw from then on is not known"
    );
    let verdict = judged(&scenario, &run, vec![part(1, &punctual()), lost(true)]);
    assert_eq!(verdict.exit, Exit::Passed, "{verdict:?}");
    let warned = verdict.warnings.iter().map(ToString::to_string);
    let warned: Vec<String> = warned.collect();
    assert!(
        warned
            .iter()
            .any(|text| text.contains("part 2 was lost 12.0 s")),
        "{warned:?}"
    );
}

#[test]
fn who_hears_too_late_when_measuring_begins_is_doubted_by_name() {
    let mut scenario = scenario();
    scenario.gates.pass = vec![gate(Stat::Count, "connections.dead", Op::Equal, 0.0)];
    let mut late = part(2, &punctual());
    late.told_late = Some(Nanos::from_millis(120));
    let verdict = judged(&scenario, &Run::healthy(), vec![part(1, &punctual()), late]);
    assert_eq!(verdict.exit, Exit::Untrusted);
    let said = texts(&verdict);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("part 2: it heard of the measured time 120 ms after"),
        "{said:?}"
    );
}

//! Tests each reason for a doubt: when it is given, and which gates and promises it concerns.

use super::super::exit::Exit;
use super::super::facts::Throttling;
use super::super::fixture::{Run, beside, gate, scenario, timed_gate};
use super::super::judge::{Verdict, judge};
use super::*;
use crate::measure::Relayed;
use crate::metric::Cause;
use crate::scenario::{Between, Contract, Expect, Op, Origin, Pacing, PromiseKind, Stat, Subject};
use std::time::Duration;

#[path = "missing_tests.rs"]
mod missing;
#[path = "steps_tests.rs"]
mod steps;
#[path = "stops_tests.rs"]
mod stops;

const MS: u64 = 1_000_000;

fn judged(scenario: &Scenario, run: &Run) -> Verdict {
    judge(scenario, &run.summary(), &Facts::completed(1))
}

fn found(scenario: &Scenario, run: &Run) -> Vec<Distrust> {
    let doubts = judged(scenario, run).distrust.into_iter();
    doubts.map(|doubt| doubt.reason).collect()
}

/// The scenario with this gate only.
fn gated(gate: Gate) -> Scenario {
    let mut scenario = scenario();
    scenario.gates.pass = vec![gate];
    scenario
}

fn closed(mut scenario: Scenario) -> Scenario {
    scenario.cohorts[0].messages[0].pacing = Pacing::Closed {
        in_flight: 1,
        think: Duration::ZERO,
    };
    scenario
}

/// The exit code and the kinds of the doubts.
fn outcome(scenario: &Scenario, run: &Run) -> (Exit, Vec<&'static str>) {
    let verdict = judged(scenario, run);
    let doubts = verdict.distrust.iter();
    (
        verdict.exit,
        doubts.map(|doubt| doubt.reason.kind()).collect(),
    )
}

#[test]
fn a_healthy_run_is_trusted() {
    assert_eq!(found(&scenario(), &Run::healthy()), []);
}

#[test]
fn no_connection_is_the_only_reason_needed() {
    let mut run = Run::new();
    run.refused(3, "connect: connection refused");
    let reasons = found(&scenario(), &run);
    assert_eq!(reasons.len(), 1);
    assert_eq!(
        reasons[0].to_string(),
        "no connection opened, of 10 planned: 3 refused (connect: connection refused)"
    );
    assert!(reasons[0].hint().unwrap().contains("server"));
}

#[test]
fn a_relay_that_turned_clients_away_is_no_path() {
    let mut facts = Facts::completed(1);
    facts.surroundings.relayed = Some(Relayed {
        connections: 10,
        refused: 2,
        unreachable: 5,
        ..Relayed::default()
    });
    let scenario = scenario();
    let found = |run: &Run| judge(&scenario, &run.summary(), &facts).distrust;
    let doubts = found(&Run::healthy());
    assert_eq!(
        doubts[0].reason.to_string(),
        "the relay of `[path]` had no file descriptor for 2 of 10 connections, and reset them"
    );
    assert!(doubts[0].reason.hint().unwrap().contains("ulimit"));
    let mut nobody = Run::new();
    nobody.refused(3, "connect: connection refused");
    let kinds: Vec<_> = (found(&nobody).iter())
        .map(|doubt| doubt.reason.kind())
        .collect();
    assert_eq!(kinds, ["relay_refused", "no_connection"]);
}

#[test]
fn one_in_a_thousand_may_stay_unsent() {
    let mut run = Run::healthy();
    run.not_sent(100);
    assert_eq!(found(&scenario(), &run), []);
    run.not_sent(1);
    assert!(matches!(
        found(&scenario(), &run)[..],
        [Distrust::NotSent { not_sent: 101, .. }]
    ));
    assert_eq!(
        found(&closed(scenario()), &run),
        [],
        "it waits for the server"
    );
}

#[test]
fn what_was_due_during_an_outage_is_no_doubt() {
    let mut run = Run::healthy();
    run.add(Counter::MessagesDue, 50_000)
        .add(Counter::MessagesOffline, 50_000);
    assert_eq!(found(&scenario(), &run), []);
}

#[test]
fn what_a_lost_connection_leaves_behind_is_not_the_generators() {
    let mut run = Run::healthy();
    run.not_sent(101);
    run.add(Counter::ConnectionsLost, 1);
    assert_eq!(found(&scenario(), &run), []);
}

#[test]
fn late_sends_void_a_broken_limit_and_nothing_else() {
    let limit = |ms: u64| {
        let p99 = Stat::Percentile(99.0);
        timed_gate(p99, "latency.echo", Op::Less, (ms * MS) as f64)
    };
    let mut run = Run::new();
    // The service time is half of the latency: the other half is the wait before the send.
    run.opened(10)
        .echoed(100_000, 40 * MS)
        .late(20 * MS, 100_000);
    let mut scenario = gated(limit(30));
    scenario
        .gates
        .pass
        .push(gate(Stat::Count, "connections.dead", Op::Equal, 0.0));
    let verdict = judged(&scenario, &run);
    assert_eq!(verdict.exit, Exit::Untrusted);
    let [doubt] = &verdict.distrust[..] else {
        panic!("{verdict:?}");
    };
    assert_eq!(doubt.reason.kind(), "sends_late");
    let concerned = Concerns::Only(vec!["p99(latency.echo) < 30ms".to_owned()]);
    assert_eq!(doubt.concerns, concerned);
    assert!(verdict.gates[0].doubted && !verdict.gates[1].doubted);
    assert!(doubt.reason.hint().unwrap().contains("precise"));

    assert_eq!(
        outcome(&gated(limit(50)), &run),
        (Exit::Passed, vec![]),
        "lateness is in it"
    );
    assert_eq!(
        outcome(&gated(limit(10)), &run),
        (Exit::Failed, vec![]),
        "service alone breaks it"
    );
    let waits = closed(gated(limit(30)));
    assert_eq!(
        outcome(&waits, &run),
        (Exit::Failed, vec![]),
        "the wait is for the server"
    );
}

#[test]
fn what_the_server_did_not_take_is_its_own() {
    let mut run = Run::healthy();
    run.not_sent(50_000)
        .add(Counter::MessagesNotTaken, 50_000)
        .add(Counter::MessagesTimedOut, 9);
    let timed_out = gated(gate(Stat::Count, "messages.timed_out", Op::Equal, 0.0));
    assert_eq!(outcome(&timed_out, &run), (Exit::Failed, vec![]));
    let all_sent = gated(gate(Stat::Count, "messages.not_sent", Op::Equal, 0.0));
    assert_eq!(outcome(&all_sent, &run), (Exit::Failed, vec![]));
    run.not_sent(200);
    assert_eq!(outcome(&timed_out, &run).1, ["not_sent"]);
}

#[test]
fn sends_that_the_server_held_up_are_not_the_generators() {
    let limit = |percent: f64| {
        let stat = Stat::Percentile(percent);
        gated(timed_gate(stat, "latency.echo", Op::Less, (30 * MS) as f64))
    };
    // Counted from the sends, all keep the limit.
    let mut run = Run::new();
    run.opened(10)
        .echoed(1_000, 40 * MS)
        .late(20 * MS, 1_000)
        .add(Counter::MessagesHeldUp, 300);
    assert_eq!(outcome(&limit(99.0), &run), (Exit::Failed, vec![]));
    assert_eq!(
        outcome(&limit(50.0), &run),
        (Exit::Untrusted, vec!["sends_late"]),
        "it held up fewer than half"
    );
}

#[test]
fn what_one_cohort_did_not_send_is_no_doubt_about_another() {
    let mut scenario = gated(gate(Stat::Count, "connections.dead", Op::Equal, 0.0));
    scenario.gates.pass.extend(["main", "late"].map(|name| {
        let mut gate = gate(Stat::Count, "messages.timed_out", Op::Equal, 0.0);
        if let Subject::Stat(_, selector) = &mut gate.subject {
            selector.cohort = Some(name.to_owned());
        }
        gate.text = format!("count(messages.timed_out{{cohort={name}}}) == 0");
        gate
    }));
    let cohort = Cohort {
        name: "late".to_owned(),
        ..scenario.cohorts[0].clone()
    };
    scenario.cohorts.push(cohort);
    let mut late = Run::healthy();
    late.not_sent(5_000);
    let mut summary = Run::healthy().summary();
    beside(&mut summary, "late", late.summary());
    let verdict = judge(&scenario, &summary, &Facts::completed(1));
    let doubted = verdict.gates.iter().map(|gate| gate.doubted);
    assert_eq!(doubted.collect::<Vec<_>>(), [true, false, true]);
}

#[test]
fn a_failure_beside_a_doubt_stands() {
    let mut run = Run::new();
    run.opened(10)
        .echoed(100_000, 40 * MS)
        .late(20 * MS, 100_000)
        .add(Counter::MessagesMismatched, 3);
    let p99 = Stat::Percentile(99.0);
    let mut scenario = gated(timed_gate(p99, "latency.echo", Op::Less, 3e7));
    (scenario.gates.pass).push(gate(Stat::Count, "messages.mismatched", Op::Equal, 0.0));
    assert_eq!(outcome(&scenario, &run), (Exit::Failed, vec!["sends_late"]));
}

#[test]
fn a_generator_without_processor_time_is_no_limit_of_the_server() {
    let slow = closed(gated(gate(Stat::Rate, "messages.echoed", Op::Greater, 1e6)));
    let mut run = Run::healthy();
    run.cpu(&[18.0]);
    let mut facts = Facts::completed(1);
    let outcome = |scenario: &Scenario, facts: &Facts| {
        let verdict = judge(scenario, &run.summary(), facts);
        let doubts = verdict.distrust.iter();
        (
            verdict.exit,
            doubts.map(|doubt| doubt.reason.kind()).collect::<Vec<_>>(),
        )
    };
    assert_eq!(outcome(&slow, &facts), (Exit::Failed, vec![]));
    facts.cores = Some(0.2);
    assert_eq!(outcome(&slow, &facts).1, ["generator_busy"]);
    facts.throttling = Some(Throttling {
        periods: 100,
        throttled: 50,
    });
    assert_eq!(outcome(&slow, &facts).1, ["throttled"]);
    let late = gated(timed_gate(Stat::Max, "service.echo", Op::Less, 100_000.0));
    assert_eq!(outcome(&late, &facts).1, ["throttled"]);
    assert_eq!(outcome(&scenario(), &facts), (Exit::Passed, vec![]));
}

#[test]
fn a_promise_is_voided_by_what_it_cannot_bear() {
    let between = |lo, hi| {
        PromiseKind::ClosedBetween.of(Between {
            lo: Duration::from_millis(lo),
            hi: Duration::from_millis(hi),
        })
    };
    let mut strict = scenario();
    strict.cohorts[0].contract = Some(Contract {
        from: Origin::Open,
        preset: None,
        promises: vec![between(20_000, 20_500)],
    });
    strict.gates.pass.clear();
    let mut run = Run::healthy();
    run.lagged(50_000, 9_000).lagged(45 * MS, 100);
    let found = |scenario: &Scenario, run: &Run| outcome(scenario, run).1;
    assert_eq!(
        found(&strict, &run),
        [""; 0],
        "45 ms are within a tenth of 500 ms"
    );
    let contract = strict.cohorts[0].contract.as_mut().unwrap();
    contract.promises.push(between(20_000, 20_400));
    let verdict = judged(&strict, &run);
    let concerned = Concerns::Only(vec!["closed_between of main".to_owned(); 1]);
    assert_eq!(verdict.distrust[0].concerns, concerned);

    // A single stop is no reason to doubt a promise that was kept, but enough to doubt one that was broken.
    let contract = strict.cohorts[0].contract.as_mut().unwrap();
    contract.promises = vec![PromiseKind::Closed.of(0)];
    let mut run = Run::healthy();
    run.lagged(50_000, 9_000);
    assert_eq!(found(&strict, &run), [""; 0]);
    run.lagged(250 * MS, 1);
    assert_eq!(found(&strict, &run), ["workers_late"]);
}

#[test]
fn pings_alone_follow_a_schedule() {
    let mut run = Run::healthy();
    run.not_sent(500);
    let mut idle = scenario();
    idle.cohorts[0].messages.clear();
    assert_eq!(found(&idle, &run).len(), 1);
}

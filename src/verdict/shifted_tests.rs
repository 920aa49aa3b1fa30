//! Tests what lost answers without a stamp may have done to each kind of value.

use std::time::Duration;

use super::super::fixture::{Run, gate, scenario, timed_gate};
use super::super::judge::judge;
use super::super::{Exit, Facts};
use super::*;
use crate::scenario::{Op, Payload};

const MS: f64 = 1e6;

/// Judges a run in which 1 % of the answers took 60 ms and the others 1 ms, and this many were lost.
fn exit(scenario: &Scenario, lost: u64, gate: Gate) -> (Exit, Vec<&'static str>) {
    let mut scenario = scenario.clone();
    scenario.gates.pass = vec![gate];
    let mut run = Run::healthy();
    run.echoed(1_100, 60_000_000)
        .sent(lost)
        .add(Counter::MessagesDue, 1_100 + lost)
        .add(Counter::MessagesTimedOut, lost);
    let verdict = judge(&scenario, &run.summary(), &Facts::completed(2));
    let kinds = verdict.distrust.iter().map(|doubt| doubt.reason.kind());
    (verdict.exit, kinds.collect())
}

fn unstamped(in_flight: Option<u32>) -> Scenario {
    let mut scenario = scenario();
    let message = &mut scenario.cohorts[0].messages[0];
    message.payload = Payload::Fixed(b"ping".as_slice().into());
    if let Pacing::Open { in_flight: own, .. } = &mut message.pacing {
        *own = in_flight;
    }
    scenario
}

fn p(percent: f64, op: Op, ms: f64) -> Gate {
    timed_gate(Stat::Percentile(percent), "latency.echo", op, ms * MS)
}

#[test]
fn a_lost_answer_voids_a_failure_that_it_can_explain() {
    let shifted = (Exit::Untrusted, vec!["answers_shifted"]);
    let (failed, passed) = ((Exit::Failed, vec![]), (Exit::Passed, vec![]));
    // The actual sends took half of it, so that lateness is not the reason.
    let upper = || p(99.5, Op::Less, 25.0);
    assert_eq!(exit(&unstamped(None), 1, upper()), shifted);
    assert_eq!(
        exit(&unstamped(None), 0, upper()),
        failed,
        "all answers came"
    );
    assert_eq!(exit(&scenario(), 1, upper()), failed, "a stamp names each");
    assert_eq!(
        exit(&unstamped(Some(1)), 1, upper()),
        failed,
        "one at a time"
    );
    // One timeout cannot have shifted half of all answers.
    assert_eq!(exit(&unstamped(None), 1, p(50.0, Op::Less, 0.5)), failed);
    let most = timed_gate(Stat::Max, "service.echo", Op::Less, 20.0 * MS);
    assert_eq!(exit(&unstamped(None), 1, most), shifted);
    assert_eq!(exit(&unstamped(None), 1, p(99.5, Op::Less, 100.0)), passed);
}

#[test]
fn a_lost_answer_voids_a_lower_limit_that_held() {
    let lower = |ms| p(99.5, Op::Greater, ms);
    let shifted = (Exit::Untrusted, vec!["answers_shifted"]);
    assert_eq!(exit(&unstamped(None), 1, lower(50.0)), shifted);
    assert_eq!(
        exit(&unstamped(None), 0, lower(50.0)),
        (Exit::Passed, vec![])
    );
    assert_eq!(
        exit(&unstamped(None), 1, lower(70.0)),
        (Exit::Failed, vec![])
    );
}

/// The same with `in_flight` in the closed model.
fn waiting(in_flight: u32) -> Scenario {
    let mut scenario = unstamped(None);
    scenario.cohorts[0].messages[0].pacing = Pacing::Closed {
        in_flight,
        think: Duration::ZERO,
    };
    scenario
}

/// Each lost answer takes a place of `in_flight`: 10,110 echoes a second may be at most four times as many.
#[test]
fn a_lost_answer_takes_a_place_and_so_lowers_the_rate() {
    let shifted = (Exit::Untrusted, vec!["answers_shifted"]);
    let (failed, passed) = ((Exit::Failed, vec![]), (Exit::Passed, vec![]));
    let rate = |op, limit| gate(Stat::Rate, "messages.echoed", op, limit);
    assert_eq!(exit(&waiting(4), 10, rate(Op::Greater, 20_000.0)), shifted);
    assert_eq!(exit(&waiting(4), 10, rate(Op::Less, 20_000.0)), shifted);
    assert_eq!(exit(&waiting(4), 0, rate(Op::Greater, 20_000.0)), failed);
    assert_eq!(exit(&waiting(4), 10, rate(Op::Greater, 50_000.0)), failed);
    assert_eq!(exit(&waiting(4), 10, rate(Op::Greater, 5_000.0)), passed);
    assert_eq!(exit(&waiting(1), 10, rate(Op::Greater, 20_000.0)), failed);
    let open = exit(&unstamped(None), 10, rate(Op::Greater, 20_000.0));
    assert_eq!(open, failed, "a schedule does not wait");
    // One answer cost the places of one of ten connections.
    assert_eq!(exit(&waiting(4), 1, rate(Op::Greater, 20_000.0)), failed);
    let count = |limit| gate(Stat::Count, "messages.echoed", Op::Greater, limit);
    assert_eq!(exit(&waiting(4), 10, count(200_000.0)), shifted);
}

#[test]
fn a_lost_answer_makes_gaps_longer() {
    let judged = |scenario: &Scenario, limit: f64, lost: u64| {
        let median = Stat::Percentile(50.0);
        let mut scenario = scenario.clone();
        scenario.gates.pass = vec![timed_gate(median, "receive.gap", Op::Less, limit * MS)];
        let mut run = Run::healthy();
        run.timed(Timer::ReceiveGap, 20_000_000, 1_000)
            .sent(lost)
            .add(Counter::MessagesTimedOut, lost);
        judge(&scenario, &run.summary(), &Facts::completed(2)).exit
    };
    assert_eq!(judged(&waiting(4), 8.0, 10), Exit::Untrusted);
    assert_eq!(judged(&waiting(4), 8.0, 0), Exit::Failed);
    assert_eq!(judged(&waiting(4), 2.0, 10), Exit::Failed);
    assert_eq!(judged(&waiting(1), 8.0, 10), Exit::Failed);
}

/// With one message at a time and no pause, a stream does not become certain again after a timeout.
#[test]
fn a_gate_whose_answers_were_all_uncertain_is_in_doubt() {
    let judged = |uncertain: u64| {
        let mut scenario = waiting(1);
        scenario.gates.pass = vec![p(99.0, Op::Less, 20.0)];
        let mut run = Run::new();
        run.opened(10)
            .sent(1_001)
            .add(Counter::MessagesEchoed, 1_000)
            .add(Counter::MessagesUncertain, uncertain)
            .add(Counter::MessagesTimedOut, 1);
        judge(&scenario, &run.summary(), &Facts::completed(2))
    };
    let verdict = judged(1_000);
    assert_eq!(verdict.exit, Exit::Untrusted);
    assert_eq!(
        verdict.distrust[0].reason.to_string(),
        "1 message timed out where answers do not name theirs: until each timeout, the times of the answers \
         after it are too long, and with `in_flight` rates too low; 1,000 answers were not timed"
    );
    assert_eq!(judged(0).exit, Exit::Failed, "nothing was asked");
}

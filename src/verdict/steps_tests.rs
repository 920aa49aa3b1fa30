//! Tests the doubts about clients that play steps: what they asked for and never got.

use super::super::super::fixture::{beside, send, step, wait, with_step};
use super::missing::with_open;
use super::*;
use crate::scenario::{Gaps, Jitter, OnFail, Phase as Spread, Reconnect, Repeat, TurnPace, Verb};
use crate::units::Rate;

fn said(scenario: &Scenario, run: &Run) -> Vec<String> {
    let doubts = judged(scenario, run).distrust.into_iter();
    doubts.map(|doubt| doubt.reason.to_string()).collect()
}

/// Pongs and pushes prove that the server is alive, but not that it answers.
#[test]
fn steps_that_are_never_answered_prove_nothing() {
    let repeat = Verb::Repeat(Repeat {
        steps: vec![step(send(Expect::Stamp))],
        count: None,
        lasts: None,
        pace: None,
    });
    let mut run = Run::new();
    run.opened(10)
        .sent(20)
        .add(Counter::MessagesTimedOut, 20)
        .add(Counter::MessagesReceived, 7)
        .add(Counter::PingsSent, 10)
        .add(Counter::PongsReceived, 10);
    let asking = with_step(repeat);
    assert_eq!(outcome(&asking, &run), (Exit::Untrusted, vec!["no_answer"]));
    assert_eq!(
        said(&asking, &run),
        ["not one expected answer came to 20 messages in the whole run; 7 other messages came"]
    );
    let hint = found(&asking, &run)[0].hint().unwrap();
    assert!(hint.contains("wsbench try"), "{hint}");
    assert_eq!(
        found(&with_step(send(Expect::None)), &run),
        [],
        "pongs are all that is expected"
    );
    run.add(Counter::MessagesAnswered, 1);
    assert_eq!(found(&asking, &run), [], "one answer is one");
}

#[test]
fn steps_of_a_cohort_are_asked_for_themselves() {
    let mut scenario = scenario();
    let mut mute = with_step(send(Expect::Stamp)).cohorts.remove(0);
    mute.name = "mute".to_owned();
    scenario.cohorts.push(mute);
    let mut bad = Run::new();
    bad.opened(10).sent(20).add(Counter::MessagesTimedOut, 20);
    let judged = |bad: &Run| {
        let mut summary = Run::healthy().summary();
        beside(&mut summary, "mute", bad.summary());
        judge(&scenario, &summary, &Facts::completed(1))
    };
    let verdict = judged(&bad);
    assert_eq!(verdict.exit, Exit::Untrusted);
    assert_eq!(
        verdict.distrust[0].reason.to_string(),
        "not one expected answer came to 20 messages of `mute` in the whole run"
    );
    bad.add(Counter::MessagesLate, 1);
    assert_eq!(judged(&bad).exit, Exit::Passed);
}

/// The answers to other steps do not stand for what is waited for, whether the wait ran out or was left out.
#[test]
fn awaits_that_are_never_met_prove_nothing() {
    let mut waiting = scenario();
    waiting.cohorts[0].steps = vec![step(wait())];
    for given_up in [
        Counter::AwaitsAbandoned,
        Counter::AwaitsTimedOut,
        Counter::AwaitsWrong,
    ] {
        let mut run = Run::healthy();
        run.add(Counter::AwaitsBegun, 40).add(given_up, 40);
        assert_eq!(
            outcome(&waiting, &run),
            (Exit::Untrusted, vec!["no_answer"]),
            "{}",
            given_up.name()
        );
    }
    let mut run = Run::healthy();
    run.add(Counter::AwaitsBegun, 40)
        .add(Counter::AwaitsAbandoned, 40)
        .add(Counter::MessagesReceived, 100_002)
        .add(Counter::MessagesUnsolicited, 2);
    assert_eq!(
        said(&waiting, &run),
        ["not one of 40 awaits of `main` was met in the whole run; 2 other messages came"]
    );
    let hint = found(&waiting, &run)[0].hint().unwrap();
    assert!(hint.contains("count(awaits.met) == 0"), "{hint}");

    run.add(Counter::AwaitsBegun, 1).add(Counter::AwaitsMet, 1);
    assert_eq!(found(&waiting, &run), [], "one that is met is enough");
    assert_eq!(found(&scenario(), &Run::healthy()), []);
}

#[test]
fn a_gate_may_say_that_nothing_is_to_come() {
    let mut waiting = gated(gate(Stat::Count, "awaits.met", Op::Equal, 0.0));
    waiting.cohorts[0].steps = vec![step(wait())];
    let mut run = Run::healthy();
    run.add(Counter::AwaitsBegun, 40)
        .add(Counter::AwaitsTimedOut, 40);
    assert_eq!(outcome(&waiting, &run), (Exit::Passed, vec![]));
}

#[test]
fn awaits_lost_with_their_connection_are_no_doubt() {
    let mut waiting = scenario();
    waiting.cohorts[0].steps = vec![step(wait())];
    let mut run = Run::healthy();
    run.add(Counter::AwaitsBegun, 2)
        .add(Counter::AwaitsLost, 2)
        .add(Counter::ConnectionsLost, 2);
    assert_eq!(found(&waiting, &run), []);
}

/// The scenario whose clients have a set-up; `ready` of ten came to its end, and the others failed.
fn set_up(ready: u64) -> (Scenario, Run) {
    let mut scenario = scenario();
    scenario.cohorts[0].setup = vec![step(send(Expect::Stamp))];
    let mut run = Run::healthy();
    run.add(Counter::SetupBegun, 10)
        .add(Counter::SetupReady, ready)
        .add(Counter::SetupFailed, 10 - ready)
        .cause(Cause::SetupFailed, 10 - ready);
    (scenario, run)
}

#[test]
fn clients_that_were_never_ready_were_not_there() {
    let (scenario, run) = set_up(4);
    assert_eq!(
        outcome(&scenario, &run),
        (Exit::Untrusted, vec!["never_opened"])
    );
    assert_eq!(
        said(&scenario, &run),
        ["only 4 of 10 connections were ready: most of the load was never there: 6 setup_failed"]
    );
    assert!(
        found(&scenario, &run)[0]
            .hint()
            .unwrap()
            .contains("wsbench try")
    );
    assert_eq!(judged(&scenario, &run).warnings, [], "it is said once");
    let (scenario, run) = set_up(10);
    assert_eq!(outcome(&scenario, &run), (Exit::Passed, vec![]));
    assert_eq!(judged(&scenario, &run).warnings, []);
}

/// A cohort that was never ready voids its own gates, and is told with its own numbers.
#[test]
fn never_ready_is_asked_of_the_cohorts_of_each_gate() {
    let (mut scenario, _) = set_up(10);
    let mut bad = scenario.cohorts[0].clone();
    scenario.cohorts[0].setup.clear();
    bad.name = "bad".to_owned();
    bad.connections = 3;
    scenario.cohorts.push(bad);
    let mut own = gate(Stat::Count, "connections.lost", Op::Equal, 0.0);
    own.text = "of bad".to_owned();
    if let Subject::Stat(_, selector) = &mut own.subject {
        selector.cohort = Some("bad".to_owned());
    }
    scenario.gates.pass.push(own);
    let mut bad = Run::new();
    bad.opened(3)
        .add(Counter::SetupBegun, 3)
        .add(Counter::SetupFailed, 3);
    let mut summary = Run::healthy().summary();
    beside(&mut summary, "bad", bad.summary());
    let verdict = judge(&scenario, &summary, &Facts::completed(1));
    assert_eq!(verdict.exit, Exit::Untrusted);
    assert!(
        verdict.gates[1].doubted && !verdict.gates[0].doubted,
        "{verdict:?}"
    );
    assert_eq!(
        verdict.distrust[0].reason.to_string(),
        "only 0 of 3 connections were ready: most of the load was never there"
    );
}

#[test]
fn set_ups_that_failed_are_told_unless_a_gate_looks() {
    let (mut scenario, run) = set_up(8);
    let verdict = judged(&scenario, &run);
    assert_eq!(verdict.exit, Exit::Passed);
    assert_eq!(
        verdict.warnings[0].to_string(),
        "of 10 set-ups 2 failed, and no gate looks at that"
    );
    assert_eq!(
        verdict.warnings[0].hint().unwrap(),
        "add the gate `count(setup.failed) == 0`"
    );
    for metric in ["setup.failed", "errors.setup_failed"] {
        scenario.gates.pass = vec![gate(Stat::Count, metric, Op::Less, 5.0)];
        assert_eq!(judged(&scenario, &run).warnings, [], "{metric}");
    }
}

/// What a failed step closes is gone, be it lost or not.
#[test]
fn clients_that_a_failed_step_closes_are_gone() {
    let mut closing = scenario();
    let cohort = &mut closing.cohorts[0];
    cohort.steps = vec![step(wait())];
    cohort.steps[0].on_fail = OnFail::Close;
    let mut run = Run::healthy();
    run.add(Counter::AwaitsMet, 1).cause(Cause::StepFailed, 5);
    assert_eq!(outcome(&closing, &run), (Exit::Passed, vec![]));
    run.cause(Cause::StepFailed, 1);
    assert_eq!(
        outcome(&closing, &run),
        (Exit::Untrusted, vec!["connections_lost"])
    );
    assert_eq!(
        said(&closing, &run),
        ["6 of 10 connections were closed by a failed step: most of the load was not there"]
    );
    let hint = found(&closing, &run)[0].hint().unwrap();
    assert!(hint.contains("count(errors.step_failed) == 0"), "{hint}");

    run.add(Counter::ConnectionsLost, 3);
    assert!(
        said(&closing, &run)[0].starts_with(
            "3 of 10 connections were lost too early and 6 of 10 connections were closed by"
        ),
        "{:?}",
        said(&closing, &run)
    );

    let mut run = Run::healthy();
    run.add(Counter::AwaitsMet, 1).cause(Cause::StepFailed, 9);
    closing.cohorts[0].steps[0].on_fail = OnFail::Reconnect;
    closing.cohorts[0].reconnect = Reconnect::Backoff {
        initial: Duration::ZERO,
        max: Duration::ZERO,
        jitter: Jitter::None,
        retry_after: false,
    };
    let verdict = judge(&closing, &with_open(&run, Some(10.0)), &Facts::completed(1));
    assert_eq!(verdict.distrust, [], "they came back");
}

/// The first step failed in the warm-up, and nothing came after it; or all were done by then.
#[test]
fn gates_on_steps_need_one_in_the_measured_time() {
    let mut asking = with_step(send(Expect::Stamp));
    asking.gates.pass = vec![
        gate(Stat::Count, "messages.timed_out", Op::Equal, 0.0),
        gate(Stat::Count, "connections.lost", Op::Equal, 0.0),
    ];
    let mut run = Run::new();
    run.opened(10)
        .add(Counter::PingsSent, 10)
        .add(Counter::PongsReceived, 10);
    let verdict = judged(&asking, &run);
    assert_eq!(verdict.exit, Exit::Untrusted);
    assert!(verdict.gates[0].doubted && !verdict.gates[1].doubted);
    assert_eq!(
        said(&asking, &run),
        ["no step of `main` was begun in the measured time"]
    );
    let hint = found(&asking, &run)[0].hint().unwrap();
    assert!(hint.contains("wait_for = \"measuring\""), "{hint}");

    asking.gates.pass.remove(0);
    assert_eq!(found(&asking, &run), [], "nothing is said of steps");
    asking.gates.pass = vec![gate(Stat::Count, "messages.received", Op::Equal, 0.0)];
    assert_eq!(found(&asking, &run), [], "who listens need not speak");

    asking.gates.pass = vec![gate(Stat::Count, "messages.timed_out", Op::Equal, 0.0)];
    run.add(Counter::MessagesDue, 1)
        .sent(1)
        .add(Counter::MessagesAnswered, 1);
    assert_eq!(found(&asking, &run), []);
}

/// That answers were wrong was seen, so a gate on that fails the run; all else has no verdict.
#[test]
fn a_gate_on_wrong_answers_fails_where_all_are_wrong() {
    let mut asking = with_step(send(Expect::Stamp));
    asking.gates.pass = vec![
        gate(Stat::Count, "messages.mismatched", Op::Equal, 0.0),
        gate(Stat::Count, "connections.lost", Op::Equal, 0.0),
    ];
    let mut run = Run::new();
    (run.opened(10).sent(20))
        .add(Counter::MessagesDue, 20)
        .add(Counter::MessagesMismatched, 20);
    let verdict = judged(&asking, &run);
    assert_eq!(verdict.exit, Exit::Failed);
    assert!(!verdict.gates[0].doubted && verdict.gates[1].doubted);
    assert_eq!(verdict.distrust[0].reason.kind(), "no_answer");
    let wrong = asking.gates.pass.remove(0);
    assert_eq!(judged(&asking, &run).exit, Exit::Untrusted);
    asking.gates.pass = vec![wrong];
    let alone = judged(&asking, &run);
    assert_eq!(alone.exit, Exit::Failed);
    assert_eq!(alone.distrust, [], "there is nothing else to doubt");
    // What was not seen proves nothing.
    let many = gate(Stat::Count, "messages.mismatched", Op::Greater, 0.0);
    asking.gates.pass = vec![many];
    let mut run = Run::new();
    (run.opened(10).sent(20))
        .add(Counter::MessagesDue, 20)
        .add(Counter::MessagesTimedOut, 20);
    assert_eq!(judged(&asking, &run).exit, Exit::Untrusted);
    asking.gates.pass.clear();
    assert_eq!(judged(&asking, &run).exit, Exit::Untrusted);
}

/// The counts of messages beside steps, and of other steps, tell nothing of those that a gate is about.
#[test]
fn what_goes_on_beside_steps_does_not_stand_for_them() {
    let repeat = |pace| {
        Verb::Repeat(Repeat {
            steps: vec![step(wait())],
            count: None,
            lasts: None,
            pace,
        })
    };
    let mut both = scenario();
    both.cohorts[0].steps = vec![step(send(Expect::Stamp))];
    both.gates.pass = vec![gate(Stat::Count, "messages.timed_out", Op::Equal, 0.0)];
    let run = Run::healthy();
    assert_eq!(outcome(&both, &run), (Exit::Untrusted, vec!["no_step"]));
    assert_eq!(
        said(&both, &run),
        ["no step of `main` had an answer in the measured time"]
    );
    // The time of a step tells that it was answered.
    both.cohorts[0].steps[0].name = Some("echo".to_owned());
    assert_eq!(found(&both, &run), []);
    both.cohorts[0].steps = vec![step(send(Expect::None))];
    assert_eq!(found(&both, &run), [], "nobody knows whether it was sent");

    let mut waiting = both.clone();
    waiting.cohorts[0].steps = vec![step(repeat(None))];
    waiting.gates.pass = vec![gate(Stat::Count, "awaits.timed_out", Op::Equal, 0.0)];
    assert_eq!(
        said(&waiting, &run),
        ["no await of `main` was begun in the measured time"]
    );
    let mut paced = waiting.clone();
    let pace = TurnPace {
        rate: Rate::per_second(1.0).unwrap(),
        gaps: Gaps::Constant,
        phase: Spread::Spread,
    };
    paced.cohorts[0].steps = vec![step(repeat(Some(pace)))];
    paced.gates.pass = vec![gate(Stat::Count, "turns.missed", Op::Equal, 0.0)];
    assert_eq!(
        said(&paced, &run),
        ["no turn of `main` was due in the measured time"]
    );
    // Another cohort adds nothing to a count of what it has not.
    let mut other = scenario().cohorts.remove(0);
    other.name = "other".to_owned();
    for mut scenario in [waiting, paced] {
        scenario.cohorts.push(other.clone());
        let mut summary = run.summary();
        beside(&mut summary, "other", Run::healthy().summary());
        let verdict = judge(&scenario, &summary, &Facts::completed(1));
        assert_eq!(verdict.exit, Exit::Untrusted);
    }
}

/// Without a number there is nothing to compare: a gate on gaps fails as one on times does.
#[test]
fn gaps_need_numbers_between_which_they_could_be() {
    let listening = |metric: &str| gated(gate(Stat::Count, metric, Op::Equal, 0.0));
    let mut run = Run::healthy();
    run.add(Counter::PushesReceived, 100)
        .add(Counter::PushesWrong, 100);
    let counters = ["pushes.gaps", "pushes.repeated", "pushes.unordered"];
    for metric in counters {
        let verdict = judged(&listening(metric), &run);
        assert_eq!(verdict.exit, Exit::Failed, "{metric}");
        assert_eq!(verdict.gates[0].why, "no data: `pushes.numbered` is zero");
    }
    run.add(Counter::PushesNumbered, 1);
    for metric in counters {
        assert_eq!(judged(&listening(metric), &run).exit, Exit::Passed);
    }
}

#[test]
fn deliveries_that_are_missing_are_told_unless_a_gate_looks() {
    let mut scenario = scenario();
    let mut run = Run::healthy();
    run.add(Counter::DeliveryExpected, 1_000)
        .add(Counter::DeliveryReceived, 125);
    let verdict = judged(&scenario, &run);
    assert_eq!(verdict.exit, Exit::Passed);
    assert_eq!(
        verdict.warnings[0].to_string(),
        "875 of 1,000 expected deliveries did not come in time, and no gate looks at that"
    );
    assert_eq!(
        verdict.warnings[0].hint().unwrap(),
        "add the gate `ratio(delivery.received / delivery.expected) == 100%`"
    );
    scenario.gates.pass = vec![gate(Stat::Count, "delivery.received", Op::Greater, 1.0)];
    assert_eq!(judged(&scenario, &run).warnings, []);
    scenario.gates.pass.clear();
    run.add(Counter::DeliveryReceived, 875);
    assert_eq!(judged(&scenario, &run).warnings, []);
}

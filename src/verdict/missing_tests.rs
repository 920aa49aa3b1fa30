//! Tests the doubts about what was not there: answers, connections, and the load of clients that reconnect.

use super::super::super::contract::{pinged, record};
use super::super::super::fixture::{beside, send, step};
use super::*;
use crate::measure::{ConnectionRecord, GaugeStats, Phase, States, Summary};
use crate::scenario::{Fault, FaultKind, Jitter, Pause, Reconnect, Subject, Verb};

#[test]
fn a_server_that_never_answers_proves_nothing() {
    let mut run = Run::new();
    run.opened(10).sent(20);
    let reasons = found(&scenario(), &run);
    assert_eq!(
        reasons[0].to_string(),
        "not one expected answer came to 20 messages in the whole run"
    );
    let mut deaf = scenario();
    deaf.cohorts[0].messages[0].expect = Expect::None;
    deaf.cohorts[0].heartbeat = None;
    assert_eq!(found(&deaf, &run), []);
}

/// Pongs and messages that answer nothing prove that the server is alive, but not that it answers.
#[test]
fn neither_pongs_nor_other_messages_are_answers() {
    let mut run = Run::new();
    run.opened(10)
        .sent(20)
        .add(Counter::MessagesMismatched, 20)
        .add(Counter::MessagesReceived, 20)
        .add(Counter::PingsSent, 10)
        .add(Counter::PongsReceived, 10);
    let reasons = found(&scenario(), &run);
    assert_eq!(
        reasons[0].to_string(),
        "not one expected answer came to 20 messages in the whole run; 20 other messages came"
    );
    let mut pings = scenario();
    pings.cohorts[0].messages[0].expect = Expect::None;
    assert_eq!(found(&pings, &run), [], "pongs are all that is expected");
    run.add(Counter::MessagesLate, 1);
    assert_eq!(found(&scenario(), &run), [], "one late answer is one");
}

#[test]
fn a_server_that_speaks_unasked_need_not_have_been_asked() {
    let mut run = Run::new();
    run.opened(10);
    assert_eq!(outcome(&scenario(), &run).1, ["no_answer"]);
    run.add(Counter::MessagesReceived, 5);
    assert_eq!(found(&scenario(), &run), []);
    run.sent(20);
    assert_eq!(outcome(&scenario(), &run).1, ["no_answer"]);
}

/// A fault of pongs or of the end leaves messages as they are: if not one is answered, a promise that held proves
/// nothing.
#[test]
fn clients_whose_fault_does_not_touch_messages_need_answers_too() {
    let mut faulty = scenario();
    faulty.gates.pass.clear();
    let cohort = &mut faulty.cohorts[0];
    cohort.contract = Some(Contract {
        from: Origin::Open,
        preset: None,
        promises: vec![PromiseKind::Closed.of(0)],
    });
    let with = |kind: FaultKind| {
        let mut scenario = faulty.clone();
        scenario.cohorts[0].faults = vec![Fault {
            kind,
            after: Duration::ZERO,
        }];
        scenario
    };
    let (touched, untouched) = (with(FaultKind::StopReading), with(FaultKind::WrongPong));
    let outcome = |scenario: &Scenario, run: &Run| {
        let mut summary = run.summary();
        summary.records.rows = vec![pinged(1_000, record(0))];
        let verdict = judge(scenario, &summary, &Facts::completed(1));
        let doubts = verdict.distrust.iter().map(|doubt| doubt.reason.kind());
        let warnings = verdict.warnings.iter().map(|warning| warning.kind());
        (verdict.exit, doubts.chain(warnings).collect::<Vec<_>>())
    };
    let mut mute = Run::new();
    mute.opened(10).sent(20);
    assert_eq!(
        outcome(&untouched, &mute),
        (Exit::Passed, vec![]),
        "lost with the connection"
    );
    mute.add(Counter::MessagesTimedOut, 20);
    assert_eq!(
        outcome(&untouched, &mute),
        (Exit::Untrusted, vec!["no_answer"])
    );
    assert_eq!(outcome(&touched, &mute), (Exit::Passed, vec![]));
    mute.echoed(1, MS);
    assert_eq!(
        outcome(&untouched, &mute),
        (Exit::Passed, vec!["unanswered"])
    );
    assert_eq!(outcome(&touched, &mute), (Exit::Passed, vec![]));
}

/// One cohort is answered, the other not once: its gates must not hold because of the first.
#[test]
fn each_cohort_is_asked_for_itself() {
    let mut scenario = scenario();
    let mut mute = scenario.cohorts[0].clone();
    mute.name = "mute".to_owned();
    mute.messages.clear();
    scenario.cohorts.push(mute);
    let of = |cohort: &str, gate: Gate| {
        let Subject::Stat(stat, mut selector) = gate.subject else {
            unreachable!("a gate of one metric");
        };
        selector.cohort = Some(cohort.to_owned());
        Gate {
            subject: Subject::Stat(stat, selector),
            text: format!("{} of {cohort}", gate.text),
            ..gate
        }
    };
    let none_lost = || gate(Stat::Count, "connections.lost", Op::Equal, 0.0);
    let mut bad = Run::new();
    bad.opened(10)
        .add(Counter::PingsSent, 20)
        .add(Counter::PingsMissed, 20);
    let judged = |gates: Vec<Gate>, bad: &Run| {
        let mut scenario = scenario.clone();
        scenario.gates.pass = gates;
        let mut summary = Run::healthy().summary();
        beside(&mut summary, "mute", bad.summary());
        judge(&scenario, &summary, &Facts::completed(1))
    };
    let verdict = judged(vec![none_lost()], &bad);
    assert_eq!(verdict.exit, Exit::Untrusted);
    assert_eq!(
        verdict.distrust[0].reason.to_string(),
        "not one expected answer came to 20 pings of `mute` in the whole run"
    );
    let no_gates = judged(Vec::new(), &bad);
    assert_eq!(no_gates.exit, Exit::Untrusted, "nothing passes on nothing");
    let named = |cohort| judged(vec![of(cohort, none_lost())], &bad).exit;
    assert_eq!(named("mute"), Exit::Untrusted);
    assert_eq!(named("main"), Exit::Passed);
    bad.add(Counter::PongsLate, 1);
    assert_eq!(judged(vec![none_lost()], &bad).exit, Exit::Passed);
}

#[test]
fn an_abort_is_no_reason_to_ask_for_answers() {
    let mut run = Run::new();
    run.opened(10).sent(20);
    let facts = Facts {
        outcome: Outcome::Aborted {
            gate: "g".to_owned(),
        },
        ..Facts::completed(1)
    };
    assert_eq!(judge(&scenario(), &run.summary(), &facts).distrust, []);
}

#[test]
fn most_of_what_was_planned_has_to_be_there() {
    let mut run = Run::healthy();
    run.opened_less(5).failed(Cause::HandshakeReset, 5);
    assert_eq!(
        outcome(&scenario(), &run),
        (Exit::Passed, vec![]),
        "half of them were"
    );
    run.opened_less(1).failed(Cause::HandshakeReset, 1);
    assert_eq!(
        outcome(&scenario(), &run),
        (Exit::Untrusted, vec!["never_opened"])
    );
    let verdict = judged(&scenario(), &run);
    assert!(
        verdict.distrust[0]
            .reason
            .to_string()
            .starts_with("only 4 of 10 connections opened")
    );
    assert_eq!(verdict.warnings, [], "it is said once");
    run.add(Counter::ConnectionsDead, 1);
    assert_eq!(
        outcome(&scenario(), &run),
        (Exit::Failed, vec![]),
        "a failure stands"
    );
}

/// The scenario with clients that are back after 10 ms.
fn reconnecting() -> Scenario {
    let mut scenario = scenario();
    scenario.cohorts[0].reconnect = Reconnect::Backoff {
        initial: Duration::from_millis(10),
        max: Duration::from_millis(10),
        jitter: Jitter::None,
        retry_after: false,
    };
    scenario
}

/// The same ten clients lost 25 connections and were back at once: only what they missed counts.
#[test]
fn clients_that_come_back_are_missed_only_in_between() {
    let again = reconnecting();
    let lost = |offline: u64| {
        let mut run = Run::healthy();
        run.opened(20)
            .add(Counter::ConnectionsReconnected, 20)
            .add(Counter::ConnectionsLost, 25)
            .add(Counter::MessagesDue, offline)
            .add(Counter::MessagesOffline, offline);
        run
    };
    assert_eq!(outcome(&again, &lost(2)), (Exit::Passed, vec![]));
    assert_eq!(outcome(&again, &lost(100_000)), (Exit::Passed, vec![]));
    let verdict = judged(&again, &lost(100_001));
    assert_eq!(verdict.exit, Exit::Untrusted);
    assert_eq!(
        verdict.distrust[0].reason.to_string(),
        "25 of 30 connections were lost too early, and with them 100,001 of 200,001 messages due: \
         most of the load was not there"
    );
    assert_eq!(
        outcome(&scenario(), &lost(2)).1,
        ["connections_lost"],
        "clients that do not reconnect stay away"
    );
}

/// Nobody is advised to write the gate that is there, and has failed.
#[test]
fn the_gate_that_is_there_is_not_advised() {
    let mut gated = scenario();
    gated.gates.pass = vec![gate(Stat::Count, "messages.sent", Op::Greater, 0.0)];
    let hint = |scenario: &Scenario, closed: u64, lost: u64| {
        let mut run = Run::healthy();
        run.add(Counter::ConnectionsLost, lost)
            .cause(Cause::StepFailed, closed);
        let mut found = found(scenario, &run).into_iter();
        let lost = found.find(|one| one.kind() == "connections_lost");
        lost.and_then(|lost| lost.hint()).unwrap()
    };
    assert!(hint(&gated, 0, 10).contains("count(connections.lost) == 0"));
    assert!(hint(&gated, 10, 0).contains("count(errors.step_failed) == 0"));
    let none_lost = gate(Stat::Count, "connections.lost", Op::Equal, 0.0);
    gated.gates.pass.push(none_lost);
    let see = "see connections.csv for when and why each of them ended";
    assert_eq!(hint(&gated, 0, 10), see);
    assert!(hint(&gated, 10, 0).contains("count(errors.step_failed) == 0"));
    let none_failed = gate(Stat::Count, "errors.step_failed", Op::Equal, 0.0);
    gated.gates.pass.push(none_failed);
    assert_eq!(hint(&gated, 10, 0), see);
}

/// Without messages on a schedule, the time that connections were open tells how much was missing.
#[test]
fn listeners_that_come_back_are_missed_while_they_are_not_open() {
    let mut again = reconnecting();
    again.cohorts[0].messages.clear();
    let exit = |open: Option<f64>| {
        let mut run = Run::new();
        run.opened(30)
            .add(Counter::ConnectionsReconnected, 20)
            .add(Counter::ConnectionsLost, 25)
            .add(Counter::PingsSent, 100)
            .add(Counter::PongsReceived, 100);
        judge(&again, &with_open(&run, open), &Facts::completed(1)).exit
    };
    assert_eq!(exit(None), Exit::Passed, "it is not known");
    assert_eq!(exit(Some(9.0)), Exit::Passed);
    assert_eq!(exit(Some(4.0)), Exit::Untrusted);
}

/// Steps are due only on an open connection, so none is missed by its number.
#[test]
fn clients_that_play_steps_are_missed_while_they_are_not_open() {
    let exit = |verb: Verb, open: f64| {
        let mut again = reconnecting();
        again.cohorts[0].messages.clear();
        again.cohorts[0].steps = vec![step(send(Expect::Stamp)), step(verb)];
        let mut run = Run::new();
        run.opened(30)
            .add(Counter::ConnectionsReconnected, 20)
            .add(Counter::ConnectionsLost, 25)
            .add(Counter::MessagesDue, 100)
            .sent(100)
            .add(Counter::MessagesAnswered, 100);
        judge(&again, &with_open(&run, Some(open)), &Facts::completed(1)).exit
    };
    let pause = Verb::Pause(Pause::Constant(Duration::from_secs(1)));
    assert_eq!(exit(pause.clone(), 9.0), Exit::Passed);
    assert_eq!(exit(pause, 4.0), Exit::Untrusted);
    let close = Verb::Close {
        code: 1000,
        reason: String::new(),
    };
    assert_eq!(exit(close, 4.0), Exit::Passed, "that is the plan");
}

/// The numbers of a run with so many connections open in the measured time, if that is known.
pub(super) fn with_open(run: &Run, open: Option<f64>) -> Summary {
    let mut summary = run.summary();
    summary.states = Vec::from_iter(open.map(|open| States {
        cohort: Some(0),
        phase: Phase::Measure,
        connecting: GaugeStats::of(0.0),
        open: GaugeStats::of(open),
        ready: GaugeStats::of(open),
        closing: GaugeStats::of(0.0),
    }));
    summary
}

/// Whether the server or a failed step ended them, together or alone.
#[test]
fn clients_that_are_gone_only_behind_the_measured_time_are_not_missed() {
    for (lost, closed) in [(6, 0), (0, 6), (3, 3)] {
        let exit = |open: Option<f64>| {
            let mut run = Run::healthy();
            run.add(Counter::ConnectionsLost, lost)
                .cause(Cause::StepFailed, closed);
            judge(&scenario(), &with_open(&run, open), &Facts::completed(1)).exit
        };
        assert_eq!(exit(None), Exit::Untrusted, "it is not known");
        assert_eq!(exit(Some(10.0)), Exit::Passed);
        assert_eq!(exit(Some(5.0)), Exit::Passed, "half of them are there");
        assert_eq!(exit(Some(4.0)), Exit::Untrusted);
    }
}

/// Ten clients that echo, and whose server closed one of them, beside ten that answer no ping, and got no answer.
#[test]
fn what_is_said_of_missing_answers_is_of_the_clients_that_were_asked() {
    let mut scenario = scenario();
    let mut mute = scenario.cohorts[0].clone();
    mute.name = "mute".to_owned();
    mute.faults = vec![Fault {
        kind: FaultKind::NoPong,
        after: Duration::ZERO,
    }];
    mute.contract = Some(Contract {
        from: Origin::Open,
        preset: None,
        promises: vec![PromiseKind::Closed.of(0)],
    });
    scenario.cohorts.push(mute);
    let mut healthy = Run::healthy();
    (healthy.add(Counter::MessagesReceived, 1_000)).cause(Cause::ClosedByPeer, 1);
    let mut bad = Run::new();
    (bad.opened(10).sent(20)).add(Counter::MessagesTimedOut, 20);
    let mut summary = healthy.summary();
    summary.endings.unexpected = vec!["\"welcome\"".to_owned()];
    beside(&mut summary, "mute", bad.summary());
    summary.records.rows = vec![ConnectionRecord {
        cohort: 1,
        ..pinged(1_000, record(0))
    }];
    let said = |summary: &Summary| {
        let verdict = judge(&scenario, summary, &Facts::completed(1));
        let doubts = verdict.distrust.iter();
        let mut doubts = doubts.filter(|doubt| doubt.reason.kind() == "no_answer");
        doubts.next().unwrap().reason.to_string()
    };
    let of_mute = "not one expected answer came to 20 messages of `mute` in the whole run";
    assert_eq!(said(&summary), of_mute);

    // What came to these clients is told, but no quote that may be of others.
    bad.add(Counter::MessagesReceived, 5);
    let mut summary = healthy.summary();
    summary.endings.unexpected = vec!["\"welcome\"".to_owned()];
    beside(&mut summary, "mute", bad.summary());
    summary.records.rows = vec![ConnectionRecord {
        cohort: 1,
        ..pinged(1_000, record(0))
    }];
    assert_eq!(said(&summary), format!("{of_mute}; 5 other messages came"));
}

//! Tests what wsbench's own stops may explain, and what they cannot.

use super::super::super::contract::record;
use super::super::super::fixture::{send, step, wait, with_step};
use super::super::super::lag::Lag;
use super::*;
use crate::measure::Stops;
use crate::scenario::{Lifetime, Shape, Stage};
use crate::units::Timestamp;

/// A stop of 60 ms in ten seconds affects less than 1 % of the samples, and may affect the longest of them.
#[test]
fn a_stop_voids_what_it_may_have_broken() {
    let mut run = Run::new();
    run.opened(10)
        .echoed(99_500, 200_000)
        .echoed(500, 122 * MS)
        .lagged(100_000, 4_000)
        .lagged(60 * MS, 1);
    let limit =
        |stat, ns: u64| closed(gated(timed_gate(stat, "service.echo", Op::Less, ns as f64)));
    let (max, p99_9) = (Stat::Max, Stat::Percentile(99.9));
    assert_eq!(
        outcome(&limit(max, 30 * MS), &run),
        (Exit::Untrusted, vec!["workers_late"])
    );
    assert_eq!(
        outcome(&limit(p99_9, 30 * MS), &run),
        (Exit::Untrusted, vec!["workers_late"])
    );
    assert_eq!(outcome(&limit(max, 90 * MS), &run), (Exit::Passed, vec![]));
    run.echoed(20, 1_000 * MS);
    assert_eq!(
        outcome(&limit(max, 30 * MS), &run),
        (Exit::Failed, vec![]),
        "no stop was so long"
    );
    let median = limit(Stat::Percentile(50.0), 100_000);
    assert_eq!(
        outcome(&median, &run),
        (Exit::Failed, vec![]),
        "it touched too few for that"
    );
}

/// A client that stands still takes no turn and hears nothing: how much it would have done is not known.
#[test]
fn a_stop_takes_turns_answers_awaits_and_pushes_from_steps() {
    let mut run = Run::new();
    run.opened(10)
        .add(Counter::TurnsDue, 40)
        .add(Counter::TurnsBegun, 20)
        .add(Counter::TurnsMissed, 20)
        .add(Counter::MessagesSent, 20)
        .add(Counter::MessagesAnswered, 20)
        .add(Counter::AwaitsBegun, 20)
        .add(Counter::AwaitsMet, 20)
        .add(Counter::PushesReceived, 20);
    let gates = [
        ("messages.answered", Op::GreaterOrEqual, 35.0),
        ("awaits.met", Op::GreaterOrEqual, 35.0),
        ("pushes.received", Op::GreaterOrEqual, 35.0),
        ("turns.begun", Op::GreaterOrEqual, 35.0),
        ("turns.missed", Op::Equal, 0.0),
    ];
    let judged = |run: &Run, (metric, op, value)| {
        let mut scenario = gated(gate(Stat::Count, metric, op, value));
        scenario.cohorts[0].messages = Vec::new();
        scenario.cohorts[0].steps = vec![step(send(Expect::Stamp)), step(wait())];
        outcome(&scenario, run)
    };
    for gate in gates {
        assert_eq!(judged(&run, gate), (Exit::Failed, vec![]), "{}", gate.0);
    }
    run.lagged(5_000 * MS, 1);
    for gate in gates {
        let (exit, why) = judged(&run, gate);
        assert_eq!(
            (exit, why),
            (Exit::Untrusted, vec!["workers_late"]),
            "{}",
            gate.0
        );
    }
}

/// On a schedule, each message is sent late or counted as not sent.
#[test]
fn a_stop_takes_nothing_from_a_schedule_that_was_kept() {
    let rate = gated(gate(Stat::Rate, "messages.echoed", Op::Greater, 10_000.0));
    let mut run = Run::healthy();
    run.lagged(6 * MS, 200);
    assert_eq!(outcome(&rate, &run), (Exit::Failed, vec![]));
    assert_eq!(outcome(&closed(rate.clone()), &run).1, ["workers_late"]);
    run.add(Counter::MessagesTimedOut, 1).lagged(500 * MS, 1);
    assert_eq!(
        outcome(&rate, &run).1,
        ["workers_late"],
        "it may have been one"
    );
}

#[test]
fn a_stop_may_have_let_arrivals_find_no_room() {
    let mut none = gated(gate(Stat::Count, "connections.skipped", Op::Equal, 0.0));
    (none.gates.pass).push(gate(Stat::Count, "connections.opened", Op::Greater, 55.0));
    none.load.shape = Shape::Arrivals {
        rate: crate::units::Rate::per_second(10.0).unwrap(),
        lifetime: Lifetime::Fixed(Duration::from_secs(1)),
        max_open: 10,
        warm_up: Duration::ZERO,
        duration: Duration::from_secs(10),
    };
    let mut run = Run::healthy();
    run.opened(40).add(Counter::ConnectionsSkipped, 20);
    assert_eq!(outcome(&none, &run), (Exit::Failed, vec![]));
    run.lagged(20 * MS, 1);
    assert_eq!(outcome(&none, &run), (Exit::Failed, vec![]), "too short");
    run.lagged(2_500 * MS, 1);
    assert_eq!(
        outcome(&none, &run),
        (Exit::Untrusted, vec!["workers_late"])
    );
}

#[test]
fn a_long_stop_may_have_cost_connections() {
    let none = |metric: &str| gated(gate(Stat::Count, metric, Op::Equal, 0.0));
    let mut run = Run::healthy();
    run.add(Counter::ConnectionsLost, 5);
    run.cause(Cause::ClosedByPeer, 5).lagged(90 * MS, 1);
    assert_eq!(
        outcome(&none("connections.lost"), &run),
        (Exit::Failed, vec![])
    );
    run.lagged(150 * MS, 1);
    assert_eq!(outcome(&none("connections.lost"), &run).1, ["workers_late"]);
    assert_eq!(
        outcome(&none("errors.closed_by_peer"), &run).1,
        ["workers_late"]
    );
    run.cause(Cause::ProtocolError, 1);
    let broken = none("errors.protocol_error");
    assert_eq!(
        outcome(&broken, &run),
        (Exit::Failed, vec![]),
        "no stop does that"
    );
}

#[test]
fn a_stop_in_the_ramp_up_may_have_cost_handshakes() {
    let none = gated(gate(Stat::Count, "connections.failed", Op::Equal, 0.0));
    let mut run = Run::healthy();
    run.failed(Cause::ConnectTimeout, 2);
    assert_eq!(outcome(&none, &run), (Exit::Failed, vec![]));
    run.lagged_early(2_000 * MS, 1);
    assert_eq!(outcome(&none, &run).1, ["workers_late"]);
    let slow = gated(timed_gate(Stat::Max, "service.echo", Op::Less, 100_000.0));
    assert_eq!(
        outcome(&slow, &run),
        (Exit::Failed, vec![]),
        "that was before"
    );
    run.failed(Cause::Refused, 1);
    assert_eq!(
        outcome(&none, &run),
        (Exit::Failed, vec![]),
        "one failed for another reason"
    );
}

#[test]
fn a_stop_does_not_void_a_promise_that_would_be_broken_without_it() {
    let mut scenario = scenario();
    scenario.cohorts[0].contract = Some(Contract {
        from: Origin::Open,
        preset: None,
        promises: vec![PromiseKind::CloseAnsweredWithin.of(Duration::from_millis(200))],
    });
    scenario.gates.pass.clear();
    let mut run = Run::healthy();
    run.lagged(50_000, 9_000).lagged(150 * MS, 1);
    let outcome = |answered_after: u64| {
        let mut record = record(0);
        let sent = record.close_sent_ns.unwrap();
        record.close_received_ns = Some(sent + Nanos::from_millis(answered_after));
        let mut summary = run.summary();
        summary.records.rows.push(record);
        judge(&scenario, &summary, &Facts::completed(1)).exit
    };
    assert_eq!(outcome(100), Exit::Passed);
    assert_eq!(outcome(340), Exit::Untrusted);
    assert_eq!(outcome(900), Exit::Failed);
}

#[test]
fn a_stop_voids_rates_and_deadlines_that_it_may_have_cost() {
    let stopped = |ms: u64| {
        let mut run = Run::healthy();
        run.add(Counter::MessagesTimedOut, 8).lagged(ms * MS, 1);
        run
    };
    let rate = |limit| {
        closed(gated(gate(
            Stat::Rate,
            "messages.echoed",
            Op::Greater,
            limit,
        )))
    };
    assert_eq!(
        outcome(&rate(11_000.0), &stopped(2_000)).1,
        ["workers_late"]
    );
    assert_eq!(
        outcome(&rate(11_000.0), &stopped(20)),
        (Exit::Failed, vec![])
    );
    assert_eq!(
        outcome(&rate(20_000.0), &stopped(2_000)),
        (Exit::Failed, vec![])
    );
    let none = gated(gate(Stat::Count, "messages.timed_out", Op::Equal, 0.0));
    assert_eq!(outcome(&none, &stopped(2_000)).1, ["workers_late"]);
    assert_eq!(outcome(&none, &stopped(20)), (Exit::Failed, vec![]));
    let wrong = gated(gate(Stat::Count, "messages.timed_out", Op::Greater, 9.0));
    assert_eq!(
        outcome(&wrong, &stopped(2_000)),
        (Exit::Failed, vec![]),
        "it makes no fewer"
    );
}

/// A stop sends messages on a schedule late, but leaves out turns of steps.
#[test]
fn a_stop_may_have_cost_steps_that_were_not_due_for_it() {
    let exit = |mut scenario: Scenario, metric: &str| {
        scenario.gates.pass = vec![gate(Stat::Count, metric, Op::Greater, 100.0)];
        let mut run = Run::new();
        run.opened(10)
            .add(Counter::MessagesDue, 95)
            .sent(95)
            .add(Counter::MessagesAnswered, 95)
            .lagged(2_000 * MS, 1);
        judged(&scenario, &run).exit
    };
    for metric in ["messages.due", "messages.sent"] {
        assert_eq!(exit(scenario(), metric), Exit::Failed, "{metric}");
        let steps = with_step(send(Expect::Stamp));
        assert_eq!(exit(steps, metric), Exit::Untrusted, "{metric}");
    }
}

#[test]
fn an_end_before_a_stop_is_not_due_to_it() {
    let lost = gated(gate(Stat::Count, "connections.lost", Op::Equal, 0.0));
    let at = |ms: u64| Timestamp::ORIGIN + Nanos::from_millis(ms);
    let stopped = |ms: u64| {
        let mut run = Run::healthy();
        run.ended(Cause::ClosedByPeer, at(2_000))
            .stopped(at(ms), Nanos::from_millis(200));
        outcome(&lost, &run)
    };
    assert_eq!(stopped(3_000), (Exit::Failed, vec![]));
    assert_eq!(stopped(1_500), (Exit::Untrusted, vec!["workers_late"]));
}

/// Half of the second stage is lost, a tenth of the whole.
#[test]
fn the_share_of_a_stop_is_that_of_the_stage() {
    let second = Duration::from_secs(1);
    let stage = |seconds: u32| Stage {
        duration: seconds * second,
        connections: 10,
    };
    let mut scenario = closed(scenario());
    scenario.load.shape = Shape::Stages(vec![stage(2), stage(2), stage(6)]);
    let mut run = Run::healthy();
    let at = |ms: u64| Timestamp::ORIGIN + Nanos::from_millis(ms);
    run.stopped(at(2_500), Nanos::from_secs(1));
    let mut summary = run.summary();
    summary.measured_from = Some(Timestamp::ORIGIN);
    let (view, facts) = (View::new(&scenario, &summary), Facts::completed(1));
    let share = |stage| Lag::of_stage(&scenario, &view, &facts, stage).share();
    let close = |share: f64, to: f64| (share - to).abs() < 0.01;
    assert!(close(Lag::measured(&view, &facts).share(), 0.1));
    assert!(close(share(1), 0.0), "{}", share(1));
    assert!(close(share(2), 0.5), "{}", share(2));
    assert!(close(share(3), 0.0), "{}", share(3));
    let longest = |stage| Lag::of_stage(&scenario, &view, &facts, stage).longest_ns();
    assert_eq!(longest(2), 1_000_000_000);
    assert!(longest(3) <= Stops::LEAST.0, "{}", longest(3));
}

#[test]
fn a_stop_over_the_end_of_a_stage_touches_both() {
    let stage = Stage {
        duration: Duration::from_secs(2),
        connections: 10,
    };
    let mut scenario = closed(scenario());
    scenario.load.shape = Shape::Stages(vec![stage, stage]);
    let mut run = Run::healthy();
    let from = Timestamp::ORIGIN + Nanos::from_millis(1_900);
    run.stopped(from, Nanos::from_millis(200));
    let mut summary = run.summary();
    summary.measured_from = Some(Timestamp::ORIGIN);
    let (view, facts) = (View::new(&scenario, &summary), Facts::completed(1));
    for stage in [1, 2] {
        let touched = Lag::of_stage(&scenario, &view, &facts, stage).touched(150e6, 0.0);
        assert!(touched > 0.0, "stage {stage}");
    }
}

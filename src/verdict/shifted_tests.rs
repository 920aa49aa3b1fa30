//! Tests what lost answers without a stamp may have done to each kind of value.

use std::time::Duration;

use super::super::contract::record;
use super::super::fixture::{Run, gate, scenario, selector, timed_gate};
use super::super::judge::judge;
use super::super::{Exit, Facts};
use super::*;
use crate::scenario::{Contract, Op, Origin, Payload, PingKind, PromiseKind};

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
        "1 message timed out, and the answers carry no stamp: later answers were taken for those of earlier messages, \
         so that times are too long, and rates too low where `in_flight` limits them; 1,000 answers were not timed"
    );
    assert_eq!(judged(0).exit, Exit::Failed, "nothing was asked");
}

/// Of 2,000 echoes 1,000 gave no sample, because they might have answered another message.
#[test]
fn counts_of_times_lack_what_was_not_timed() {
    let judged = |scenario: &Scenario, gate: Gate| {
        let mut scenario = scenario.clone();
        scenario.gates.pass = vec![gate];
        let mut run = Run::new();
        run.opened(10)
            .echoed(1_000, 1_000_000)
            .sent(1_001)
            .add(Counter::MessagesEchoed, 1_000)
            .add(Counter::MessagesUncertain, 1_000)
            .add(Counter::MessagesTimedOut, 1);
        judge(&scenario, &run.summary(), &Facts::completed(2)).exit
    };
    let at_least = |stat, metric: &str, limit: f64| gate(stat, metric, Op::GreaterOrEqual, limit);
    for metric in ["latency.echo", "service.echo"] {
        let count = |limit| at_least(Stat::Count, metric, limit);
        assert_eq!(judged(&unstamped(None), count(900.0)), Exit::Passed);
        assert_eq!(judged(&unstamped(None), count(1_900.0)), Exit::Untrusted);
        assert_eq!(judged(&waiting(1), count(1_900.0)), Exit::Untrusted);
        assert_eq!(judged(&unstamped(None), count(2_100.0)), Exit::Failed);
        assert_eq!(judged(&scenario(), count(1_900.0)), Exit::Failed);
        let seconds = 10.0;
        let rate = |limit| at_least(Stat::Rate, metric, limit / seconds);
        assert_eq!(judged(&unstamped(None), rate(1_900.0)), Exit::Untrusted);
        let below = gate(Stat::Count, metric, Op::Less, 1_500.0);
        assert_eq!(judged(&unstamped(None), below), Exit::Untrusted);
    }
}

/// Lets the clients of a cohort ping once a second in this way.
fn texts(cohort: &mut Cohort, kind: PingKind, timeout: u64) {
    let pings = cohort.heartbeat.as_mut().unwrap().pings.as_mut().unwrap();
    (pings.kind, pings.interval) = (kind, Duration::from_secs(1));
    pings.watch.as_mut().unwrap().timeout = Duration::from_secs(timeout);
}

#[test]
fn pings_whose_answers_name_none_are_shifted_too() {
    let text = || PingKind::texts("ping", "pong");
    let judged = |kind: PingKind, timeout: u64, gate: Gate| {
        let mut scenario = scenario();
        texts(&mut scenario.cohorts[0], kind, timeout);
        scenario.gates.pass = vec![gate];
        let mut run = Run::healthy();
        run.timed(Timer::HeartbeatRtt, 900_000_000, 50)
            .add(Counter::PingsMissed, 1)
            .add(Counter::PongsUncertain, 40);
        judge(&scenario, &run.summary(), &Facts::completed(2))
    };
    let longest = || timed_gate(Stat::Max, "heartbeat.rtt", Op::Less, 500.0 * MS);
    let verdict = judged(text(), 2, longest());
    assert_eq!(verdict.exit, Exit::Untrusted);
    assert!(
        verdict.distrust[0]
            .reason
            .to_string()
            .starts_with("1 text ping ")
    );
    // One at a time is none that shifts others, and a pong frame names its ping.
    assert_eq!(judged(text(), 1, longest()).exit, Exit::Failed);
    assert_eq!(judged(PingKind::Frames, 2, longest()).exit, Exit::Failed);

    let seen = Run::healthy().summary().histogram("heartbeat.rtt");
    let seen = seen.map_or(0, |times| times.count()) as f64 + 50.0;
    let count = |more: f64| gate(Stat::Count, "heartbeat.rtt", Op::Greater, seen + more);
    assert_eq!(judged(text(), 1, count(30.0)).exit, Exit::Untrusted);
    assert_eq!(judged(text(), 1, count(50.0)).exit, Exit::Failed);
    assert_eq!(judged(PingKind::Frames, 1, count(30.0)).exit, Exit::Failed);
}

/// Ten lost answers left each connection one place of four: 500 of 510 messages were answered, but up to 2,030 of 2,040
/// could have been.
#[test]
fn ratios_of_messages_that_were_too_few_are_in_doubt() {
    let judged = |scenario: &Scenario, above: &str, op, limit: f64| {
        let ratio = Gate {
            subject: Subject::Ratio(selector(above), selector("messages.sent")),
            op,
            value: limit,
            text: format!("ratio({above} / messages.sent) {limit}"),
        };
        let mut scenario = scenario.clone();
        scenario.gates.pass = vec![ratio];
        let mut run = Run::new();
        run.opened(10)
            .echoed(500, 1_000_000)
            .sent(10)
            .add(Counter::MessagesTimedOut, 10);
        judge(&scenario, &run.summary(), &Facts::completed(2)).exit
    };
    let missing =
        |scenario: &Scenario, limit| judged(scenario, "messages.timed_out", Op::Less, limit);
    assert_eq!(missing(&waiting(4), 0.01), Exit::Untrusted);
    assert_eq!(missing(&waiting(4), 0.004), Exit::Failed);
    assert_eq!(missing(&waiting(4), 0.03), Exit::Passed);
    assert_eq!(missing(&waiting(1), 0.01), Exit::Failed);
    assert_eq!(missing(&unstamped(None), 0.01), Exit::Failed);
    let answered = |limit| judged(&waiting(4), "messages.echoed", Op::Greater, limit);
    assert_eq!(answered(0.99), Exit::Untrusted);
    assert_eq!(answered(0.999), Exit::Failed);
}

/// Judges a run in which 1 % of the answers took 60 ms and the others 1 ms, and this many came too many.
fn with_surplus(scenario: &Scenario, surplus: u64, gate: Gate) -> (Exit, Vec<&'static str>) {
    let mut scenario = scenario.clone();
    scenario.gates.pass = vec![gate];
    let mut run = Run::healthy();
    run.echoed(1_100, 60_000_000)
        .add(Counter::MessagesDue, 1_100)
        .add(Counter::MessagesDuplicated, surplus);
    let verdict = judge(&scenario, &run.summary(), &Facts::completed(2));
    let kinds = verdict.distrust.iter().map(|doubt| doubt.reason.kind());
    (verdict.exit, kinds.collect())
}

#[test]
fn an_answer_too_many_voids_an_upper_limit_that_held() {
    let shifted = (Exit::Untrusted, vec!["answers_shifted"]);
    let (failed, passed) = ((Exit::Failed, vec![]), (Exit::Passed, vec![]));
    let upper = |ms| p(50.0, Op::Less, ms);
    for in_flight in [None, Some(1), Some(4)] {
        let unstamped = unstamped(in_flight);
        assert_eq!(with_surplus(&unstamped, 1, upper(20.0)), shifted);
        assert_eq!(with_surplus(&unstamped, 0, upper(20.0)), passed);
        assert_eq!(
            with_surplus(&unstamped, 1, upper(0.5)),
            failed,
            "too long even so"
        );
    }
    assert_eq!(
        with_surplus(&scenario(), 1, upper(20.0)),
        passed,
        "a stamp names each"
    );
    let lower = |ms| p(50.0, Op::Greater, ms);
    assert_eq!(with_surplus(&unstamped(None), 1, lower(5.0)), shifted);
    assert_eq!(with_surplus(&unstamped(None), 1, lower(0.5)), passed);
    let mean = timed_gate(Stat::Mean, "service.echo", Op::Less, 20.0 * MS);
    assert_eq!(with_surplus(&unstamped(None), 1, mean), shifted);
}

#[test]
fn an_answer_too_many_makes_the_closed_model_faster() {
    let rate = |limit| gate(Stat::Rate, "messages.echoed", Op::Greater, limit);
    let shifted = (Exit::Untrusted, vec!["answers_shifted"]);
    assert_eq!(with_surplus(&waiting(1), 1, rate(1_000.0)), shifted);
    assert_eq!(with_surplus(&waiting(1), 0, rate(1_000.0)).0, Exit::Passed);
    let open = with_surplus(&unstamped(None), 1, rate(1_000.0));
    assert_eq!(open.0, Exit::Passed, "a schedule does not wait");
}

/// A stream stays shifted to the end of its connection: a tenth of the answers for each lost one.
#[test]
fn a_lost_answer_on_a_schedule_shifts_all_that_follow() {
    let judged = |lost: u64| {
        let mut scenario = unstamped(None);
        scenario.gates.pass = vec![p(50.0, Op::Less, 20.0)];
        let mut run = Run::new();
        run.opened(10)
            .echoed(450, 1_000_000)
            .echoed(550, 60_000_000)
            .sent(lost)
            .add(Counter::MessagesTimedOut, lost);
        judge(&scenario, &run.summary(), &Facts::completed(2)).exit
    };
    assert_eq!(judged(1), Exit::Untrusted);
    assert_eq!(judged(0), Exit::Failed);
}

#[test]
fn both_directions_are_told() {
    let mut scenario = unstamped(None);
    scenario.gates.pass = vec![p(50.0, Op::Less, 20.0)];
    let mut run = Run::healthy();
    run.sent(1)
        .add(Counter::MessagesDuplicated, 2)
        .add(Counter::MessagesTimedOut, 1);
    let verdict = judge(&scenario, &run.summary(), &Facts::completed(2));
    assert_eq!(
        verdict.distrust[0].reason.to_string(),
        "1 message timed out, 2 answers came that no message waited for, and the answers carry no stamp: \
         later answers were taken for those of earlier messages, so that times are too long, \
         and rates too low where `in_flight` limits them; \
         others like them may have been taken for the answers to messages sent just before, so that times are too \
         short, and rates too high where `in_flight` limits them"
    );
}

/// One pong in fifty thousand pings was lost, but each later one of its connection is late by an interval.
#[test]
fn a_promise_of_pongs_is_in_doubt_where_answers_name_no_ping() {
    let judged = |kind: PingKind, late: u64, add: &[(Counter, u64)]| {
        let mut scenario = scenario();
        scenario.gates.pass.clear();
        let cohort = &mut scenario.cohorts[0];
        cohort.contract = Some(Contract {
            from: Origin::Open,
            preset: None,
            promises: vec![PromiseKind::PongWithin.of(Duration::from_millis(100))],
        });
        texts(cohort, kind, 2);
        let mut run = Run::healthy();
        run.timed(Timer::HeartbeatDelay, 1_000_000, 1_000 - late)
            .timed(Timer::HeartbeatDelay, 200_000_000, late);
        for (counter, count) in add {
            run.add(*counter, *count);
        }
        let mut summary = run.summary();
        summary.records.rows = vec![record(0)];
        let verdict = judge(&scenario, &summary, &Facts::completed(2));
        let kinds = verdict.distrust.iter().map(|doubt| doubt.reason.kind());
        (verdict.exit, kinds.collect::<Vec<_>>())
    };
    let text = || PingKind::texts("ping", "pong");
    let shifted = (Exit::Untrusted, vec!["answers_shifted"]);
    let (failed, passed) = ((Exit::Failed, vec![]), (Exit::Passed, vec![]));
    let lost = [(Counter::PingsMissed, 1)];
    assert_eq!(judged(text(), 20, &lost), shifted);
    assert_eq!(judged(text(), 20, &[]), failed, "all pongs came");
    assert_eq!(
        judged(text(), 200, &lost),
        failed,
        "more than a lost one explains"
    );
    assert_eq!(judged(PingKind::Frames, 20, &lost), failed);
    let surplus = [(Counter::PongsUnsolicited, 1)];
    assert_eq!(judged(text(), 0, &surplus), shifted);
    assert_eq!(judged(text(), 0, &[]), passed);
    assert_eq!(judged(PingKind::Frames, 0, &surplus), passed);
}

#[test]
fn gates_on_the_delay_of_pongs_are_in_doubt_like_those_on_their_round_trip() {
    for timer in [Timer::HeartbeatRtt, Timer::HeartbeatDelay] {
        let mut scenario = scenario();
        texts(&mut scenario.cohorts[0], PingKind::texts("ping", "pong"), 2);
        let p90 = Stat::Percentile(90.0);
        scenario.gates.pass = vec![timed_gate(p90, timer.name(), Op::Less, 50.0 * MS)];
        let mut run = Run::healthy();
        run.timed(timer, 1_000_000, 600)
            .timed(timer, 200_000_000, 400)
            .add(Counter::PingsMissed, 5);
        let judged = |run: &Run| judge(&scenario, &run.summary(), &Facts::completed(2)).exit;
        assert_eq!(judged(&run), Exit::Untrusted, "{timer:?}");
        let mut slow = Run::healthy();
        slow.timed(timer, 1_000_000, 300)
            .timed(timer, 200_000_000, 700)
            .add(Counter::PingsMissed, 5);
        assert_eq!(judged(&slow), Exit::Failed, "{timer:?}");
    }
}

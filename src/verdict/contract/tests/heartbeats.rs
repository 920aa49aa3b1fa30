//! Tests `pings_between`, `max_ping_sync`, `pong_within`, `detected_between` and `recovers_within`.

use super::super::super::fixture::Run;
use super::super::fixture::*;
use super::super::judge::judge;
use super::super::result::ContractResult;
use crate::measure::{ConnectionRecord, EndedBy, IncidentKind, Surroundings};
use crate::metric::{Cause, Counter, Timer};
use crate::scenario::{Origin, PromiseKind};
use crate::units::after;
use crate::verdict::Facts;

/// A connection opened at `opened` milliseconds that received pings at `pings` milliseconds.
fn heard(connection: u32, opened: u64, pings: impl IntoIterator<Item = u64>) -> ConnectionRecord {
    let pings_ns: Vec<_> = pings.into_iter().map(|ms| after(ms * MS)).collect();
    let last = pings_ns
        .last()
        .copied()
        .unwrap_or_else(|| after(opened * MS));
    ConnectionRecord {
        opened_ns: after(opened * MS),
        close_sent_ns: Some(last + 500 * MS),
        pings_ns,
        ..record(connection)
    }
}

#[test]
fn gaps_between_pings_lie_in_the_window() {
    let promise = || PromiseKind::PingsBetween.of(between(900, 1_100));
    let judged = |records| verdict(Origin::Open, promise(), records);
    let result = judged(vec![heard(0, 0, [500, 1_400, 2_500])]);
    assert!(result.passed, "{}", result.why);
    assert_eq!(result.n, 2, "gaps are counted");
    assert!(!judged(vec![heard(0, 0, [500, 1_399])]).passed);
    assert!(!judged(vec![heard(0, 0, [500, 1_601])]).passed);

    let stopped = ConnectionRecord {
        close_sent_ns: Some(after(9_000 * MS)),
        ..heard(0, 0, [500, 1_500])
    };
    let result = judged(vec![stopped, heard(1, 0, [500, 1_500])]);
    assert!(!result.passed);
    assert_eq!(
        result.why,
        "1 of 2 got no ping for longer than 1.1 s, one for 7.50 s"
    );
    let unpinged = judged(vec![silent(0)]);
    assert!(!unpinged.passed, "{}", unpinged.why);
    let short = judged(vec![heard(0, 0, [500])]);
    assert_eq!(short.why, "no connection got two pings");
}

fn sync(most: f64, records: Vec<ConnectionRecord>) -> ContractResult {
    verdict(Origin::Open, PromiseKind::MaxPingSync.of(most), records)
}

/// 40 connections, opened evenly over two seconds.
fn spread(pings: impl Fn(u64) -> Vec<u64>) -> Vec<ConnectionRecord> {
    (0..40)
        .map(|place| heard(place, u64::from(place) * 50, pings(u64::from(place) * 50)))
        .collect()
}

#[test]
fn one_tick_for_all_is_in_step_however_they_opened() {
    let global = |opened: u64| {
        let ticks = (1..10).map(|tick| tick * 2_000);
        ticks.filter(|tick| *tick > opened).collect()
    };
    let result = sync(0.3, spread(global));
    assert!(!result.passed);
    assert!(
        result
            .why
            .starts_with("1.00 over 40 connections, one ping every 2.00 s")
    );

    let first_at_once = |opened: u64| {
        let mut pings = global(opened);
        pings.insert(0, opened + 1);
        pings
    };
    let result = sync(0.3, spread(first_at_once));
    assert!(!result.passed, "a first ping hides nothing: {}", result.why);

    let drifting = |opened: u64| {
        let ticks = (1..30).map(|tick| tick * 2_000 + tick * tick * 2);
        ticks.filter(|tick| *tick > opened).collect()
    };
    let result = sync(0.3, spread(drifting));
    assert!(
        !result.passed,
        "nor does a clock that drifts: {}",
        result.why
    );
}

#[test]
fn a_timer_for_each_is_spread_as_they_opened() {
    let own = |opened: u64| (1..10).map(|tick| opened + tick * 2_000).collect();
    let result = sync(0.3, spread(own));
    assert!(result.passed, "{}", result.why);

    let twice = |opened: u64| vec![opened + 2_000, opened + 4_000];
    let result = sync(0.1, spread(twice));
    assert!(result.passed, "two pings are enough: {}", result.why);
    let place = |place: u32| u64::from(place) * 75;
    let longer = (0..40).map(|at| heard(at, place(at), own(place(at))));
    let result = sync(0.3, longer.collect());
    assert!(result.passed, "one and a half intervals: {}", result.why);

    let together = (0..40).map(|place| heard(place, 100, own(100))).collect();
    let result = sync(0.3, together);
    assert!(!result.passed);
    assert!(
        (result.why).contains("the connections themselves opened in step (1.00): spread `ramp_up`"),
        "{}",
        result.why
    );
}

#[test]
fn a_few_pings_are_too_few() {
    let few = spread(|opened| vec![opened + 10, opened + 2_010]);
    let result = sync(1.0, few[..9].to_vec());
    assert!(!result.passed);
    assert_eq!(
        result.why,
        "too few pings: 9 of 9 with two pings or more, and 10 are wanted"
    );
}

#[test]
fn pongs_come_in_time() {
    let judged = |run: &mut Run| {
        let promise = PromiseKind::PongWithin.of(ms(2));
        let scenario = scenario(contract(Origin::Open, vec![promise]));
        let summary = with_records(run.summary(), vec![record(0)]);
        judge(&scenario, &summary, &Surroundings::default()).remove(0)
    };
    let mut run = Run::healthy();
    assert_eq!(
        judged(&mut run).why,
        "no ping of ours was answered or missed"
    );
    run.timed(Timer::HeartbeatDelay, 1_000_000, 990);
    run.timed(Timer::HeartbeatDelay, 9_000_000, 5);
    let result = judged(&mut run);
    assert!(result.passed, "{}", result.why);
    assert_eq!(result.times.unwrap().n, 995);

    run.add(Counter::PingsMissed, 5);
    let result = judged(&mut run);
    assert!(result.passed, "{}", result.why);
    assert_eq!(result.why, "5 of 1,000 pings were never answered");

    run.add(Counter::PingsMissed, 1);
    assert!(!judged(&mut run).passed, "one more than 1 %");

    let mut late = Run::healthy();
    late.timed(Timer::HeartbeatDelay, 1_000_000, 980);
    late.timed(Timer::HeartbeatDelay, 9_000_000, 20);
    let result = judged(&mut late);
    assert!(!result.passed);
    assert_eq!(
        result.why,
        "more than 1 % of the pongs came later than 2 ms"
    );
}

#[test]
fn a_late_generator_neither_hides_a_late_server_nor_convicts_one() {
    let sent_late = |from_due: u64, from_sent: u64| {
        let mut run = Run::healthy();
        run.timed(Timer::HeartbeatDelay, (from_due * MS).0, 100);
        run.timed(Timer::HeartbeatRtt, (from_sent * MS).0, 100);
        let promise = PromiseKind::PongWithin.of(ms(20));
        let scenario = scenario(contract(Origin::Open, vec![promise]));
        let summary = with_records(run.summary(), vec![record(0)]);
        let verdict = crate::verdict::judge(&scenario, &summary, &Facts::completed(1));
        let doubts = verdict.distrust.iter();
        let doubts: Vec<_> = doubts.map(|doubt| doubt.reason.kind()).collect();
        (verdict.contracts[0].passed, doubts)
    };
    assert_eq!(sent_late(10, 10), (true, vec![]));
    assert_eq!(sent_late(30, 10), (false, vec!["pings_late"]));
    assert_eq!(sent_late(60, 30), (false, vec![]));
}

fn stalled() -> Surroundings {
    Surroundings {
        incidents: vec![incident(IncidentKind::Sigstop, 5_000, Some(8_000))],
        ..Surroundings::default()
    }
}

#[test]
fn a_silent_server_is_noticed_in_the_window() {
    let dead = |at: u64, cause| ConnectionRecord {
        dead_ns: Some(after(at * MS)),
        dead_as: Some(cause),
        ended_by: EndedBy::Heartbeat,
        ..silent(0)
    };
    let judged = |records| {
        let promise = PromiseKind::DetectedBetween.of(between(1_000, 2_000));
        around(Origin::Fault, promise, records, &stalled())
    };
    let kept = judged(vec![
        dead(6_000, Cause::PeerFrozen),
        dead(7_000, Cause::PathDead),
        dead(6_500, Cause::PeerFrozen),
    ]);
    assert!(kept.passed, "{}", kept.why);
    assert_eq!(kept.why, "2 peer_frozen, 1 path_dead");
    assert!(!judged(vec![dead(5_999, Cause::PeerFrozen)]).passed);
    assert!(!judged(vec![dead(7_001, Cause::PeerFrozen)]).passed);
    assert!(!judged(vec![silent(0)]).passed);
}

#[test]
fn pongs_come_again_after_the_fault() {
    let judged = |records| {
        let promise = PromiseKind::RecoversWithin.of(ms(500));
        around(Origin::Fault, promise, records, &stalled())
    };
    let resumed = |at: u64| ConnectionRecord {
        resumed_ns: vec![after(at * MS)],
        ..record(0)
    };
    assert!(judged(vec![resumed(8_500), record(1)]).passed);
    assert!(!judged(vec![resumed(8_501)]).passed);
    let missed_none = judged(vec![record(0)]);
    assert!(!missed_none.passed, "nobody had to recover");

    let dead = ConnectionRecord {
        dead_ns: Some(after(6_000 * MS)),
        ended_by: EndedBy::Heartbeat,
        ended_ns: after(6_000 * MS),
        ..silent(0)
    };
    let lost = judged(vec![
        dead.clone(),
        record(1),
        ConnectionRecord {
            ended_ns: after(70_000 * MS),
            ..record(0)
        },
    ]);
    assert!(!lost.passed);
    assert_eq!(lost.why, "1 of 1 never heard from again");
    let back = ConnectionRecord {
        opened_ns: after(8_100 * MS),
        lost_before_ns: Some(after(6_000 * MS)),
        first_answer_ns: Some(after(8_300 * MS)),
        ..record(0)
    };
    let result = judged(vec![dead, back]);
    assert!(result.passed, "{}", result.why);
    assert_eq!(result.times.unwrap().max_ns, 300 * MS);
}

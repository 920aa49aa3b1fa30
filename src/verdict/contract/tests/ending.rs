//! Tests `closed`, `alive_for`, `closed_between`, `code`, `ends_with` and `tcp_end_between`.

use std::time::Duration;

use super::super::fixture::*;
use super::super::judge::judge;
use crate::measure::{ConnectionRecord, EndedBy, Incident, IncidentKind, Surroundings, TcpEnding};
use crate::scenario::{
    Activity, End, Fault, FaultKind, Origin, Promise, PromiseKind, Servers, TargetUrl, WsUrl,
};
use crate::units::{Nanos, after};

/// 200 connections, each pinged at 1 s and closed `after` milliseconds later.
fn closed_after(after: impl Fn(u32) -> u64) -> Vec<ConnectionRecord> {
    (0..200)
        .map(|place| pinged(1_000, closed(place, 1_000 + after(place), 1011)))
        .collect()
}

fn closed_between() -> Promise {
    PromiseKind::ClosedBetween.of(between(20_000, 40_000))
}

#[test]
fn a_window_is_closed_on_both_sides() {
    let kept = closed_after(|place| 20_000 + u64::from(place) * 20_000 / 199);
    let result = verdict(Origin::Ping, closed_between(), kept);
    assert!(result.passed, "{}", result.why);
    assert_eq!((result.n, result.why.as_str()), (200, ""));
    let times = result.times.unwrap();
    assert_eq!((times.min_ns, times.max_ns), (20_000 * MS, 40_000 * MS));

    let early = closed_after(|place| {
        if place < 3 {
            19_999 - u64::from(place)
        } else {
            30_000
        }
    });
    let result = verdict(Origin::Ping, closed_between(), early);
    assert!(!result.passed);
    assert_eq!(
        result.why,
        "3 of 200 sooner than 20 s, the first after 20.0 s"
    );

    let late = closed_after(|place| if place == 7 { 40_001 } else { 30_000 });
    let result = verdict(Origin::Ping, closed_between(), late);
    assert!(!result.passed);
    assert!(
        result
            .why
            .starts_with("1 of 200 later than 40 s, the last after 40.0 s")
    );
}

#[test]
fn who_is_not_closed_by_the_end_fails() {
    let mut records = closed_after(|_| 30_000);
    for record in &mut records[..7] {
        *record = pinged(1_000, silent(record.connection));
    }
    let result = verdict(Origin::Ping, closed_between(), records.clone());
    assert!(!result.passed);
    assert_eq!(
        result.why,
        "7 of 200 not seen by 40 s, watched for 59.0 s or longer"
    );
    for record in &mut records[..7] {
        record.close_sent_ns = Some(after(13_000 * MS));
    }
    let result = verdict(Origin::Ping, closed_between(), records);
    assert_eq!(
        result.why,
        "7 of 200 undecided when they ended, some after 12.0 s only"
    );
    assert_eq!(result.times.unwrap().n, 193);
}

#[test]
fn an_origin_that_never_came_is_said() {
    let records = vec![
        silent(0),
        closed(1, 30_000, 1011),
        pinged(1_000, closed(2, 30_000, 1011)),
    ];
    let result = verdict(Origin::Ping, closed_between(), records);
    assert!(!result.passed);
    assert_eq!(
        result.why,
        "1 of 3 before any unanswered ping; 1 of 3 got no ping to leave unanswered"
    );
    let none = verdict(Origin::Open, closed_between(), Vec::new());
    assert!(!none.passed);
    assert_eq!(none.why, "no connection of this cohort opened");
}

#[test]
fn a_reconnect_cut_short_by_the_end_says_nothing() {
    let again = |record: ConnectionRecord, opened: u64| ConnectionRecord {
        opened_ns: after(opened * MS),
        lost_before_ns: Some(after((opened - 10) * MS)),
        ..record
    };
    let mut records = vec![
        pinged(1_000, closed(0, 31_000, 1011)),
        pinged(32_000, again(silent(0), 31_500)),
        again(silent(1), 59_000),
    ];
    let result = verdict(Origin::Ping, closed_between(), records.clone());
    assert!(result.passed, "{}", result.why);
    assert_eq!(result.n, 1);
    records[1].unanswered_ping_ns = Some(after(15_000 * MS));
    let result = verdict(Origin::Ping, closed_between(), records);
    assert!(!result.passed, "45 s were enough to see it");
}

#[test]
fn times_count_from_where_the_contract_says() {
    let record = ConnectionRecord {
        fault_ns: Some(after(5_000 * MS)),
        last_sent_ns: Some(after(6_000 * MS)),
        close_sent_ns: Some(after(7_000 * MS)),
        ..pinged(8_000, closed(0, 10_000, 1011))
    };
    for (from, seconds) in [
        (Origin::Open, 9_900),
        (Origin::Fault, 5_000),
        (Origin::LastByte, 4_000),
        (Origin::Close, 3_000),
        (Origin::Ping, 2_000),
    ] {
        let promise = PromiseKind::ClosedBetween.of(between(seconds, seconds));
        let result = verdict(from, promise, vec![record.clone()]);
        assert!(result.passed, "{from:?}: {}", result.why);
        assert_eq!(result.from, Some(from));
    }
}

#[test]
fn without_a_fault_of_its_own_the_targets_counts() {
    let surroundings = Surroundings {
        incidents: vec![
            Incident {
                cohorts: vec!["another".to_owned()],
                ..incident(IncidentKind::Reset, 300, None)
            },
            incident(IncidentKind::Delay, 0, None),
            incident(IncidentKind::Sigterm, 4_000, None),
        ],
        ..Surroundings::default()
    };
    let promise = || PromiseKind::ClosedBetween.of(between(1_000, 1_000));
    let records = vec![closed(0, 5_000, 1001)];
    let result = around(Origin::Fault, promise(), records, &surroundings);
    assert!(result.passed, "{}", result.why);
    let records = vec![closed(0, 1_100, 1001)];
    let result = around(Origin::Fault, promise(), records, &surroundings);
    assert!(result.passed, "it was born into the delay: {}", result.why);
}

#[test]
fn the_end_of_tcp_is_known_to_a_tick_and_that_is_told() {
    let promise = || PromiseKind::ClosedBetween.of(between(3_000, 3_100));
    let result = verdict(Origin::Open, promise(), vec![cut(0, 3_097, TcpEnding::Fin)]);
    assert!(result.passed);
    assert_eq!(
        result.why,
        "1 of 1 outside by less than 4.00 ms, the uncertainty of these times"
    );
    let result = verdict(Origin::Open, promise(), vec![cut(0, 3_095, TcpEnding::Fin)]);
    assert!(!result.passed);
    let result = verdict(Origin::Open, promise(), vec![closed(0, 3_099, 1000)]);
    assert!(!result.passed, "a Close frame is stamped by the kernel");
}

#[test]
fn a_bare_end_may_be_a_proxys() {
    let records = vec![cut(0, 3_100, TcpEnding::Fin), cut(1, 3_100, TcpEnding::Rst)];
    let contract = contract(
        Origin::Open,
        vec![PromiseKind::ClosedBetween.of(between(3_000, 3_000))],
    );
    let mut scenario = scenario(contract);
    let why = |scenario: &_| {
        let results = judge(
            scenario,
            &summary(records.clone()),
            &Surroundings::default(),
        );
        results[0].why.clone()
    };
    assert_eq!(
        why(&scenario),
        "",
        "nothing lies before the built-in server"
    );
    scenario.target.url = TargetUrl::Servers(Servers::from(WsUrl {
        secure: false,
        host: "example.org".to_owned(),
        port: 80,
        resource: "/".to_owned(),
        unix: None,
        shown: "ws://example.org".to_owned(),
    }));
    assert_eq!(
        why(&scenario),
        "1 FIN and 1 RST without a Close frame (a proxy's cut, or the server's own)"
    );
    scenario.cohorts[0].faults = vec![Fault {
        kind: FaultKind::StopReading,
        after: Duration::ZERO,
    }];
    assert_eq!(
        why(&scenario),
        "1 FIN and 1 RST; whether a Close frame came before was not read"
    );
}

#[test]
fn nobody_healthy_is_cut() {
    let healthy: Vec<ConnectionRecord> = (0..5_000).map(record).collect();
    let result = verdict(Origin::Open, PromiseKind::Closed.of(0), healthy.clone());
    assert!(result.passed);
    assert_eq!(
        (result.n, result.why.as_str()),
        (
            5_000,
            "none of 5,000: with 95 % confidence less than 0.06 %"
        )
    );
    let mut cut = healthy;
    cut[77] = closed(77, 12_100, 1011);
    let result = verdict(Origin::Open, PromiseKind::Closed.of(0), cut.clone());
    assert!(!result.passed);
    assert_eq!(
        result.why,
        "1 of 5,000 ended by the server, the first after 12.0 s"
    );
    assert!(verdict(Origin::Open, PromiseKind::Closed.of(1), cut).passed);
}

#[test]
fn alive_means_watched_for_that_long() {
    let promise = || PromiseKind::AliveFor.of(ms(50_000));
    let records = vec![record(0), closed(1, 50_100, 1000)];
    let result = verdict(Origin::Open, promise(), records);
    assert!(result.passed, "{}", result.why);
    assert!(result.why.starts_with("none of 2: "), "{}", result.why);

    let result = verdict(
        Origin::Open,
        promise(),
        vec![record(0), closed(1, 50_099, 1000)],
    );
    assert!(!result.passed);
    assert_eq!(
        result.why,
        "1 of 2 ended by the server, the first after 50.0 s"
    );

    let short = ConnectionRecord {
        close_sent_ns: Some(after(40_000 * MS)),
        ..record(0)
    };
    let result = verdict(Origin::Open, promise(), vec![short]);
    assert!(!result.passed);
    assert_eq!(
        result.why,
        "1 of 1 watched for less than 50 s, some for 39.9 s only"
    );
}

/// Who answers pings wrongly is a healthy client until one comes, and says nothing about the server's heartbeat.
#[test]
fn clients_that_err_only_when_pinged_prove_nothing_without_a_ping() {
    let judged = |kind: FaultKind, promise: Promise, records: Vec<ConnectionRecord>| {
        let mut scenario = scenario(contract(Origin::Open, vec![promise]));
        scenario.cohorts[0].faults = vec![Fault {
            kind,
            after: Duration::ZERO,
        }];
        judge(&scenario, &summary(records), &Surroundings::default()).remove(0)
    };
    let only = |frame| FaultKind::Only {
        frame,
        every: ms(500).into(),
    };
    for promise in [
        PromiseKind::Closed.of(0),
        PromiseKind::AliveFor.of(ms(1_000)),
        PromiseKind::EndsWith.of(vec![End::Nothing]),
    ] {
        let unasked = || vec![record(0), record(1)];
        for kind in [
            FaultKind::NoPong,
            FaultKind::WrongPong,
            only(Activity::Pong),
        ] {
            let none = judged(kind, promise.clone(), unasked());
            assert_eq!((none.passed, none.n), (false, 0), "{promise:?}");
            assert_eq!(none.why, "no connection got a ping that its fault concerns");
        }
        let asked = || vec![record(0), pinged(1_000, record(1))];
        let one = judged(FaultKind::NoPong, promise.clone(), asked());
        assert_eq!((one.passed, one.n), (true, 1), "{}", one.why);
        assert!(
            one.why.ends_with("1 left out: they got no ping"),
            "{}",
            one.why
        );
        let most = [record(0), record(1), pinged(1_000, record(2))].to_vec();
        let few = judged(FaultKind::NoPong, promise.clone(), most);
        assert_eq!((few.passed, few.n), (false, 1), "{}", few.why);
        assert!(few.why.contains("2 left out: they got no ping, so most"));
        let silent = judged(only(Activity::Nothing), promise.clone(), unasked());
        assert_eq!((silent.passed, silent.n), (true, 2), "{}", silent.why);
    }
    let closed = vec![record(0), closed(1, 5_000, 1011)];
    let closed = judged(FaultKind::NoPong, PromiseKind::Closed.of(0), closed);
    assert_eq!((closed.passed, closed.n), (false, 1), "{}", closed.why);
}

#[test]
fn codes_are_those_on_the_wire() {
    let promise = || PromiseKind::Code.of(vec![1011, 1001]);
    let kept = vec![closed(0, 5_000, 1011), closed(1, 5_000, 1001)];
    assert!(verdict(Origin::Open, promise(), kept).passed);
    let broken = vec![
        closed(0, 5_000, 1011),
        closed(1, 5_000, 1000),
        closed(2, 5_000, 1005),
        cut(3, 5_000, TcpEnding::Fin),
        silent(4),
    ];
    let result = verdict(Origin::Open, promise(), broken);
    assert!(!result.passed);
    assert_eq!(
        result.why,
        "1 of 5 had 1000; 1 of 5 had no Close frame (1006); 1 of 5 had no code (1005); \
         1 of 5 were not ended by the server"
    );
    assert_eq!(result.expected, "1011, 1001");
}

#[test]
fn ends_look_as_promised() {
    let fin = || PromiseKind::EndsWith.of(vec![End::Fin]);
    assert!(verdict(Origin::Open, fin(), vec![cut(0, 9, TcpEnding::Fin)]).passed);
    let result = verdict(
        Origin::Open,
        fin(),
        vec![closed(0, 5_000, 1011), cut(1, 9, TcpEnding::Rst), silent(2)],
    );
    assert!(!result.passed);
    assert_eq!(
        result.why,
        "1 of 3 ended with a Close frame; 1 of 3 ended with a RST, without a Close frame; \
         1 of 3 were not ended by the server"
    );
    let nothing = PromiseKind::EndsWith.of(vec![End::Nothing]);
    assert!(verdict(Origin::Open, nothing, vec![silent(2), record(3)]).passed);
}

#[test]
fn tcp_ends_so_long_after_the_decision() {
    let promise = || PromiseKind::TcpEndBetween.of(between(1_000, 2_000));
    let ending = |late: Option<u64>| ConnectionRecord {
        tcp_end_ns: late.map(|late| after((5_000 + late) * MS)),
        ended_ns: after(37_000 * MS),
        ..closed(0, 5_000, 1000)
    };
    for (late, passed) in [
        (990, false),
        (997, true),
        (1_500, true),
        (2_004, true),
        (2_005, false),
    ] {
        let result = verdict(Origin::Open, promise(), vec![ending(Some(late))]);
        assert_eq!(result.passed, passed, "{late} ms: {}", result.why);
    }
    let result = verdict(Origin::Open, promise(), vec![ending(None)]);
    assert!(!result.passed);
    assert_eq!(
        result.why,
        "1 of 1 without an end of TCP, watched for 32.0 s or longer"
    );
    let result = verdict(Origin::Open, promise(), vec![silent(0)]);
    assert_eq!(result.why, "1 of 1 not ended by the server");

    let within = PromiseKind::TcpEndBetween.of(between(0, 10));
    let bare = verdict(Origin::Open, within, vec![cut(0, 5_000, TcpEnding::Fin)]);
    assert!(bare.passed, "its decision was the end of TCP");
    assert_eq!(bare.times.unwrap().max_ns, Nanos(0));
}

#[test]
fn where_the_client_closed_tcp_ends_after_the_answer() {
    let held = |end: u64| ConnectionRecord {
        ended_by: EndedBy::Fault,
        close_sent_ns: Some(after(4_000 * MS)),
        close_sent_code: Some(1000),
        tcp_end_ns: Some(after(end * MS)),
        ..closed(0, 5_000, 1000)
    };
    let promise = || PromiseKind::TcpEndBetween.of(between(0, 100));
    assert!(verdict(Origin::Close, promise(), vec![held(5_100)]).passed);
    assert!(!verdict(Origin::Close, promise(), vec![held(5_200)]).passed);
}

#[test]
fn after_a_half_close_tcp_ends_so_long_after_the_fault() {
    let within = PromiseKind::TcpEndBetween.of(between(0, 1_000));
    let mut scenario = scenario(contract(Origin::Fault, vec![within]));
    scenario.cohorts[0].faults = vec![Fault {
        kind: FaultKind::HalfClose,
        after: ms(1_000),
    }];
    let judged = |fault: Option<u64>, record: ConnectionRecord| {
        let fault_ns = fault.map(|at| after(at * MS));
        let records = vec![ConnectionRecord { fault_ns, ..record }];
        judge(&scenario, &summary(records), &Surroundings::default()).remove(0)
    };
    let ended = |at: u64| cut(0, at, TcpEnding::Fin);

    let soon = judged(Some(1_100), ended(2_000));
    assert!(soon.passed, "{}", soon.why);
    assert_eq!(soon.times.unwrap().max_ns, 900 * MS);
    let late = judged(Some(1_100), ended(3_600));
    assert_eq!(late.why, "1 of 1 later than 1 s, the last after 2.50 s");
    assert!(!late.passed);
    // The fault itself was late.
    assert!(judged(Some(2_700), ended(3_600)).passed);
    // The server ended TCP before the fault.
    let before = judged(None, ended(500));
    assert_eq!(
        (before.passed, before.times.unwrap().max_ns),
        (true, Nanos(0))
    );
    // A Close frame is the decision.
    assert!(judged(Some(1_100), closed(0, 3_600, 1000)).passed);
}

#[test]
fn after_a_half_close_of_the_path_tcp_ends_so_long_after_the_incident() {
    let within = || PromiseKind::TcpEndBetween.of(between(0, 1_000));
    let judged = |began: u64, lasts: Option<u64>, ended: u64| {
        let surroundings = Surroundings {
            incidents: vec![incident(IncidentKind::HalfClose, began, lasts)],
            ..Surroundings::default()
        };
        let records = vec![cut(0, ended, TcpEnding::Fin)];
        around(Origin::Open, within(), records, &surroundings)
    };
    let soon = judged(1_100, Some(1_100), 2_000);
    assert!(soon.passed, "{}", soon.why);
    assert_eq!(soon.times.unwrap().max_ns, 900 * MS);
    let late = judged(1_100, Some(1_100), 3_600);
    assert_eq!(late.why, "1 of 1 later than 1 s, the last after 2.50 s");
    // TCP ended before it.
    assert_eq!(
        judged(1_100, Some(1_100), 500).times.unwrap().max_ns,
        Nanos(0)
    );
    // It struck the connection, which opened at 100 ms, when that opened.
    assert!(!judged(50, None, 1_200).passed);
    assert!(judged(50, None, 1_000).passed);
    // It struck before the connection opened.
    assert!(judged(50, Some(50), 3_600).passed);
}

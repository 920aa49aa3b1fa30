//! Tests `closed_per_stall` and `back_within`.

use super::super::fixture::*;
use super::super::judge::judge;
use super::super::result::ContractResult;
use crate::measure::{ConnectionRecord, EndedBy, IncidentKind, Surroundings, TcpEnding};
use crate::scenario::{Back, OnFail, Origin, Pause, PromiseKind, Step, Verb};
use crate::units::after;

/// Two freezes, at 5 s and at 10 s.
fn stalls(most: u64, records: Vec<ConnectionRecord>) -> ContractResult {
    let surroundings = Surroundings {
        incidents: vec![
            incident(IncidentKind::Delay, 0, None),
            incident(IncidentKind::Sigstop, 5_000, Some(8_000)),
            incident(IncidentKind::Sigstop, 10_000, Some(13_000)),
        ],
        ..Surroundings::default()
    };
    around(
        Origin::Open,
        PromiseKind::ClosedPerStall.of(most),
        records,
        &surroundings,
    )
}

#[test]
fn each_freeze_is_counted_on_its_own() {
    let records = vec![
        closed(0, 4_999, 1011),
        closed(1, 5_000, 1011),
        closed(2, 9_999, 1011),
        cut(3, 10_000, TcpEnding::Rst),
        record(4),
    ];
    let result = stalls(2, records.clone());
    assert!(result.passed, "{}", result.why);
    assert_eq!(result.n, 2);
    assert_eq!(
        result.why,
        "closed of open, freeze by freeze: 2/4, 1/2; max 2, mean 1.5; no Close frame ×1; 1011 ×2"
    );
    assert!(!stalls(1, records).passed, "the worst counts, not the mean");
    let none = verdict(
        Origin::Open,
        PromiseKind::ClosedPerStall.of(9),
        vec![record(0)],
    );
    assert!(!none.passed);
    assert_eq!(none.why, "nothing was frozen");
}

/// Lost at 5 s, and then connected again; the first answer comes `late` milliseconds later.
fn back(connection: u32, late: Option<u64>) -> [ConnectionRecord; 2] {
    let again = ConnectionRecord {
        opened_ns: after(5_100 * MS),
        lost_before_ns: Some(after(5_000 * MS)),
        first_answer_ns: late.map(|late| after((5_000 + late) * MS)),
        ..record(connection)
    };
    [cut(connection, 5_000, TcpEnding::Rst), again]
}

fn storm(promised: Back, times: impl Iterator<Item = Option<u64>>) -> ContractResult {
    let clients = (0..).zip(times);
    let records = clients.flat_map(|(connection, after)| back(connection, after));
    verdict(
        Origin::Open,
        PromiseKind::BackWithin.of(promised),
        records.collect(),
    )
}

#[test]
fn who_has_a_set_up_is_back_when_it_is_ready() {
    let promise = PromiseKind::BackWithin.of(Back {
        all: Some(ms(1_000)),
        ..Back::default()
    });
    let judged = |ready: Option<u64>| {
        let mut scenario = scenario(contract(Origin::Open, vec![promise.clone()]));
        scenario.cohorts[0].setup = vec![Step {
            name: None,
            verb: Verb::Pause(Pause::Constant(ms(1))),
            chance: 1.0,
            on_fail: OnFail::Close,
        }];
        let [lost, again] = back(0, Some(150));
        let again = ConnectionRecord {
            ready_ns: ready.map(|late| after((5_000 + late) * MS)),
            ..again
        };
        let summary = summary(vec![lost, again]);
        judge(&scenario, &summary, &Surroundings::default()).remove(0)
    };
    let kept = judged(Some(900));
    assert!(kept.passed, "{}", kept.why);
    assert_eq!(kept.times.unwrap().p50_ns, 900 * MS);
    assert!(!judged(Some(1_001)).passed && !judged(None).passed);
}

#[test]
fn each_part_is_back_in_its_time() {
    let promised = Back {
        p50: Some(ms(500)),
        p90: Some(ms(900)),
        p99: None,
        all: Some(ms(1_000)),
    };
    let kept = storm(promised, (1..=100).map(|place| Some(place * 10)));
    assert!(kept.passed, "{}", kept.why);
    assert_eq!(
        kept.why,
        "50 % back after 500 ms; 90 % back after 900 ms; 99 % back after 990 ms; all back after 1.00 s"
    );
    assert_eq!((kept.n, kept.times.unwrap().p50_ns), (100, 500 * MS));

    let slow = storm(promised, (1..=100).map(|place| Some(place * 10 + 1)));
    assert!(!slow.passed);
    assert!(
        slow.why
            .starts_with("50 % back after 501 ms, promised by 500 ms; ")
    );

    let one_lost = storm(
        promised,
        (1..=100).map(|place| (place < 100).then_some(place * 10)),
    );
    assert!(
        !one_lost.passed,
        "who never comes back is later than any time"
    );
    assert!(
        one_lost
            .why
            .ends_with("all never back, promised by 1 s; 1 had no answer to the end")
    );
    let half = Back {
        all: None,
        ..promised
    };
    let most = storm(
        half,
        (1..=100).map(|place| (place < 100).then_some(place * 10)),
    );
    assert!(most.passed, "{}", most.why);
}

#[test]
fn a_connection_lost_again_before_its_answer_did_not_bring_it_back() {
    let [first, second] = back(0, None);
    let second = ConnectionRecord {
        ended_by: EndedBy::Server,
        tcp_end_ns: Some(after(5_200 * MS)),
        close_received_ns: None,
        ended_ns: after(5_200 * MS),
        ..second
    };
    let third = ConnectionRecord {
        opened_ns: after(6_000 * MS),
        lost_before_ns: Some(after(5_200 * MS)),
        first_answer_ns: Some(after(6_100 * MS)),
        ..record(0)
    };
    let all = Back {
        all: Some(ms(2_000)),
        ..Back::default()
    };
    let records = vec![first, second, third];
    let result = verdict(Origin::Open, PromiseKind::BackWithin.of(all), records);
    assert!(result.passed);
    assert_eq!((result.n, result.times.unwrap().max_ns), (1, 1_100 * MS));
    let none = verdict(
        Origin::Open,
        PromiseKind::BackWithin.of(all),
        vec![record(0)],
    );
    assert!(!none.passed, "nothing was lost");
}

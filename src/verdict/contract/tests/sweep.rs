//! Tests `effective_timeout`.

use super::super::fixture::*;
use super::super::result::ContractResult;
use crate::measure::ConnectionRecord;
use crate::scenario::{Origin, PromiseKind};

/// Sixteen delays from 100 ms to 1.6 s with twenty connections each; the server kills `killed` of each level.
fn swept(killed: impl Fn(u64) -> u32) -> Vec<ConnectionRecord> {
    let levels = (1..=16).flat_map(|level| (0..20).map(move |place| (level * 100, place)));
    levels
        .map(|(delay, place)| {
            let connection = (delay as u32 / 100) * 20 + place;
            let end = match place < killed(delay) {
                true => closed(connection, 3_000, 1011),
                false => silent(connection),
            };
            ConnectionRecord {
                level_ns: Some(delay * MS),
                ..pinged(1_000, end)
            }
        })
        .collect()
}

fn judged(records: Vec<ConnectionRecord>) -> ContractResult {
    let promise = PromiseKind::EffectiveTimeout.of(between(950, 1_100));
    verdict(Origin::Open, promise, records)
}

#[test]
fn a_sharp_threshold_lies_between_two_delays() {
    let result = judged(swept(|delay| if delay > 1_000 { 20 } else { 0 }));
    assert!(result.passed, "{}", result.why);
    let times = result.times.unwrap();
    assert_eq!(times.n, 320);
    assert_eq!(
        (times.min_ns, times.p50_ns, times.max_ns),
        (1_000 * MS, 1_050 * MS, 1_100 * MS)
    );
    for sharp in [800, 1_200] {
        let result = judged(swept(|delay| if delay > sharp { 20 } else { 0 }));
        assert!(!result.passed, "{}", result.why);
    }
}

#[test]
fn a_soft_threshold_has_an_interval() {
    let soft = |delay: u64| match delay {
        0..=800 => 0,
        900 => 3,
        1_000 => 8,
        1_100 => 14,
        1_200 => 18,
        _ => 20,
    };
    let result = judged(swept(soft));
    assert!(result.passed, "{}", result.why);
    let times = result.times.unwrap();
    assert_eq!(times.p50_ns / MS, 1_033);
    assert_eq!((times.min_ns / MS, times.max_ns / MS), (900, 1_200));
}

#[test]
fn one_connection_for_each_delay_is_enough_for_a_threshold() {
    let mut records = swept(|delay| if delay > 1_000 { 20 } else { 0 });
    records.retain(|record| record.connection % 20 == 0);
    let times = judged(records).times.unwrap();
    assert_eq!(times.p50_ns / MS, 1_050);
    assert!(
        times.min_ns < 1_000 * MS && times.max_ns > 1_100 * MS,
        "but less sure"
    );
}

#[test]
fn a_sweep_that_misses_the_threshold_says_so() {
    let never = judged(swept(|_| 0));
    assert!(!never.passed);
    assert_eq!(never.why, "even pongs 1.60 s late were in time");
    let always = judged(swept(|_| 20));
    assert_eq!(always.why, "even pongs 100 ms late were too late");
    let unasked = swept(|_| 0).into_iter().map(|record| ConnectionRecord {
        unanswered_ping_ns: None,
        pings_ns: Vec::new(),
        ..record
    });
    let unasked = judged(unasked.collect());
    assert!(!unasked.passed);
    assert_eq!(unasked.why, "no connection got a ping");
}

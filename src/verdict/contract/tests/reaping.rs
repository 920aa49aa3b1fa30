//! Tests `reaped_between` and `released_within`, by the table of sockets and by probes.

use super::super::fixture::*;
use super::super::judge::judge;
use super::super::result::ContractResult;
use crate::measure::{ConnectionRecord, EndedBy, SocketEnd, Sockets, Surroundings, Usage};
use crate::scenario::{Origin, Path, PathFault, PathFaultKind, Promise, PromiseKind};
use crate::units::{ByteSize, after};

fn reaped() -> Promise {
    PromiseKind::ReapedBetween.of(between(20_000, 40_000))
}

/// A client that sees nothing from 1 s on.
fn blind(connection: u32) -> ConnectionRecord {
    ConnectionRecord {
        fault_ns: Some(after(1_000 * MS)),
        close_sent_ns: None,
        ended_by: EndedBy::Fault,
        ..silent(connection)
    }
}

fn socket(connection: u32, left: Option<u64>, gone: Option<u64>) -> SocketEnd {
    SocketEnd {
        client_port: 40_000 + connection as u16,
        relayed: None,
        seen_ns: after(110 * MS),
        left_ns: left.map(|at| after(at * MS)),
        gone_ns: gone.map(|at| after(at * MS)),
        send_queue: 0,
    }
}

fn by_table(
    promise: Promise,
    records: Vec<ConnectionRecord>,
    ends: Vec<SocketEnd>,
) -> ContractResult {
    let surroundings = Surroundings {
        sockets: Some(Sockets {
            ends,
            resolution_ns: 20 * MS,
            more: 0,
        }),
        ..Surroundings::default()
    };
    around(Origin::Fault, promise, records, &surroundings)
}

#[test]
fn the_table_tells_when_to_a_look() {
    let judged = |left| by_table(reaped(), vec![blind(0)], vec![socket(0, left, None)]);
    for (left, passed) in [
        (Some(20_999), false),
        (Some(21_000), true),
        (Some(41_000), true),
        (Some(41_020), true),
        (Some(41_021), false),
        (None, false),
    ] {
        let result = judged(left);
        assert_eq!(result.passed, passed, "{left:?}: {}", result.why);
    }
    assert_eq!(
        judged(Some(41_020)).why,
        "1 of 1 outside by less than 20.0 ms, the uncertainty of these times"
    );
    assert_eq!(
        judged(None).why,
        "1 of 1 not seen by 40 s, watched for 59.0 s or longer"
    );
}

/// When wsbench closes at the end of the run, the server's socket goes too: that is no reaping.
#[test]
fn what_wsbench_closed_was_not_given_up_by_the_server() {
    let promise = || PromiseKind::ReapedBetween.of(between(0, 70_000));
    let judged =
        |record, left| by_table(promise(), vec![record], vec![socket(0, Some(left), None)]);
    let stayed = ConnectionRecord {
        fault_ns: Some(after(1_000 * MS)),
        ..record(0)
    };
    let result = judged(stayed.clone(), 60_001);
    assert!(!result.passed);
    assert_eq!(
        result.why,
        "1 of 1 undecided when they ended, some after 59.0 s only; 1 of 1 closed by wsbench first"
    );
    assert!(judged(stayed, 59_999).passed, "the server was first");
    let cut_off = ConnectionRecord {
        close_sent_ns: None,
        ..blind(0)
    };
    assert!(!judged(cut_off, 60_002).passed, "our RST, not the server's");
    assert!(
        !judged(closed(0, 30_000, 1011), 30_001).passed,
        "no fault began"
    );
}

#[test]
fn a_port_may_come_again() {
    let older = SocketEnd {
        seen_ns: after(10 * MS),
        gone_ns: Some(after(50 * MS)),
        ..socket(0, Some(40), None)
    };
    let newer = SocketEnd {
        seen_ns: after(50_000 * MS),
        ..socket(0, None, None)
    };
    let ends = vec![older, socket(0, Some(30_000), None), newer];
    let result = by_table(reaped(), vec![blind(0)], ends);
    assert!(result.passed, "{}", result.why);
}

#[test]
fn a_socket_nobody_saw_proves_nothing() {
    let records = vec![blind(0), blind(1)];
    let result = by_table(reaped(), records, vec![socket(0, Some(30_000), None)]);
    assert!(!result.passed);
    assert_eq!(result.n, 2);
    assert_eq!(
        result.why,
        "1 of 2 never seen in the system's table of sockets"
    );
}

#[test]
fn released_is_when_the_socket_is_gone() {
    let promise = || PromiseKind::ReleasedWithin.of(ms(30_000));
    let judged = |gone| {
        let ends = vec![socket(0, Some(2_000), gone)];
        by_table(promise(), vec![blind(0)], ends)
    };
    assert!(judged(Some(31_000)).passed);
    assert!(!judged(Some(31_021)).passed);
    assert!(!judged(None).passed);
    let unseen = verdict(Origin::Fault, promise(), vec![blind(0)]);
    assert!(!unseen.passed);
    assert_eq!(unseen.why, "the server's sockets could not be seen");
}

/// 50 connections with one probe each, at different times after the fault; the server was there until `end`.
fn probed(end: impl Fn(u32) -> u64) -> Vec<ConnectionRecord> {
    (0..50)
        .map(|place| {
            let probed = u64::from(place) * 1_000;
            ConnectionRecord {
                probe: Some((after((1_000 + probed) * MS), probed < end(place))),
                ..blind(place)
            }
        })
        .collect()
}

#[test]
fn probes_on_both_sides_judge_a_window() {
    let kept = verdict(Origin::Fault, reaped(), probed(|_| 30_000));
    assert!(kept.passed, "{}", kept.why);
    assert_eq!(
        kept.why,
        "the latest found alive after 29.0 s, the earliest found gone after 30.0 s (one probe each, by a pong)"
    );
    assert_eq!(kept.times, None, "a probe is no time");

    let early = verdict(Origin::Fault, reaped(), probed(|_| 15_000));
    assert!(!early.passed);
    assert!(
        early.why.starts_with("5 of 50 gone before 20 s; "),
        "{}",
        early.why
    );

    let late = verdict(Origin::Fault, reaped(), probed(|_| 45_000));
    assert!(!late.passed);
    assert!(
        late.why.starts_with("4 of 50 still there after 40 s; "),
        "{}",
        late.why
    );

    let mut inside = probed(|_| 30_000);
    inside.drain(..21);
    inside.truncate(10);
    let untested = verdict(Origin::Fault, reaped(), inside);
    assert!(!untested.passed);
    assert!(
        (untested.why).starts_with("none was probed before 20 s; none was probed after 40 s; "),
        "{}",
        untested.why
    );
}

#[test]
fn who_was_not_probed_is_not_judged() {
    let mut records = probed(|_| 30_000);
    records[3].probe = None;
    let result = verdict(Origin::Fault, reaped(), records);
    assert!(!result.passed);
    assert!(result.why.starts_with("1 of 50 not probed; "));
}

/// Clients over the relay and direct clients, or clients of two ports of the relay, can have the same port.
#[test]
fn a_port_is_that_of_the_own_way() {
    let straight = socket(0, Some(2_000), None);
    let relayed = |cohort, left| SocketEnd {
        relayed: Some(cohort),
        ..socket(0, Some(left), None)
    };
    let surroundings = Surroundings {
        sockets: Some(Sockets {
            ends: vec![relayed(1, 3_000), straight, relayed(0, 21_500)],
            resolution_ns: MS,
            more: 0,
        }),
        ..Surroundings::default()
    };
    let judged = |path| {
        let mut scenario = scenario(contract(Origin::Fault, vec![reaped()]));
        scenario.path = path;
        judge(&scenario, &summary(vec![blind(0)]), &surroundings).remove(0)
    };
    let freeze = PathFault {
        kind: PathFaultKind::Freeze,
        after: None,
        lasts: None,
        cohorts: Vec::new(),
    };
    let over_path = judged(Some(Path {
        faults: vec![freeze],
    }));
    assert!(over_path.passed, "{}", over_path.why);
    assert!(!judged(None).passed, "it left a second after the fault");
}

#[test]
fn resources_may_grow_so_much() {
    let used = |rss, descriptors| Usage {
        rss,
        descriptors,
        cpu: None,
    };
    let surroundings = Surroundings {
        usage: Some((used(40 << 20, 12), used(45 << 20, 13))),
        ..Surroundings::default()
    };
    let judged = |promise| around(Origin::Open, promise, vec![record(0)], &surroundings);
    assert!(judged(PromiseKind::MaxRssGrowth.of(ByteSize(5 << 20))).passed);
    let grown = judged(PromiseKind::MaxRssGrowth.of(ByteSize((5 << 20) - 1)));
    assert!(!grown.passed);
    assert_eq!(grown.why, "40.0 MiB before, 45.0 MiB after");
    assert!(judged(PromiseKind::MaxDescriptorGrowth.of(1)).passed);
    assert!(!judged(PromiseKind::MaxDescriptorGrowth.of(0)).passed);
    let unknown = verdict(
        Origin::Open,
        PromiseKind::MaxDescriptorGrowth.of(9),
        vec![record(0)],
    );
    assert!(!unknown.passed, "unknown is not zero");
}

#[test]
fn who_has_seen_its_end_needs_no_probe() {
    let ended = |late: u64| {
        let mut records = probed(|_| 30_000);
        for record in &mut records {
            record.probe = None;
            record.ended_by = EndedBy::Server;
            record.tcp_end_ns = Some(after((1_000 + late) * MS));
        }
        records
    };
    let kept = verdict(Origin::Fault, reaped(), ended(30_000));
    assert!(kept.passed, "{}", kept.why);
    assert_eq!(
        kept.why,
        "the latest found alive after 30.0 s, the earliest found gone after 30.0 s"
    );
    assert!(!verdict(Origin::Fault, reaped(), ended(41_000)).passed);
    assert!(!verdict(Origin::Fault, reaped(), ended(19_000)).passed);
}

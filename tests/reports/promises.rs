//! A run with contracts made by hand: some are kept, some broken, each for a reason that stands here.
//! Two cohorts of healthy clients, one that answers no ping, two that send one kind of frame each.

use std::time::Duration;

use wsbench::measure::{
    Collector, ConnectionRecord, EndedBy, Incident, IncidentKind, Layout, Phase, Sample, Shard,
    Surroundings, TcpEnding, Usage,
};
use wsbench::metric::{Cause, Counter};
use wsbench::scenario::{
    Activity, Between, Cohort, Contract, Fault, FaultKind, Lasts, Origin, Promise, PromiseKind,
    Shape, Sweep,
};
use wsbench::units::Timestamp;
use wsbench::verdict::Facts;

use super::fixture::{Case, cohort, opened, scenario};

const MS: u64 = 1_000_000;

fn between(lo: u64, hi: u64) -> Between {
    Between {
        lo: Duration::from_millis(lo),
        hi: Duration::from_millis(hi),
    }
}

fn promised(name: &str, connections: u32, from: Origin, promises: Vec<Promise>) -> Cohort {
    let mut cohort = cohort(name, connections, None, false);
    cohort.contract = Some(Contract {
        from,
        preset: None,
        promises,
    });
    cohort
}

fn only(name: &str, frame: Activity, promises: Vec<Promise>) -> Cohort {
    let mut cohort = promised(name, 10, Origin::Open, promises);
    cohort.faults = vec![Fault {
        kind: FaultKind::Only {
            frame,
            every: Sweep {
                levels: vec![Duration::from_secs(1)],
            },
        },
        after: Duration::ZERO,
    }];
    cohort
}

pub(crate) fn promises() -> Case {
    let mut mute = promised(
        "mute",
        200,
        Origin::Ping,
        vec![
            PromiseKind::ClosedBetween.of(between(2_000, 4_000)),
            PromiseKind::Code.of(vec![1011]),
            PromiseKind::TcpEndBetween.of(between(0, 1_000)),
        ],
    );
    mute.faults = vec![Fault {
        kind: FaultKind::NoPong,
        after: Duration::ZERO,
    }];
    if let Some(contract) = &mut mute.contract {
        contract.preset = Some("websockets (interval 2s, timeout 2s)".to_owned());
    }
    let healthy = promised(
        "healthy",
        500,
        Origin::Open,
        vec![
            PromiseKind::Closed.of(0),
            PromiseKind::ClosedPerStall.of(0),
            PromiseKind::PingsBetween.of(between(1_900, 2_100)),
            PromiseKind::MaxPingSync.of(0.3),
            PromiseKind::MaxDescriptorGrowth.of(0),
        ],
    );
    let cohorts = vec![
        healthy,
        mute,
        only(
            "pings",
            Activity::Ping,
            vec![PromiseKind::AliveFor.of(Duration::from_secs(9))],
        ),
        only(
            "bytes",
            Activity::Byte,
            vec![PromiseKind::AliveFor.of(Duration::from_secs(9))],
        ),
    ];
    let shape = Shape::Steady {
        ramp_up: Duration::from_secs(1),
        warm_up: Duration::ZERO,
        duration: Lasts::For(Duration::from_secs(10)),
    };
    let scenario = scenario("contract", shape, cohorts);
    let layout = Layout {
        cohorts: ["healthy", "mute", "pings", "bytes"]
            .map(|name| (name.to_owned(), Vec::new()))
            .to_vec(),
        stages: 0,
        topics: Default::default(),
    };
    let mut collector = Collector::new(layout.clone());
    let mut shard = Shard::new(&layout);
    let counts = [500, 200, 10, 10];
    for (cohort, count) in shard.cohorts.iter_mut().zip(counts) {
        opened(&mut cohort.whole, count);
        cohort.open.open = count;
    }
    // What is expected of bad clients is no news.
    shard.cohorts[1].whole.add(Counter::ConnectionsLost, 200);
    for _ in 0..200 {
        shard.cohorts[1].whole.cause(Cause::ClosedByPeer);
    }
    collector.interval(Phase::Measure, &shard, Sample::default());
    let mut summary = collector.summary(12.0, &[10.0]);
    summary.records.rows = records();
    let surroundings = Surroundings {
        incidents: vec![Incident {
            kind: IncidentKind::Sigstop,
            cohorts: Vec::new(),
            began_ns: Timestamp::from_nanos(6_000 * MS),
            ended_ns: Some(Timestamp::from_nanos(7_000 * MS)),
        }],
        usage: Some((
            Usage {
                rss: 40 << 20,
                descriptors: 720,
                cpu: None,
            },
            Usage {
                rss: 41 << 20,
                descriptors: 720,
                cpu: None,
            },
        )),
        ..Surroundings::default()
    };
    let facts = Facts {
        surroundings,
        ..Facts::completed(2)
    };
    Case::judged(scenario, summary, facts)
}

/// All five hundred healthy ones live. Three mute ones are closed too soon, two with another code.
fn records() -> Vec<ConnectionRecord> {
    let healthy = (0..500_u64).map(|place| ConnectionRecord {
        pings_ns: (1..5)
            .map(|tick| Timestamp::from_nanos((place * 4 + tick * 2_000) * MS))
            .collect(),
        ..stayed(place as u32, 0, place * 4)
    });
    let mute = (0..200_u64).map(|place| {
        let after = if place < 3 {
            1_500 + place
        } else {
            2_000 + place * 10
        };
        let code = if place > 197 { 1000 } else { 1011 };
        let opened = place * 5;
        ConnectionRecord {
            unanswered_ping_ns: Some(Timestamp::from_nanos((opened + 2_000) * MS)),
            ..closed(500 + place as u32, 1, opened, opened + 2_000 + after, code)
        }
    });
    let pings = (0..10).map(|place| stayed(700 + place, 2, 0));
    let bytes = (0..10).map(|place| closed(710 + place, 3, 0, 4_000 + u64::from(place), 1011));
    healthy.chain(mute).chain(pings).chain(bytes).collect()
}

/// Until the plan closed it, at 11 s.
fn stayed(connection: u32, cohort: usize, opened: u64) -> ConnectionRecord {
    ConnectionRecord {
        connection,
        cohort,
        local_port: None,
        level_ns: None,
        opened_ns: Timestamp::from_nanos(opened * MS),
        ready_ns: Some(Timestamp::from_nanos(opened * MS)),
        lost_before_ns: None,
        fault_ns: None,
        fault_end_ns: None,
        unanswered_ping_ns: None,
        last_sent_ns: None,
        first_answer_ns: None,
        pings_ns: Vec::new(),
        resumed_ns: Vec::new(),
        dead_ns: None,
        dead_as: None,
        close_sent_ns: Some(Timestamp::from_nanos(10_000 * MS)),
        close_sent_code: Some(1000),
        close_received_ns: Some(Timestamp::from_nanos(10_001 * MS)),
        close_code: Some(1000),
        close_reason: String::new(),
        frames_after_close: 0,
        tcp_end_ns: Some(Timestamp::from_nanos(10_002 * MS)),
        tcp_end: Some(TcpEnding::Fin),
        probe: None,
        ended_by: EndedBy::Plan,
        cause: Cause::Completed,
        ended_ns: Timestamp::from_nanos(10_002 * MS),
    }
}

fn closed(connection: u32, cohort: usize, opened: u64, at: u64, code: u16) -> ConnectionRecord {
    ConnectionRecord {
        close_sent_ns: None,
        close_sent_code: None,
        close_received_ns: Some(Timestamp::from_nanos(at * MS)),
        close_code: Some(code),
        tcp_end_ns: Some(Timestamp::from_nanos((at + 1) * MS)),
        ended_by: EndedBy::Server,
        cause: Cause::ClosedByPeer,
        ended_ns: Timestamp::from_nanos((at + 1) * MS),
        ..stayed(connection, cohort, opened)
    }
}

//! Tests that shards travel exactly, and that nothing that is read is believed.

use super::super::Collector;
use super::super::cells::script::{Act, acts, play};
use super::super::delivery::{ClosedSecond, HeardBy, TopicChange};
use super::super::ending::{State, TcpView};
use super::super::interval::{Sample, tests::layout};
use super::super::summary::Summary;
use super::super::timeline::Phase;
use super::*;
use crate::metric::{Cause, Counter, Side};
use crate::units::Nanos;
use proptest::prelude::*;
use std::net::Ipv6Addr;

fn ending(connection: u32) -> Ending {
    Ending {
        connection,
        cohort: 1,
        opened_ns: Some(Timestamp::from_nanos(5)),
        ended_ns: None,
        state: State::Dead,
        close_code: Some(1011),
        close_reason: "\u{1b}[31m \"quoted\"".to_owned(),
        closed_by: Some(Side::Peer),
        cause: Cause::PeerFrozen,
        detail: String::new(),
        last_received_ns: None,
        last_ping_ns: Some(Timestamp::from_nanos(u64::MAX >> 3)),
        last_pong_ns: None,
        pings_missed: 2,
        tcp: Some(TcpView {
            unacked: 1,
            retransmits: 2,
            last_ack_ns: 3,
        }),
        extension: Some("x".to_owned()),
        claimed: Some(Ipv6Addr::LOCALHOST.into()),
        tls: Some("1.2 resumed".to_owned()),
    }
}

/// One worker's shard of one second: the acts of the whole run and of each window.
fn shard_of(worker: u32, acts: &[Vec<Act>]) -> Shard {
    let mut shard = Shard::new(&layout());
    let cohort = &mut shard.cohorts[0];
    play(&mut cohort.whole, &acts[0]);
    play(cohort.window(Window::OUTSIDE), &acts[1]);
    play(cohort.window(Window::measured(0)), &acts[2]);
    play(cohort.window(Window::measured(1)), &acts[3]);
    cohort.open.open = u64::from(worker);
    shard.loop_lag.record(1_000 * u64::from(worker));
    shard.early_lag.record(1_700 * u64::from(worker));
    shard.look_ups.record(1_500 * u64::from(worker));
    shard.fallbacks.add("[::1]:1", u64::from(worker), "refused");
    shard.agreed.add("http", "2", u64::from(worker));
    shard.ending(ending(worker), 10);
    shard.more_records = u64::from(worker);
    shard.deliveries.seconds.push(ClosedSecond {
        second: 0,
        window: Window::measured(1),
        published: vec![(1, worker)],
        members: vec![TopicChange {
            topic: 1,
            cohort: 1,
            change: 2,
            own: 1,
        }],
        heard: vec![HeardBy {
            cohort: 1,
            received: worker,
            unsure: 1,
        }],
    });
    shard
}

/// The summary of a run of one second in which workers handed over these shards.
fn run(shards: impl IntoIterator<Item = Shard>) -> Summary {
    let mut all = Shard::new(&layout());
    let mut workers = 0;
    for shard in shards {
        workers += 1;
        all.merge(&shard, usize::MAX);
        all.deliveries.merge(&shard.deliveries);
        for (mine, theirs) in all.cohorts.iter_mut().zip(&shard.cohorts) {
            mine.open.merge(&theirs.open);
        }
    }
    let mut collector = Collector::new(layout()).of_workers(workers);
    collector.count_deliveries(&mut all);
    collector.interval(Phase::Measure, &all, Sample::default());
    collector.summary(1.0, &[1.0, 0.0])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn decoded_shards_of_workers_merged_are_one_run(
        workers in prop::collection::vec(prop::collection::vec(acts(), 4), 1..4),
    ) {
        let shards: Vec<Shard> = (workers.iter().zip(1..))
            .map(|(acts, worker)| shard_of(worker, acts))
            .collect();
        let travelled = shards.iter().map(|shard| {
            Shard::decode(&shard.encode(&layout()), &layout()).expect("it was written here")
        });
        let travelled: Vec<Shard> = travelled.collect();
        prop_assert_eq!(run(travelled), run(shards));
    }

    #[test]
    fn whatever_comes_is_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        prop_assert!(Shard::decode(&bytes, &layout()).is_err());
    }
}

#[test]
fn what_is_empty_takes_no_room() {
    let bytes = Shard::new(&layout()).encode(&layout());
    assert!(bytes.len() < 700, "{} bytes", bytes.len());
}

#[test]
fn what_is_of_another_plan_is_refused() {
    let mut shard = Shard::new(&layout());
    shard.cohorts[0]
        .window(Window::measured(1))
        .answer(1, Nanos(2), Nanos(3));
    shard.cohorts[0].whole.add(Counter::BytesSent, 4);
    let bytes = shard.encode(&layout());
    let refused = |layout: &Layout| match Shard::decode(&bytes, layout) {
        Ok(_) => panic!("it was read"),
        Err(error) => error.to_string(),
    };
    let mut other = layout();
    other.cohorts[0].0 = "c".to_owned();
    assert!(refused(&other).contains("it has cohort `a`"));
    let mut other = layout();
    other.stages = 1;
    assert!(refused(&other).contains("it has window 2"));
    let mut published = shard.clone();
    let deliveries = shard_of(3, &[const { Vec::new() }; 4]).deliveries;
    published.deliveries = deliveries;
    let mut other = layout();
    other.topics = ["all".to_owned()].into();
    let error = Shard::decode(&published.encode(&layout()), &other).map(|_| ());
    assert!(error.is_err_and(|error| error.to_string().contains("topic `staff`")));
    let mut other = layout();
    other.cohorts[0].1.pop();
    assert!(refused(&other).contains("`service.m1`"));

    let newer = changed(&bytes, b"version\x03", b"version\x04");
    let error = Shard::decode(&newer, &layout());
    assert!(matches!(error, Err(WireError::Version(4))));
    let odd = changed(&bytes, b"bytes.sent", b"bytes.sunk");
    let error = Shard::decode(&odd, &layout());
    assert!(matches!(error, Err(WireError::Unknown(_))));
}

/// The same bytes but for some, of which there is one.
fn changed(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|part| part == from);
    let at = at.unwrap_or_else(|| panic!("no {from:?} in {bytes:?}"));
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

#[test]
fn what_no_second_can_have_is_refused() {
    let refused = |change: &dyn Fn(&mut Shard)| {
        let mut shard = shard_of(1, &[const { Vec::new() }; 4]);
        change(&mut shard);
        match Shard::decode(&shard.encode(&layout()), &layout()) {
            Ok(_) => panic!("it was read"),
            Err(error) => error.to_string(),
        }
    };
    let error = refused(&|shard| shard.interval = u64::MAX);
    assert!(error.contains("interval"), "{error}");
    let error = refused(&|shard| shard.cohorts[1].whole.add(Counter::BytesSent, u64::MAX));
    assert!(error.contains("`bytes.sent`"), "{error}");
    let error = refused(&|shard| shard.more_endings = u64::MAX);
    assert!(error.contains("`endings`"), "{error}");
    let error = refused(&|shard| shard.cohorts[0].open.open = u64::MAX);
    assert!(error.contains("`connections`"), "{error}");
    let error = refused(&|shard| shard.endings[0].ended_ns = Some(Timestamp::NEVER));
    assert!(error.contains("time"), "{error}");
}

#[test]
fn of_more_rows_than_a_shard_may_hold_the_first_travel() {
    let mut shard = Shard::new(&layout());
    for connection in 0..Shard::MAX_ENDINGS as u32 + 7 {
        shard.ending(ending(connection), usize::MAX);
    }
    shard.more_endings = 2;
    let again = Shard::decode(&shard.encode(&layout()), &layout()).expect("it fits");
    assert_eq!(again.endings, shard.endings[..Shard::MAX_ENDINGS]);
    assert_eq!(again.more_endings, 9);
}

#[test]
fn a_histogram_that_contradicts_itself_is_refused() {
    let mut shard = Shard::new(&layout());
    shard.loop_lag.record(5);
    let bytes = shard.encode(&layout());
    for (from, to) in [("count\x01", "count\x02"), ("min\x05", "min\x06")] {
        let (from, to) = (from.as_bytes(), to.as_bytes());
        assert!(Shard::decode(&changed(&bytes, from, to), &layout()).is_err());
    }
}

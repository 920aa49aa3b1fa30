//! Tests that closing reports loses and doubles nothing, and that the times of each count from its begin.

use proptest::prelude::*;

use super::*;
use crate::measure::ending::State;
use crate::measure::{Ending, Layout, Phase, Sample, Shard, Summary, Window};
use crate::metric::{Cause, Timed, Timer};

fn layout() -> Layout {
    Layout {
        cohorts: vec![("main".to_owned(), vec![Timed::sent("echo")])],
        stages: 0,
        topics: Default::default(),
    }
}

fn ending(second: u64) -> Ending {
    let at = Timestamp::ORIGIN + second * Interval::SECOND;
    Ending {
        connection: 1,
        cohort: 0,
        opened_ns: Some(Timestamp::ORIGIN),
        ended_ns: Some(at),
        state: State::Open,
        close_code: None,
        close_reason: String::new(),
        closed_by: None,
        cause: Cause::Reset,
        detail: String::new(),
        last_received_ns: None,
        last_ping_ns: None,
        last_pong_ns: None,
        pings_missed: 0,
        tcp: None,
        extension: None,
        claimed: None,
        tls: None,
    }
}

/// A second in which so many pings were sent, one was answered after so long, and a connection opened and ended.
fn shard(second: u64, pings: u64, rtt: u64) -> Shard {
    let mut shard = Shard::new(&layout());
    shard.interval = second;
    let cohort = &mut shard.cohorts[0];
    cohort.whole.count(Counter::ConnectionsOpened);
    cohort.open.open = pings;
    let window = cohort.window(Window::measured(0));
    window.add(Counter::PingsSent, pings);
    window.time(Timer::HeartbeatRtt, Nanos(rtt));
    shard.ending(ending(second), Shard::MAX_ENDINGS);
    shard
}

fn take(collector: &mut Collector, second: u64, (pings, rtt): (u64, u64)) {
    let shard = shard(second, pings, rtt);
    collector.interval(Phase::Measure, &shard, Sample::default());
}

/// What does not depend on when reports were closed.
fn told(summary: &Summary) -> String {
    let Summary {
        metrics,
        totals,
        states,
        endings,
        ..
    } = summary;
    // The mean of a gauge is a sum of floating-point numbers, whose last digits depend on the order.
    let peak: Vec<(f64, u64)> = states
        .iter()
        .map(|states| (states.open.max, states.open.samples))
        .collect();
    let counted = |rows: &[crate::measure::Metric]| -> Vec<String> {
        let rows = rows
            .iter()
            .filter(|row| row.value.kind() != crate::metric::Kind::Gauge);
        rows.map(|row| format!("{row:?}")).collect()
    };
    format!(
        "{:?} {:?} {peak:?} {endings:?}",
        counted(metrics),
        counted(totals)
    )
}

proptest! {
    #[test]
    fn closed_reports_together_are_the_run(
        seconds in prop::collection::vec((0u64..9, 1_000u64..9_000_000_000), 1..40),
        borders in prop::collection::btree_set(1usize..40, 0..6),
    ) {
        let (mut all, mut parts) = (Collector::new(layout()), Collector::new(layout()));
        let mut whole: Option<Collector> = None;
        let mut opened = 0;
        for (second, numbers) in seconds.iter().enumerate() {
            take(&mut all, second as u64, *numbers);
            if borders.contains(&second) {
                let report = parts.close();
                opened += report.summary(1.0, &[1.0]).count("connections.opened");
                prop_assert_eq!(&parts.carried, &vec![opened]);
                match &mut whole {
                    Some(whole) => whole.absorb(&report),
                    None => whole = Some(report),
                }
            }
            take(&mut parts, second as u64, *numbers);
        }
        let length = seconds.len() as f64;
        let mut together = whole.unwrap_or_else(|| Collector::new(layout()));
        together.absorb(&parts);
        let expected = told(&all.summary(length, &[length]));
        let mut found = together.summary(length, &[length]);
        // Of the first report the endings are at their own times, and later ones came by the same clock.
        found.endings.rows.sort_by_key(|ending| ending.ended_ns);
        prop_assert_eq!(told(&found), expected);
    }
}

#[test]
fn times_of_a_report_count_from_its_begin() {
    let mut collector = Collector::new(layout()).endless();
    for second in 0..100 {
        take(&mut collector, second, (1, 1_000_000));
    }
    let first = collector.close();
    for second in 100..103 {
        take(&mut collector, second, (2, 2_000_000));
    }
    let first = first.summary(100.0, &[100.0]);
    assert_eq!(first.timeline.len(), 100);
    let second = collector.summary(3.0, &[3.0]);
    let starts: Vec<u64> = second.timeline.iter().map(|row| row.second).collect();
    assert_eq!(starts, [0, 1, 2]);
    assert_eq!(second.intervals[0].from, Timestamp::ORIGIN);
    assert_eq!(second.count(Counter::PingsSent.name()), 6);
    let ended = second.endings.rows.iter().map(|ending| ending.ended_ns);
    let seconds = [0, 1, 2].map(|second| Some(Timestamp::ORIGIN + second * Interval::SECOND));
    assert_eq!(ended.collect::<Vec<_>>(), seconds);
    let opened = second.endings.rows[2].opened_ns;
    assert_eq!(
        opened,
        Some(Timestamp::ORIGIN),
        "it was open when the report began"
    );
    assert_eq!(second.carried("main"), 100);
}

#[test]
fn an_endless_run_keeps_its_newest_endings_and_counts_the_others() {
    let mut collector = Collector::new(layout()).endless();
    let all = Endings::MAX_NEWEST as u64 + 5_000;
    for second in 0..all {
        collector.keep_ending(&ending(second));
    }
    let endings = collector.endings_in_report();
    assert!(endings.rows.len() <= Endings::MAX_NEWEST);
    assert_eq!(endings.rows.len() as u64 + endings.more, all);
    let last = endings.rows.last().and_then(|ending| ending.ended_ns);
    assert_eq!(last, Some(Timestamp::ORIGIN + (all - 1) * Interval::SECOND));
}

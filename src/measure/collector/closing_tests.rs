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

/// What one second of a healthy server holds: so many are sent, and all but so many of them and of those before are answered.
#[derive(Debug, Clone, Copy)]
struct Busy {
    sent: u64,
    waits: u64,
}

/// A second in which messages, pings, dials, set-ups and waits begin; what waits at its end is answered in a later one.
fn busy(second: u64, waited: u64, Busy { sent, waits }: Busy) -> Shard {
    let mut shard = Shard::new(&layout());
    shard.interval = second;
    let answered = waited + sent - waits;
    let cohort = &mut shard.cohorts[0];
    for (begun, settled) in [
        (Counter::ConnectionsAttempted, Counter::ConnectionsOpened),
        (Counter::SetupBegun, Counter::SetupReady),
    ] {
        cohort.whole.add(begun, sent);
        cohort.whole.add(settled, answered);
    }
    let window = cohort.window(Window::measured(0));
    window.add(Counter::AwaitsBegun, sent);
    window.add(Counter::AwaitsMet, answered);
    window.add(Counter::MessagesDue, sent);
    window.add(Counter::MessagesSent, sent);
    window.add(Counter::MessagesEchoed, answered);
    window.add(Counter::PingsSent, sent);
    window.add(Counter::PongsReceived, answered);
    cohort.open.pinged = waits;
    cohort.open.open = 7;
    shard
}

/// What must be equal in each report of a healthy server.
const PAIRS: [(Counter, Counter); 5] = [
    (Counter::MessagesSent, Counter::MessagesEchoed),
    (Counter::PingsSent, Counter::PongsReceived),
    (Counter::ConnectionsAttempted, Counter::ConnectionsOpened),
    (Counter::SetupBegun, Counter::SetupReady),
    (Counter::AwaitsBegun, Counter::AwaitsMet),
];

proptest! {
    #[test]
    fn each_report_of_a_healthy_server_is_settled_and_all_together_are_the_run(
        seconds in prop::collection::vec((0u64..50, 0u64..50), 1..30),
        borders in prop::collection::btree_set(1usize..30, 0..8),
    ) {
        let mut collector = Collector::new(layout()).endless().asking(vec![true]);
        let (mut waited, mut taken) = (0, 0);
        let (mut sums, mut all) = ([0; 5], 0);
        let mut whole: Option<Collector> = None;
        let check = |report: &Collector, sums: &mut [u64; 5]| {
            let summary = report.summary(1.0, &[1.0]);
            for ((begun, settled), sum) in PAIRS.iter().zip(sums) {
                let begun = summary.count(begun.name());
                assert_eq!(begun, summary.count(settled.name()), "{settled:?}");
                *sum += begun;
            }
            summary.border
        };
        let last = seconds.len();
        for (second, (sent, waits)) in seconds.into_iter().enumerate() {
            // In the end all is answered.
            let waits = if second + 1 == last { 0 } else { waits.min(waited + sent) };
            let shard = busy(second as u64, waited, Busy { sent, waits });
            collector.interval(Phase::Measure, &shard, Sample::default());
            (waited, all) = (waits, all + sent);
            if borders.contains(&second) {
                let report = collector.close();
                let border = check(&report, &mut sums);
                let open = if taken == 0 && whole.is_none() { 0 } else { 7 };
                let (left, is_first) = (5 * waits, whole.is_none());
                match border {
                    Some(border) => prop_assert_eq!(border, Border { open, taken, left }),
                    None => prop_assert!(is_first && left == 0),
                }
                taken = left;
                match &mut whole {
                    Some(whole) => whole.absorb(&report),
                    None => whole = Some(report),
                }
            }
        }
        check(&collector, &mut sums);
        prop_assert_eq!(sums, [all; 5]);
        let mut together = whole.unwrap_or_else(|| Collector::new(layout()));
        together.absorb(&collector);
        check(&together, &mut [0; 5]);
    }
}

#[test]
fn what_no_answer_is_waited_for_stays_where_it_was_sent() {
    let mut collector = Collector::new(layout()).endless().asking(vec![false]);
    let shard = busy(0, 0, Busy { sent: 9, waits: 4 });
    collector.interval(Phase::Measure, &shard, Sample::default());
    let report = collector.close().summary(1.0, &[1.0]);
    assert_eq!(report.count(Counter::MessagesSent.name()), 9);
    assert_eq!(report.count(Counter::PingsSent.name()), 5);
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

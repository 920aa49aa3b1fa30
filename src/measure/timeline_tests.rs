//! Tests the ladder of widths, and that wider steps lose nothing.

use super::super::interval::Sample;
use super::super::layout::{Layout, Window};
use super::super::shard::Shard;
use super::*;
use proptest::prelude::*;

use crate::units::Nanos;

fn layout() -> Layout {
    let cohort = |name: &str| (name.to_owned(), vec![crate::metric::Timed::sent("echo")]);
    Layout {
        cohorts: vec![cohort("a"), cohort("b")],
        stages: 0,
        topics: Default::default(),
    }
}

/// A second with as many messages sent and answered as its number, each slower than the one before.
fn second(number: u64) -> Interval {
    let mut shard = Shard::new(&layout());
    shard.interval = number;
    for (index, cohort) in shard.cohorts.iter_mut().enumerate() {
        cohort.open.open = number + index as u64;
        let cells = cohort.window(Window::measured(0));
        for message in 0..number % 7 {
            cells.count(Counter::MessagesSent);
            cells.answer(0, Nanos(number * 1_000 + message), Nanos(500));
        }
        cells.time(Timer::HeartbeatRtt, Nanos(number * 100));
        cells.time(Timer::CloseDuration, Nanos(1));
    }
    Interval::of(&shard, Phase::Measure, Sample::default(), &layout())
}

/// The expected rows for steps of this width, computed from all seconds.
fn expected(seconds: u64, width: u64) -> Vec<Row> {
    let mut rows = Vec::new();
    for first in (0..seconds).step_by(width as usize) {
        let mut step = second(first);
        (first + 1..seconds.min(first + width)).for_each(|next| step.merge(&second(next)));
        rows.extend(rows_of(&step));
    }
    rows
}

fn timeline(planned: u64, seconds: u64) -> Timeline {
    let mut timeline = Timeline::new(Duration::from_secs(planned));
    (0..seconds).for_each(|number| timeline.push(&second(number)));
    timeline
}

#[test]
fn the_width_follows_the_plan() {
    let width = |seconds| Timeline::width(Duration::from_secs(seconds)).as_secs();
    assert_eq!(width(0), 1);
    assert_eq!(width(720), 1);
    assert_eq!(width(721), 2);
    assert_eq!(width(3_600), 5);
    assert_eq!(width(86_400), 120);
    assert_eq!(width(720 * 300), 300);
    assert_eq!(width(720 * 300 + 1), 600);
    assert_eq!(width(365 * 86_400), 76_800);
}

#[test]
fn a_run_longer_than_planned_is_shown_in_wider_steps() {
    let most = Timeline::MAX_INTERVALS as u64;
    for (seconds, width) in [
        (most - 1, 1),
        (most, 1),
        (most + 1, 2),
        (2 * most + 1, 2),
        (2 * most + 2, 4),
        (3 * most, 4),
    ] {
        let rows = timeline(0, seconds).rows();
        assert!(rows == expected(seconds, width), "{seconds} seconds");
        assert!(rows.len() <= 2 * (Timeline::MAX_INTERVALS + 1));
    }
}

/// The whole intervals for steps of this width, computed from all seconds.
fn expected_intervals(seconds: u64, width: u64) -> Vec<Interval> {
    let step = |first| {
        let mut step = second(first);
        (first + 1..seconds.min(first + width)).for_each(|next| step.merge(&second(next)));
        step
    };
    (0..seconds).step_by(width as usize).map(step).collect()
}

#[test]
fn a_step_is_kept_whole() {
    let most = Timeline::MAX_INTERVALS as u64;
    for (seconds, width) in [(most, 1), (most + 1, 2), (2 * most + 2, 4)] {
        let kept = timeline(0, seconds).intervals();
        let kept: Vec<Interval> = kept.iter().map(|step| step.decode().unwrap()).collect();
        assert!(
            kept == expected_intervals(seconds, width),
            "{seconds} seconds"
        );
    }
}

#[test]
fn steps_become_wider_when_they_take_too_much_memory() {
    let mut timeline = Timeline::new(Duration::ZERO);
    for number in 0..10 {
        timeline.push(&second(number));
        if number == 4 {
            timeline.steps[0].bytes = Timeline::MAX_BYTES;
        }
    }
    assert!(timeline.rows() == expected(10, 2));
    let kept = timeline.intervals();
    assert_eq!(kept.len(), 5);
    assert!(timeline.steps[0].bytes < Timeline::MAX_BYTES / 100);
}

#[test]
fn a_worker_that_covered_two_seconds_makes_one_step_of_both() {
    let mut timeline = Timeline::new(Duration::ZERO);
    let mut two = second(1);
    two.from = Timestamp::ORIGIN;
    timeline.push(&two);
    timeline.push(&second(2));
    let rows = timeline.rows();
    let steps: Vec<_> = rows.iter().map(|row| (row.second, row.seconds)).collect();
    assert_eq!(steps, [(0, 2), (0, 2), (2, 1), (2, 1)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn steps_are_their_seconds_merged(planned in 0u64..20_000, seconds in 1u64..200) {
        let width = Timeline::width(Duration::from_secs(planned)).as_secs();
        prop_assert!(timeline(planned, seconds).rows() == expected(seconds, width));
    }
}

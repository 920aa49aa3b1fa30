//! What was seen: put into a shard by a worker for every message, and merged once a second for every worker.

use std::hint::black_box;

use wsbench::measure::{Layout, Shard, Window};
use wsbench::metric::{Counter, Timer};
use wsbench::units::Nanos;

/// Messages in a shard that is merged. How many there are makes no difference to its cost.
const MESSAGES: u64 = 1000;

/// See [`crate::PATHS`].
pub(crate) fn record(count: u64) {
    let mut shard = empty();
    for index in 0..count {
        answered(black_box(&mut shard), index);
    }
    assert_eq!(echoed(&shard), count);
}

/// See [`crate::PATHS`].
pub(crate) fn merge(count: u64) {
    let (mut all, mut shard) = (empty(), empty());
    for index in 0..MESSAGES {
        answered(&mut shard, index);
    }
    for _ in 0..count {
        black_box(&mut all).merge(black_box(&shard), Shard::MAX_ENDINGS);
    }
    assert_eq!(echoed(&all), count * MESSAGES);
}

/// For one cohort with one message.
fn empty() -> Shard {
    Shard::new(&Layout {
        cohorts: vec![(
            "clients".to_owned(),
            vec![wsbench::metric::Timed::sent("echo")],
        )],
        topics: Default::default(),
        stages: 0,
    })
}

/// What a session records from when a message is due to when its answer was compared.
fn answered(shard: &mut Shard, index: u64) {
    let latency = 50_000 + index % 1024 * 997;
    let cells = shard.cohorts[0].window(Window::measured(0));
    cells.count(Counter::MessagesDue);
    cells.count(Counter::MessagesSent);
    cells.time(Timer::ScheduleLateness, black_box(Nanos(latency / 8)));
    cells.time(Timer::ReceiveGap, black_box(Nanos(10_000_000 + latency)));
    cells.count(Counter::MessagesReceived);
    cells.count(Counter::MessagesEchoed);
    let service = Nanos(latency - latency / 8);
    cells.answer(0, black_box(Nanos(latency)), black_box(service));
}

fn echoed(shard: &Shard) -> u64 {
    let windows = shard.cohorts[0].windows();
    windows
        .map(|(_, cells)| cells.counter(Counter::MessagesEchoed))
        .sum()
}

//! What is due, and what it is called.

use std::hint::black_box;

use wsbench::measure::{Audience, Heard, Listener, Receipt};
use wsbench::plan::{Pacer, Published, Series, TopicFinder, TopicSeries};
use wsbench::scenario::{Gaps, Phase};
use wsbench::units::{Nanos, Timestamp};

/// Nanoseconds between two messages of a connection that sends 100 a second.
const GAP: u64 = 10_000_000;

/// See [`crate::PATHS`].
pub(crate) fn constant(count: u64) {
    let last = pace(Gaps::Constant, count);
    assert_eq!(last, count * GAP);
}

/// See [`crate::PATHS`].
pub(crate) fn poisson(count: u64) {
    let last = pace(Gaps::Poisson, count);
    assert!(last > 0);
}

/// See [`crate::PATHS`].
pub(crate) fn stamp(count: u64) {
    let series = black_box(Series::new(0x5eed_cafe, 1, 4711, 2));
    for sequence in 0..count {
        let bytes = series.stamp(black_box(sequence), Timestamp::from_nanos(sequence * GAP));
        let read = series.read(black_box(&bytes));
        assert_eq!(
            read,
            Some((sequence, Timestamp::from_nanos(sequence * GAP)))
        );
    }
}

/// See [`crate::PATHS`].
pub(crate) fn topic_stamp(count: u64) {
    const RUN: u32 = 0x5eed_cafe;
    let series = black_box(TopicSeries::new(RUN, 4711, 2..=2));
    let finder = black_box(TopicFinder::new(RUN));
    let mut message = [b'x'; 80];
    for sequence in 0..count {
        let intended = Timestamp::from_nanos(sequence * GAP);
        let number = black_box(sequence) as u32;
        let stamp = series.stamp(published(number), sequence, intended);
        message[20..68].copy_from_slice(&stamp);
        let found = finder.find(black_box(&message), intended);
        assert!(
            found.is_some_and(|(_, stamp)| stamp.number == number && stamp.intended == intended)
        );
    }
}

fn published(number: u32) -> Published {
    Published {
        message: 2,
        lane: 1,
        number,
    }
}

/// See [`crate::PATHS`].
pub(crate) fn delivery(count: u64) {
    const PATIENCE: Nanos = Nanos::from_secs(5);
    let (series, finder) = (TopicSeries::new(1, 4711, 2..=2), TopicFinder::new(1));
    let mut audience = Audience::new(PATIENCE, 1, 1);
    let mut listener = Listener::new(0);
    let start = Timestamp::ORIGIN;
    listener.join(0, start, start, &mut audience);
    let mut message = [b'x'; 80];
    for sequence in 0..count {
        let intended = Timestamp::from_nanos(sequence * GAP);
        let stamp = series.stamp(published(sequence as u32), sequence, intended);
        message[20..68].copy_from_slice(&stamp);
        let found = finder.find(black_box(&message), intended);
        let heard = found.map(|(_, stamp)| Heard {
            topic: 0,
            lane: stamp.lane,
            sequence: stamp.number,
            // More speakers than a member knows the order of.
            speaker: (sequence % 20) as u32,
            is_returned: false,
            intended: stamp.intended,
            timeout: PATIENCE,
        });
        let receipt =
            heard.and_then(|heard| black_box(&mut listener).hear(&heard, intended, &mut audience));
        assert!(matches!(
            receipt,
            Some(Receipt::First {
                is_late: false,
                is_unsure: false,
                ..
            })
        ));
    }
}

fn pace(gaps: Gaps, count: u64) -> u64 {
    let mut pacer = Pacer::new(GAP as f64, gaps, Phase::Aligned, 0, 1, Timestamp::ORIGIN);
    for _ in 0..count {
        black_box(pacer.next());
        black_box(&mut pacer).advance();
    }
    pacer.next().as_nanos()
}

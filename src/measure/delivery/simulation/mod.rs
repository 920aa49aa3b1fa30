//! Simulates rooms whose members come, go and are lost, on several workers, with a server that drops, doubles, delays
//! and misdirects; and compares every count with what really happened.

mod naive;
mod world;

use std::collections::BTreeMap;

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand_xoshiro::Xoshiro256PlusPlus;

use self::naive::Naive;
use self::world::{Event, Faults, NO_FAULTS, Run, Shape, shapes};
use super::*;
use crate::measure::Window;

const MS: u64 = 1_000_000;

/// The counts of one cohort, by window where they belong to one.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    expected: BTreeMap<Window, u64>,
    received: BTreeMap<Window, u64>,
    late: u64,
    duplicated: u64,
    unordered: u64,
    stray: u64,
    unsure: u64,
}

fn window(second: u64) -> Window {
    Window::measured(second as usize % 3)
}

impl Run {
    /// What really happened with each message and each member that counts.
    fn truth(&self) -> Vec<Counts> {
        let mut counts: Vec<Counts> = Vec::new();
        counts.resize_with(self.shape.cohorts.into(), Counts::default);
        for publish in &self.publishes {
            let second = publish.intended / 1000;
            let counting = self.stays.iter().filter(|stay| {
                let is_own = stay.connection == publish.speaker && Self::keeps_back(publish.topic);
                stay.topic == publish.topic && stay.counts(second, self.shape.patience) && !is_own
            });
            for stay in counting {
                let counts = &mut counts[self.cohort(stay.connection)];
                let window = window(second);
                *counts.expected.entry(window).or_default() += 1;
                if !publish.lost_to.contains(&stay.connection) {
                    *counts.received.entry(window).or_default() += 1;
                }
            }
        }
        counts
    }

    /// Plays the run. Returns the counts of each cohort, and what the workers handed over.
    fn play(&mut self) -> (Vec<Counts>, Vec<Deliveries>) {
        let shape = self.shape;
        let patience = Nanos(shape.patience * MS);
        let audience = || Audience::new(patience, shape.topics.into(), shape.cohorts.into());
        let mut audiences: Vec<Audience> = (0..shape.workers).map(|_| audience()).collect();
        let mut listeners: Vec<Listener> = (0..shape.connections)
            .map(|connection| Listener::new(self.cohort(connection) as u8))
            .collect();
        let mut counts: Vec<Counts> = Vec::new();
        counts.resize_with(shape.cohorts.into(), Counts::default);
        let mut naive = Naive::default();
        let mut parts = Vec::new();
        let of = |time: Timestamp| window(time.as_nanos() / SECOND.0);
        let mut last = 0;
        for (at, connection, event) in self.events.clone() {
            last = at;
            let now = Timestamp::from_nanos(at * MS);
            let listener = &mut listeners[connection as usize];
            let worker = (connection % u32::from(shape.workers)) as usize;
            let audience = &mut audiences[worker];
            match event {
                Event::Expect(topic) => listener.joining(topic, audience),
                Event::Join(topic) => listener.join(topic, now, now, audience),
                Event::Leave(topic) => listener.leave(topic, now, audience),
                Event::Lost => {
                    listener.leave_all(now, audience);
                    *listener = Listener::new(listener.cohort());
                }
                Event::Publish(index) => {
                    let publish = &mut self.publishes[index];
                    let intended = Timestamp::from_nanos(publish.intended * MS);
                    let speaker = Self::keeps_back(publish.topic).then_some(listener);
                    publish.sequence = audience.publish(publish.topic, intended, now, speaker);
                }
                Event::Hear(index) => {
                    let publish = &self.publishes[index];
                    let heard = Heard {
                        topic: publish.topic,
                        lane: publish.lane,
                        sequence: publish.sequence,
                        speaker: publish.speaker,
                        is_returned: publish.speaker == connection
                            && Self::keeps_back(publish.topic),
                        intended: Timestamp::from_nanos(publish.intended * MS),
                        timeout: Nanos(self.timeout(publish.topic) * MS),
                    };
                    let receipt = listener.hear(&heard, now, audience).unwrap();
                    assert_eq!(receipt, naive.hear(self, connection, index, at));
                    let counts = &mut counts[self.cohort(connection)];
                    match receipt {
                        Receipt::Stray => counts.stray += 1,
                        Receipt::Duplicate => counts.duplicated += 1,
                        Receipt::First {
                            is_late,
                            is_unsure,
                            is_unordered,
                        } => {
                            counts.unordered += u64::from(is_unordered);
                            counts.unsure += u64::from(is_unsure);
                            counts.late += u64::from(is_late && !is_unsure);
                        }
                    }
                }
                Event::HandOver(worker) => {
                    let mut part = Deliveries::default();
                    audiences[worker as usize].hand_over(now, false, of, &mut part);
                    parts.push(part);
                }
            }
        }
        // All stay until the patience after the last second is over.
        let end = Timestamp::from_nanos((last + shape.patience + 2_000) * MS);
        for (connection, listener) in listeners.iter_mut().enumerate() {
            listener.leave_all(end, &mut audiences[connection % usize::from(shape.workers)]);
        }
        for audience in &mut audiences {
            let mut part = Deliveries::default();
            audience.hand_over(end, true, of, &mut part);
            parts.push(part);
        }
        (counts, parts)
    }
}

/// Puts parts together in any groups and any order, after splitting them into their seconds.
fn gathered(parts: Vec<Deliveries>, workers: u8, seed: u64) -> Vec<(usize, Window, Outcome)> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut pieces = Vec::new();
    for part in parts {
        if random.next_u64() % 2 == 0 {
            pieces.push(part);
            continue;
        }
        for second in part.seconds {
            let seconds = vec![second];
            pieces.push(Deliveries {
                seconds,
                ..Deliveries::default()
            });
        }
        let done_from = part.done_from;
        pieces.push(Deliveries {
            done_from,
            ..Deliveries::default()
        });
    }
    let mut reach = Reach::new(workers.into());
    let mut outcomes = Vec::new();
    let mut merged = Deliveries::default();
    while !pieces.is_empty() {
        let piece = pieces.swap_remove(random.random_range(0..pieces.len()));
        merged.merge(&piece);
        if random.next_u64() % 3 == 0 {
            reach.add(&merged);
            merged.clear();
            reach.take(|cohort, window, outcome| outcomes.push((cohort, window, outcome)));
        }
    }
    reach.add(&merged);
    reach.take(|cohort, window, outcome| outcomes.push((cohort, window, outcome)));
    outcomes
}

/// Plays a run, and compares the counts with what happened. Returns expected and received of all.
fn check(shape: Shape, faults: Faults, order: u64) -> Result<(u64, u64), TestCaseError> {
    let mut run = Run::new(shape, faults);
    let (mut counts, parts) = run.play();
    for (cohort, window, outcome) in gathered(parts, shape.workers, order) {
        let counts = &mut counts[cohort];
        for (count, by_window) in [
            (outcome.expected, &mut counts.expected),
            (outcome.received, &mut counts.received),
        ] {
            if count > 0 {
                *by_window.entry(window).or_default() += count;
            }
        }
        counts.unsure += outcome.unsure;
    }
    let truth = run.truth();
    for (seen, truth) in counts.iter().zip(&truth) {
        prop_assert_eq!(&seen.expected, &truth.expected);
        prop_assert_eq!(&seen.received, &truth.received);
    }
    let sum = |of: fn(&Counts) -> &BTreeMap<Window, u64>| {
        counts.iter().flat_map(|one| of(one).values()).sum()
    };
    let (expected, received): (u64, u64) = (sum(|one| &one.expected), sum(|one| &one.received));
    // Nothing that came is left out.
    let heard = run
        .events
        .iter()
        .filter(|(_, _, event)| matches!(event, Event::Hear(_)))
        .count() as u64;
    let others: u64 = counts
        .iter()
        .map(|one| one.late + one.duplicated + one.stray + one.unsure)
        .sum();
    prop_assert_eq!(heard, received + others);
    Ok((expected, received))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn without_loss_all_that_is_expected_is_received(shape in shapes(), order in any::<u64>()) {
        let (expected, received) = check(shape, NO_FAULTS, order)?;
        prop_assert_eq!(expected, received);
    }

    #[test]
    fn what_is_missing_was_lost(
        shape in shapes(), order in any::<u64>(),
        (drops, doubles, delays, leaks) in (0u64..10, 0u64..10, 0u64..10, 0u64..10),
    ) {
        let faults = Faults { drops, doubles, delays, leaks };
        let (expected, received) = check(shape, faults, order)?;
        prop_assert!(received <= expected);
    }
}

#[test]
fn a_run_has_something_to_count() {
    let shape = Shape {
        seed: 1,
        workers: 3,
        connections: 12,
        topics: 3,
        cohorts: 2,
        patience: 1_000,
        length: 60_000,
    };
    let faults = Faults {
        drops: 2,
        doubles: 2,
        delays: 2,
        leaks: 10,
    };
    let (expected, received) = check(shape, faults, 1).unwrap();
    assert!(
        received < expected && expected > 1_000,
        "{received} of {expected}"
    );
}

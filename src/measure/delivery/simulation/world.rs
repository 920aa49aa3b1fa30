//! What happens in a simulated run: who is where when, what is published, and what the server does with it.

use std::collections::HashSet;

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::measure::delivery::TopicIndex;

/// What the server does wrong, each in percent of the deliveries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Faults {
    pub(super) drops: u64,
    pub(super) doubles: u64,
    pub(super) delays: u64,
    pub(super) leaks: u64,
}

pub(super) const NO_FAULTS: Faults = Faults {
    drops: 0,
    doubles: 0,
    delays: 0,
    leaks: 0,
};

/// The shape of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) seed: u64,
    pub(super) workers: u8,
    pub(super) connections: u32,
    pub(super) topics: u16,
    pub(super) cohorts: u8,
    /// The longest timeout in milliseconds.
    pub(super) patience: u64,
    /// The length of the run in milliseconds.
    pub(super) length: u64,
}

pub(super) fn shapes() -> impl Strategy<Value = Shape> {
    let sizes = (1u8..5, 1u32..13, 1u16..4, 1u8..4);
    let times = (
        prop::sample::select(vec![200u64, 1_000, 1_700, 3_000]),
        500u64..9_000,
    );
    (any::<u64>(), sizes, times).prop_map(|(seed, sizes, (patience, length))| Shape {
        seed,
        workers: sizes.0,
        connections: sizes.1,
        topics: sizes.2,
        cohorts: sizes.3,
        patience,
        length,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Expect(TopicIndex),
    Join(TopicIndex),
    Leave(TopicIndex),
    Lost,
    /// The index of the publish.
    Publish(usize),
    /// The index of the publish.
    Hear(usize),
    HandOver(u8),
}

/// A message, and what the server does with it.
#[derive(Debug, Clone)]
pub(super) struct Publish {
    pub(super) speaker: u32,
    pub(super) topic: TopicIndex,
    pub(super) intended: u64,
    pub(super) lane: u8,
    pub(super) sequence: u32,
    /// Those to whom the server did not deliver it in time.
    pub(super) lost_to: HashSet<u32>,
}

/// The time of one connection in one topic, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stay {
    pub(super) connection: u32,
    pub(super) topic: TopicIndex,
    pub(super) from: u64,
    pub(super) to: u64,
    /// From when and until when the server delivers.
    pub(super) served: (u64, u64),
}

impl Stay {
    pub(super) fn counts(&self, second: u64, patience: u64) -> bool {
        self.from <= second * 1000 && (second + 1) * 1000 + patience <= self.to
    }
}

pub(super) struct Run {
    pub(super) shape: Shape,
    pub(super) random: Xoshiro256PlusPlus,
    pub(super) stays: Vec<Stay>,
    pub(super) publishes: Vec<Publish>,
    pub(super) events: Vec<(u64, u32, Event)>,
}

impl Run {
    pub(super) fn new(shape: Shape, faults: Faults) -> Self {
        let mut run = Self {
            shape,
            random: Xoshiro256PlusPlus::seed_from_u64(shape.seed),
            stays: Vec::new(),
            publishes: Vec::new(),
            events: Vec::new(),
        };
        (0..shape.connections).for_each(|connection| run.lives(connection));
        run.speak(faults);
        for worker in 0..shape.workers {
            for second in 0..(shape.length + shape.patience) / 1000 + 2 {
                // A hand-over that finds no room is skipped.
                if run.chance(85) {
                    let at = (second + 1) * 1000 + run.up_to(60);
                    run.events.push((at, 0, Event::HandOver(worker)));
                }
            }
        }
        run.events.sort_by_key(|(at, _, _)| *at);
        run
    }

    fn up_to(&mut self, most: u64) -> u64 {
        self.random.random_range(0..=most)
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.up_to(99) < percent
    }

    /// A connection joins and leaves topics, and is lost now and then.
    fn lives(&mut self, connection: u32) {
        let mut at = self.up_to(800);
        while at < self.shape.length {
            let until = match self.chance(40) {
                true => u64::MAX,
                false => at + self.up_to(5_000),
            };
            for topic in 0..self.shape.topics {
                if !self.chance(70) {
                    continue;
                }
                let mut from = at + self.up_to(400);
                while from < until.min(self.shape.length) {
                    let leaves = self.chance(50);
                    let to = match leaves {
                        true => from + self.up_to(6_000),
                        false => u64::MAX,
                    };
                    let early = self.up_to(30).min(from - at);
                    let served_to = (to.saturating_add(self.up_to(30))).min(until);
                    self.events
                        .push((from - early, connection, Event::Expect(topic)));
                    self.events.push((from, connection, Event::Join(topic)));
                    let is_left = to < until && to != u64::MAX;
                    if is_left {
                        self.events.push((to, connection, Event::Leave(topic)));
                    }
                    self.stays.push(Stay {
                        connection,
                        topic,
                        from,
                        to: to.min(until),
                        served: (from - early, served_to),
                    });
                    if !is_left {
                        break;
                    }
                    // A server knows of it before it joins again.
                    from = to + 100 + self.up_to(3_000);
                }
            }
            if until == u64::MAX {
                break;
            }
            self.events.push((until, connection, Event::Lost));
            at = until + 100 + self.up_to(2_000);
        }
    }

    /// Whether the server does not send a message of this topic back to its speaker.
    pub(super) fn keeps_back(topic: TopicIndex) -> bool {
        topic % 2 == 1
    }

    pub(super) fn timeout(&self, topic: TopicIndex) -> u64 {
        match topic {
            0 => self.shape.patience,
            _ => self.shape.patience * 3 / 4,
        }
    }

    fn speak(&mut self, faults: Faults) {
        let count = self.up_to(40 * self.shape.length / 1000);
        for _ in 0..count {
            let speaker = self.up_to(u64::from(self.shape.connections) - 1) as u32;
            let topic = self.up_to(u64::from(self.shape.topics) - 1) as TopicIndex;
            let intended = self.up_to(self.shape.length);
            let timeout = self.timeout(topic);
            let late = match self.chance(30) {
                true => self.up_to(timeout),
                false => 0,
            };
            let sent = intended + late;
            let index = self.publishes.len();
            self.events.push((sent, speaker, Event::Publish(index)));
            let mut publish = Publish {
                speaker,
                topic,
                intended,
                lane: (speaker % u32::from(self.shape.workers)) as u8,
                sequence: 0,
                lost_to: HashSet::new(),
            };
            for stay in self.stays.clone() {
                let is_served = (stay.served.0..=stay.served.1).contains(&sent);
                if stay.topic != topic || !is_served {
                    continue;
                }
                if stay.connection == speaker && Self::keeps_back(topic) {
                    continue;
                }
                if self.chance(faults.drops) {
                    publish.lost_to.insert(stay.connection);
                    continue;
                }
                let mut at = sent + self.up_to(timeout - late);
                if self.chance(faults.delays) {
                    publish.lost_to.insert(stay.connection);
                    at = intended + timeout + 1 + self.up_to(2_000);
                }
                let is_lost_until = self.lost_after(stay.connection, sent);
                if at < is_lost_until {
                    self.events.push((at, stay.connection, Event::Hear(index)));
                }
                let again = at + self.up_to(1_500);
                if self.chance(faults.doubles) && again < is_lost_until {
                    self.events
                        .push((again, stay.connection, Event::Hear(index)));
                }
            }
            if self.chance(faults.leaks) {
                let other = self.up_to(u64::from(self.shape.connections) - 1) as u32;
                let at = sent + self.up_to(900);
                // A leak must not make up for a drop.
                if !publish.lost_to.contains(&other) {
                    self.events.push((at, other, Event::Hear(index)));
                }
            }
            self.publishes.push(publish);
        }
    }

    /// When the connection is lost that was open at a time.
    fn lost_after(&self, connection: u32, time: u64) -> u64 {
        let ends = self.events.iter().filter_map(|(at, of, event)| {
            (*of == connection && *event == Event::Lost && *at >= time).then_some(*at)
        });
        ends.min().unwrap_or(u64::MAX)
    }

    pub(super) fn cohort(&self, connection: u32) -> usize {
        (connection % u32::from(self.shape.cohorts)) as usize
    }
}

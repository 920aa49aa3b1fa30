//! The worker's side: what its connections published, and its members, in the seconds that are not over yet.

use std::collections::{BTreeMap, VecDeque};

use super::listener::Listener;
use super::second::{ClosedSecond, Deliveries, HeardBy, TopicChange};
use super::{SECOND, TopicIndex, second_of};
use crate::measure::Window;
use crate::units::{Nanos, Timestamp};

/// What one worker's connections published, and its members, in the seconds that are not over. A second is over when the
/// patience after its end is: nothing that happens later can concern it.
#[derive(Debug)]
pub struct Audience {
    patience: Nanos,
    cohorts: usize,
    /// The number of the next message of each topic.
    sequences: Vec<u32>,
    /// The seconds that are not over, and the number of the first.
    open: VecDeque<OpenSecond>,
    first: u64,
    closed: Vec<ClosedSecond>,
}

/// A second that is not over.
#[derive(Debug, Default)]
pub(super) struct OpenSecond {
    published: BTreeMap<TopicIndex, u32>,
    members: BTreeMap<(TopicIndex, u8), Change>,
    /// For each cohort, what members that count heard, and what those heard that went since.
    heard: Vec<[u32; 2]>,
}

#[derive(Debug, Default)]
struct Change {
    members: i32,
    own: u32,
}

impl Audience {
    /// Makes the audience of so many topics and cohorts; `patience` is the longest timeout of what is published.
    pub fn new(patience: Nanos, topics: usize, cohorts: usize) -> Self {
        Self {
            patience,
            cohorts,
            sequences: vec![0; topics],
            open: VecDeque::new(),
            first: 0,
            closed: Vec::new(),
        }
    }

    /// The longest timeout of what is published.
    pub fn patience(&self) -> Nanos {
        self.patience
    }

    /// How many seconds can be open at a time: those of the patience, the one that is under way, and the ones around it.
    pub(super) fn span(&self) -> usize {
        self.patience.0.div_ceil(SECOND.0) as usize + 3
    }

    /// The first second that is open.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// A message is published: returns its number in the topic, from 0 for each worker. `speaker` is its connection, if
    /// the server does not send the message back to it.
    pub fn publish(
        &mut self,
        topic: TopicIndex,
        intended: Timestamp,
        now: Timestamp,
        speaker: Option<&mut Listener>,
    ) -> u32 {
        self.advance(now);
        let second = second_of(intended).max(self.first);
        *self.at(second).published.entry(topic).or_default() += 1;
        if let Some(speaker) = speaker {
            speaker.speaks(topic, second, self);
        }
        let next = &mut self.sequences[topic as usize];
        let sequence = *next;
        *next = next.wrapping_add(1);
        sequence
    }

    /// Closes the seconds that are over.
    #[inline]
    pub(super) fn advance(&mut self, now: Timestamp) {
        while (self.first + 1) * SECOND + self.patience <= now.saturating_since(Timestamp::ORIGIN) {
            self.close();
        }
    }

    #[cold]
    #[inline(never)]
    fn close(&mut self) {
        let open = self.open.pop_front().unwrap_or_default();
        self.closed.push(open.close(self.first));
        self.first += 1;
    }

    /// Hands over the seconds that are over; all, if the worker is done. `window` says in which window a time lies.
    pub fn hand_over(
        &mut self,
        now: Timestamp,
        is_done: bool,
        window: impl Fn(Timestamp) -> Window,
        to: &mut Deliveries,
    ) {
        self.advance(now);
        if is_done {
            while !self.open.is_empty() {
                self.close();
            }
            to.done_from.push(self.first);
        }
        for mut second in self.closed.drain(..) {
            second.window = window(Timestamp::ORIGIN + second.second * SECOND);
            to.seconds.push(second);
        }
    }

    /// An open second.
    pub(super) fn at(&mut self, second: u64) -> &mut OpenSecond {
        let place = (second - self.first) as usize;
        if place >= self.open.len() {
            self.open.resize_with(place + 1, OpenSecond::default);
        }
        &mut self.open[place]
    }

    /// The counts of a cohort in an open second: what members that count heard, and what those heard that went since.
    pub(super) fn heard(&mut self, second: u64, cohort: u8) -> &mut [u32; 2] {
        let cohorts = self.cohorts;
        let heard = &mut self.at(second).heard;
        if heard.is_empty() {
            heard.resize(cohorts, [0; 2]);
        }
        &mut heard[cohort as usize]
    }
}

impl OpenSecond {
    /// Counts more or fewer members from this second on.
    pub(super) fn change(&mut self, topic: TopicIndex, cohort: u8, change: i32) {
        self.members.entry((topic, cohort)).or_default().members += change;
    }

    /// The messages of members that are not sent back to them.
    pub(super) fn own(&mut self, topic: TopicIndex, cohort: u8) -> &mut u32 {
        &mut self.members.entry((topic, cohort)).or_default().own
    }

    fn close(self, second: u64) -> ClosedSecond {
        let members = self
            .members
            .into_iter()
            .map(|((topic, cohort), change)| TopicChange {
                topic,
                cohort,
                change: change.members,
                own: change.own,
            });
        let heard = (0u8..=u8::MAX).zip(self.heard);
        let heard = heard.map(|(cohort, [received, unsure])| HeardBy {
            cohort,
            received,
            unsure,
        });
        ClosedSecond {
            second,
            window: Window::OUTSIDE,
            published: self.published.into_iter().collect(),
            members: members
                .filter(|one| (one.change, one.own) != (0, 0))
                .collect(),
            heard: heard
                .filter(|told| (told.received, told.unsure) != (0, 0))
                .collect(),
        }
    }
}

//! The supervisor's side: what all workers saw of a second, and so how many deliveries were expected in it.

use std::collections::BTreeMap;

use super::TopicIndex;
use super::second::Deliveries;
use crate::measure::Window;

/// Computes from what all workers saw how many deliveries were expected.
#[derive(Debug, Clone)]
pub struct Reach {
    workers: usize,
    /// Whether nothing more can be computed.
    is_over: bool,
    /// The second that is computed next.
    next: u64,
    /// The seconds that some workers have told of.
    told: BTreeMap<u64, Second>,
    /// The first seconds that workers do not tell of.
    done_from: Vec<u64>,
    /// The members that count, in the second before the next.
    members: BTreeMap<Place, i64>,
}

/// A topic and a cohort of members.
type Place = (TopicIndex, u8);

/// A second, of all workers that have told of it.
#[derive(Debug, Default, Clone)]
struct Second {
    workers: usize,
    window: Option<Window>,
    published: BTreeMap<TopicIndex, u64>,
    /// The change of members, and their own messages.
    members: BTreeMap<Place, (i64, u64)>,
    heard: BTreeMap<u8, Outcome>,
}

/// The deliveries to one cohort in one second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// To members that count.
    pub expected: u64,
    /// To members that count, in time.
    pub received: u64,
    /// To members that went before they could count.
    pub unsure: u64,
}

impl Reach {
    /// Makes the reach of a run with so many workers.
    pub fn new(workers: usize) -> Self {
        Self {
            workers,
            is_over: false,
            next: 0,
            told: BTreeMap::new(),
            done_from: Vec::new(),
            members: BTreeMap::new(),
        }
    }

    /// What is left where a worker was lost: its members and what it published are not known from then on, and so is
    /// what was to be expected by anybody. Keeps nothing.
    pub fn over() -> Self {
        Self {
            is_over: true,
            ..Self::new(0)
        }
    }

    /// Takes seconds in, in any order.
    pub fn add(&mut self, deliveries: &Deliveries) {
        if self.is_over {
            return;
        }
        self.done_from.extend_from_slice(&deliveries.done_from);
        for closed in &deliveries.seconds {
            let second = self.told.entry(closed.second).or_default();
            second.workers += 1;
            second.window = Some(closed.window);
            for (topic, count) in &closed.published {
                *second.published.entry(*topic).or_default() += u64::from(*count);
            }
            for of in &closed.members {
                let (members, own) = second.members.entry((of.topic, of.cohort)).or_default();
                *members += i64::from(of.change);
                *own += u64::from(of.own);
            }
            for told in &closed.heard {
                let outcome = second.heard.entry(told.cohort).or_default();
                outcome.received += u64::from(told.received);
                outcome.unsure += u64::from(told.unsure);
            }
        }
    }

    /// Passes on the deliveries of each cohort and second that all workers have told of, with the window in which the
    /// second began.
    pub fn take(&mut self, mut pass: impl FnMut(usize, Window, Outcome)) {
        while let Some(told) = self.told.get(&self.next) {
            // Each worker tells of every second until it is done.
            let done = self.done_from.iter().filter(|from| **from <= self.next);
            if told.workers + done.count() < self.workers {
                return;
            }
            let told = self.told.remove(&self.next).unwrap_or_default();
            self.next += 1;
            let window = told.window.unwrap_or(Window::OUTSIDE);
            for (cohort, outcome) in self.outcomes(told) {
                pass(cohort.into(), window, outcome);
            }
        }
    }

    fn outcomes(&mut self, second: Second) -> BTreeMap<u8, Outcome> {
        let mut own: BTreeMap<Place, u64> = BTreeMap::new();
        for (place, (change, count)) in second.members {
            let members = self.members.entry(place).or_default();
            *members += change;
            if *members == 0 {
                self.members.remove(&place);
            }
            own.insert(place, count);
        }
        let mut outcomes = second.heard;
        for (topic, published) in second.published {
            for (place, members) in self.members.range((topic, 0)..=(topic, u8::MAX)) {
                let members = u64::try_from(*members).unwrap_or(0);
                let all = published.saturating_mul(members);
                let own = own.get(place).copied().unwrap_or(0);
                let outcome = outcomes.entry(place.1).or_default();
                outcome.expected = outcome.expected.saturating_add(all.saturating_sub(own));
            }
        }
        outcomes
    }
}

//! What a client's part tells of: counts and times that are to be recorded.

use crate::measure::Cells;
use crate::metric::{Counter, Timer};
use crate::units::{Nanos, Timestamp};

/// Something that is to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Fact {
    /// The time that decides the window it belongs to; `None` for the whole run.
    pub(in crate::engine) at: Option<Timestamp>,
    pub(in crate::engine) what: Told,
}

/// What is to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Told {
    /// Adds this to a counter.
    Count(Counter, u64),
    /// A time.
    Took(Timer, Nanos),
    /// The two times of a slot: for an answer, from its intended and from its actual begin; for an `[[on]]`, since its
    /// last message, and the age of this one.
    Slot {
        slot: usize,
        times: [Option<Nanos>; 2],
    },
}

impl Told {
    /// Records it.
    pub(in crate::engine) fn book(self, cells: &mut Cells) {
        match self {
            Self::Count(counter, more) => cells.add(counter, more),
            Self::Took(timer, took) => cells.time(timer, took),
            Self::Slot { slot, times } => cells.timed(slot, times),
        }
    }
}

/// A step that changes the topics of its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Move {
    /// The message of this slot was sent.
    Sent { slot: usize, is_answered: bool },
    /// What this slot waits for may come from now on.
    Armed(usize),
    /// This slot is done: the right answer, or what it waited for, has come.
    Done(usize),
}

/// Such steps, in the order in which it happened.
pub(in crate::engine) type Moves = Vec<Move>;

/// Facts in the order in which they were learned.
#[derive(Debug, Default)]
pub(in crate::engine) struct Facts {
    facts: Vec<Fact>,
    /// What changes the topics of the client; taken after each call that may tell of it.
    pub(in crate::engine) moves: Moves,
}

impl Facts {
    /// Counts one in the window of `at`.
    pub(super) fn count(&mut self, counter: Counter, at: Timestamp) {
        self.add(counter, 1, at);
    }

    /// Counts so many in the window of `at`.
    pub(super) fn add(&mut self, counter: Counter, more: u64, at: Timestamp) {
        let what = Told::Count(counter, more);
        self.facts.push(Fact { at: Some(at), what });
    }

    /// Counts one of the whole run.
    pub(super) fn count_whole(&mut self, counter: Counter) {
        let what = Told::Count(counter, 1);
        self.facts.push(Fact { at: None, what });
    }

    /// Keeps a time of the whole run.
    pub(super) fn took(&mut self, timer: Timer, took: Nanos) {
        let what = Told::Took(timer, took);
        self.facts.push(Fact { at: None, what });
    }

    /// Keeps how long a slot lasted in which nothing is sent by itself: from when it was due; `at` is `None` for the whole
    /// run.
    pub(super) fn lasted(&mut self, slot: usize, took: Nanos, at: Option<Timestamp>) {
        let times = [Some(took), None];
        self.facts.push(Fact {
            at,
            what: Told::Slot { slot, times },
        });
    }

    /// Keeps those times of a slot that are known.
    pub(super) fn times(&mut self, slot: usize, times: [Option<Nanos>; 2], at: Timestamp) {
        let what = Told::Slot { slot, times };
        self.facts.push(Fact { at: Some(at), what });
    }

    /// Keeps the two times of an answer that counts for the whole run.
    pub(super) fn answered(&mut self, slot: usize, times: [Nanos; 2]) {
        let times = times.map(Some);
        let what = Told::Slot { slot, times };
        self.facts.push(Fact { at: None, what });
    }

    /// Returns whether there is nothing, no move either.
    #[inline]
    pub(in crate::engine) fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.moves.is_empty()
    }

    /// Takes all of them.
    pub(in crate::engine) fn drain(&mut self) -> impl Iterator<Item = Fact> {
        self.facts.drain(..)
    }
}

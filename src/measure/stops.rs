//! When a worker of wsbench stood still.

use serde::{Deserialize, Serialize};

use crate::units::{Nanos, Timestamp};

/// A time in which a worker stood still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// When it asked to be woken.
    pub from: Timestamp,
    /// When it was.
    pub to: Timestamp,
}

/// The stops of [`Stops::LEAST`] or more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stops {
    /// At most [`Stops::MAX`].
    pub rows: Vec<Stop>,
    /// How many more there were, which were not kept.
    pub more: u64,
}

impl Stops {
    /// Shorter stops are not kept.
    pub const LEAST: Nanos = Nanos::from_millis(10);
    /// The most that are kept.
    pub const MAX: usize = 10_000;

    /// Adds a stop if it is long enough to be kept.
    pub fn add(&mut self, stop: Stop) {
        if stop.to.saturating_since(stop.from) < Self::LEAST {
            return;
        }
        match self.rows.len() < Self::MAX {
            true => self.rows.push(stop),
            false => self.more += 1,
        }
    }

    /// Adds those of another worker or interval.
    pub fn merge(&mut self, other: &Self) {
        other.rows.iter().for_each(|stop| self.add(*stop));
        self.more += other.more;
    }

    /// Empties it, and keeps the memory.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.more = 0;
    }
}

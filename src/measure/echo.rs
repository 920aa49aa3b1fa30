//! One answered message as a single record, for users who analyse single messages, and single records of any kind.
//! Kept only if it was asked for, and never more than a shard has room for.

use super::event::Event;
use super::trace::Trace;
use crate::units::Timestamp;

/// A message that was answered in time with the same bytes. Times are nanoseconds since the first dial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Echo {
    /// The index of its cohort.
    pub cohort: usize,
    /// The connection's number, from 0.
    pub connection: u32,
    /// The index of the message in its cohort.
    pub message: usize,
    /// The sequence number, from 0 for each connection and message; `None` if the payload has no stamp that contains
    /// it.
    pub sequence: Option<u64>,
    /// When it was due.
    pub intended_ns: Timestamp,
    /// When it was sent.
    pub sent_ns: Timestamp,
    /// When a worker read the answer; where nothing depends on it, when it reached this machine.
    pub received_ns: Timestamp,
    /// When the answer reached this machine, by the kernel's stamp; `None` if its connection has no stamps.
    pub arrived_ns: Option<Timestamp>,
}

impl Echo {
    /// The most that are kept of one worker and interval.
    pub const MAX_ROWS: usize = 200_000;
}

/// The single answered messages of one interval.
pub type Echoes = Singles<Echo>;
/// What passed on connections in one interval.
pub type Traces = Singles<Trace>;
/// What happened to clients in one interval.
pub type Events = Singles<Event>;

/// The single records of one interval.
#[derive(Debug, Clone, PartialEq)]
pub struct Singles<T> {
    /// Those of each worker, in the order of time; bounded.
    pub rows: Vec<T>,
    /// How many more there were, which were not kept.
    pub more: u64,
}

impl<T> Default for Singles<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            more: 0,
        }
    }
}

impl<T: Clone> Singles<T> {
    /// Keeps a record, or counts it if there are `room` already.
    pub fn keep(&mut self, row: T, room: usize) {
        if self.rows.len() < room {
            self.rows.push(row);
        } else {
            self.more += 1;
        }
    }

    /// Adds the records of another worker.
    pub fn merge(&mut self, other: &Self) {
        self.rows.extend_from_slice(&other.rows);
        self.more += other.more;
    }

    /// Removes all records, and keeps the memory.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.more = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_counted() {
        let echo = Echo {
            cohort: 0,
            connection: 0,
            message: 0,
            sequence: Some(0),
            intended_ns: Timestamp::from_nanos(1),
            sent_ns: Timestamp::from_nanos(2),
            received_ns: Timestamp::from_nanos(4),
            arrived_ns: None,
        };
        let mut full = Echoes::default();
        for _ in 0..Echo::MAX_ROWS + 2 {
            full.keep(echo, Echo::MAX_ROWS);
        }
        assert_eq!((full.rows.len(), full.more), (Echo::MAX_ROWS, 2));
        let mut all = Echoes::default();
        all.keep(echo, 1);
        all.merge(&full);
        assert_eq!((all.rows.len(), all.more), (Echo::MAX_ROWS + 1, 2));
        all.clear();
        assert_eq!(all, Echoes::default());
    }
}

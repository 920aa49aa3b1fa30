//! A second that is over, as it travels from a worker to the supervisor.

use super::TopicIndex;
use crate::measure::Window;

/// What one worker saw of a second that is over: nothing more can happen in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedSecond {
    /// The second of the run, from 0.
    pub second: u64,
    /// The window in which it began.
    pub window: Window,
    /// The messages that were published to each topic.
    pub published: Vec<(TopicIndex, u32)>,
    /// What changed in each topic and cohort.
    pub members: Vec<TopicChange>,
    /// What the members of each cohort heard.
    pub heard: Vec<HeardBy>,
}

/// What changed in one topic and one cohort of members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicChange {
    /// The topic.
    pub topic: TopicIndex,
    /// The index of the cohort.
    pub cohort: u8,
    /// How many more members count from this second on.
    pub change: i32,
    /// The messages of members that are not sent back to them.
    pub own: u32,
}

/// What the members of one cohort heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeardBy {
    /// The index of the cohort.
    pub cohort: u8,
    /// Deliveries in time to members that count.
    pub received: u32,
    /// Deliveries in time to members that went before they could count.
    pub unsure: u32,
}

/// Seconds that are over, of any number of workers. They are added by putting them together, in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deliveries {
    /// One for each worker and second.
    pub seconds: Vec<ClosedSecond>,
    /// For each worker that is done, the first second that it does not tell of: nothing happened to it from there on.
    pub done_from: Vec<u64>,
}

impl Deliveries {
    /// The most seconds, each of one worker, that a shard from elsewhere may hold.
    pub const MAX: usize = 65_536;

    /// Adds those of other workers or other seconds.
    pub fn merge(&mut self, other: &Self) {
        self.seconds.extend_from_slice(&other.seconds);
        self.done_from.extend_from_slice(&other.done_from);
    }

    /// Empties it, and keeps the memory.
    pub fn clear(&mut self) {
        self.seconds.clear();
        self.done_from.clear();
    }
}

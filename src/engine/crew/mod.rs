//! The workers that generate the load, as the supervisor sees them: it sends commands and receives shards. They are
//! threads of this process ([`Threads`]), or the processes of other machines ([`Fleet`]).

mod fleet;
mod order;
mod threads;

pub(super) use fleet::{Fared, Fleet};
pub use fleet::{Led, News};
pub use order::{Command, Orders};
pub(super) use threads::Threads;

use super::error::EngineError;
use super::worker::Handover;
use crate::measure::{Sample, Shard, Usage};
use crate::time::Monotonic;
use crate::units::{Nanos, Timestamp};

/// An event that a crew reports.
pub(super) enum Told {
    /// Every planned connection is open or has failed. Reported once.
    Settled,
    /// The numbers of one worker in one interval.
    Shard(Box<Handover>),
    /// This worker hands over no other shard.
    Done(usize),
    /// The same of a worker that did not tell all: what its connections published and heard since is not known.
    Lost(usize),
    /// Somebody else ordered this.
    Ordered(Orders),
    /// A worker failed. The others finish, and [`Crew::end`] returns the reason.
    Failed,
    /// No worker hands over any more.
    Gone,
}

/// How a crew ended.
pub(super) struct CrewEnd {
    /// The error of the first worker that failed.
    pub(super) failure: Option<EngineError>,
    /// What each process told of itself, where they are several.
    pub(super) fared: Vec<Fared>,
}

/// The workers that generate the load.
pub(super) trait Crew {
    /// The number of workers of this crew; they are numbered from 0, whatever their numbers among all workers are.
    fn workers(&self) -> usize;

    /// The clock that all workers use; its origin is the first dial.
    fn clock(&self) -> Monotonic;

    /// How long before a time that a command names it has to be given, so that every worker knows it beforehand.
    fn notice(&self) -> Nanos;

    /// Takes what the target has used before the run.
    fn begin(&mut self, target: Option<Usage>);

    /// What the workers' processes used in this interval, which is over at `now`; `open` is the number of connections
    /// open, and `target` what the target has used up to now.
    fn sample(&mut self, interval: u64, now: Timestamp, open: u64, target: Option<Usage>)
    -> Sample;

    /// Sends a command to all workers. Does not wait.
    fn command(&mut self, command: Command);

    /// Waits for the next event. Cancel-safe: no event is lost if the future is dropped.
    async fn next(&mut self) -> Told;

    /// Gives a worker an empty shard for later use. A worker that is done ignores it.
    fn give_back(&mut self, worker: usize, shard: Shard);

    /// Waits until all workers have ended.
    fn end(self) -> CrewEnd;
}

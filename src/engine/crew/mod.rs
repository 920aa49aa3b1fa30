//! The workers that generate the load, as the supervisor sees them: it sends commands and receives shards. Today they
//! are threads of this process, which have a [`Share`](crate::plan::Share) of the plan; workers elsewhere need another
//! implementation of [`Crew`].

mod threads;

pub(super) use threads::Threads;

use super::error::EngineError;
use super::worker::Handover;
use crate::measure::Shard;
use crate::time::Monotonic;
use crate::units::Timestamp;

/// A command to all workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    /// Measuring starts and the load ends at these times, unless it was cut short before.
    Schedule { from: Timestamp, to: Timestamp },
    /// The load ends at this time, if not sooner.
    CutShort { at: Timestamp },
    /// The same after a signal: who is connected then has to be gone by the second time.
    Interrupt {
        at: Timestamp,
        drained_by: Timestamp,
    },
}

/// An event that a crew reports.
pub(super) enum Told {
    /// Every planned connection is open or has failed. Reported once.
    Settled,
    /// The numbers of one worker in one interval.
    Shard(Box<Handover>),
    /// A worker failed. The others finish, and [`Crew::end`] returns the reason.
    Failed,
    /// No worker hands over any more.
    Gone,
}

/// The workers that generate the load.
pub(super) trait Crew {
    /// The number of workers of this crew; they are numbered from 0, whatever their numbers among all workers are.
    fn workers(&self) -> usize;

    /// The clock that all workers use; its origin is the first dial.
    fn clock(&self) -> Monotonic;

    /// Sends a command to all workers. Does not wait.
    fn command(&mut self, command: Command);

    /// Waits for the next event. Cancel-safe: no event is lost if the future is dropped.
    async fn next(&mut self) -> Told;

    /// Gives a worker an empty shard for later use. A worker that is done ignores it.
    fn give_back(&mut self, worker: usize, shard: Shard);

    /// Waits until all workers have ended. Returns the error of the first one that failed.
    fn end(self) -> Option<EngineError>;
}

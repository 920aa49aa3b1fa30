//! Those who make the load, as the supervisor sees them: commands go out, shards come in.
//! Today they are this process's threads; whoever else runs shares of a plan is another implementation of [`Crew`].

mod threads;

pub(super) use threads::Threads;

use super::error::EngineError;
use super::worker::Handover;
use crate::measure::Shard;
use crate::plan::Nanos;
use crate::time::Monotonic;

/// What a crew is told. Times are nanoseconds since the first dial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    /// Measuring starts and the load ends at these times, unless it was cut short before.
    Schedule { from: Nanos, to: Nanos },
    /// The load ends at this time, if not sooner.
    CutShort { at: Nanos },
}

/// What a crew tells.
pub(super) enum Told {
    /// Every planned connection is open or has failed. Told once.
    Settled,
    /// What one worker saw in one interval.
    Shard(Box<Handover>),
    /// A worker failed. The others come to their end, and [`Crew::end`] says why.
    Failed,
    /// Nobody hands over any more.
    Gone,
}

/// Those who make the load.
pub(super) trait Crew {
    /// How many hand shards over, numbered from 0.
    fn workers(&self) -> usize;

    /// The clock that all go by; its zero is the first dial.
    fn clock(&self) -> Monotonic;

    /// Tells all of them. Does not wait.
    fn command(&mut self, command: Command);

    /// What they tell next. May be dropped at any time; nothing is lost by that.
    async fn next(&mut self) -> Told;

    /// Gives a worker an empty shard to go on with. One that is done takes nothing back.
    fn give_back(&mut self, worker: usize, shard: Shard);

    /// Waits until all have come to their end, and says why the first of those failed that did.
    fn end(self) -> Option<EngineError>;
}

//! Which workers of a plan a process has. Workers are numbered through all processes of a run, so that the shares of all
//! processes together are the plan of one.

/// The workers of one process among those of all. A connection belongs to the worker whose number is the connection's
/// modulo the number of all workers, so each number of a scenario is a total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The number of its first worker.
    first: u32,
    /// The distance to the next.
    step: u32,
    /// How many it has. Above zero.
    workers: u32,
    /// How many there are in all, as this process counts them.
    all: u32,
}

impl Share {
    /// The most parts that a run may have.
    pub const MAX_PARTS: u32 = 1_000;
    /// The most workers of one process.
    const MAX_WORKERS: u32 = 1 << 16;

    /// All workers: the run has one process.
    pub fn whole(workers: usize) -> Self {
        Self::part(0, 1, workers)
    }

    /// Part `number`, from 0, of so many parts: the connections whose number is `number` modulo `parts`. Each part has
    /// as many workers as it likes, and need not know how many others have: its workers have the numbers `number`,
    /// `number + parts`, … of `parts` times as many.
    pub fn part(number: u32, parts: u32, workers: usize) -> Self {
        let parts = parts.clamp(1, Self::MAX_PARTS);
        let workers = bounded(workers);
        Self {
            first: number.min(parts - 1),
            step: parts,
            workers,
            all: parts * workers,
        }
    }

    /// The workers from `first` on, of `all`: for processes that know of each other, and whose shares go by their
    /// numbers of workers.
    pub fn range(first: usize, workers: usize, all: usize) -> Self {
        let all = bounded(all);
        let first = bounded(first + 1).min(all) - 1;
        Self {
            first,
            step: 1,
            workers: bounded(workers).min(all - first),
            all,
        }
    }

    /// How many workers the process has.
    pub fn workers(self) -> usize {
        self.workers as usize
    }

    /// How many workers there are in all, as this process counts them.
    pub fn all(self) -> usize {
        self.all as usize
    }

    /// Whether the process has all workers.
    pub fn is_whole(self) -> bool {
        self.workers == self.all
    }

    /// The number of a worker among all, by its place in the process, from 0.
    pub fn number(self, worker: usize) -> usize {
        self.first as usize + worker * self.step as usize
    }

    /// The same share on fewer workers, where it can have fewer without others knowing.
    #[must_use]
    pub fn at_most(self, workers: usize) -> Self {
        match self.all == self.workers * self.step {
            true => Self::part(self.first, self.step, self.workers().min(workers)),
            false => self,
        }
    }

    /// How many of the numbers below `all` belong to the process.
    pub fn count(self, all: u64) -> u64 {
        let (rounds, rest) = (all / u64::from(self.all), all % u64::from(self.all));
        let begun = rest.saturating_sub(self.first.into());
        let begun = begun.div_ceil(self.step.into()).min(self.workers.into());
        rounds * u64::from(self.workers) + begun
    }

    /// How many of so many numbers in a row belong to the process at most.
    pub fn most(self, numbers: u64) -> u64 {
        let (rounds, rest) = (numbers / u64::from(self.all), numbers % u64::from(self.all));
        let begun = rest.div_ceil(self.step.into()).min(self.workers.into());
        rounds * u64::from(self.workers) + begun
    }
}

fn bounded(workers: usize) -> u32 {
    let workers = u32::try_from(workers).unwrap_or(u32::MAX);
    workers.clamp(1, Share::MAX_WORKERS)
}

#[cfg(test)]
#[path = "share_tests.rs"]
mod tests;

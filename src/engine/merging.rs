//! Merges the shards of all workers, interval by interval and in order.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::worker::Handover;
use crate::measure::{Layout, Open, Shard};

/// Shards that wait for those of the other workers.
pub(super) struct Merging {
    layout: Layout,
    workers: Vec<Reached>,
    waiting: BTreeMap<u64, Shard>,
    spare: Vec<Shard>,
}

/// The last interval that a worker has handed over.
#[derive(Clone, Copy)]
struct Reached {
    interval: Option<u64>,
    done: bool,
}

impl Merging {
    pub(super) fn new(layout: &Layout, workers: usize) -> Self {
        let reached = Reached {
            interval: None,
            done: false,
        };
        Self {
            layout: layout.clone(),
            workers: vec![reached; workers],
            waiting: BTreeMap::new(),
            spare: Vec::new(),
        }
    }

    /// Takes a shard in, and returns an empty one for the worker. Each worker hands over its intervals in order; one that
    /// comes again is dropped, so it makes no difference how often a shard is delivered.
    pub(super) fn add(&mut self, handover: Handover) -> Shard {
        let Handover {
            worker,
            mut shard,
            last,
        } = handover;
        let reached = &mut self.workers[worker];
        if reached.done || reached.interval.is_some_and(|at| at >= shard.interval) {
            shard.clear();
            return shard;
        }
        reached.interval = Some(shard.interval);
        reached.done = last;
        match self.waiting.entry(shard.interval) {
            // The first shard of an interval receives the others; with one worker nothing has to be merged.
            Entry::Vacant(interval) => {
                interval.insert(shard);
                self.spare.pop().unwrap_or_else(|| Shard::new(&self.layout))
            }
            Entry::Occupied(mut interval) => {
                let merged = interval.get_mut();
                merged.merge(&shard, usize::MAX);
                merged.echoes.merge(&shard.echoes);
                merged.deliveries.merge(&shard.deliveries);
                merged.traces.merge(&shard.traces);
                merged.events.merge(&shard.events);
                for (all, cohort) in merged.cohorts.iter_mut().zip(&shard.cohorts) {
                    all.open.merge(&cohort.open);
                }
                shard.clear();
                shard
            }
        }
    }

    /// Returns the shard of the next interval that all workers have reached.
    pub(super) fn next(&mut self) -> Option<Shard> {
        let (interval, _) = self.waiting.first_key_value()?;
        let interval = *interval;
        let all_there = (self.workers.iter())
            .all(|reached| reached.done || reached.interval.is_some_and(|at| at >= interval));
        if !all_there {
            return None;
        }
        self.waiting.remove(&interval)
    }

    /// Takes a merged shard back for another interval.
    pub(super) fn give_back(&mut self, mut shard: Shard) {
        shard.clear();
        for cohort in &mut shard.cohorts {
            cohort.open = Open::default();
        }
        self.spare.push(shard);
    }

    /// The interval that a worker has reached; `None` if it has handed over none.
    pub(super) fn reached(&self, worker: usize) -> Option<u64> {
        self.workers[worker].interval
    }

    /// Whether a worker will hand over no other shard.
    pub(super) fn is_done(&self, worker: usize) -> bool {
        self.workers[worker].done
    }

    /// A worker will hand over no other shard.
    pub(super) fn done(&mut self, worker: usize) {
        self.workers[worker].done = true;
    }

    /// No worker will hand over another shard: the shards received so far are complete.
    pub(super) fn end(&mut self) {
        for worker in &mut self.workers {
            worker.done = true;
        }
    }

    /// Returns whether every worker is done and every interval was handed out.
    pub(super) fn is_complete(&self) -> bool {
        self.waiting.is_empty() && self.workers.iter().all(|reached| reached.done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Counter;
    use proptest::prelude::*;

    fn layout() -> Layout {
        Layout {
            cohorts: vec![("main".to_owned(), Vec::new())],
            stages: 0,
            topics: Default::default(),
        }
    }

    fn handover(worker: usize, interval: u64, opened: u64, last: bool) -> Handover {
        let mut shard = Shard::new(&layout());
        shard.interval = interval;
        shard.cohorts[0]
            .whole
            .add(Counter::ConnectionsOpened, opened);
        shard.cohorts[0].open.open = opened;
        Handover {
            worker,
            shard,
            last,
        }
    }

    #[test]
    fn an_interval_is_whole_when_every_worker_has_reached_it() {
        let mut merging = Merging::new(&layout(), 2);
        merging.add(handover(0, 0, 3, false));
        assert!(merging.next().is_none());
        merging.add(handover(1, 0, 4, false));
        let whole = merging.next().unwrap();
        assert_eq!(
            whole.cohorts[0].whole.counter(Counter::ConnectionsOpened),
            7
        );
        assert_eq!(whole.cohorts[0].open.open, 7);
        merging.give_back(whole);
        assert!(merging.next().is_none());
    }

    #[test]
    fn a_worker_that_is_done_is_not_waited_for() {
        let mut merging = Merging::new(&layout(), 2);
        merging.add(handover(0, 0, 1, true));
        merging.add(handover(1, 0, 1, false));
        assert!(merging.next().is_some());
        merging.add(handover(1, 1, 1, true));
        assert!(!merging.is_complete());
        assert!(merging.next().is_some());
        assert!(merging.is_complete());
    }

    #[test]
    fn a_worker_that_covered_two_intervals_in_one_holds_nobody_up() {
        let mut merging = Merging::new(&layout(), 2);
        merging.add(handover(0, 1, 2, false));
        merging.add(handover(1, 0, 1, false));
        assert_eq!(merging.next().unwrap().interval, 0);
    }

    /// Each worker's intervals come in their order, with those of others in between, and any of them again and again.
    fn deliveries() -> impl Strategy<Value = (Vec<Vec<u64>>, Vec<(usize, usize)>)> {
        let intervals = prop::collection::vec(prop::collection::btree_set(0u64..12, 1..6), 1..5);
        intervals.prop_flat_map(|workers| {
            let workers: Vec<Vec<u64>> = (workers.into_iter())
                .map(|intervals| intervals.into_iter().collect())
                .collect();
            let turns: Vec<usize> = (workers.iter().enumerate())
                .flat_map(|(worker, intervals)| std::iter::repeat_n(worker, intervals.len()))
                .collect();
            let again = prop::collection::vec(0usize..3, turns.len());
            (Just(workers), Just(turns).prop_shuffle(), again).prop_map(
                |(workers, turns, again)| (workers, turns.into_iter().zip(again).collect()),
            )
        })
    }

    /// What is merged when each shard comes as often as is said, in this order.
    fn merged(workers: &[Vec<u64>], order: &[(usize, usize)]) -> Vec<Vec<u8>> {
        let mut merging = Merging::new(&layout(), workers.len());
        let mut next = vec![0; workers.len()];
        let mut seen = Vec::new();
        let mut take = |merging: &mut Merging| {
            while let Some(shard) = merging.next() {
                seen.push(shard.encode(&layout()));
                merging.give_back(shard);
            }
        };
        for (worker, again) in order {
            let intervals = &workers[*worker];
            let at = next[*worker];
            next[*worker] += 1;
            let last = at + 1 == intervals.len();
            let opened = intervals[at] * 10 + *worker as u64;
            merging.add(handover(*worker, intervals[at], opened, last));
            take(&mut merging);
            // All that came so far comes again, as from a log that is read anew.
            for interval in intervals[..=at].iter().cycle().take(*again) {
                merging.add(handover(*worker, *interval, 1_000, false));
            }
        }
        take(&mut merging);
        assert!(merging.is_complete());
        seen
    }

    proptest! {
        #[test]
        fn merging_is_free_of_order_and_counts_each_shard_once((workers, order) in deliveries()) {
            let in_turn: Vec<(usize, usize)> = (workers.iter().enumerate())
                .flat_map(|(worker, intervals)| std::iter::repeat_n((worker, 0), intervals.len()))
                .collect();
            let seen = merged(&workers, &order);
            prop_assert_eq!(&seen, &merged(&workers, &in_turn));
            let all: std::collections::BTreeSet<u64> = workers.iter().flatten().copied().collect();
            prop_assert_eq!(seen.len(), all.len());
        }
    }
}

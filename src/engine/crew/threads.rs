//! The workers of this process: one thread each.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, watch};

use super::{Command, Crew, CrewEnd, Told};
use crate::engine::error::EngineError;
use crate::engine::phases::NOTICE;
use crate::engine::sample::Sampler;
use crate::engine::shared::RunState;
use crate::engine::supervisor::Launch;
use crate::engine::worker::{self, Assignment, Handover};
use crate::measure::{Sample, Shard, Usage};
use crate::time::{Clock as _, Monotonic};
use crate::units::{Nanos, Timestamp};

/// Number of shards of each worker that can wait for the supervisor, before a shard has to cover two intervals.
const SHARDS_WAITING: usize = 8;

/// The threads of the workers, and the channels to them.
pub(in crate::engine) struct Threads {
    clock: Monotonic,
    sampler: Sampler,
    state: Arc<RunState>,
    end: watch::Sender<()>,
    shards: mpsc::Receiver<Handover>,
    /// Receives a message when one of them fails.
    failed: mpsc::Receiver<()>,
    recycle: Vec<Sender<Shard>>,
    threads: Vec<JoinHandle<std::io::Result<()>>>,
}

impl Threads {
    /// Starts the threads. Applies `known` before any of them starts.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub(in crate::engine) fn start(
        launch: &Launch,
        known: Option<Command>,
    ) -> Result<Self, EngineError> {
        let Launch {
            plan,
            dialer,
            share,
            begin,
        } = launch;
        let clock = begin
            .origin()
            .map_or_else(Monotonic::start, Monotonic::since);
        let state = Arc::new(RunState::new(share.count(plan.connections())));
        let (end, end_changed) = watch::channel(());
        let (hand_over, shards) = mpsc::channel(SHARDS_WAITING * share.workers());
        let (alarm, failed) = mpsc::channel(1);
        let mut crew = Self {
            sampler: Sampler::new(clock.now()),
            clock,
            state,
            end,
            shards,
            failed,
            recycle: Vec::new(),
            threads: Vec::new(),
        };
        known.into_iter().for_each(|command| crew.command(command));
        for worker in 0..share.workers() {
            let (give_back, recycled) = channel();
            crew.recycle.push(give_back);
            let assignment = Assignment {
                worker,
                share: *share,
                plan: plan.clone(),
                dialer: dialer.clone(),
                state: crew.state.clone(),
                clock,
                end: end_changed.clone(),
                shards: hand_over.clone(),
                recycled,
            };
            let alarm = Alarm(Some(alarm.clone()));
            let thread = std::thread::Builder::new()
                .name(format!("worker-{worker}"))
                .spawn(move || {
                    worker::run(assignment)?;
                    alarm.put_away();
                    Ok(())
                })
                .map_err(|source| EngineError::System {
                    doing: "start a worker",
                    source,
                })?;
            crew.threads.push(thread);
        }
        Ok(crew)
    }
}

impl Crew for Threads {
    fn workers(&self) -> usize {
        self.threads.len()
    }

    fn clock(&self) -> Monotonic {
        self.clock
    }

    fn notice(&self) -> Nanos {
        NOTICE
    }

    fn begin(&mut self, target: Option<Usage>) {
        self.sampler.begin(target);
    }

    fn sample(
        &mut self,
        _interval: u64,
        now: Timestamp,
        open: u64,
        target: Option<Usage>,
    ) -> Sample {
        self.sampler.sample(now, open, target)
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Schedule { from, to } => self.state.schedule(from, to),
            Command::CutShort { at } => self.state.cut_short(at),
            Command::Interrupt { at, drained_by } => self.state.interrupt(at, drained_by),
        }
        self.end.send_replace(());
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            () = self.state.all_settled.notified() => Told::Settled,
            Some(()) = self.failed.recv() => Told::Failed,
            handover = self.shards.recv() => handover.map_or(Told::Gone, |shard| Told::Shard(Box::new(shard))),
        }
    }

    fn give_back(&mut self, worker: usize, shard: Shard) {
        let _ = self.recycle[worker].send(shard);
    }

    fn end(self) -> CrewEnd {
        let threads = self.threads.into_iter().enumerate();
        let failures: Vec<EngineError> = threads
            .filter_map(|(worker, thread)| {
                let why = match thread.join() {
                    Ok(Ok(())) => return None,
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => "it panicked".to_owned(),
                };
                Some(EngineError::Worker { worker, why })
            })
            .collect();
        CrewEnd {
            failure: failures.into_iter().next(),
            fared: Vec::new(),
        }
    }
}

/// Tells the supervisor that a worker failed, by an error or a panic: if it is dropped without [`Self::put_away`].
struct Alarm(Option<mpsc::Sender<()>>);

impl Alarm {
    fn put_away(mut self) {
        self.0 = None;
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        // A full channel means that the supervisor has been told already.
        let _ = self.0.take().map(|supervisor| supervisor.try_send(()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_worker_that_panics_raises_the_alarm() {
        let (alarm, mut failed) = mpsc::channel(1);
        let alarm = Alarm(Some(alarm));
        let worker = std::thread::spawn(move || {
            let _alarm = alarm;
            panic!("as a worker might");
        });
        assert!(worker.join().is_err());
        assert_eq!(failed.recv().await, Some(()));
    }

    #[tokio::test]
    async fn one_that_ended_well_raises_no_alarm() {
        let (alarm, mut failed) = mpsc::channel(1);
        Alarm(Some(alarm)).put_away();
        assert_eq!(failed.recv().await, None);
    }
}

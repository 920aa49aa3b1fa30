//! Drives a run: passes events to the phases and their commands to the crew, merges shards, and reports each second.

use std::sync::Arc;

use tokio::sync::mpsc;
use tracing::info;

use super::crew::{Command, Crew, Threads, Told};
use super::dial::Dialer;
use super::error::EngineError;
use super::merging::Merging;
use super::observer::{Finished, Observer, Second};
use super::phases::{Event, Phases};
use super::sample::Sampler;
use super::worker::INTERVAL;
use crate::measure::{Collector, Phase, Progress, Shard, Summary, Troubles};
use crate::metric::Gauge;
use crate::plan::Plan;
use crate::scenario::Shape;
use crate::time::Clock as _;
use crate::units::Timestamp;

/// Everything that a run needs, checked before. After this only a failing worker or the target can make it fail.
pub(super) struct Launch {
    pub(super) plan: Arc<Plan>,
    pub(super) dialer: Arc<Dialer>,
    pub(super) workers: usize,
}

/// Runs the plan. `observer` receives every second and may end the run. `interrupt` yields once for each signal.
pub(super) fn run(
    launch: Launch,
    mut interrupt: mpsc::Receiver<()>,
    observer: &mut dyn Observer,
) -> Result<Finished, EngineError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|source| EngineError::System {
            doing: "start the supervisor",
            source,
        })?;
    let phases = Phases::new(&launch.plan);
    let crew = Threads::start(&launch, phases.known())?;
    let mut supervisor = Supervisor::new(&launch.plan, phases, crew);
    runtime.block_on(supervisor.supervise(&mut interrupt, observer))?;
    let mut finished = supervisor.finish();
    let secrets = &launch.plan.scenario.secrets;
    (finished.summary).each_text(|text| secrets.mask_in(text));
    Ok(finished)
}

struct Supervisor<C> {
    crew: C,
    phases: Phases,
    merging: Merging,
    collector: Collector,
    sampler: Sampler,
    aborted: bool,
    /// The phase of the last second.
    phase: Option<Phase>,
    /// What went wrong so far.
    troubles: Troubles,
    /// How many connections are planned to be open at once, if that is known.
    together: Option<u64>,
    ended_at: Timestamp,
}

impl<C: Crew> Supervisor<C> {
    fn new(plan: &Plan, phases: Phases, crew: C) -> Self {
        let layout = plan.layout();
        let cohorts = plan.scenario.cohorts.iter();
        let states = Gauge::Open.name();
        let looked_at = cohorts.map(|cohort| cohort.is_looked_at(states)).collect();
        let length = plan.length().into();
        Self {
            merging: Merging::new(&layout, crew.workers()),
            collector: Collector::new(layout)
                .planned(length, looked_at)
                .of_workers(crew.workers()),
            sampler: Sampler::new(crew.clock().now()),
            aborted: false,
            phase: None,
            troubles: Troubles::default(),
            together: match plan.scenario.load.shape {
                Shape::Arrivals { .. } => None,
                Shape::Steady { .. } | Shape::Stages(_) => Some(plan.connections()),
            },
            ended_at: Timestamp::ORIGIN,
            phases,
            crew,
        }
    }

    async fn supervise(
        &mut self,
        interrupt: &mut mpsc::Receiver<()>,
        observer: &mut dyn Observer,
    ) -> Result<(), EngineError> {
        self.sampler.begin(observer.target());
        if let Some(from) = self.phases.measure_from() {
            observer.measuring(self.crew.clock().instant(from));
        }
        while !self.merging.is_complete() {
            tokio::select! {
                Some(()) = interrupt.recv() => self.tell(Event::Signal, observer)?,
                told = self.crew.next() => match told {
                    Told::Settled => self.tell(Event::Settled, observer)?,
                    Told::Failed => self.tell(Event::Failed, observer)?,
                    Told::Shard(handover) => {
                        let worker = handover.worker;
                        let empty = self.merging.add(*handover);
                        self.crew.give_back(worker, empty);
                        self.take_in(observer)?;
                    }
                    Told::Gone => {
                        // A worker failed: the numbers of the others are still valid.
                        self.merging.end();
                        self.take_in(observer)?;
                        break;
                    }
                },
            }
        }
        self.ended_at = self.crew.clock().now();
        Ok(())
    }

    /// Passes an event to the phases, and their command to the crew and the observer.
    fn tell(&mut self, event: Event, observer: &mut dyn Observer) -> Result<(), EngineError> {
        let clock = self.crew.clock();
        info!(%event, at_s = clock.now().as_secs_f64());
        if let Some(command) = self.phases.on(event, clock.now())? {
            self.crew.command(command);
            if let Command::Schedule { from, .. } = command {
                observer.measuring(clock.instant(from));
            }
        }
        Ok(())
    }

    /// Takes in every interval that is complete.
    fn take_in(&mut self, observer: &mut dyn Observer) -> Result<(), EngineError> {
        while let Some(shard) = self.merging.next() {
            let ends_it = self.second(shard, observer);
            if ends_it && !self.aborted {
                self.aborted = true;
                self.tell(Event::Aborted, observer)?;
            }
        }
        Ok(())
    }

    /// Takes in one second of all workers. Returns whether the observer ends the run.
    fn second(&mut self, mut shard: Shard, observer: &mut dyn Observer) -> bool {
        let time = Timestamp::ORIGIN + (shard.interval + 1) * INTERVAL;
        let open: u64 = shard.cohorts.iter().map(|cohort| cohort.open.open).sum();
        let used = observer.target();
        let sample = self.sampler.sample(self.crew.clock().now(), open, used);
        let phase = self.phases.at(time);
        if self.phase.replace(phase) != Some(phase) {
            let at = time.min(self.crew.clock().now());
            info!(%phase, at_s = at.as_secs_f64());
        }
        self.collector.count_deliveries(&mut shard);
        let interval = (self.collector).interval(phase, &shard, sample);
        self.troubles.add(&interval);
        let mut progress = Progress::of(&interval, self.troubles, self.together);
        (progress.planned, progress.left) = self.phases.span(time).unzip();
        observer.echoes(std::mem::take(&mut shard.echoes));
        observer.traces(std::mem::take(&mut shard.traces));
        self.merging.give_back(shard);
        let second = Second {
            interval,
            progress,
            is_over: self.phases.is_over(time),
            seconds: time.as_secs_f64(),
            windows: self.phases.measured(time),
            collector: &self.collector,
        };
        observer.second(&second).is_break()
    }

    fn finish(self) -> Finished {
        let windows = self.phases.measured_in_all(self.ended_at);
        let origin = self.crew.clock().instant(Timestamp::ORIGIN);
        let workers = self.crew.workers();
        // Stops the threads before the numbers are computed, so that no thread is left in any case.
        let failure = self.crew.end();
        Finished {
            summary: Summary {
                measured_from: self.phases.measure_from(),
                ..self
                    .collector
                    .summary(self.ended_at.as_secs_f64(), &windows)
            },
            origin,
            interrupted: self.phases.is_interrupted(),
            workers,
            failure,
        }
    }
}

#[cfg(test)]
#[path = "supervisor_tests.rs"]
mod tests;

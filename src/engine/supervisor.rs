//! Drives a run: passes events to the phases and their commands to the crew, and its shards to the intake.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;
use tracing::info;

use super::crew::{Command, Crew, Threads, Told};
use super::dial::Dialer;
use super::error::EngineError;
use super::intake::Intake;
use super::observer::{Finished, Observer};
use super::phases::{Event, Phases};
use super::sample::Sampler;
use crate::plan::{Plan, Share};
use crate::time::Clock as _;
use crate::units::Timestamp;

/// Everything that a run needs, checked before. After this only a failing worker or the target can make it fail.
pub(super) struct Launch {
    pub(super) plan: Arc<Plan>,
    pub(super) dialer: Arc<Dialer>,
    pub(super) share: Share,
    /// The time of the first dial, which has come, where processes start together; `None`: as soon as all is ready.
    pub(super) origin: Option<Instant>,
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
    let phases = match launch.origin {
        Some(_) => Phases::fixed(&launch.plan),
        None => Phases::new(&launch.plan),
    };
    let crew = Threads::start(&launch, phases.known())?;
    let mut intake = Intake::new(&launch.plan, crew.workers(), launch.share);
    if launch.origin.is_some() {
        intake = intake.showing_shards(&launch.plan.scenario.secrets);
    }
    let mut supervisor = Supervisor::new(phases, intake, crew);
    runtime.block_on(supervisor.supervise(&mut interrupt, observer))?;
    let mut finished = supervisor.finish();
    let secrets = &launch.plan.scenario.secrets;
    (finished.summary).each_text(|text| secrets.mask_in(text));
    Ok(finished)
}

struct Supervisor<C> {
    crew: C,
    phases: Phases,
    intake: Intake,
    sampler: Sampler,
    aborted: bool,
    ended_at: Timestamp,
}

impl<C: Crew> Supervisor<C> {
    fn new(phases: Phases, intake: Intake, crew: C) -> Self {
        Self {
            sampler: Sampler::new(crew.clock().now()),
            aborted: false,
            ended_at: Timestamp::ORIGIN,
            intake,
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
        while !self.intake.merging.is_complete() {
            tokio::select! {
                Some(()) = interrupt.recv() => self.tell(Event::Signal, observer)?,
                told = self.crew.next() => match told {
                    Told::Settled => self.tell(Event::Settled, observer)?,
                    Told::Failed => self.tell(Event::Failed, observer)?,
                    Told::Shard(handover) => {
                        let worker = handover.worker;
                        let empty = self.intake.merging.add(*handover);
                        self.crew.give_back(worker, empty);
                        self.take_in(observer)?;
                    }
                    Told::Gone => {
                        // A worker failed: the numbers of the others are still valid.
                        self.intake.merging.end();
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
        while let Some(shard) = self.intake.merging.next() {
            let open: u64 = shard.cohorts.iter().map(|cohort| cohort.open.open).sum();
            let used = observer.target();
            let now = self.crew.clock().now();
            let sample = self.sampler.sample(now, open, used);
            let ends_it = (self.intake).second(shard, now, sample, &self.phases, observer);
            if ends_it && !self.aborted {
                self.aborted = true;
                self.tell(Event::Aborted, observer)?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Finished {
        let origin = self.crew.clock().instant(Timestamp::ORIGIN);
        let workers = self.crew.workers();
        // Stops the threads before the numbers are computed, so that no thread is left in any case.
        let failure = self.crew.end();
        Finished {
            summary: self.intake.summary(&self.phases, self.ended_at),
            origin,
            interrupted: self.phases.is_interrupted(),
            settled: self.phases.settled(),
            load_ended: self.phases.end().min(self.ended_at),
            ended: self.ended_at,
            workers,
            failure,
        }
    }
}

#[cfg(test)]
#[path = "supervisor_tests.rs"]
mod tests;

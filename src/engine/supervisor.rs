//! Drives a run: passes events to the phases and their commands to the crew, and its shards to the intake.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, watch};
use tracing::info;

use super::crew::{Command, Crew, CrewEnd, Fared, Fleet, Led, Orders, Threads, Told};
use super::dial::Dialer;
use super::error::EngineError;
use super::intake::Intake;
use super::observer::{Finished, Observer};
use super::phases::{Event, Phases};
use crate::plan::{Plan, Share};
use crate::time::Clock as _;
use crate::units::{Nanos, Timestamp};

/// Everything that a run needs, checked before. After this only a failing worker or the target can make it fail.
pub(super) struct Launch {
    pub(super) plan: Arc<Plan>,
    pub(super) dialer: Arc<Dialer>,
    pub(super) share: Share,
    pub(super) begin: Begin,
}

/// When the first dial is, and who decides when measuring starts and the load ends.
pub(super) enum Begin {
    /// As soon as all is ready.
    Ready,
    /// At this time, which has come; processes that start together know nothing of each other, so measuring begins when
    /// the ramp-up and the warm-up after it are over.
    At(Instant),
    /// At this time, which has come; somebody who hears of all processes gives orders.
    Led(Instant, watch::Receiver<Orders>),
}

impl Begin {
    /// The time of the first dial, if it is known beforehand.
    pub(super) fn origin(&self) -> Option<Instant> {
        match self {
            Self::Ready => None,
            Self::At(origin) | Self::Led(origin, _) => Some(*origin),
        }
    }
}

/// Runs the plan. `observer` receives every second and may end the run. `interrupt` yields once for each signal.
pub(super) fn run(
    launch: Launch,
    interrupt: mpsc::Receiver<()>,
    observer: &mut dyn Observer,
) -> Result<Finished, EngineError> {
    let (phases, leader) = match &launch.begin {
        Begin::Ready => (Phases::new(&launch.plan), None),
        Begin::At(_) => (Phases::fixed(&launch.plan), None),
        Begin::Led(_, orders) => (Phases::led(&launch.plan), Some(orders.clone())),
    };
    let crew = Threads::start(&launch, phases.known())?;
    let mut intake = Intake::new(&launch.plan, crew.workers(), launch.share);
    if launch.begin.origin().is_some() {
        intake = intake.showing_shards();
    }
    let supervisor = Supervisor {
        leader,
        ..Supervisor::new(phases, intake, crew)
    };
    supervised(supervisor, interrupt, observer)
}

/// What is known of the course of a plan before its first dial.
pub fn known_orders(plan: &Plan) -> Orders {
    let mut orders = Orders::default();
    let known = Phases::new(plan).known();
    known.into_iter().for_each(|command| orders.add(command));
    orders
}

/// Leads a plan that agents play, from its first dial to its end. What was known of it before is told once more.
///
/// # Errors
/// When nothing is heard of the agents any more, or on the second signal.
pub fn lead(
    plan: &Plan,
    led: Led,
    interrupt: mpsc::Receiver<()>,
    observer: &mut dyn Observer,
) -> Result<Finished, EngineError> {
    let mut phases = Phases::new(plan);
    led.known
        .commands()
        .for_each(|command| phases.obey(command));
    let intake = Intake::new(plan, led.agents, Share::whole(1)).of_workers(led.all_workers);
    let obeyed = led.known;
    let crew = Fleet::new(led, &plan.layout());
    let supervisor = Supervisor {
        obeyed,
        ..Supervisor::new(phases, intake, crew)
    };
    supervised(supervisor, interrupt, observer)
}

fn supervised<C: Crew>(
    mut supervisor: Supervisor<C>,
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
    runtime.block_on(supervisor.supervise(&mut interrupt, observer))?;
    Ok(supervisor.finish())
}

struct Supervisor<C> {
    crew: C,
    phases: Phases,
    intake: Intake,
    /// Who leads this process, if somebody does, and what was obeyed so far.
    leader: Option<watch::Receiver<Orders>>,
    obeyed: Orders,
    /// How long after its begin the workers heard of the measured time, if they did not hear of it before.
    told_late: Option<Nanos>,
    aborted: bool,
    ended_at: Timestamp,
}

impl<C: Crew> Supervisor<C> {
    fn new(phases: Phases, intake: Intake, crew: C) -> Self {
        Self {
            leader: None,
            obeyed: Orders::default(),
            told_late: None,
            aborted: false,
            ended_at: Timestamp::ORIGIN,
            intake,
            phases: phases.with_notice(crew.notice()),
            crew,
        }
    }

    async fn supervise(
        &mut self,
        interrupt: &mut mpsc::Receiver<()>,
        observer: &mut dyn Observer,
    ) -> Result<(), EngineError> {
        self.crew.begin(observer.target());
        if let Some(from) = self.phases.measure_from() {
            observer.measuring(self.crew.clock().instant(from));
        }
        while !self.intake.merging.is_complete() {
            tokio::select! {
                Some(()) = interrupt.recv() => self.tell(Event::Signal, observer)?,
                orders = ordered(&mut self.leader) => self.obey(orders, observer),
                told = self.crew.next() => match told {
                    Told::Settled => {
                        self.tell(Event::Settled, observer)?;
                        observer.settled(self.phases.settled());
                    }
                    Told::Failed => self.tell(Event::Failed, observer)?,
                    Told::Shard(handover) => {
                        let worker = handover.worker;
                        let empty = self.intake.merging.add(*handover);
                        self.crew.give_back(worker, empty);
                        self.take_in(observer)?;
                    }
                    Told::Ordered(orders) => self.obey(orders, observer),
                    Told::Done(worker) => {
                        self.intake.merging.done(worker);
                        self.take_in(observer)?;
                    }
                    Told::Lost(worker) => {
                        self.intake.lost(worker);
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
            self.obeyed.add(command);
            if let Command::Schedule { from, .. } = command {
                observer.measuring(clock.instant(from));
            }
        }
        Ok(())
    }

    /// Passes what the leader ordered on to the crew and the observer.
    fn obey(&mut self, orders: Orders, observer: &mut dyn Observer) {
        let clock = self.crew.clock();
        for command in orders.since(&self.obeyed) {
            info!(?command, at_s = clock.now().as_secs_f64(), "ordered");
            self.phases.obey(command);
            self.crew.command(command);
            if let Command::Schedule { from, .. } = command {
                observer.measuring(clock.instant(from));
                // What workers sent before they knew was not counted as measured.
                let heard = clock.now() + self.crew.notice();
                self.told_late = (heard > from).then(|| heard.saturating_since(from));
            }
        }
        self.obeyed.merge(&orders);
    }

    /// Takes in every interval that is complete.
    fn take_in(&mut self, observer: &mut dyn Observer) -> Result<(), EngineError> {
        while let Some(shard) = self.intake.merging.next() {
            let open: u64 = shard.cohorts.iter().map(|cohort| cohort.open.open).sum();
            let used = observer.target();
            let now = self.crew.clock().now();
            let sample = self.crew.sample(shard.interval, now, open, used);
            let ends_it = (self.intake).second(shard, now, sample, &self.phases, observer);
            if ends_it && !self.aborted {
                self.aborted = true;
                self.tell(Event::Aborted, observer)?;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Finished {
        let origin = self.crew.clock().instant(Timestamp::ORIGIN);
        let workers = self.crew.workers();
        // Stops the threads before the numbers are computed, so that no thread is left in any case.
        let CrewEnd { failure, fared } = self.crew.end();
        let ends = |fared: &Fared| {
            fared
                .ends
                .unwrap_or_else(|| (self.phases.end(), self.ended_at))
        };
        let ends: Vec<(Timestamp, Timestamp)> = fared.iter().map(ends).collect();
        // The agents know best when their load ended.
        if let Some(load_ended) = ends.iter().map(|(load, _)| *load).max() {
            self.phases.ending(load_ended);
        }
        self.ended_at = ends
            .iter()
            .map(|(_, ended)| *ended)
            .max()
            .unwrap_or(self.ended_at);
        let of_one = |(fared, (load_ended, ended)): (&Fared, &(Timestamp, Timestamp))| {
            let windows = self.phases.measured_in_all(*load_ended.min(ended));
            (fared.health).summary(*ended, &windows, self.phases.measure_from())
        };
        let last = self.intake.last(&self.phases, self.ended_at);
        Finished {
            health: fared.iter().zip(&ends).map(of_one).collect(),
            summary: last.summary,
            number: last.number,
            began: last.began,
            whole: self.intake.whole(&self.phases, self.ended_at),
            origin,
            interrupted: self.phases.is_interrupted(),
            settled: self.phases.settled(),
            told_late: self.told_late,
            load_ended: self.phases.end().min(self.ended_at),
            ended: self.ended_at,
            workers,
            failure,
        }
    }
}

/// Waits for new orders; without end where nobody gives any.
async fn ordered(leader: &mut Option<watch::Receiver<Orders>>) -> Orders {
    if let Some(orders) = leader
        && orders.changed().await.is_ok()
    {
        return *orders.borrow_and_update();
    }
    std::future::pending().await
}

#[cfg(test)]
#[path = "supervisor_tests.rs"]
mod tests;

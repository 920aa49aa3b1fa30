//! Owns the state of a run: starts the workers, knows the phase, merges shards, ends the load.
//!
//! | phase | left when |
//! |---|---|
//! | ramp-up | each planned connection is open or has failed (steady load); at once (stages and arrivals) |
//! | warm-up | `warm_up` is over |
//! | measure, or the stages | their time is over, a gate aborts, or a signal comes |
//! | drain | the last connection has ended |

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::dial::Dialer;
use super::error::EngineError;
use super::merging::Merging;
use super::observer::{Finished, Observer, Second};
use super::sample::Sampler;
use super::shared::RunState;
use super::worker::{self, Assignment, Handover, INTERVAL};
use crate::measure::{Collector, Phase, Progress, Shard};
use crate::metric::{Counter, Gauge};
use crate::plan::{Nanos, Plan, Windows, nanos};
use crate::scenario::Shape;
use crate::time::{Clock as _, Monotonic};

/// Shards on their way, for each worker, before one has to cover two intervals.
const SHARDS_WAITING: usize = 8;
/// From a decision about time to that time, so that every worker knows before it comes.
const NOTICE: Nanos = 5_000_000;

/// Everything a run needs, checked: from here on nothing but the target decides how it goes.
pub(super) struct Launch {
    pub(super) plan: Arc<Plan>,
    pub(super) dialer: Arc<Dialer>,
    pub(super) dns: Option<Nanos>,
    pub(super) workers: usize,
}

/// Runs it all. `observer` sees every second, and may end the run. `interrupt` yields once for each signal.
pub(super) fn run(
    launch: Launch,
    interrupt: mpsc::Receiver<()>,
    observer: &mut dyn Observer,
) -> Result<Finished, EngineError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|source| EngineError::System {
            doing: "start the supervisor",
            source,
        })?;
    let crew = Crew::start(&launch)?;
    let mut supervisor = Supervisor::new(&launch, &crew, interrupt);
    runtime.block_on(supervisor.supervise(crew.shards, crew.failed, observer))?;
    let threads = crew.threads.into_iter().enumerate();
    // All are joined, and the first failure is told.
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
    let failure = failures.into_iter().next();
    Ok(supervisor.finish(launch.workers, failure))
}

/// The workers' threads, and the ways to talk with them.
struct Crew {
    clock: Monotonic,
    state: Arc<RunState>,
    end: watch::Sender<()>,
    shards: mpsc::Receiver<Handover>,
    /// Told when one of them fails.
    failed: mpsc::Receiver<()>,
    recycle: Vec<Sender<Shard>>,
    threads: Vec<JoinHandle<std::io::Result<()>>>,
}

/// Tells the supervisor if it is dropped before it was put away: by an error or a panic.
struct Alarm(Option<mpsc::Sender<()>>);

impl Alarm {
    fn put_away(mut self) {
        self.0 = None;
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        // Where it is full, it was told already.
        let _ = self.0.take().map(|supervisor| supervisor.try_send(()));
    }
}

impl Crew {
    fn start(launch: &Launch) -> Result<Self, EngineError> {
        let clock = Monotonic::start();
        let state = Arc::new(RunState::new(launch.plan.connections()));
        // What is known beforehand is told before anyone works by it.
        let measured = launch.plan.windows().length();
        match &launch.plan.scenario.load.shape {
            Shape::Steady { .. } => {}
            Shape::Stages(_) => state.schedule(0, measured),
            Shape::Arrivals { warm_up, .. } => {
                state.schedule(nanos(*warm_up), nanos(*warm_up) + measured)
            }
        }
        let (end, end_changed) = watch::channel(());
        let (hand_over, shards) = mpsc::channel(SHARDS_WAITING * launch.workers);
        let (alarm, failed) = mpsc::channel(1);
        let mut recycle = Vec::new();
        let mut threads = Vec::new();
        for worker in 0..launch.workers {
            let (give_back, recycled) = channel();
            recycle.push(give_back);
            let assignment = Assignment {
                worker,
                workers: launch.workers,
                plan: launch.plan.clone(),
                dialer: launch.dialer.clone(),
                state: state.clone(),
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
            threads.push(thread);
        }
        Ok(Self {
            clock,
            state,
            end,
            shards,
            failed,
            recycle,
            threads,
        })
    }
}

struct Supervisor {
    plan: Arc<Plan>,
    windows: Windows,
    clock: Monotonic,
    state: Arc<RunState>,
    end: watch::Sender<()>,
    interrupt: mpsc::Receiver<()>,
    merging: Merging,
    collector: Collector,
    sampler: Sampler,
    recycle: Vec<Sender<Shard>>,
    /// A signal came, at whatever time.
    signalled: bool,
    /// It came before the load had ended.
    interrupted: bool,
    aborted: bool,
    failed: u64,
    /// How many connections are planned to be open together, where that can be said.
    together: Option<u64>,
    ended_at: Nanos,
}

impl Supervisor {
    fn new(launch: &Launch, crew: &Crew, interrupt: mpsc::Receiver<()>) -> Self {
        let layout = launch.plan.layout();
        let cohorts = launch.plan.scenario.cohorts.iter();
        let states = Gauge::Open.name();
        let looked_at = cohorts.map(|cohort| cohort.is_looked_at(states)).collect();
        let length = Duration::from_nanos(launch.plan.length());
        let mut collector = Collector::new(layout.clone()).planned(length, looked_at);
        if let Some(dns) = launch.dns {
            collector.name_looked_up(dns);
        }
        Self {
            windows: launch.plan.windows(),
            clock: crew.clock,
            state: crew.state.clone(),
            end: crew.end.clone(),
            interrupt,
            merging: Merging::new(&layout, launch.workers),
            collector,
            sampler: Sampler::new(crew.clock.now()),
            recycle: crew.recycle.clone(),
            signalled: false,
            interrupted: false,
            aborted: false,
            failed: 0,
            together: match launch.plan.scenario.load.shape {
                Shape::Arrivals { .. } => None,
                Shape::Steady { .. } | Shape::Stages(_) => Some(launch.plan.connections()),
            },
            ended_at: 0,
            plan: launch.plan.clone(),
        }
    }

    async fn supervise(
        &mut self,
        mut shards: mpsc::Receiver<Handover>,
        mut failed: mpsc::Receiver<()>,
        observer: &mut dyn Observer,
    ) -> Result<(), EngineError> {
        let state = self.state.clone();
        let mut waiting = match &self.plan.scenario.load.shape {
            Shape::Steady { warm_up, .. } => Some(nanos(*warm_up)),
            Shape::Stages(_) | Shape::Arrivals { .. } => None,
        };
        if let Some(from) = state.measure_from() {
            observer.measuring(self.clock.instant(from));
        }
        while !self.merging.is_complete() {
            tokio::select! {
                () = state.all_settled.notified(), if waiting.is_some() => {
                    if let Some(warm_up) = waiting.take() {
                        self.begin(warm_up, observer);
                    }
                }
                Some(()) = failed.recv() => {
                    // It says why when it is joined, and the others come to their end.
                    self.cut_short();
                }
                Some(()) = self.interrupt.recv() => {
                    if self.signalled {
                        return Err(EngineError::Killed);
                    }
                    self.signalled = true;
                    // Once the load has ended the run is finished, and only its last answers are waited for.
                    self.interrupted = self.clock.now() < self.state.end();
                    self.cut_short();
                }
                handover = shards.recv() => {
                    let Some(handover) = handover else {
                        // A worker failed: what the others saw counts all the same.
                        self.merging.end();
                        self.take_in(observer);
                        break;
                    };
                    self.take(handover, observer);
                }
            }
        }
        self.ended_at = self.clock.now();
        Ok(())
    }

    /// All that was planned is open or has failed: measuring starts after this time, unless the load has ended before.
    fn begin(&self, warm_up: Nanos, observer: &mut dyn Observer) {
        let from = self.clock.now() + warm_up.max(NOTICE);
        if from >= self.state.end() {
            return;
        }
        self.state.schedule(from, from + self.windows.length());
        self.end.send_replace(());
        observer.measuring(self.clock.instant(from));
    }

    fn cut_short(&self) {
        self.state.cut_short(self.clock.now() + NOTICE);
        self.end.send_replace(());
    }

    fn take(&mut self, handover: Handover, observer: &mut dyn Observer) {
        let worker = handover.worker;
        let empty = self.merging.add(handover);
        // A worker that is done takes nothing back.
        let _ = self.recycle[worker].send(empty);
        self.take_in(observer);
    }

    /// Takes in every interval that is whole.
    fn take_in(&mut self, observer: &mut dyn Observer) {
        while let Some(mut interval) = self.merging.next() {
            let time = (interval.interval + 1) * INTERVAL;
            let phase = self.phase(time);
            let open: u64 = interval.cohorts.iter().map(|cohort| cohort.open.open).sum();
            let sample = self.sampler.sample(self.clock.now(), open);
            let seen = self.collector.interval(phase, &interval, sample);
            self.failed += seen.count(Counter::ConnectionsFailed);
            let mut progress = Progress::of(&seen, self.failed, self.together);
            (progress.planned, progress.left) = self.span(phase, time);
            observer.echoes(std::mem::take(&mut interval.echoes));
            self.merging.give_back(interval);
            let second = Second {
                interval: seen,
                progress,
                is_over: time >= self.state.end(),
                seconds: time as f64 / 1e9,
                windows: self.windows.seconds(self.state.measure_from(), time),
                collector: &self.collector,
            };
            if observer.second(&second).is_break() && !self.aborted {
                self.aborted = true;
                self.cut_short();
            }
        }
    }

    fn phase(&self, time: Nanos) -> Phase {
        let shape = &self.plan.scenario.load.shape;
        let measure_from = self.state.measure_from();
        phase(shape, &self.windows, measure_from, self.state.end(), time)
    }

    /// How long a phase lasts and what is left of it, where that is known.
    fn span(&self, phase: Phase, time: Nanos) -> (Option<Duration>, Option<Duration>) {
        let shape = &self.plan.scenario.load.shape;
        let from = self.state.measure_from().unwrap_or(0);
        let (start, end) = match (phase, shape) {
            (Phase::RampUp, Shape::Steady { ramp_up, .. }) => (0, nanos(*ramp_up)),
            (Phase::WarmUp, _) => (from.saturating_sub(warm_up(shape)), from),
            (Phase::Measure, _) => (from, self.state.end()),
            (Phase::Stage(stage), _) => {
                let ends = self.windows.ends();
                let index = stage as usize - 1;
                let start = index.checked_sub(1).map_or(0, |before| ends[before]);
                (from + start, from + ends[index])
            }
            _ => return (None, None),
        };
        let left = Duration::from_nanos(end.saturating_sub(time));
        (
            Some(Duration::from_nanos(end.saturating_sub(start))),
            Some(left),
        )
    }

    fn finish(self, workers: usize, failure: Option<EngineError>) -> Finished {
        let end = self.state.end().min(self.ended_at);
        let windows = self.windows.seconds(self.state.measure_from(), end);
        Finished {
            summary: self.collector.summary(self.ended_at as f64 / 1e9, &windows),
            origin: self.clock.instant(0),
            interrupted: self.interrupted,
            workers,
            failure,
        }
    }
}

/// What a run is doing at a time, where its load ends at `end`.
fn phase(
    shape: &Shape,
    windows: &Windows,
    measure_from: Option<Nanos>,
    end: Nanos,
    time: Nanos,
) -> Phase {
    if time > end {
        return Phase::Drain;
    }
    let Some(from) = measure_from else {
        return Phase::RampUp;
    };
    if time <= from.saturating_sub(warm_up(shape)) {
        return Phase::RampUp;
    }
    if time <= from {
        return Phase::WarmUp;
    }
    match shape {
        Shape::Stages(_) => {
            let passed = (windows.ends().iter()).take_while(|end| from + **end < time);
            Phase::Stage(passed.count() as u32 + 1)
        }
        Shape::Steady { .. } | Shape::Arrivals { .. } => Phase::Measure,
    }
}

fn warm_up(shape: &Shape) -> Nanos {
    match shape {
        Shape::Steady { warm_up, .. } | Shape::Arrivals { warm_up, .. } => nanos(*warm_up),
        Shape::Stages(_) => 0,
    }
}

#[cfg(test)]
#[path = "supervisor_tests.rs"]
mod tests;

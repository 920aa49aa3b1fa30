//! A run that agents play, from its first dial to its report: the same whether this process began it or took it over.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tokio::sync::mpsc;

use crate::cli::around::Around;
use crate::cli::conclude::Reporting;
use crate::cli::error::CliError;
use crate::cli::formats::Opened;
use crate::cli::input::Loaded;
use crate::cli::merge::{common, described};
use crate::cli::observer::RunObserver;
use crate::cli::outputs::{Outputs, Still};
use crate::cli::past::{Generator, Past};
use crate::cli::signals::Signals;
use crate::cli::target::RunningTarget;
use crate::cli::term;
use crate::engine;
use crate::fleet::{Assigned, OfAgent, Seat, Started};
use crate::measure::{Summary, Surroundings};
use crate::net::Resolvers;
use crate::plan::Plan;
use crate::report::{Labels, Options, OutputSet, Parts, Run};
use crate::scenario::{Process, TargetUrl};
use crate::units::Nanos;
use crate::verdict::{ClockOffset, Exit, Facts, Outcome, PartFacts, PartLost, Throttling, judge};

/// What is around a run, on this machine, and what its report says.
pub(super) struct Judging<'a> {
    loaded: &'a Loaded,
    labels: Labels,
    seed: u64,
    started_at: SystemTime,
    target: RunningTarget,
    around: Around,
    outputs: Outputs,
}

impl<'a> Judging<'a> {
    /// Starts the target where the scenario says how, and what happens to it.
    pub(super) fn begin(
        loaded: &'a Loaded,
        labels: Labels,
        seed: u64,
        started_at: SystemTime,
        signals: &Signals,
    ) -> Result<Self, CliError> {
        let scenario = &loaded.scenario;
        let target = RunningTarget::start(scenario, signals)?;
        // This process dials nothing, so it looks no name up.
        let names = Arc::new(Resolvers::new(scenario.target.connect_timeout));
        let around = Around::start(scenario, &target, &names, seed)?;
        Ok(Self {
            loaded,
            labels,
            seed,
            started_at,
            target,
            around,
            outputs: Outputs::default(),
        })
    }

    /// The first dial is at this time: agents were prepared in the meantime.
    pub(super) fn beginning(self, origin: Instant) -> Self {
        let left = origin.saturating_duration_since(Instant::now());
        Self {
            started_at: SystemTime::now() + left,
            ..self
        }
    }

    /// The same, where another process cares for the target.
    pub(super) fn elsewhere(
        loaded: &'a Loaded,
        labels: Labels,
        seed: u64,
        started_at: SystemTime,
    ) -> Result<Self, CliError> {
        let mut scenario = loaded.scenario.clone();
        scenario.target.process = Process::Unknown;
        scenario.target.faults.clear();
        let TargetUrl::Servers(servers) = scenario.target.url.clone() else {
            unreachable!("agents refuse the built-in server");
        };
        let target = RunningTarget::elsewhere(servers);
        let names = Arc::new(Resolvers::new(scenario.target.connect_timeout));
        let around = Around::start(&scenario, &target, &names, seed)?;
        Ok(Self {
            loaded,
            labels,
            seed,
            started_at,
            target,
            around,
            outputs: Outputs::default(),
        })
    }

    /// The same, whose numbers go to these outputs while it runs.
    pub(super) fn sending(self, outputs: Outputs) -> Self {
        Self { outputs, ..self }
    }
}

/// A run that is over, and not written yet.
pub(super) struct Judged {
    run: Run,
    failure: Option<CliError>,
    still: Still,
    heard: u8,
}

/// Leads the agents from the first dial to the end, and judges what they saw.
pub(super) fn lead(
    begun: Started,
    plan: &Plan,
    assigned: &Assigned,
    judging: Judging<'_>,
    (signals, interrupt): (&Signals, mpsc::Receiver<()>),
    quiet: bool,
) -> Result<Judged, CliError> {
    let Judging {
        loaded,
        labels,
        seed,
        started_at,
        target,
        around,
        outputs,
    } = judging;
    let Started { led, following } = begun;
    sleep_until(led.origin);
    let observer = RunObserver::new(&loaded.scenario, &around, None, term::progress(quiet));
    let mut observer = observer.sending(outputs);
    let finished = engine::lead(plan, led, interrupt, &mut observer);
    let mut finished = finished.map_err(CliError::Engine)?;
    let heard = signals.count();
    let watched = observer.end();
    let (surroundings, failure) = around.end(finished.origin, &mut finished.summary);
    drop(target);
    let failure = finished.failure.take().map(CliError::Engine).or(failure);
    let agents = following.finish();

    let outcome = match (&failure, finished.interrupted, watched.held) {
        (Some(error), ..) => Outcome::Broken {
            why: format!("failed to {error}"),
        },
        (None, true, _) => Outcome::Interrupted,
        (None, false, Some(gate)) => Outcome::Aborted { gate },
        (None, false, None) => Outcome::Completed,
    };
    let health = std::mem::take(&mut finished.health);
    let of_agents = Agents {
        assigned,
        agents: &agents,
    };
    let facts = of_agents.facts(outcome, surroundings, health);
    let verdict = judge(&loaded.scenario, &finished.summary, &facts);
    let mut run = Run::of(Parts {
        scenario: &loaded.scenario,
        scenario_text: &loaded.text,
        scenario_file: loaded.file.clone(),
        options: Options {
            seed,
            overrides: loaded.overrides.clone(),
            labels,
        },
        host: generator(assigned).host,
        started_at,
        facts,
        summary: finished.summary,
        verdict,
    });
    run.sent_to(watched.outputs);
    Ok(Judged {
        run,
        failure,
        still: watched.still,
        heard,
    })
}

impl Judged {
    /// Writes the report, shows the summary, and returns the exit code.
    pub(super) fn conclude(
        mut self,
        reporting: &Reporting,
        past: Option<&Past>,
        output: OutputSet,
        formats: Opened,
        signals: &Signals,
    ) -> Result<Exit, CliError> {
        if let Some(past) = past {
            past.settle(&mut self.run);
        }
        let showing = self.still.show(&self.run);
        let failures = [self.failure, None];
        let exit = reporting.conclude(&self.run, output, formats, signals, self.heard, failures);
        showing.finish();
        Ok(exit)
    }
}

/// What is known of the agents.
struct Agents<'a> {
    assigned: &'a Assigned,
    agents: &'a [OfAgent],
}

impl Agents<'_> {
    fn facts(&self, outcome: Outcome, around: Surroundings, health: Vec<Summary>) -> Facts {
        let nothing = OfAgent::default();
        let seats = (1..).zip(&self.assigned.seats).zip(health);
        let each: Vec<PartFacts> = seats
            .map(|((number, seat), health)| {
                let agent = self.agents.get(number as usize - 1).unwrap_or(&nothing);
                self.of_one(number, seat, agent, health)
            })
            .collect();
        let failed = self
            .agents
            .iter()
            .filter_map(|agent| agent.end.as_ref()?.look_ups_failed.clone());
        let look_ups_failed =
            failed.reduce(|(all, _), (count, last)| (all.saturating_add(count), last));
        let surroundings = Surroundings {
            look_ups_failed: look_ups_failed.or_else(|| around.look_ups_failed.clone()),
            ..around
        };
        Facts::of_parts(outcome, surroundings, each)
    }

    fn of_one(&self, number: u32, seat: &Seat, agent: &OfAgent, health: Summary) -> PartFacts {
        let machine = &seat.machine;
        let outcome = match &agent.end {
            Some(end) if end.failure.is_some() => Outcome::Broken {
                why: format!("failed to {}", end.failure.as_deref().unwrap_or_default()),
            },
            Some(end) if end.interrupted => Outcome::Interrupted,
            _ => Outcome::Completed,
        };
        let throttling = agent.end.as_ref().and_then(|end| end.throttling);
        PartFacts {
            number,
            name: Some(seat.name.clone()),
            machine: described(machine),
            facts: Facts {
                outcome,
                workers: machine.workers as usize,
                precise_timer: machine.precise_timer,
                kernel_view: machine.kernel_view,
                cores: machine.cores,
                throttling: throttling
                    .map(|(periods, throttled)| Throttling { periods, throttled }),
                surroundings: Surroundings::default(),
                parts: Vec::new(),
            },
            health,
            settled: agent.settled,
            told_late: (agent.end.as_ref()).and_then(|end| end.told_late_ns.map(Nanos)),
            clock: agent.clock.map(|clock| ClockOffset {
                offset_ns: clock.ns,
                error_ns: clock.bound_ns,
            }),
            lost: agent.lost.as_ref().map(|(at, why)| PartLost {
                at: *at,
                why: why.clone(),
                went_on: self.assigned.goes_on,
            }),
        }
    }
}

/// All agents, as what plays the load.
pub(super) fn generator(assigned: &Assigned) -> Generator {
    let machines = || assigned.seats.iter().map(|seat| &seat.machine);
    Generator {
        host: common(machines),
        workers: assigned.workers as usize,
        processes: assigned.seats.len(),
    }
}

/// Waits for the first dial, which is near. A signal that comes meanwhile is heard by the engine: agents begin anyway, and
/// have to be told.
fn sleep_until(origin: Instant) {
    let left = origin.saturating_duration_since(Instant::now());
    std::thread::sleep(left);
}

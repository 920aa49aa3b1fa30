//! What must be known about a run besides its numbers.
//! Filled in by the caller that executed the run.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::measure::{Summary, Surroundings};
use crate::scenario::{Cohort, Message, Pacing, Scenario};
use crate::units::{Nanos, Timestamp, counted, human_count};

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ended as planned.
    Completed,
    /// A signal ended it.
    Interrupted,
    /// An abort gate that held ended it.
    Aborted {
        /// The gate, as the user wrote it.
        gate: String,
    },
    /// A failure of wsbench itself or of the system ended it; the numbers cover the time until then.
    Broken {
        /// What failed, as in "failed to run worker 0: it panicked".
        why: String,
    },
}

impl Outcome {
    /// The stable name, as in `run.json`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Interrupted => "interrupted",
            Self::Aborted { .. } => "aborted",
            Self::Broken { .. } => "broken",
        }
    }
}

/// How often the kernel throttled wsbench because the CPU limit of its group was used up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throttling {
    /// Periods of the CPU limit in which something ran.
    pub periods: u64,
    /// Periods in which the limit was used up.
    pub throttled: u64,
}

impl Throttling {
    /// The part of the periods in which the limit was used up, from 0 to 1.
    pub fn share(self) -> f64 {
        self.throttled as f64 / self.periods.max(1) as f64
    }
}

impl fmt::Display for Throttling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the kernel kept wsbench from running in {} of {}, for its limit of CPU was used up",
            human_count(self.throttled),
            counted(self.periods, "period")
        )
    }
}

/// What must be known about a run besides its numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// How the run ended.
    pub outcome: Outcome,
    /// Worker threads; each can use one core.
    pub workers: usize,
    /// Whether a timer with nanosecond resolution kept the deadlines.
    pub precise_timer: bool,
    /// Whether the kernel reported acknowledgements (`TCP_INFO`).
    pub kernel_view: bool,
    /// How many cores this process may use, by affinity and by its limits; `None` if the system does not say.
    pub cores: Option<f64>,
    /// `None` if there is no CPU limit, or the system does not say.
    pub throttling: Option<Throttling>,
    /// What happened around the connections.
    pub surroundings: Surroundings,
    /// The processes that played the run, if it was played in parts; empty if one did.
    pub parts: Vec<PartFacts>,
}

/// One process of a run in parts, as a generator of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct PartFacts {
    /// Its number, from 1.
    pub number: u32,
    /// What it is called, if it has a name besides its number.
    pub name: Option<String>,
    /// The machine, for people.
    pub machine: String,
    /// What must be known about it besides its numbers.
    pub facts: Facts,
    /// What it counted, how late it was and what it used, as [`crate::measure::Health`] sums it up.
    pub health: Summary,
    /// When each of its planned connections was open or had failed; `None` if that never was, or is not asked.
    pub settled: Option<Timestamp>,
    /// How long after its begin it heard of the measured time; `None` if it heard of it before.
    pub told_late: Option<Nanos>,
    /// How far its clock was from the clock of the run; `None` if nobody measured it.
    pub clock: Option<ClockOffset>,
    /// That it was lost in the run; `None` if it told all.
    pub lost: Option<PartLost>,
}

/// A process of a run of which nothing was heard any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartLost {
    /// Up to when its numbers are known.
    pub at: Timestamp,
    /// What is known of it, as in "it gave no sign of life any more".
    pub why: String,
    /// Whether the others went on, as they were asked to.
    pub went_on: bool,
}

/// How far one clock was from another, and how exactly that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockOffset {
    /// How much later it was, in nanoseconds; negative if it was earlier.
    pub offset_ns: i64,
    /// How far the true offset may be from that at most, in nanoseconds.
    pub error_ns: u64,
}

impl Facts {
    /// The processor time that the workers can use, in percent of one core.
    pub fn cpu_limit(&self) -> f64 {
        if !self.parts.is_empty() {
            return self.parts.iter().map(|part| part.facts.cpu_limit()).sum();
        }
        let workers = self.workers as f64;
        100.0 * self.cores.map_or(workers, |cores| cores.min(workers))
    }

    /// The facts of several processes together: their workers and cores added up, what only all of them have, and the worst
    /// that a limit did to one of them.
    pub fn of_parts(outcome: Outcome, surroundings: Surroundings, parts: Vec<PartFacts>) -> Self {
        let each = || parts.iter().map(|part| &part.facts);
        let worst = |one: Throttling, other: Throttling| match one.share() >= other.share() {
            true => one,
            false => other,
        };
        Self {
            outcome,
            workers: each().map(|facts| facts.workers).sum(),
            precise_timer: each().all(|facts| facts.precise_timer),
            kernel_view: each().all(|facts| facts.kernel_view),
            cores: each().map(|facts| facts.cores).sum(),
            throttling: each().filter_map(|facts| facts.throttling).reduce(worst),
            surroundings,
            parts,
        }
    }

    /// The facts of a run with this many workers that ended as planned, on a system with every feature.
    pub fn completed(workers: usize) -> Self {
        Self {
            outcome: Outcome::Completed,
            workers,
            precise_timer: true,
            kernel_view: true,
            cores: None,
            throttling: None,
            surroundings: Surroundings::default(),
            parts: Vec::new(),
        }
    }
}

/// The total number of connections that a scenario plans.
pub fn planned_connections(scenario: &Scenario) -> u64 {
    let cohorts = scenario.cohorts.iter();
    cohorts.map(|cohort| u64::from(cohort.connections)).sum()
}

/// Whether sends follow only a schedule, so that a late send is caused by the generator.
///
/// A message that waits for answers (`in_flight`) may be late because the server is. If a scenario has such messages,
/// it is an open model only if another message follows only a schedule.
pub(super) fn is_open_model(scenario: &Scenario) -> bool {
    // What clients with faults send and receive proves nothing about the run itself.
    let cohorts = scenario.cohorts.iter().filter(|cohort| cohort.is_healthy());
    let cohorts: Vec<&Cohort> = cohorts.collect();
    let mut messages = cohorts.iter().flat_map(|c| &c.messages).peekable();
    if messages.peek().is_none() {
        return expects_pongs(&cohorts);
    }
    messages.any(has_bare_schedule)
}

fn has_bare_schedule(message: &Message) -> bool {
    matches!(
        message.pacing,
        Pacing::Open {
            in_flight: None,
            ..
        }
    )
}

/// Whether the message with this name follows only a schedule in a cohort, or the cohort has no such message.
pub(super) fn is_bare_schedule(cohort: &Cohort, name: &str) -> bool {
    let mut messages = cohort.messages.iter();
    messages.all(|message| message.name != name || has_bare_schedule(message))
}

/// Whether any connection of these cohorts waits for pongs.
pub(super) fn expects_pongs(cohorts: &[&Cohort]) -> bool {
    cohorts.iter().any(|c| c.watched().is_some())
}

/// Whether a fault of the target, or an incident of the path, befalls the connections of this cohort.
pub(super) fn is_disturbed(scenario: &Scenario, cohort: &Cohort) -> bool {
    let faults = scenario.path.iter().flat_map(|path| &path.faults);
    let mut incidents = faults.filter(|fault| !fault.is_lasting());
    !scenario.target.faults.is_empty() || incidents.any(|fault| fault.concerns(&cohort.name))
}

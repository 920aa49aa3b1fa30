//! What the numbers alone do not say about a run.
//! Told by whoever drove it.

use std::fmt;

use crate::measure::Surroundings;
use crate::scenario::{Cohort, Expect, Message, Pacing, Scenario};
use crate::units::human_count;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As planned.
    Completed,
    /// By a signal.
    Interrupted,
    /// By an abort gate that held.
    Aborted {
        /// The gate, as the user wrote it.
        gate: String,
    },
    /// By a failure of wsbench itself or of the system; the numbers are those until there.
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

/// How often the kernel kept wsbench from running, because the limit of CPU of its group was used up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Throttling {
    /// Periods of that limit in which something ran.
    pub periods: u64,
    /// Those in which it was used up.
    pub throttled: u64,
}

impl Throttling {
    /// The part of the periods in which it was used up.
    pub fn share(self) -> f64 {
        self.throttled as f64 / self.periods.max(1) as f64
    }
}

impl fmt::Display for Throttling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the kernel kept wsbench from running in {} of {} periods, for its limit of CPU was used up",
            human_count(self.throttled),
            human_count(self.periods)
        )
    }
}

/// What the numbers alone do not say about a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// How it ended.
    pub outcome: Outcome,
    /// Worker threads; each can use one core.
    pub workers: usize,
    /// Whether deadlines were kept by a timer of nanoseconds.
    pub precise_timer: bool,
    /// Whether the kernel told about acknowledgements (`TCP_INFO`).
    pub kernel_view: bool,
    /// How many cores this process may use, by affinity and by its limits; `None` where the system does not say.
    pub cores: Option<f64>,
    /// `None` where there is no limit of CPU, or the system does not say.
    pub throttling: Option<Throttling>,
    /// What happened around the connections.
    pub surroundings: Surroundings,
}

impl Facts {
    /// The processor time that its workers can have, in percent of one core.
    pub fn cpu_limit(&self) -> f64 {
        let workers = self.workers as f64;
        100.0 * self.cores.map_or(workers, |cores| cores.min(workers))
    }

    /// A run with so many workers that ended as planned on a system that has all there is to have.
    pub fn completed(workers: usize) -> Self {
        Self {
            outcome: Outcome::Completed,
            workers,
            precise_timer: true,
            kernel_view: true,
            cores: None,
            throttling: None,
            surroundings: Surroundings::default(),
        }
    }
}

/// How many connections a scenario asks for, in all.
pub fn planned_connections(scenario: &Scenario) -> u64 {
    let cohorts = scenario.cohorts.iter();
    cohorts.map(|cohort| u64::from(cohort.connections)).sum()
}

/// Whether sends follow a schedule and nothing else, so that a late one is the generator's fault.
///
/// A message that waits for answers (`in_flight`) may be late because the server is; beside such
/// messages only another message on a bare schedule makes an open model.
pub(super) fn is_open_model(scenario: &Scenario) -> bool {
    let mut messages = doing_right(scenario).flat_map(|c| &c.messages).peekable();
    if messages.peek().is_none() {
        return expects_pongs(scenario);
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

/// Whether the message of this name follows a schedule and nothing else in a cohort, if it is there.
pub(super) fn is_bare_schedule(cohort: &Cohort, name: &str) -> bool {
    let mut messages = cohort.messages.iter();
    messages.all(|message| message.name != name || has_bare_schedule(message))
}

/// What bad clients send and get says nothing about the run itself.
fn doing_right(scenario: &Scenario) -> impl Iterator<Item = &Cohort> {
    scenario.cohorts.iter().filter(|cohort| cohort.does_right())
}

/// Whether some message expects an answer.
pub(super) fn expects_echoes(scenario: &Scenario) -> bool {
    let mut messages = doing_right(scenario).flat_map(|c| &c.messages);
    messages.any(|message| message.expect == Expect::Echo)
}

/// Whether some connection sends pings.
pub(super) fn expects_pongs(scenario: &Scenario) -> bool {
    doing_right(scenario).any(|c| c.heartbeat.is_some())
}

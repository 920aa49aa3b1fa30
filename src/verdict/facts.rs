//! What the numbers alone do not say about a run.
//! Told by whoever drove it.

use crate::measure::Surroundings;
use crate::scenario::{Cohort, Expect, Pacing, Scenario};

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

/// What the numbers alone do not say about a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// How it ended.
    pub outcome: Outcome,
    /// Worker threads; each can use one core.
    pub workers: usize,
    /// Whether deadlines were kept by a timer of nanoseconds.
    pub precise_timer: bool,
    /// Whether the kernel told about acknowledgements (`TCP_INFO`).
    pub kernel_view: bool,
    /// What happened around the connections.
    pub surroundings: Surroundings,
}

impl Facts {
    /// A run with so many workers that ended as planned on a system that has all there is to have.
    pub fn completed(workers: usize) -> Self {
        Self {
            outcome: Outcome::Completed,
            workers,
            precise_timer: true,
            kernel_view: true,
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
    messages.any(|message| {
        matches!(
            message.pacing,
            Pacing::Open {
                in_flight: None,
                ..
            }
        )
    })
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

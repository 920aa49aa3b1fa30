//! The phases of a run as a pure machine: told what happened and the time, it says what the crew is to be told.
//!
//! | phase | left when |
//! |---|---|
//! | ramp-up | each planned connection is open or has failed (steady load); at once (stages and arrivals) |
//! | warm-up | `warm_up` is over |
//! | measure, or the stages | their time is over, a gate aborts, or a signal comes |
//! | drain | the last connection has ended |

use std::time::Duration;

use super::crew::Command;
use super::error::EngineError;
use crate::measure::Phase;
use crate::plan::{Nanos, Plan, Windows, nanos};
use crate::scenario::Shape;
use crate::time::NEVER;

/// From a decision about time to that time, so that every worker knows before it comes.
const NOTICE: Nanos = 5_000_000;

/// What changes the course of a run, besides time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// Each planned connection is open or has failed.
    Settled,
    /// A worker failed.
    Failed,
    /// An abort gate holds.
    Aborted,
    /// A signal came.
    Signal,
}

/// Where a run is, and what is known of where it goes. Times are nanoseconds since the first dial.
pub(super) struct Phases {
    shape: Shape,
    windows: Windows,
    /// Measuring waits for the planned connections.
    waits: bool,
    measure_from: Option<Nanos>,
    /// The load ends; [`NEVER`] until that is known.
    end: Nanos,
    /// A signal came, at whatever time.
    signalled: bool,
    /// One came before the load had ended.
    interrupted: bool,
}

impl Phases {
    /// Before the first dial.
    pub(super) fn new(plan: &Plan) -> Self {
        let shape = plan.scenario.load.shape.clone();
        let mut phases = Self {
            windows: plan.windows(),
            waits: matches!(shape, Shape::Steady { .. }),
            measure_from: None,
            end: NEVER,
            signalled: false,
            interrupted: false,
            shape,
        };
        if !phases.waits {
            phases.schedule(warm_up(&phases.shape));
        }
        phases
    }

    /// What is known before anyone has settled.
    pub(super) fn known(&self) -> Option<Command> {
        self.measure_from
            .map(|from| Command::Schedule { from, to: self.end })
    }

    /// Takes an event in, and says what the crew is to be told of it, if anything.
    ///
    /// # Errors
    /// [`EngineError::Killed`] on the second signal.
    pub(super) fn on(&mut self, event: Event, now: Nanos) -> Result<Option<Command>, EngineError> {
        match event {
            Event::Settled => {
                let from = now + warm_up(&self.shape).max(NOTICE);
                // Connections settle after the end too, where a signal came in the ramp.
                let begins = self.waits && from < self.end;
                self.waits = false;
                Ok(begins.then(|| self.schedule(from)))
            }
            Event::Failed | Event::Aborted => Ok(Some(self.cut_short(now))),
            Event::Signal if self.signalled => Err(EngineError::Killed),
            Event::Signal => {
                self.signalled = true;
                // Once the load has ended the run is finished, and only its last answers are waited for.
                self.interrupted = now < self.end;
                Ok(Some(self.cut_short(now)))
            }
        }
    }

    fn schedule(&mut self, from: Nanos) -> Command {
        let to = from + self.windows.length();
        self.measure_from = Some(from);
        self.end = self.end.min(to);
        Command::Schedule { from, to }
    }

    fn cut_short(&mut self, now: Nanos) -> Command {
        let at = now + NOTICE;
        self.end = self.end.min(at);
        Command::CutShort { at }
    }

    /// Where measuring starts, once that is known.
    pub(super) fn measure_from(&self) -> Option<Nanos> {
        self.measure_from
    }

    /// Whether a signal ended the load.
    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    /// Whether the load has ended at this time.
    pub(super) fn is_over(&self, time: Nanos) -> bool {
        time >= self.end
    }

    /// How long each measured window was, in seconds, until this time.
    pub(super) fn measured(&self, time: Nanos) -> Vec<f64> {
        self.windows.seconds(self.measure_from, time)
    }

    /// The same at the end of a run that ended at this time.
    pub(super) fn measured_in_all(&self, ended: Nanos) -> Vec<f64> {
        self.measured(self.end.min(ended))
    }

    /// What the run is doing at this time.
    pub(super) fn at(&self, time: Nanos) -> Phase {
        if time > self.end {
            return Phase::Drain;
        }
        let Some(from) = self.measure_from else {
            return Phase::RampUp;
        };
        if time <= from.saturating_sub(warm_up(&self.shape)) {
            return Phase::RampUp;
        }
        if time <= from {
            return Phase::WarmUp;
        }
        match &self.shape {
            Shape::Stages(_) => {
                let ends = self.windows.ends().iter();
                let passed = ends.take_while(|end| from + **end < time);
                Phase::Stage(passed.count() as u32 + 1)
            }
            Shape::Steady { .. } | Shape::Arrivals { .. } => Phase::Measure,
        }
    }

    /// How long the phase of this time lasts and what is left of it, where that is known.
    pub(super) fn span(&self, time: Nanos) -> Option<(Duration, Duration)> {
        let from = self.measure_from.unwrap_or(0);
        let (start, end) = match (self.at(time), &self.shape) {
            (Phase::RampUp, Shape::Steady { ramp_up, .. }) => (0, nanos(*ramp_up)),
            (Phase::WarmUp, _) => (from.saturating_sub(warm_up(&self.shape)), from),
            (Phase::Measure, _) => (from, self.end),
            (Phase::Stage(stage), _) => {
                let ends = self.windows.ends();
                let index = stage as usize - 1;
                let start = index.checked_sub(1).map_or(0, |before| ends[before]);
                (from + start, from + ends[index])
            }
            _ => return None,
        };
        let length = Duration::from_nanos(end.saturating_sub(start));
        Some((length, Duration::from_nanos(end.saturating_sub(time))))
    }
}

fn warm_up(shape: &Shape) -> Nanos {
    match shape {
        Shape::Steady { warm_up, .. } | Shape::Arrivals { warm_up, .. } => nanos(*warm_up),
        Shape::Stages(_) => 0,
    }
}

#[cfg(test)]
#[path = "phases_tests.rs"]
mod tests;

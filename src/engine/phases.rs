//! The phases of a run as a pure state machine: takes events and the time, and returns commands for the crew.
//!
//! | phase | left when |
//! |---|---|
//! | ramp-up | each planned connection is open or has failed (steady load); at once (stages and arrivals) |
//! | warm-up | `warm_up` is over |
//! | measure, or the stages | their time is over, a gate aborts, or a signal comes; without end only the latter two |
//! | drain | the last connection has ended; two seconds after a signal at the latest |

use std::time::Duration;

use super::crew::Command;
use super::error::EngineError;
use crate::measure::Phase;
use crate::plan::{Plan, Windows};
use crate::scenario::Shape;
use crate::units::{Nanos, Timestamp};

/// Time from a decision to the time it takes effect, so that every worker of this process knows it beforehand.
pub(super) const NOTICE: Nanos = Nanos::from_millis(5);

/// The longest time from a signal to the end of the last connection: who ends a run by hand wants it to end.
pub(super) const DRAIN: Nanos = Nanos::from_secs(2);

/// Events, besides time, that change the course of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "snake_case")]
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

/// The state of a run and the times that are known so far.
#[derive(Clone)]
pub(super) struct Phases {
    shape: Shape,
    windows: Windows,
    /// Whether measuring waits for the planned connections.
    waits: bool,
    /// Time from a decision to the time it takes effect.
    notice: Nanos,
    /// When each planned connection was open or had failed.
    settled: Option<Timestamp>,
    measure_from: Option<Timestamp>,
    /// When the load ends; [`Timestamp::NEVER`] until that is known.
    end: Timestamp,
    /// When all connections are to be gone, because a signal came at any time; [`Timestamp::NEVER`] without one.
    drained_by: Timestamp,
    /// A signal came before the load had ended, or, if it has no end of its own, before anything was measured.
    interrupted: bool,
}

impl Phases {
    /// The state before the first dial.
    pub(super) fn new(plan: &Plan) -> Self {
        let shape = plan.scenario.load.shape.clone();
        let mut phases = Self {
            windows: plan.windows(),
            waits: matches!(shape, Shape::Steady { .. }),
            notice: NOTICE,
            settled: None,
            measure_from: None,
            end: Timestamp::NEVER,
            drained_by: Timestamp::NEVER,
            interrupted: false,
            shape,
        };
        if !phases.waits {
            phases.schedule(Timestamp::ORIGIN + warm_up(&phases.shape));
        }
        phases
    }

    /// The same where measuring begins at a time that is known beforehand, because no process can ask the others whether
    /// their connections are open: after the ramp-up and the warm-up.
    pub(super) fn fixed(plan: &Plan) -> Self {
        let mut phases = Self::new(plan);
        if let Shape::Steady { ramp_up, .. } = phases.shape {
            phases.waits = false;
            phases.schedule(Timestamp::ORIGIN + Nanos::from(ramp_up) + warm_up(&phases.shape));
        }
        phases
    }

    /// The same where somebody else says when measuring begins: see [`Self::obey`].
    pub(super) fn led(plan: &Plan) -> Self {
        Self {
            waits: false,
            ..Self::new(plan)
        }
    }

    /// The same where it takes so long until all workers know a command.
    pub(super) fn with_notice(self, notice: Nanos) -> Self {
        Self { notice, ..self }
    }

    /// Takes a command that somebody else decided on.
    pub(super) fn obey(&mut self, command: Command) {
        match command {
            Command::Schedule { from, to } => {
                self.waits = false;
                self.measure_from = Some(from);
                self.ending(to);
            }
            Command::CutShort { at } => self.ending(at),
            Command::Interrupt { at, drained_by } => {
                self.interrupted = self.is_cut_by_signal(at);
                self.drained_by = drained_by;
                self.ending(at);
            }
        }
    }

    /// Ends the load at this time, if not sooner.
    pub(super) fn ending(&mut self, at: Timestamp) {
        self.end = self.end.min(at);
    }

    /// Returns the times that are known before any connection has settled.
    pub(super) fn known(&self) -> Option<Command> {
        self.measure_from
            .map(|from| Command::Schedule { from, to: self.end })
    }

    /// Handles an event. Returns the command for the crew, if there is one.
    ///
    /// # Errors
    /// [`EngineError::Killed`] on the second signal.
    pub(super) fn on(
        &mut self,
        event: Event,
        now: Timestamp,
    ) -> Result<Option<Command>, EngineError> {
        match event {
            Event::Settled => {
                self.settled.get_or_insert(now);
                let from = now + warm_up(&self.shape).max(self.notice);
                // Connections can settle after the end too: a signal may have come during the ramp-up.
                let begins = self.waits && from < self.end;
                self.waits = false;
                Ok(begins.then(|| self.schedule(from)))
            }
            Event::Failed | Event::Aborted => {
                let at = self.cut_short(now);
                Ok(Some(Command::CutShort { at }))
            }
            Event::Signal if self.drained_by != Timestamp::NEVER => Err(EngineError::Killed),
            Event::Signal => {
                self.drained_by = now + DRAIN;
                self.interrupted = self.is_cut_by_signal(now);
                Ok(Some(Command::Interrupt {
                    at: self.cut_short(now),
                    drained_by: self.drained_by,
                }))
            }
        }
    }

    /// Whether a signal now keeps the run from what was planned. After the end of the load it does not, for only the
    /// last answers are waited for; nor where the load ends by a signal in any case.
    fn is_cut_by_signal(&self, now: Timestamp) -> bool {
        match self.windows.are_endless() {
            true => self.measure_from.is_none_or(|from| now < from),
            false => now < self.end,
        }
    }

    /// Measuring starts at this time.
    pub(super) fn schedule(&mut self, from: Timestamp) -> Command {
        let to = from.saturating_add(self.windows.length());
        self.measure_from = Some(from);
        self.end = self.end.min(to);
        Command::Schedule { from, to }
    }

    /// Ends the load now, and returns when that is.
    fn cut_short(&mut self, now: Timestamp) -> Timestamp {
        let at = now + self.notice;
        self.end = self.end.min(at);
        at
    }

    /// When measuring starts, once that is known.
    pub(super) fn measure_from(&self) -> Option<Timestamp> {
        self.measure_from
    }

    /// When each planned connection was open or had failed.
    pub(super) fn settled(&self) -> Option<Timestamp> {
        self.settled
    }

    /// When the load ends; [`Timestamp::NEVER`] until that is known.
    pub(super) fn end(&self) -> Timestamp {
        self.end
    }

    /// Returns whether a signal ended the load.
    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    /// Returns whether the load has ended at this time.
    pub(super) fn is_over(&self, time: Timestamp) -> bool {
        time >= self.end
    }

    /// Returns the length of each measured window up to this time, in seconds.
    pub(super) fn measured(&self, time: Timestamp) -> Vec<f64> {
        self.windows.seconds(self.measure_from, time)
    }

    /// Returns the same for a run that ended at this time.
    pub(super) fn measured_in_all(&self, ended: Timestamp) -> Vec<f64> {
        self.measured(self.end.min(ended))
    }

    /// Returns what of that was after `since`.
    pub(super) fn measured_since(&self, since: Timestamp, time: Timestamp) -> Vec<f64> {
        let before = self.measured(since);
        let all = self.measured(time).into_iter().zip(before);
        all.map(|(all, before)| (all - before).max(0.0)).collect()
    }

    /// Returns the phase at this time.
    pub(super) fn at(&self, time: Timestamp) -> Phase {
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

    /// Returns the length of the phase at this time and what is left of it, if that is known.
    pub(super) fn span(&self, time: Timestamp) -> Option<(Duration, Duration)> {
        let from = self.measure_from.unwrap_or(Timestamp::ORIGIN);
        let (start, end) = match (self.at(time), &self.shape) {
            (Phase::RampUp, Shape::Steady { ramp_up, .. }) => {
                (Timestamp::ORIGIN, Timestamp::ORIGIN + (*ramp_up).into())
            }
            (Phase::WarmUp, _) => (from.saturating_sub(warm_up(&self.shape)), from),
            (Phase::Measure, _) if self.end == Timestamp::NEVER => return None,
            (Phase::Measure, _) => (from, self.end),
            (Phase::Stage(stage), _) => {
                let ends = self.windows.ends();
                let index = stage as usize - 1;
                let start = index
                    .checked_sub(1)
                    .map_or(Nanos::ZERO, |before| ends[before]);
                (from + start, from + ends[index])
            }
            (Phase::Drain, _) if self.drained_by != Timestamp::NEVER => {
                (self.drained_by.saturating_sub(DRAIN), self.drained_by)
            }
            _ => return None,
        };
        let length = end.saturating_since(start).into();
        Some((length, end.saturating_since(time).into()))
    }
}

fn warm_up(shape: &Shape) -> Nanos {
    match shape {
        Shape::Steady { warm_up, .. } | Shape::Arrivals { warm_up, .. } => Nanos::from(*warm_up),
        Shape::Stages(_) => Nanos::ZERO,
    }
}

#[cfg(test)]
#[path = "phases_tests.rs"]
mod tests;

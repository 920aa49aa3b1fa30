//! When the connections of a run are dialled, ready and closed, as far as the scenario says.

use std::time::Duration;

use super::due::{Period, Span};
use super::played;
use super::run::Run;
use crate::scenario::fault::FaultKind;
use crate::scenario::{Cohort, OpenTime, Shape, Stage, Verb};

/// The times of a connection, which the server has a say in: each from the soonest to the latest.
pub(super) struct Life {
    /// When it is dialled and when it is ready, since the first dial.
    pub(super) dialled: Span,
    pub(super) ready_at: Span,
    /// The same as the parts of a run tell times: see [`Frame::lag`].
    pub(super) opened: Span,
    pub(super) ready: Span,
    /// When it is closed as planned.
    pub(super) end: f64,
}

/// What all connections have in common.
pub(super) struct Frame {
    /// When measuring begins.
    pub(super) measuring: f64,
    /// The end of the load.
    pub(super) end: f64,
    /// By how much all parts of the run are later than they are told, because measuring begins when all are ready.
    pub(super) lag: Span,
}

impl Run<'_> {
    /// When the steps of the cohort are due, as far as the run lasts.
    pub(super) fn played<'c>(&self, cohort: &'c Cohort) -> Vec<played::Played<'c>> {
        let frame = self.frame();
        played::played(cohort, frame.end + frame.lag.end)
    }

    pub(super) fn frame(&self) -> Frame {
        let parts = self.parts(Period::Measured);
        let lag = match self.environment.load.shape {
            Shape::Steady { ramp_up, .. } => {
                let last = self.last_opening(ramp_up);
                let soonest = self.latest(|one| last_opening(one, ramp_up) + setup(one).0);
                let latest = self.latest(|one| last_opening(one, ramp_up) + setup(one).1);
                soonest - last..latest - last
            }
            _ => 0.0..0.0,
        };
        Frame {
            measuring: parts.first().map_or(0.0, |part| part.start),
            end: parts.last().map_or(0.0, |part| part.end),
            lag,
        }
    }

    /// When the last connection of all is dialled, in nanoseconds.
    pub(super) fn last_opening(&self, ramp_up: Duration) -> f64 {
        self.latest(|cohort| last_opening(cohort, ramp_up))
    }

    fn latest(&self, time: impl Fn(&Cohort) -> f64) -> f64 {
        self.cohorts.iter().map(time).fold(0.0, f64::max)
    }

    /// The times in which a connection is planned to be open.
    pub(super) fn lives(&self, cohort: &Cohort, place: u32, frame: &Frame) -> Vec<Life> {
        let (shortest, longest) = setup(cohort);
        let quiet = quiet_after(cohort);
        let first = cohort.setup.first().map(|step| &step.verb);
        let asks = match first {
            Some(Verb::Http(_)) => longest,
            _ => 0.0,
        };
        let life = |from: f64, to: f64| {
            let ready = from + shortest..from + longest;
            Life {
                dialled: from..from + asks,
                ready_at: ready.clone(),
                opened: from..from + asks,
                end: to.min(ready.end + quiet),
                ready,
            }
        };
        match &self.environment.load.shape {
            Shape::Steady { ramp_up, .. } => {
                let part = f64::from(place) / f64::from(cohort.connections);
                let from = ramp_up.as_nanos() as f64 * part;
                let mut life = life(from, f64::INFINITY);
                let last = self.last_opening(*ramp_up);
                for span in [&mut life.opened, &mut life.ready] {
                    span.start -= frame.lag.end;
                    // All are ready before measuring begins.
                    span.end = (span.end - frame.lag.start).min(last);
                }
                life.end = life.ready.end + quiet;
                vec![life]
            }
            Shape::Arrivals {
                rate,
                lifetime,
                warm_up,
                ..
            } => {
                let from = f64::from(place) * rate.gap_ns();
                let stays = lifetime.longest(cohort, *warm_up);
                vec![life(from, from + asks + stays.as_nanos() as f64)]
            }
            Shape::Stages(stages) => {
                let lives = Stage::open_times(stages, place).into_iter();
                let span = |open: OpenTime| {
                    let to = open.to.map_or(f64::INFINITY, |to| to.as_nanos() as f64);
                    life(open.from.as_nanos() as f64, to)
                };
                lives.map(span).collect()
            }
        }
    }
}

/// The shortest and the longest time that a client of the cohort takes to be ready, in nanoseconds.
fn setup(cohort: &Cohort) -> (f64, f64) {
    played::length(&cohort.setup).unwrap_or((0.0, f64::INFINITY))
}

/// When the last connection of a cohort is dialled, in nanoseconds.
fn last_opening(cohort: &Cohort, ramp_up: Duration) -> f64 {
    let count = f64::from(cohort.connections);
    ramp_up.as_nanos() as f64 * (count - 1.0) / count
}

/// The time from when a client is ready, in nanoseconds, after which its fault keeps it from sending messages and
/// pings, or from hearing their answers.
fn quiet_after(cohort: &Cohort) -> f64 {
    let silences = |kind: &FaultKind| {
        matches!(
            kind,
            FaultKind::StopReading
                | FaultKind::HalfClose
                | FaultKind::Reset
                | FaultKind::Vanish { lasts: None }
                | FaultKind::Close { .. }
        )
    };
    let faults = cohort.faults.iter().filter(|fault| silences(&fault.kind));
    let after = faults.map(|fault| fault.after.as_nanos() as f64);
    after.fold(f64::INFINITY, f64::min)
}

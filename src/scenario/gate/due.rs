//! Whether messages and pings are due in the measured time, as far as the scenario says. What depends on the server,
//! such as how soon it answers, is taken to be as the metric needs it.

use std::ops::Range;

use super::need::Run;
use crate::scenario::fault::FaultKind;
use crate::scenario::{Cohort, Gaps, Message, Pacing, Phase, Pings, Shape, Stage, fraction};

/// Measuring starts at least so long after the last opening, in nanoseconds.
const NOTICE: f64 = 5e6;
/// The most connections of a cohort that are looked at. If more were needed to find one with something due, hardly
/// anything would be.
const MOST_PLACES: u32 = 1 << 16;

/// A time in nanoseconds since the first dial.
type Span = Range<f64>;

/// When something is due on each connection.
#[derive(Debug, Clone, Copy)]
pub(in crate::scenario) enum Schedule {
    /// Every `gap`, from a phase that each connection has.
    Even { gap: f64, phase: Phase, most: f64 },
    /// After gaps by chance.
    Chance { gap: f64, most: f64 },
    /// `at_once` from the opening of a connection on, and as many after their answers and `think`; an answer takes
    /// `timeout` at most.
    Answers {
        think: f64,
        timeout: f64,
        at_once: f64,
        most: f64,
    },
    /// Every `gap` after the opening of a connection.
    Since { gap: f64 },
}

impl Schedule {
    pub(super) fn of_message(message: &Message) -> Self {
        let most = message.count.map_or(f64::INFINITY, |count| count as f64);
        match message.pacing {
            Pacing::Open {
                rate,
                gaps: Gaps::Constant,
                phase,
                ..
            } => Self::Even {
                gap: rate.gap_ns(),
                phase,
                most,
            },
            Pacing::Open { rate, .. } => Self::Chance {
                gap: rate.gap_ns(),
                most,
            },
            Pacing::Closed { in_flight, think } => Self::Answers {
                think: think.as_nanos() as f64,
                timeout: message.timeout.as_nanos() as f64,
                at_once: most.min(f64::from(in_flight)),
                most,
            },
        }
    }

    pub(in crate::scenario) fn of_pings(pings: &Pings) -> Self {
        Self::Even {
            gap: pings.interval.as_nanos() as f64,
            phase: pings.phase,
            most: f64::INFINITY,
        }
    }

    /// How many are due in a part of the life of the connection at this place: those by chance are expected, and those
    /// that depend on answers are possible.
    fn count(self, place: u32, life: &Span, part: &Span) -> f64 {
        let (start, end) = (part.start.max(life.start), part.end.min(life.end));
        if start >= end {
            return 0.0;
        }
        let between = |first: f64, gap: f64, most: f64| {
            let from = ((start - first) / gap).ceil().max(0.0);
            let to = ((end - first) / gap).ceil().min(most);
            (to - from).max(0.0)
        };
        match self {
            Self::Even { gap, phase, most } => {
                let offset = match phase {
                    Phase::Spread => fraction(place) * gap,
                    Phase::Aligned => 0.0,
                };
                // A connection is open a moment after its dial, and takes part from then on.
                let passed = ((life.start + 1.0 - offset) / gap).ceil().max(0.0);
                between(offset + passed * gap, gap, most)
            }
            Self::Since { gap } => between(life.start + gap, gap, f64::INFINITY),
            Self::Chance { gap, most } => {
                let sooner = (start - life.start) / gap;
                ((end - start) / gap).min(most - sooner).max(0.0)
            }
            Self::Answers {
                think,
                timeout,
                at_once,
                most,
            } => {
                let (least, longest) = (start - life.start, end - life.start);
                let rounds = (most / at_once).ceil();
                let last = ((longest / think).ceil() - 1.0).min(rounds - 1.0);
                if least <= 0.0 {
                    return (at_once * (1.0 + last.max(0.0))).min(most);
                }
                let is_due = last >= 1.0 && last * (think + timeout) > least;
                f64::from(u8::from(is_due))
            }
        }
    }
}

/// A part of the run.
#[derive(Debug, Clone, Copy)]
pub(in crate::scenario) enum Period {
    /// The measured time.
    Measured,
    /// One stage of it, counted from 1.
    Stage(u32),
    /// From the first dial to the end of the load.
    Whole,
}

impl Run<'_> {
    /// Whether at least `least` of these are due on one connection of the cohort in this part of the run, or in one
    /// stage of it, after `earlier` of them that may be due before.
    pub(in crate::scenario) fn is_due(
        &self,
        cohort: &Cohort,
        schedules: &[Schedule],
        part: Period,
        least: f64,
        earlier: f64,
    ) -> bool {
        let parts = self.parts(part);
        let quiet = quiet_after(cohort);
        let first = self.first_place(cohort, &parts);
        let last = cohort.connections.min(first.saturating_add(MOST_PLACES));
        // What is due by chance is expected of all connections together.
        let (mut within_of_all, mut so_far_of_all) = (0.0, 0.0);
        (first..last).any(|place| {
            self.lives(cohort, place).iter().any(|life| {
                let life = life.start..life.end.min(life.start + quiet);
                parts.iter().any(|part| {
                    let until = life.start..part.end;
                    let (mut within, mut so_far) = (0.0, 0.0);
                    for schedule in schedules {
                        let counts = [part, &until].map(|part| schedule.count(place, &life, part));
                        within += counts[0];
                        so_far += counts[1];
                        if let Schedule::Chance { .. } = schedule {
                            within_of_all += counts[0];
                            so_far_of_all += counts[1];
                        }
                    }
                    f64::max(within, within_of_all) >= least
                        && f64::max(so_far, so_far_of_all) >= least + earlier
                })
            })
        })
    }

    /// The length of a part of the run in nanoseconds.
    pub(super) fn length(&self, part: Period) -> f64 {
        let parts = self.parts(part);
        parts.iter().map(|part| part.end - part.start).sum()
    }

    fn parts(&self, part: Period) -> Vec<Span> {
        let ns = |time: std::time::Duration| time.as_nanos() as f64;
        let measured: Vec<Span> = match &self.environment.load.shape {
            Shape::Steady {
                ramp_up,
                warm_up,
                duration,
            } => {
                let last = self.cohorts.iter().map(|cohort| {
                    let count = f64::from(cohort.connections);
                    ns(*ramp_up) * (count - 1.0) / count
                });
                let start = last.fold(0.0, f64::max) + ns(*warm_up).max(NOTICE);
                vec![start..start + ns(*duration)]
            }
            Shape::Arrivals {
                warm_up, duration, ..
            } => vec![ns(*warm_up)..ns(*warm_up + *duration)],
            Shape::Stages(stages) => {
                let mut end = 0.0;
                let spans = stages.iter().map(|stage| {
                    let start = end;
                    end += ns(stage.duration);
                    start..end
                });
                spans.collect()
            }
        };
        match part {
            Period::Measured => measured,
            Period::Stage(stage) => measured
                .into_iter()
                .skip(stage as usize - 1)
                .take(1)
                .collect(),
            Period::Whole => {
                let end = measured.last().map_or(0.0, |last| last.end);
                vec![0.0..end]
            }
        }
    }

    /// The place of the first connection that may be open in one of these parts.
    fn first_place(&self, cohort: &Cohort, parts: &[Span]) -> u32 {
        match (&self.environment.load.shape, parts.first()) {
            (
                Shape::Arrivals {
                    rate,
                    lifetime,
                    warm_up,
                    ..
                },
                Some(part),
            ) => {
                let stays = lifetime.longest(cohort, *warm_up);
                let from = part.start - stays.as_nanos() as f64;
                (from / rate.gap_ns()).max(0.0) as u32
            }
            _ => 0,
        }
    }

    /// The times in which a connection is planned to be open.
    fn lives(&self, cohort: &Cohort, place: u32) -> Vec<Span> {
        match &self.environment.load.shape {
            Shape::Steady { ramp_up, .. } => {
                let part = f64::from(place) / f64::from(cohort.connections);
                vec![ramp_up.as_nanos() as f64 * part..f64::INFINITY]
            }
            Shape::Arrivals {
                rate,
                lifetime,
                warm_up,
                ..
            } => {
                let from = f64::from(place) * rate.gap_ns();
                let stays = lifetime.longest(cohort, *warm_up);
                vec![from..from + stays.as_nanos() as f64]
            }
            Shape::Stages(stages) => {
                let lives = Stage::open_times(stages, place).into_iter();
                let span = |life: crate::scenario::OpenTime| {
                    let to = life.to.map_or(f64::INFINITY, |to| to.as_nanos() as f64);
                    life.from.as_nanos() as f64..to
                };
                lives.map(span).collect()
            }
        }
    }
}

/// The time from the opening of a connection, in nanoseconds, after which its fault keeps it from sending messages and
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

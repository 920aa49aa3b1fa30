//! Whether messages, steps and pings are due in the measured time, as far as the scenario says. What depends on the server,
//! such as how soon it answers, is taken to be as the metric needs it.

use std::ops::Range;

use super::life::{Frame, Life};
use super::run::Run;
use crate::scenario::{Cohort, Gaps, Message, Pacing, Phase, PingKind, Pings, Shape, fraction};

/// Measuring starts at least so long after the last opening, in nanoseconds.
const NOTICE: f64 = 5e6;
/// The most connections of a cohort that are looked at. If more were needed to find one with something due, hardly
/// anything would be.
const MOST_PLACES: u32 = 1 << 16;

/// A time in nanoseconds since the first dial.
pub(super) type Span = Range<f64>;

/// A time of a client: so long after it is ready, and so long after measuring begins. Negative infinity: whenever that
/// is.
#[derive(Debug, Clone, Copy)]
pub(in crate::scenario) struct Moment {
    ready: f64,
    measuring: f64,
}

impl Moment {
    pub(super) const READY: Self = Self {
        ready: 0.0,
        measuring: f64::NEG_INFINITY,
    };

    pub(super) fn plus(self, later: f64) -> Self {
        let plus = |time: f64| match time == f64::NEG_INFINITY {
            true => time,
            false => time + later,
        };
        Self {
            ready: plus(self.ready),
            measuring: plus(self.measuring),
        }
    }

    /// Not before measuring begins.
    pub(super) fn measuring(self) -> Self {
        Self {
            measuring: self.measuring.max(0.0),
            ..self
        }
    }

    fn at(self, ready: f64, measuring: f64) -> f64 {
        f64::max(ready + self.ready, measuring + self.measuring)
    }
}

/// What a step follows.
#[derive(Debug, Clone, Copy)]
pub(in crate::scenario) enum Base {
    /// A time between these.
    Once(Moment, Moment),
    /// Each turn of a schedule that begins between two moments.
    Turns {
        gap: f64,
        phase: Phase,
        begin: (Moment, Moment),
        /// No turn is due so long after the beginning.
        lasts: f64,
        most: f64,
    },
    /// The last turn of a schedule that begins between two moments, of those that are due within `lasts`, which is a gap at
    /// least.
    LastTurn {
        gap: f64,
        phase: Phase,
        begin: (Moment, Moment),
        lasts: f64,
    },
}

/// From when on something is due.
#[derive(Debug, Clone, Copy)]
pub(in crate::scenario) enum From {
    Opened,
    Ready,
}

/// When something is due on each connection.
#[derive(Debug, Clone, Copy)]
pub(in crate::scenario) enum Schedule {
    /// Every `gap`, from a phase that each connection has.
    Even {
        gap: f64,
        phase: Phase,
        most: f64,
        from: From,
    },
    /// At least and at most `shift` behind its base, if it can be done before the end: it `takes` so long at least.
    Step {
        base: Base,
        shift: (f64, f64),
        takes: f64,
    },
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
                from: From::Ready,
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
            from: match pings.kind {
                PingKind::Frames => From::Opened,
                PingKind::Text { .. } => From::Ready,
            },
        }
    }

    /// The same as often as one likes.
    pub(super) fn at_any_time_later(self) -> Self {
        match self {
            Self::Step { base, shift, takes } => Self::Step {
                base: match base {
                    Base::Once(from, to) => Base::Once(from, to.plus(f64::INFINITY)),
                    Base::Turns {
                        gap, phase, begin, ..
                    } => Base::Turns {
                        gap,
                        phase,
                        begin: (begin.0, begin.1.plus(f64::INFINITY)),
                        lasts: f64::INFINITY,
                        most: f64::INFINITY,
                    },
                    // Turns that begin later end later.
                    Base::LastTurn {
                        gap,
                        phase,
                        begin,
                        lasts,
                    } => Base::LastTurn {
                        gap,
                        phase,
                        begin: (begin.0, begin.1.plus(f64::INFINITY)),
                        lasts,
                    },
                },
                shift,
                takes,
            },
            other => other,
        }
    }

    /// The same of what takes at least so long.
    pub(super) fn taking(self, least: f64) -> Self {
        match self {
            Self::Step { base, shift, .. } => Self::Step {
                base,
                shift,
                takes: least,
            },
            other => other,
        }
    }

    /// How many are due in a part of the life of the connection at this place: those by chance are expected, and those
    /// that depend on answers are possible.
    fn count(self, place: u32, life: &Life, part: &Span, frame: &Frame) -> f64 {
        let (opened, ready) = (&life.opened, &life.ready);
        let (start, end) = (part.start.max(opened.start), part.end.min(life.end));
        if start >= end {
            return 0.0;
        }
        match self {
            Self::Even {
                gap,
                phase,
                most,
                from,
            } => {
                // A connection is open a moment after its dial, and takes part from then on.
                let from = match from {
                    From::Opened => &life.dialled,
                    From::Ready => &life.ready_at,
                };
                let from = from.start + 1.0..from.end + 1.0;
                let grid = Grid { gap, phase, place };
                grid.count(&from, most, &(start..end), frame)
            }
            Self::Step { base, shift, takes } => {
                let end = end.min(life.end.min(frame.end) - takes);
                match base {
                    Base::Once(from, to) => {
                        let first = from.at(ready.start, frame.measuring);
                        let time = first..to.at(ready.end, frame.measuring);
                        let is_due = time.start + shift.0 < end && time.end + shift.1 >= start;
                        f64::from(u8::from(is_due))
                    }
                    Base::Turns {
                        gap,
                        phase,
                        begin,
                        lasts,
                        most,
                    } => {
                        let measuring = frame.measuring;
                        let first = begin.0.at(life.ready_at.start, measuring + frame.lag.start);
                        let last = begin.1.at(life.ready_at.end, measuring + frame.lag.end);
                        let begin = first..last;
                        let last = f64::min(end - shift.0, begin.end + lasts);
                        let grid = Grid { gap, phase, place };
                        grid.count(&begin, most, &(start - shift.1..last), frame)
                    }
                    Base::LastTurn {
                        gap,
                        phase,
                        begin,
                        lasts,
                    } => {
                        let (measuring, lag) = (frame.measuring, &frame.lag);
                        let grid = Grid { gap, phase, place };
                        let first = begin.0.at(life.ready_at.start, measuring + lag.start);
                        let last = begin.1.at(life.ready_at.end, measuring + lag.end);
                        let soonest = grid.last_before(first + lasts) - lag.end + shift.0;
                        let latest = grid.last_before(last + lasts) - lag.start + shift.1;
                        f64::from(u8::from(soonest < end && latest >= start))
                    }
                }
            }
            Self::Since { gap } => {
                let from = ((start - opened.end - gap) / gap).ceil().max(0.0);
                (((end - opened.start - gap) / gap).ceil() - from).max(0.0)
            }
            Self::Chance { gap, most } => {
                let sooner = (start - ready.end).max(0.0) / gap;
                let start = start.max(ready.start);
                ((end - start) / gap).min(most - sooner).max(0.0)
            }
            Self::Answers {
                think,
                timeout,
                at_once,
                most,
            } => {
                let (least, longest) = (start - ready.end, end - ready.start);
                if longest <= 0.0 {
                    return 0.0;
                }
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

/// The times `phase + i × gap` of a connection.
struct Grid {
    gap: f64,
    phase: Phase,
    place: u32,
}

impl Grid {
    /// How many of the first `most` from a time within `from` on, since the first dial, are in this part.
    fn count(&self, from: &Span, most: f64, part: &Span, frame: &Frame) -> f64 {
        let offset = self.offset();
        let lag = &frame.lag;
        let index = |time: f64| ((time - offset) / self.gap).ceil().max(0.0);
        let first = index(part.start + lag.start).max(index(from.start));
        let last = index(part.end + lag.end).min(index(from.end) + most);
        (last - first).max(0.0)
    }

    /// The last one before a time since the first dial.
    fn last_before(&self, time: f64) -> f64 {
        let offset = self.offset();
        offset + (((time - offset) / self.gap).ceil() - 1.0) * self.gap
    }

    fn offset(&self) -> f64 {
        match self.phase {
            Phase::Spread => fraction(self.place) * self.gap,
            Phase::Aligned => 0.0,
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
        let frame = self.frame();
        let first = self.first_place(cohort, &parts);
        let last = cohort.connections.min(first.saturating_add(MOST_PLACES));
        // What is due by chance is expected of all connections together.
        let (mut within_of_all, mut so_far_of_all) = (0.0, 0.0);
        (first..last).any(|place| {
            self.lives(cohort, place, &frame).iter().any(|life| {
                parts.iter().any(|part| {
                    let until = f64::NEG_INFINITY..part.end;
                    let (mut within, mut so_far) = (0.0, 0.0);
                    for schedule in schedules {
                        let counts =
                            [part, &until].map(|part| schedule.count(place, life, part, &frame));
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

    pub(super) fn parts(&self, part: Period) -> Vec<Span> {
        let ns = |time: std::time::Duration| time.as_nanos() as f64;
        let measured: Vec<Span> = match &self.environment.load.shape {
            Shape::Steady {
                ramp_up,
                warm_up,
                duration,
            } => {
                let start = self.last_opening(*ramp_up) + ns(*warm_up).max(NOTICE);
                vec![start..start + ns(duration.foreseen())]
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
}

//! When each connection opens, and when it is closed.

use std::time::Duration;

use super::Plan;
use crate::scenario::{Lifetime, Shape, Stage};
use crate::units::{Nanos, Timestamp};

/// A connection that is to be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// When it is dialled.
    pub at: Timestamp,
    /// Its number, from 0.
    pub connection: u32,
    /// The index of its cohort.
    pub cohort: usize,
    /// When it is closed.
    pub until: Until,
}

/// When a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// At the end of the load.
    End,
    /// At this time.
    At(Timestamp),
    /// This long after its 101.
    After(Nanos),
    /// When all its steps are played.
    Steps,
}

/// The openings of one worker, in the order of time. Every connection belongs to one worker.
#[derive(Debug)]
pub struct Openings(Source);

#[derive(Debug)]
enum Source {
    /// One even ramp for each cohort, all at the same time.
    Ramps { ramp_up: f64, ramps: Vec<Ramp> },
    /// A list made beforehand, because a connection may open more than once.
    List(std::vec::IntoIter<Opening>),
    /// One arrival after the other.
    Arrivals {
        gap: f64,
        next: u32,
        step: u32,
        count: u32,
        until: Until,
    },
}

#[derive(Debug)]
struct Ramp {
    cohort: usize,
    first: u32,
    count: u32,
    next: u32,
    step: u32,
}

impl Openings {
    pub(super) fn new(plan: &Plan, worker: u32, workers: u32) -> Self {
        match &plan.scenario.load.shape {
            Shape::Steady { ramp_up, .. } => {
                let ramps = (plan.scenario.cohorts.iter().enumerate())
                    .map(|(index, cohort)| {
                        let first = plan.firsts[index];
                        Ramp {
                            cohort: index,
                            first,
                            count: cohort.connections,
                            next: (worker + workers - first % workers) % workers,
                            step: workers,
                        }
                    })
                    .collect();
                let ramp_up = Nanos::from(*ramp_up).0 as f64;
                Self(Source::Ramps { ramp_up, ramps })
            }
            Shape::Stages(stages) => {
                let mut list: Vec<Opening> = (0..plan.cohort(0).connections)
                    .filter(|connection| connection % workers == worker)
                    .flat_map(|connection| openings(stages, connection))
                    .collect();
                list.sort_by_key(|opening| opening.at);
                Self(Source::List(list.into_iter()))
            }
            Shape::Arrivals { rate, lifetime, .. } => Self(Source::Arrivals {
                gap: rate.gap_ns(),
                next: worker,
                step: workers,
                count: plan.cohort(0).connections,
                until: match lifetime {
                    Lifetime::Fixed(time) => Until::After(Nanos::from(*time)),
                    Lifetime::Steps => Until::Steps,
                },
            }),
        }
    }
}

impl Iterator for Openings {
    type Item = Opening;

    fn next(&mut self) -> Option<Opening> {
        match &mut self.0 {
            Source::List(list) => list.next(),
            Source::Ramps { ramp_up, ramps } => {
                let at =
                    |ramp: &Ramp| at_ns(*ramp_up * f64::from(ramp.next) / f64::from(ramp.count));
                let ramp = (ramps.iter_mut().filter(|ramp| ramp.next < ramp.count))
                    .min_by_key(|ramp| at(ramp))?;
                let opening = Opening {
                    at: at(ramp),
                    connection: ramp.first + ramp.next,
                    cohort: ramp.cohort,
                    until: Until::End,
                };
                ramp.next = ramp.next.saturating_add(ramp.step);
                Some(opening)
            }
            Source::Arrivals {
                gap,
                next,
                step,
                count,
                until,
            } => {
                let connection = (*next < *count).then_some(*next)?;
                *next = next.saturating_add(*step);
                Some(Opening {
                    at: at_ns(f64::from(connection) * *gap),
                    connection,
                    cohort: 0,
                    until: *until,
                })
            }
        }
    }
}

/// The whole nanosecond of a time after the origin.
fn at_ns(ns: f64) -> Timestamp {
    Timestamp::from_nanos(ns as u64)
}

/// Returns the openings of a connection of stages, one for each time that it is open.
fn openings(stages: &[Stage], connection: u32) -> impl Iterator<Item = Opening> {
    let at = |time: Duration| Timestamp::ORIGIN + time.into();
    let open_times = Stage::open_times(stages, connection).into_iter();
    open_times.map(move |open| Opening {
        at: at(open.from),
        connection,
        cohort: 0,
        until: open.to.map_or(Until::End, |to| Until::At(at(to))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::after;
    use proptest::prelude::*;
    use std::time::Duration;

    fn stage(seconds: u64, connections: u32) -> Stage {
        Stage {
            duration: Duration::from_secs(seconds),
            connections,
        }
    }

    const SECOND: Nanos = Nanos::from_secs(1);

    #[test]
    fn a_ramp_up_and_down_opens_and_closes_in_order() {
        let stages = [stage(10, 10), stage(5, 10), stage(10, 0)];
        let first: Vec<Opening> = openings(&stages, 0).collect();
        assert_eq!(first.len(), 1);
        assert_eq!(
            (first[0].at, first[0].until),
            (Timestamp::ORIGIN, Until::At(after(25 * SECOND)))
        );
        let fifth: Vec<Opening> = openings(&stages, 5).collect();
        assert_eq!(
            (fifth[0].at, fifth[0].until),
            (after(5 * SECOND), Until::At(after(20 * SECOND)))
        );
    }

    #[test]
    fn a_second_hill_opens_again() {
        let open_times: Vec<Opening> =
            openings(&[stage(1, 4), stage(1, 0), stage(1, 4)], 2).collect();
        assert_eq!(open_times.len(), 2);
        assert_eq!(open_times[1].until, Until::End);
    }

    proptest! {
        /// At any time as many connections are planned to be open as the line says, plus or minus the one that it
        /// crosses.
        #[test]
        fn lives_follow_the_line(
            legs in prop::collection::vec((1u64..20, 0u32..60), 1..6), at in 0.0f64..1.0,
        ) {
            let stages: Vec<Stage> = legs.iter().map(|(s, c)| stage(*s, *c)).collect();
            let total: u64 = legs.iter().map(|leg| leg.0).sum();
            let when = at_ns(at * total as f64 * 1e9);
            let open = (0..60).flat_map(|connection| openings(&stages, connection))
                .filter(|open| open.at <= when && match open.until {
                    Until::At(end) => when < end,
                    _ => true,
                })
                .count() as f64;
            let (mut time, mut from, mut line) = (0.0, 0.0, 0.0);
            for stage in &stages {
                let (length, to) = (stage.duration.as_secs_f64() * 1e9, f64::from(stage.connections));
                let at = when.as_nanos() as f64;
                if at < time + length {
                    line = from + (to - from) * (at - time) / length;
                    break;
                }
                time += length;
                from = to;
                line = to;
            }
            prop_assert!((open - line).abs() <= 1.001, "{open} open where the line is at {line}");
        }
    }
}

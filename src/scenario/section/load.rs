//! `[load]`: when connections open and close.

use std::time::Duration;

use super::cohort::Cohort;
use super::lasts::Lasts;
use super::lifetime::Lifetime;
use super::reconnect::ReconnectTable;
use crate::scenario::reading::{
    At, Check, Given as _, List, Section, Switch, Time, TimeOrZero, Whole, given, keys, words,
};
use crate::units::{Rate, counted, format_duration, human_count};

/// The most connections of a scenario in all.
pub(super) const MAX_CONNECTIONS: u32 = 10_000_000;
const MAX_STAGES: usize = 100;

/// A number of connections, at least one.
pub(in crate::scenario) type Connections = Whole<1, MAX_CONNECTIONS>;
/// The number of connections at the end of a stage; may be zero.
type StageConnections = Whole<0, MAX_CONNECTIONS>;

/// When connections open and close.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// The plan of openings.
    pub shape: Shape,
    /// The time over which the closes at the end are spread.
    pub ramp_down: Duration,
    /// How a worker waits for the next deadline.
    pub pace: Pace,
}

/// The plan of openings.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// All connections open evenly over `ramp_up` and stay open.
    Steady {
        /// The time over which connections open. May be zero.
        ramp_up: Duration,
        /// The time between the moment at which each planned connection is open or has failed, and the start of
        /// measuring. May be zero.
        warm_up: Duration,
        /// The measured window.
        duration: Lasts,
    },
    /// The number of connections changes linearly from stage to stage, from zero at the start.
    Stages(Vec<Stage>),
    /// Connections open at a rate, stay open for a while or as long as their steps last, and close.
    Arrivals {
        /// The number of new connections per time.
        rate: Rate,
        /// How long each stays.
        lifetime: Lifetime,
        /// The most connections at the same time; an arrival above that is skipped and counted. Above zero.
        max_open: u32,
        /// The time before the start of measuring. May be zero.
        warm_up: Duration,
        /// The measured window. Above zero.
        duration: Duration,
    },
}

/// One part of a ramp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// The length of the stage. Above zero.
    pub duration: Duration,
    /// The number of open connections at its end.
    pub connections: u32,
}

words! {
    /// How a worker waits for the next deadline.
    pub enum Pace {
        /// Sleeps; wake-ups at least 100 µs apart.
        Steady,
        /// Spins when the next deadline is near.
        Precise,
    }
}

keys! {
    /// How many connections, when, and for how long.
    #[serde(expecting = "a table")]
    LoadTable = "Load" {
        /// How many in all, never multiplied by workers or machines.
        connections: Connections,
        /// Connections open evenly over this time.
        ramp_up: TimeOrZero = TimeOrZero::seconds(1),
        /// Not measured; starts when each planned connection is open or has failed.
        warm_up: TimeOrZero = TimeOrZero::ZERO,
        /// The measured window; "endless": until a signal ends it.
        duration: Lasts = Lasts::seconds(30),
        /// Closes at the end are spread over this time.
        ramp_down: TimeOrZero = TimeOrZero::seconds(1),
        /// How a worker waits for the next deadline.
        pace: Pace = Pace::Steady,
        /// What to do when a connection is lost. Default "none".
        reconnect: Switch<ReconnectTable>,
        /// The number of connections moves linearly from stage to stage, from zero. Instead of `connections`, `ramp_up`, `warm_up` and `duration`.
        stages: List<At<StageTable>>,
        /// Connections come at a rate, stay for a while and go. Instead of `connections` and `ramp_up`.
        arrivals: ArrivalsTable,
    }
}

keys! {
    /// One leg of a ramp.
    #[serde(expecting = "a stage such as { duration = \"30s\", connections = 500 }")]
    StageTable = "Stage" {
        /// How long it takes. Required.
        duration: Time,
        /// How many are open at its end. Required.
        connections: StageConnections,
    }
}

keys! {
    /// Connections that come at a rate, stay for a while and go.
    #[serde(expecting = "a table such as { rate = \"200/s\", lifetime = \"5s\" }")]
    ArrivalsTable = "Arrivals" {
        /// New connections. Required.
        rate: Rate,
        /// From the 101 to our Close; "steps": until all steps are played. Required.
        lifetime: Lifetime,
        /// Not more than this many at once. Default: twice what `rate` and `lifetime` come to; required with "steps".
        max_open: Connections,
    }
}

impl Shape {
    /// The number of connections of the implicit cohort `main`; `None` if a key is missing or wrong.
    pub(super) fn connections(
        &self,
        section: &mut Section<'_, '_>,
        keys: &LoadTable,
    ) -> Option<u32> {
        match self {
            Self::Steady { .. } => {
                if keys.connections.is_none() {
                    let hint = "write `connections = 100`, or use `stages` or `arrivals`";
                    section.missing(&["connections", "stages", "arrivals"], hint);
                }
                keys.connections.value()
            }
            Self::Stages(stages) => stages.iter().map(|stage| stage.connections).max(),
            Self::Arrivals {
                rate,
                warm_up,
                duration,
                ..
            } => {
                let total = rate.hertz() * (*warm_up + *duration).as_secs_f64();
                let total = total.ceil().max(1.0);
                if total > f64::from(MAX_CONNECTIONS) {
                    let total = counted(total as u64, "connection");
                    let most = human_count(MAX_CONNECTIONS.into());
                    let what = format_args!("come to {total} in all, more than {most}");
                    section.wrong("arrivals", &keys.arrivals, what, None);
                    return None;
                }
                Some(total as u32)
            }
        }
    }
}

/// Resolves `[load]`; `None` if something is wrong.
pub(in crate::scenario) fn resolve(check: &mut Check<'_>, table: &At<LoadTable>) -> Option<Load> {
    let At { value: keys, place } = table;
    let path = "load";
    Some(Load {
        shape: keys.shape(&mut Section { check, path, place })?,
        ramp_down: keys.ramp_down().0,
        pace: keys.pace(),
    })
}

impl LoadTable {
    fn shape(&self, section: &mut Section<'_, '_>) -> Option<Shape> {
        match (&self.stages, &self.arrivals) {
            (stages @ Some(_), Some(_)) => {
                let what = "cannot be used with `load.arrivals`";
                section.wrong("stages", stages, what, "leave out one of them");
                None
            }
            (Some(list), None) => {
                let because = "cannot be used with `load.stages`, which say how many and how long";
                let given = given!(self; connections, ramp_up, warm_up, duration);
                section.excluded(&given, because, "leave it out");
                stages(section.check, list).map(Shape::Stages)
            }
            (None, Some(table)) => {
                let because = "cannot be used with `load.arrivals`";
                let hint = "leave it out; `max_open` bounds how many are open at once";
                section.excluded(&given!(self; connections, ramp_up), because, hint);
                self.arrivals(section.check, table)
            }
            (None, None) => Some(Shape::Steady {
                ramp_up: self.ramp_up().0,
                warm_up: self.warm_up().0,
                duration: self.duration(),
            }),
        }
    }

    fn arrivals(&self, check: &mut Check<'_>, table: &At<ArrivalsTable>) -> Option<Shape> {
        let At { value: keys, place } = table;
        let path = "load.arrivals";
        let mut section = Section { check, path, place };
        let rate = section.required("rate", &keys.rate, "write `rate = \"200/s\"`");
        let lifetime = section.required("lifetime", &keys.lifetime, "write `lifetime = \"5s\"`");
        let Some(duration) = self.duration().limit() else {
            let what = "cannot be \"endless\" with `load.arrivals`: all arrivals have a number";
            let hint = "write `duration = \"24h\"`, or use `connections`";
            (section.check).problem("load.duration", section.place, what, hint);
            return None;
        };
        let (rate, lifetime) = (rate?, lifetime?);
        let max_open = match lifetime {
            Lifetime::Fixed(time) => {
                let twice = (2.0 * rate.hertz() * time.as_secs_f64()).ceil();
                let default = twice.clamp(1.0, f64::from(MAX_CONNECTIONS)) as u32;
                keys.max_open.value_or(default)
            }
            Lifetime::Steps => {
                let hint = "write `max_open = 2000`; how long steps last depends on the server";
                let given = section.required("max_open", &keys.max_open, hint);
                given?.0
            }
        };
        Some(Shape::Arrivals {
            rate,
            lifetime,
            max_open,
            warm_up: self.warm_up().0,
            duration,
        })
    }
}

/// Notes it if the arrivals of a cohort cannot stay as long as the file says.
pub(super) fn check_lifetime(check: &mut Check<'_>, table: &LoadTable, cohort: &Cohort) {
    let given = table.arrivals.as_ref().map(|at| &at.value.lifetime);
    if let Some(Some(At { value, place })) = given
        && let Some((what, hint)) = value.refused(cohort)
    {
        check.problem("load.arrivals.lifetime", place, what, hint);
    }
}

fn stages(check: &mut Check<'_>, list: &At<List<At<StageTable>>>) -> Option<Vec<Stage>> {
    let hint = "write { duration = \"30s\", connections = 500 }";
    let path = "load.stages";
    let given = &list.value.0;
    if given.len() > MAX_STAGES {
        check.problem(
            path,
            &list.place,
            format_args!("are more than {MAX_STAGES}"),
            None,
        );
    }
    let resolved: Vec<_> = given
        .iter()
        .map(|At { value: keys, place }| {
            let mut section = Section {
                check: &mut *check,
                path,
                place,
            };
            let duration = section.required("duration", &keys.duration, hint);
            let connections = section.required("connections", &keys.connections, hint);
            Some(Stage {
                duration: duration?.0,
                connections: connections?.0,
            })
        })
        .collect();
    let stages: Vec<Stage> = resolved.into_iter().collect::<Option<_>>()?;
    if stages.iter().all(|stage| stage.connections == 0) {
        check.problem(path, &list.place, "open no connection at all", hint);
        return None;
    }
    Some(stages)
}

/// A hint for the duration that is needed.
pub(in crate::scenario) fn long_enough(measured: Duration) -> String {
    format!(
        "write `duration = \"{}\"` in `[load]`, or longer",
        whole_seconds(measured)
    )
}

/// The time in words, rounded up so that it is long enough.
pub(in crate::scenario) fn whole_seconds(time: Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    format_duration(Duration::from_secs(seconds.max(1)))
}

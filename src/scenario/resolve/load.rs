//! The `[load]` section: when connections open and close, and what happens when one is lost.

use std::time::Duration;

use crate::scenario::file::{ArrivalsTable, Key, LoadTable, ReconnectTable, StageTable};
use crate::scenario::model::{Jitter, Load, Pace, Reconnect, Shape, Stage};
use crate::scenario::reading::{At, Check, List, Switch, Time, TimeOrZero};

const MAX_CONNECTIONS: u32 = 10_000_000;
const MAX_STAGES: usize = 100;

/// Resolves `[load]`.
pub(super) fn load(check: &mut Check<'_>, table: &At<LoadTable>) -> Option<Load> {
    let keys = &table.value;
    let ramp_down = zero_or(keys.ramp_down.as_ref(), Duration::from_secs(1));
    let pace = keys.pace.as_ref().map_or(Pace::Steady, |pace| pace.value);
    Some(Load {
        shape: shape(check, keys)?,
        ramp_down,
        pace,
    })
}

/// How many connections one cohort has that the file does not name; `None` where that is a problem.
pub(super) fn connections(
    check: &mut Check<'_>,
    table: &At<LoadTable>,
    shape: Option<&Shape>,
) -> Option<u32> {
    match shape? {
        Shape::Steady { .. } => {
            if table.value.connections.is_none() {
                let hint = "write `connections = 100`, or use `stages` or `arrivals`";
                let keys = ["load.connections", "load.stages", "load.arrivals"];
                check.missing_any(&table.place, &keys, hint);
            }
            table.value.connections.as_ref().map(|count| count.value.0)
        }
        Shape::Stages(stages) => stages.iter().map(|stage| stage.connections).max(),
        Shape::Arrivals {
            rate,
            warm_up,
            duration,
            ..
        } => {
            let total = (rate.hertz() * (*warm_up + *duration).as_secs_f64())
                .ceil()
                .max(1.0);
            if total > f64::from(MAX_CONNECTIONS) {
                let place = table
                    .value
                    .arrivals
                    .as_ref()
                    .map_or(&table.place, |a| &a.place);
                let what = format_args!(
                    "come to {total:.0} connections in all, more than {MAX_CONNECTIONS}"
                );
                check.problem("load.arrivals", place, what);
                return None;
            }
            Some(total as u32)
        }
    }
}

fn shape(check: &mut Check<'_>, keys: &LoadTable) -> Option<Shape> {
    let ramp_up = ("load.ramp_up", keys.ramp_up.as_ref().map(|k| &k.place));
    let warm_up = ("load.warm_up", keys.warm_up.as_ref().map(|k| &k.place));
    let duration = ("load.duration", keys.duration.as_ref().map(|k| &k.place));
    let connections = (
        "load.connections",
        keys.connections.as_ref().map(|k| &k.place),
    );
    match (&keys.stages, &keys.arrivals) {
        (Some(stages), Some(_)) => {
            check.problem_with_hint(
                "load.stages",
                &stages.place,
                "cannot be used with `load.arrivals`",
                "leave out one of them",
            );
            None
        }
        (Some(list), None) => {
            let because = "cannot be used with `load.stages`, which say how many and how long";
            check.excluded(
                &[connections, ramp_up, warm_up, duration],
                because,
                "leave it out",
            );
            stages(check, list).map(Shape::Stages)
        }
        (None, Some(table)) => {
            let because = "cannot be used with `load.arrivals`";
            let hint = "leave it out; `max_open` bounds how many are open at once";
            check.excluded(&[connections, ramp_up], because, hint);
            arrivals(check, keys, table)
        }
        (None, None) => Some(Shape::Steady {
            ramp_up: zero_or(keys.ramp_up.as_ref(), Duration::from_secs(1)),
            warm_up: zero_or(keys.warm_up.as_ref(), Duration::ZERO),
            duration: time_or(keys.duration.as_ref(), Duration::from_secs(30)),
        }),
    }
}

fn stages(check: &mut Check<'_>, list: &At<List<At<StageTable>>>) -> Option<Vec<Stage>> {
    const KEY: &str = "load.stages";
    let hint = "write { duration = \"30s\", connections = 500 }";
    let given = &list.value.0;
    if given.len() > MAX_STAGES {
        check.problem(KEY, &list.place, format_args!("are more than {MAX_STAGES}"));
    }
    let mut stages = Vec::new();
    for stage in given {
        let StageTable {
            duration,
            connections,
        } = &stage.value;
        if duration.is_none() {
            check.missing(&stage.place, "load.stages.duration", hint);
        }
        if connections.is_none() {
            check.missing(&stage.place, "load.stages.connections", hint);
        }
        if let (Some(duration), Some(connections)) = (duration, connections) {
            stages.push(Stage {
                duration: duration.value.0,
                connections: connections.value.0,
            });
        }
    }
    if stages.len() < given.len() {
        return None;
    }
    if stages.iter().all(|stage| stage.connections == 0) {
        check.problem_with_hint(KEY, &list.place, "open no connection at all", hint);
        return None;
    }
    Some(stages)
}

fn arrivals(check: &mut Check<'_>, keys: &LoadTable, table: &At<ArrivalsTable>) -> Option<Shape> {
    let ArrivalsTable {
        rate,
        lifetime,
        max_open,
    } = &table.value;
    if rate.is_none() {
        check.missing(
            &table.place,
            "load.arrivals.rate",
            "write `rate = \"200/s\"`",
        );
    }
    if lifetime.is_none() {
        check.missing(
            &table.place,
            "load.arrivals.lifetime",
            "write `lifetime = \"5s\"`",
        );
    }
    let (rate, lifetime) = (rate.as_ref()?.value, lifetime.as_ref()?.value.0);
    Some(Shape::Arrivals {
        rate,
        lifetime,
        max_open: max_open.as_ref().map_or_else(
            || {
                let twice = (2.0 * rate.hertz() * lifetime.as_secs_f64()).ceil();
                twice.clamp(1.0, f64::from(MAX_CONNECTIONS)) as u32
            },
            |count| count.value.0,
        ),
        warm_up: zero_or(keys.warm_up.as_ref(), Duration::ZERO),
        duration: time_or(keys.duration.as_ref(), Duration::from_secs(30)),
    })
}

/// What is done where a connection is lost. `path` is the key, such as `load.reconnect`.
pub(super) fn reconnect(
    check: &mut Check<'_>,
    path: &str,
    given: &Key<Switch<ReconnectTable>>,
) -> Reconnect {
    let Some(At {
        value: Switch::On(table),
        place,
    }) = given
    else {
        return Reconnect::None;
    };
    let ReconnectTable {
        initial,
        max,
        jitter,
    } = table;
    let first = zero_or(initial.as_ref(), Duration::from_millis(500));
    let default = if first.is_zero() {
        Duration::ZERO
    } else {
        Duration::from_secs(30)
    };
    let longest = zero_or(max.as_ref(), default);
    let place = max.as_ref().map_or(place, |max| &max.place);
    if longest < first {
        let what = format_args!("is shorter than `{path}.initial`");
        check.problem(&format!("{path}.max"), place, what);
    }
    if first.is_zero() && !longest.is_zero() {
        let what =
            format_args!("is never reached: `{path}.initial` is zero, and twice zero is zero");
        check.problem_with_hint(&format!("{path}.max"), place, what, "leave it out");
    }
    Reconnect::Backoff {
        initial: first,
        max: longest,
        jitter: jitter.as_ref().map_or(Jitter::Full, |jitter| jitter.value),
    }
}

pub(super) fn time_or(key: Option<&At<Time>>, default: Duration) -> Duration {
    key.map_or(default, |time| time.value.0)
}

pub(super) fn zero_or(key: Option<&At<TimeOrZero>>, default: Duration) -> Duration {
    key.map_or(default, |time| time.value.0)
}

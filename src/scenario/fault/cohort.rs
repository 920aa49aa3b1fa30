//! The faults of a cohort's clients together: whether they fit each other, and the rest of the cohort.

use super::Measured;
use super::client::{Fault, FaultKind, FaultTable};
use crate::scenario::Cohort;
use crate::scenario::reading::{Check, Key, OneOrMany, Place, Section};

const KEY: &str = "cohort.fault";
const MAX_FAULTS: usize = 16;

/// Resolves the faults of one cohort; `None` if one is invalid. `measured` is `None` if the load is invalid.
pub(in crate::scenario) fn faults(
    check: &mut Check<'_>,
    given: &Key<OneOrMany<FaultTable>>,
    measured: Option<Measured>,
) -> Option<Vec<Fault>> {
    let Some(given) = given else {
        return Some(Vec::new());
    };
    let tables = OneOrMany::each(given);
    if tables.len() > MAX_FAULTS {
        let what = format_args!("has more than {MAX_FAULTS} faults");
        check.problem(KEY, &given.place, what, None);
        return None;
    }
    let mut faults = Vec::new();
    for (place, table) in &tables {
        if let (Some(after), Some(measured)) = (&table.after, measured) {
            let key = format!("{KEY}.after");
            measured.must_hold_after_opening(check, &key, &after.place, after.value.0);
        }
        let (path, check) = (KEY, &mut *check);
        faults.push(table.resolve(&mut Section { check, path, place }));
    }
    let faults: Vec<Fault> = faults.into_iter().collect::<Option<_>>()?;
    let places: Vec<&Place> = tables.iter().map(|(place, _)| *place).collect();
    between(check, &faults, &places);
    Some(faults)
}

/// Notes faults of which only one can happen.
fn between(check: &mut Check<'_>, faults: &[Fault], places: &[&Place]) {
    for (index, (one, place)) in faults.iter().zip(places).enumerate() {
        let before = &faults[..index];
        if let Some(rival) = before.iter().find(|other| one.kind.excludes(&other.kind)) {
            let (own, other) = (one.kind.name(), rival.kind.name());
            let what = match own == other {
                true => format!("is given twice: `{own}`"),
                false => format!("cannot be both `{other}` and `{own}`"),
            };
            let hint = "leave out one of them, or use two cohorts";
            check.problem(KEY, place, what, hint);
            continue;
        }
        let comes_after = |(at, rival): &(usize, &Fault)| {
            let is_void = rival.after <= one.after && rival.kind.ends(&one.kind);
            // Reports the second of two faults that exclude each other at the same time.
            let is_told = *at < index || one.after > rival.after || !one.kind.ends(&rival.kind);
            *at != index && is_void && is_told
        };
        if let Some((_, rival)) = faults.iter().enumerate().find(comes_after) {
            let (own, other) = (one.kind.name(), rival.kind.name());
            let what = match one.after == rival.after {
                true => format!("cannot be both `{other}` and `{own}` at the same time"),
                false => format!("cannot be `{own}` after `{other}`, which leaves nothing to do"),
            };
            let hint = format!("let `{own}` begin earlier than `{other}`, or use two cohorts");
            check.problem(KEY, place, what, hint);
        }
    }
}

/// Notes what a fault excludes: messages where the client sends its own, a heartbeat where it sends nothing else, and a
/// heartbeat that would end the connection of a client that reads nothing.
pub(in crate::scenario) fn with_cohort(
    check: &mut Check<'_>,
    given: &Key<OneOrMany<FaultTable>>,
    cohort: &Cohort,
) {
    let Some(given) = given else {
        return;
    };
    for (fault, (place, _)) in cohort.faults.iter().zip(OneOrMany::each(given)) {
        let name = fault.kind.name();
        let alone = fault.kind.sends_alone();
        let deaf = fault.kind.hides_frames();
        let is_vanished = matches!(fault.kind, FaultKind::Vanish { .. });
        let clashes = [
            (
                is_vanished && cohort.access.proxy.is_some(),
                "behind a proxy: that goes on to acknowledge what the server sends",
                "leave out `proxy` for this cohort, or use `stop_reading`",
            ),
            (
                cohort.packs().is_none()
                    && matches!(fault.kind, FaultKind::IllegalFrame(frame) if frame.is_packed()),
                "that offers no compression",
                "write `compression = true` into `[target]`, or into `[cohort.target]`",
            ),
            (
                is_vanished && cohort.access.http.is_shared(),
                "whose clients share TCP connections",
                "write `streams_per_connection = 1`, or `http = \"1.1\"`, for this cohort",
            ),
            (
                fault.kind.replaces_messages() && !cohort.messages.is_empty(),
                if alone {
                    "with messages: it sends nothing else"
                } else {
                    "with messages: it sends its own instead"
                },
                "write `message = []` in this cohort",
            ),
            (
                alone && cohort.sends_pings(),
                "with a heartbeat: it sends nothing else",
                "write `heartbeat = \"off\"` in this cohort",
            ),
            (
                deaf && cohort.gives_up(),
                "whose own heartbeat would end the connection",
                "write `heartbeat = \"off\"` in this cohort, or `on_dead = \"keep\"` in its heartbeat",
            ),
        ];
        for (_, why, hint) in clashes.into_iter().filter(|(clashes, ..)| *clashes) {
            let what = format_args!("cannot be `{name}` in a cohort {why}");
            check.problem(KEY, place, what, hint);
        }
    }
}

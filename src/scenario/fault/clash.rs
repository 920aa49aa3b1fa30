//! Checks that the faults of a client fit together, and that they fit the rest of its cohort.

use std::mem::discriminant;

use super::client::{Fault, FaultKind};
use super::client_table::{FaultTable, KEY};
use crate::scenario::reading::{Check, Key, OneOrMany, Place};
use crate::scenario::{Cohort, Heartbeat, OnDead};

/// Notes faults of which only one can happen.
pub(super) fn between(check: &mut Check<'_>, faults: &[Fault], places: &[&Place]) {
    for (index, (one, place)) in faults.iter().zip(places).enumerate() {
        let before = &faults[..index];
        if let Some(rival) = before.iter().find(|other| exclude(&one.kind, &other.kind)) {
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
            let is_void = rival.after <= one.after && ends(&rival.kind, &one.kind);
            // Reports the second of two faults that exclude each other at the same time.
            let is_told = *at < index || one.after > rival.after || !ends(&one.kind, &rival.kind);
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

/// Whether one client cannot have both faults, at whatever times.
fn exclude(one: &FaultKind, other: &FaultKind) -> bool {
    let answers = |kind: &FaultKind| {
        matches!(
            kind,
            FaultKind::NoPong
                | FaultKind::LatePong { .. }
                | FaultKind::PongStopsAfter { .. }
                | FaultKind::WrongPong
                | FaultKind::Only { .. }
        )
    };
    let sends = |kind: &FaultKind| {
        matches!(
            kind,
            FaultKind::Only { .. } | FaultKind::Trickle { .. } | FaultKind::Fragments { .. }
        )
    };
    discriminant(one) == discriminant(other)
        || (answers(one) && answers(other))
        || (sends(one) && sends(other))
}

/// Whether `other` has no effect once `one` has started.
fn ends(one: &FaultKind, other: &FaultKind) -> bool {
    use FaultKind::{
        Close, Fragments, HalfClose, Hold, IllegalFrame, LatePong, NeverClose, Only, Reset,
        Trickle, Vanish, WrongPong,
    };
    match one {
        // The client sends no packet after this.
        Reset | Vanish { lasts: None } => true,
        // The client sends no byte after this.
        HalfClose => matches!(
            other,
            LatePong { .. }
                | WrongPong
                | Only { .. }
                | Trickle { .. }
                | Fragments { .. }
                | IllegalFrame(_)
                | Close { .. }
        ),
        // The client sends no frame after this, and the close handshake ends TCP.
        Close { .. } => !matches!(other, Vanish { .. } | Hold | NeverClose),
        _ => false,
    }
}

/// Notes what a fault excludes: messages and a heartbeat where the client sends nothing else, and a heartbeat that
/// would end the connection of a client that reads nothing.
pub(in crate::scenario) fn with_cohort(
    check: &mut Check<'_>,
    given: &Key<OneOrMany<FaultTable>>,
    cohort: &Cohort,
) {
    let Some(given) = given else {
        return;
    };
    let gives_up = |heartbeat: &Heartbeat| heartbeat.on_dead != OnDead::Keep;
    for (fault, (place, _)) in cohort.faults.iter().zip(OneOrMany::each(given)) {
        let name = fault.kind.name();
        let alone = matches!(
            fault.kind,
            FaultKind::Only { .. } | FaultKind::Trickle { .. }
        );
        let deaf = fault.kind.hides_frames();
        let clashes = [
            (
                alone && !cohort.messages.is_empty(),
                "with messages: it sends nothing else",
                "write `message = []` in this cohort",
            ),
            (
                alone && cohort.heartbeat.is_some(),
                "with a heartbeat: it sends nothing else",
                "write `heartbeat = \"off\"` in this cohort",
            ),
            (
                deaf && cohort.heartbeat.as_ref().is_some_and(gives_up),
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

//! Whether a contract can be judged at all: what each promise needs of its cohort, the path and the target.
//! A promise that nothing could break would be kept in every run.

use super::contract::{Given, Written};
use crate::scenario::fault::FaultKind;
use crate::scenario::model::{
    Cohort, Contract, End, Load, Origin, Path, PathFaultKind, Process, Promise, Reconnect, Signal,
    Target, TargetUrl,
};
use crate::scenario::reading::Check;

/// A sweep with fewer levels finds no threshold.
const MIN_LEVELS: usize = 4;

/// What is around the cohorts.
pub(super) struct Around<'a> {
    pub(super) target: &'a Target,
    pub(super) path: Option<&'a Path>,
    pub(super) load: &'a Load,
}

impl Around<'_> {
    /// What happens to a cohort on the path.
    pub(super) fn on_path(
        &self,
        cohort: &Cohort,
    ) -> impl Iterator<Item = &crate::scenario::model::PathFault> {
        let faults = self.path.iter().flat_map(|path| &path.faults);
        faults.filter(|fault| fault.concerns(&cohort.name))
    }

    /// Whether the target's process is known.
    fn knows_process(&self) -> bool {
        self.target.process != Process::Unknown || self.target.url == TargetUrl::Embedded
    }

    fn is_on_this_machine(&self) -> bool {
        match &self.target.url {
            TargetUrl::Embedded => true,
            TargetUrl::Url(url) => url.is_loopback(),
        }
    }
}

/// Notes each promise that this run could not judge.
pub(super) fn check(
    check: &mut Check<'_>,
    written: &Written<'_>,
    given: &[Given],
    cohort: &Cohort,
    contract: &Contract,
    around: &Around<'_>,
) {
    for promise in given {
        if let Some((what, hint)) = lacks(&promise.promise, cohort, around) {
            check.problem_with_hint(&written.key(promise.key), &promise.place, what, hint);
        }
    }
    contradictions(check, written, given);
    if contract.from == Origin::Fault && !anything_happens(cohort, around) {
        let from = written.table.keys.from.as_ref();
        let place = from.map_or(written.place, |from| &from.place);
        let what = "is \"fault\", and there is none: of the cohort, on the path, or of the target";
        let hint = "use `from = \"open\"`, or give the cohort a `fault`";
        check.problem_with_hint(&written.key("from"), place, what, hint);
    }
}

/// Whether something happens to the connections of a cohort that times can begin with.
fn anything_happens(cohort: &Cohort, around: &Around<'_>) -> bool {
    !cohort.faults.is_empty()
        || !around.target.faults.is_empty()
        || around.on_path(cohort).any(|fault| !fault.is_lasting())
}

/// What a promise needs and does not have, and what to do about it.
fn lacks(
    promise: &Promise,
    cohort: &Cohort,
    around: &Around<'_>,
) -> Option<(&'static str, &'static str)> {
    let stalls = || {
        let target = around.target.faults.iter();
        let on_path = || {
            around
                .on_path(cohort)
                .any(|fault| fault.kind == PathFaultKind::Freeze)
        };
        target
            .map(|fault| fault.kind)
            .any(|kind| kind == Signal::Stop)
            || on_path()
    };
    match promise {
        Promise::ClosedPerStall(_) if !stalls() => Some((
            "needs a time in which the target stands still",
            "add `[[target.fault]]` with `kind = \"sigstop\"`, or `freeze` in `[path]`",
        )),
        Promise::EffectiveTimeout(_) if levels(cohort) < MIN_LEVELS => Some((
            "needs clients that answer pings later and later: a sweep of 4 levels at least",
            "write `fault = { kind = \"late_pong\", delay = { from = \"100ms\", to = \"2s\", levels = 16 } }`",
        )),
        Promise::PongWithin(_) | Promise::DetectedBetween(_) | Promise::RecoversWithin(_)
            if cohort.heartbeat.is_none() =>
        {
            Some((
                "needs clients that ping",
                "write `heartbeat = { interval = \"1s\", timeout = \"1s\" }`",
            ))
        }
        Promise::RecoversWithin(_) if !something_ends(cohort, around) => Some((
            "needs a fault that comes to an end",
            "give a fault of the target, of `[path]`, or `vanish` its `for`",
        )),
        Promise::BackWithin(_) if cohort.reconnect == Reconnect::None => Some((
            "needs clients that come back",
            "write `reconnect = { initial = \"500ms\", max = \"30s\" }`",
        )),
        Promise::ReleasedWithin(_) if !around.is_on_this_machine() => Some((
            "can be seen only of a target on this machine",
            "use the address of a server on this machine, or leave it out",
        )),
        Promise::MaxRssGrowth(_) | Promise::MaxDescriptorGrowth(_) if !around.knows_process() => {
            Some((
                "needs a target whose process is known",
                "write `command = [\"node\", \"server.js\"]` or `pid = 4711` in `[target]`",
            ))
        }
        Promise::CloseAnsweredWithin(time) if *time > around.target.close_timeout => Some((
            "is longer than `target.close_timeout`, after which the connection is given up",
            "write a longer `close_timeout` in `[target]`",
        )),
        _ => None,
    }
}

/// How many delays a cohort answers pings with.
fn levels(cohort: &Cohort) -> usize {
    let sweeps = cohort.faults.iter().filter_map(|fault| match &fault.kind {
        FaultKind::LatePong { delay } => Some(delay.levels.len()),
        _ => None,
    });
    sweeps.max().unwrap_or(0)
}

/// Whether a fault is over before the run is.
fn something_ends(cohort: &Cohort, around: &Around<'_>) -> bool {
    let own = cohort
        .faults
        .iter()
        .any(|fault| matches!(fault.kind, FaultKind::Vanish { lasts: Some(_) }));
    let target = around
        .target
        .faults
        .iter()
        .any(|fault| fault.kind == Signal::Stop);
    own || target || around.on_path(cohort).any(|fault| fault.lasts.is_some())
}

/// Notes promises of which only one can be kept.
fn contradictions(check: &mut Check<'_>, written: &Written<'_>, given: &[Given]) {
    let find = |wanted: fn(&Promise) -> bool| given.iter().find(|given| wanted(&given.promise));
    let between = find(|promise| matches!(promise, Promise::ClosedBetween(_)));
    let code = find(|promise| matches!(promise, Promise::Code(_)));
    for one in given {
        let rival = match &one.promise {
            Promise::EndsWith(ends) if !ends.contains(&End::CloseFrame) && code.is_some() => code,
            Promise::EndsWith(ends) if **ends == [End::Nothing] && between.is_some() => between,
            Promise::AliveFor(time) => between.filter(|between| {
                matches!(&between.promise, Promise::ClosedBetween(window) if window.hi < *time)
            }),
            _ => None,
        };
        if let Some(rival) = rival {
            let what = format_args!(
                "cannot be kept together with `{}`",
                written.key(rival.promise.key())
            );
            check.problem(&written.key(one.key), &one.place, what);
        }
    }
}

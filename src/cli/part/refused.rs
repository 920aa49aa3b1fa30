//! What cannot be played in parts, each with the reason: parts know nothing of each other, and have a machine each.

use crate::cli::error::CliError;
use crate::plan::{Plan, Share};
use crate::record::PartOf;
use crate::scenario::{Process, Shape, TargetUrl};
use crate::units::counted;

/// Checks that a plan can be played in parts, and that this part has something to do.
///
/// # Errors
/// When it cannot, with the key and the way out.
pub(super) fn check(plan: &Plan, part: PartOf, share: Share) -> Result<(), CliError> {
    let scenario = &plan.scenario;
    let refused = |what: &str, hint: &str| {
        Err(CliError::InParts {
            what: what.to_owned(),
            hint: hint.to_owned(),
        })
    };
    let target = &scenario.target;
    if target.url == TargetUrl::Embedded {
        return refused(
            "`target.url = \"embedded\"`: each part would have a server of its own",
            "start one with `wsbench serve`, and give its address with --url",
        );
    }
    match target.process {
        Process::Command(_) => {
            return refused(
                "`target.command`: each part would start the target",
                "start it beforehand, and leave out `command`",
            );
        }
        Process::Pid(_) => {
            return refused(
                "`target.pid`: a process is on one machine, and parts may be on others",
                "leave out `pid`, and the gates and promises that need it",
            );
        }
        Process::Unknown => {}
    }
    if !target.faults.is_empty() {
        return refused(
            "`[[target.fault]]`: each part would do it to the target",
            "leave it out",
        );
    }
    if scenario.path.is_some() {
        return refused(
            "`[path]`: its faults begin when one process starts to measure",
            "leave it out",
        );
    }
    if let Some(gate) = scenario.gates.abort.first() {
        return refused(
            &format!(
                "the abort gate `{}`: it is about all parts, and none knows the others while it runs",
                gate.text
            ),
            "make it a gate of `pass`",
        );
    }
    let mut promises = scenario.cohorts.iter().filter_map(|cohort| {
        let contract = cohort.contract.as_ref()?;
        let mut promises = contract.promises.iter();
        let promise = promises.find(|promise| promise.kind.needs_same_host())?;
        let promise: &'static str = promise.kind.into();
        Some((&cohort.name, promise))
    });
    if let Some((cohort, promise)) = promises.next() {
        return refused(
            &format!("`{promise}` of cohort `{cohort}`: it is judged by the target's own machine"),
            "leave it out",
        );
    }
    if !plan.topics.is_silent() {
        return refused(
            "messages that are published (`to`): who hears one may be in another part, whose clock is another",
            "leave out `to`, or run it on one machine",
        );
    }
    if let Shape::Steady {
        ramp_up, warm_up, ..
    } = scenario.load.shape
        && (ramp_up + warm_up).is_zero()
    {
        return refused(
            "`load` without `ramp_up` and `warm_up`: measuring would begin before any connection is open",
            "set one of them: measuring begins that long after the start",
        );
    }
    if share.count(plan.connections()) == 0 {
        let connections = counted(plan.connections(), "connection");
        return refused(
            &format!("{connections} as part {}: it would have none", part.number),
            "ask for fewer parts, or for more connections",
        );
    }
    Ok(())
}

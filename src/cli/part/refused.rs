//! What cannot be played in parts, each with the reason: parts know nothing of each other, and have a machine each.

use super::one_machine::{Refused, of_one_machine};
use crate::cli::error::CliError;
use crate::plan::{Plan, Share};
use crate::record::PartOf;
use crate::scenario::{Process, Shape};
use crate::units::counted;

/// Checks that a plan can be played in parts, and that this part has something to do.
///
/// # Errors
/// When it cannot, with the key and the way out.
pub(super) fn check(plan: &Plan, part: PartOf, share: Share) -> Result<(), CliError> {
    match of_one_machine(&plan.scenario).or_else(|| of_parts(plan, part, share)) {
        None => Ok(()),
        Some(Refused { what, hint }) => Err(CliError::InParts { what, hint }),
    }
}

fn of_parts(plan: &Plan, part: PartOf, share: Share) -> Option<Refused> {
    let scenario = &plan.scenario;
    if matches!(scenario.target.process, Process::Command(_)) {
        return Some(Refused::new(
            "`target.command`: each part would start the target",
            "start it beforehand, and leave out `command`",
        ));
    }
    if !scenario.target.faults.is_empty() {
        return Some(Refused::new(
            "`[[target.fault]]`: each part would do it to the target",
            "leave it out",
        ));
    }
    if let Some(gate) = scenario.gates.abort.first() {
        return Some(Refused::new(
            format!(
                "the abort gate `{}`: it is about all parts, and none knows the others while it runs",
                gate.text
            ),
            "make it a gate of `pass`",
        ));
    }
    if !plan.topics.is_silent() {
        return Some(Refused::new(
            "messages that are published (`to`): who hears one may be in another part, whose clock is another",
            "leave out `to`, or run it on one machine",
        ));
    }
    if let Shape::Steady {
        ramp_up, warm_up, ..
    } = scenario.load.shape
        && (ramp_up + warm_up).is_zero()
    {
        return Some(Refused::new(
            "`load` without `ramp_up` and `warm_up`: measuring would begin before any connection is open",
            "set one of them: measuring begins that long after the start",
        ));
    }
    if share.count(plan.connections()) == 0 {
        let connections = counted(plan.connections(), "connection");
        return Some(Refused::new(
            format!("{connections} as part {}: it would have none", part.number),
            "ask for fewer parts, or for more connections",
        ));
    }
    None
}

//! What cannot be played by agents, each with the reason.

use crate::cli::error::CliError;
use crate::cli::part::{Refused, of_one_machine};
use crate::plan::Plan;
use crate::units::counted;

/// Checks that so many agents can play a plan.
///
/// # Errors
/// When they cannot, with the key and the way out.
pub(super) fn check(plan: &Plan, agents: usize) -> Result<(), CliError> {
    match of_one_machine(&plan.scenario).or_else(|| of_agents(plan, agents)) {
        None => Ok(()),
        Some(Refused { what, hint }) => Err(CliError::ByAgents { what, hint }),
    }
}

fn of_agents(plan: &Plan, agents: usize) -> Option<Refused> {
    if plan.connections() < agents as u64 {
        let connections = counted(plan.connections(), "connection");
        return Some(Refused::new(
            format!("{connections} for {agents} of them, so some would have none"),
            "ask for fewer agents, or for more connections",
        ));
    }
    None
}

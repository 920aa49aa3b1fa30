//! What cannot be played by agents, each with the reason.

use crate::cli::error::CliError;
use crate::plan::Plan;
use crate::scenario::{Process, TargetUrl};
use crate::units::counted;

/// Checks that so many agents can play a plan.
///
/// # Errors
/// When they cannot, with the key and the way out.
pub(super) fn check(plan: &Plan, agents: usize) -> Result<(), CliError> {
    let scenario = &plan.scenario;
    let refused = |what: &str, hint: &str| {
        Err(CliError::ByAgents {
            what: what.to_owned(),
            hint: hint.to_owned(),
        })
    };
    let target = &scenario.target;
    if target.url == TargetUrl::Embedded {
        return refused(
            "`target.url = \"embedded\"`: it would be on one machine, and for none but it",
            "start one with `wsbench serve`, and give its address with --url",
        );
    }
    if matches!(target.process, Process::Pid(_)) {
        return refused(
            "`target.pid`: a process is on one machine, and agents may be on others",
            "leave out `pid`, and the gates and promises that need it",
        );
    }
    if scenario.path.is_some() {
        return refused(
            "`[path]`: its relay is on one machine, and connections come from many",
            "leave it out",
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
            "messages that are published (`to`): who hears one may be on another machine, whose clock is another",
            "leave out `to`, or run it on one machine",
        );
    }
    if plan.connections() < agents as u64 {
        let connections = counted(plan.connections(), "connection");
        return refused(
            &format!("{connections} by {agents}: some would have none"),
            "ask for fewer agents, or for more connections",
        );
    }
    Ok(())
}

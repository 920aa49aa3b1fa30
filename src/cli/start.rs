//! What a run needs around it before its first dial: rights, the target, the path, and everything checked.

use std::sync::Arc;
use std::time::SystemTime;

use tracing::info;

use super::around::Around;
use super::error::CliError;
use super::signals::Signals;
use super::target::RunningTarget;
use crate::engine::{Limits, Prepared};
use crate::host;
use crate::net::{self, Resolvers};
use crate::plan::{Budget, Plan, Share};
use crate::scenario::{Fault, FaultKind, Process, Scenario, TargetUrl};

/// Everything that a run needs.
pub(super) struct Started {
    pub(super) target: RunningTarget,
    pub(super) around: Around,
    pub(super) prepared: Prepared,
}

/// Gets what only a process with a single thread can get: call it before any thread is started.
pub(super) fn get_rights(plan: &Plan, share: Share) -> Result<(), CliError> {
    // Raises the limit first, because all following steps use descriptors. A target that is started here has equally
    // many connections, and inherits the raised limit.
    Limits::of_this_machine().check_process(&Budget::of_share(&plan.scenario, share))?;
    own_network(&plan.scenario)
}

/// Starts the target and what is around it, and checks the plan. Gives up when a signal comes.
pub(super) fn start(
    plan: Plan,
    seed: u64,
    share: Share,
    signals: &Signals,
) -> Result<Started, CliError> {
    let target = RunningTarget::start(&plan.scenario, signals)?;
    info!(
        url = target.servers.shown(),
        pid = target.process.as_ref().map(|process| process.pid()),
        "the target is there"
    );
    let (scenario, servers) = (plan.scenario.clone(), target.servers.clone());
    let names = signals.unless_more(0, move || Resolvers::of(&scenario, &servers))?;
    let names = Arc::new(names);
    let around = Around::start(&plan.scenario, &target, &names, seed)?;
    let (servers, routes) = (target.servers.clone(), around.routes().to_vec());
    let prepare = move || Prepared::new(plan, &servers, &names, &routes, share);
    let prepared = signals
        .unless_more(0, prepare)?
        .map_err(CliError::Prepare)?;
    Ok(Started {
        target,
        around,
        prepared,
    })
}

/// Distinguishes this run's messages from those of another run against the same server.
pub(super) fn nonce(started_at: SystemTime) -> u32 {
    let since = started_at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    since.subsec_nanos() ^ (since.as_secs() as u32).rotate_left(16) ^ std::process::id()
}

/// Enters a network namespace of its own if a client vanishes, which needs a right that the namespace gives. Possible
/// only if wsbench starts the target too, so that it is in the same namespace.
fn own_network(scenario: &Scenario) -> Result<(), CliError> {
    let vanishes = |fault: &Fault| matches!(fault.kind, FaultKind::Vanish { .. });
    let any = (scenario.cohorts.iter()).any(|cohort| cohort.faults.iter().any(vanishes));
    let starts_target = matches!(scenario.target.process, Process::Command(_))
        || scenario.target.url == TargetUrl::Embedded;
    if any && starts_target && !net::can_vanish() {
        host::enter()?;
    }
    Ok(())
}

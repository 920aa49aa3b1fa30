//! What belongs to one machine, and so to no run of several, each with the reason.

use crate::scenario::{Process, Scenario, TargetUrl};

/// Something that a run of several processes cannot have.
pub(in crate::cli) struct Refused {
    /// What, and why. Fits after "failed to play in parts ".
    pub(in crate::cli) what: String,
    /// The way out.
    pub(in crate::cli) hint: &'static str,
}

impl Refused {
    pub(in crate::cli) fn new(what: impl Into<String>, hint: &'static str) -> Self {
        Self {
            what: what.into(),
            hint,
        }
    }
}

/// The first thing of a scenario that belongs to one machine, whoever plays it together; `None` if there is none.
pub(in crate::cli) fn of_one_machine(scenario: &Scenario) -> Option<Refused> {
    let target = &scenario.target;
    if target.url == TargetUrl::Embedded {
        return Some(Refused::new(
            "`target.url = \"embedded\"`: it would be on one machine, and for none but it",
            "start one with `wsbench serve`, and give its address with --url",
        ));
    }
    if matches!(target.process, Process::Pid(_)) {
        return Some(Refused::new(
            "`target.pid`: a process is on one machine, and the load comes from several",
            "leave out `pid`, and the gates and promises that need it",
        ));
    }
    if scenario.path.is_some() {
        return Some(Refused::new(
            "`[path]`: its relay is on one machine, and connections come from several",
            "leave it out",
        ));
    }
    let promises = scenario.cohorts.iter().find_map(|cohort| {
        let mut promises = cohort.contract.as_ref()?.promises.iter();
        let promise = promises.find(|promise| promise.kind.needs_same_host())?;
        let promise: &'static str = promise.kind.into();
        Some((&cohort.name, promise))
    });
    promises.map(|(cohort, promise)| {
        Refused::new(
            format!("`{promise}` of cohort `{cohort}`: it is judged by the target's own machine"),
            "leave it out",
        )
    })
}

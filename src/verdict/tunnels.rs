//! Doubts what failed where no connection came through a proxy: a proxy does not say whether the server is down or its
//! own rules forbid it.

use super::contract::ContractResult;
use super::distrust::{Distrust, Doubt};
use super::doubts::{Run, about};
use super::failures::{self, Failures};
use super::view::looked_at;
use crate::measure::Summary;
use crate::metric::{self, Cause, Counter};
use crate::scenario::{Cohort, Gate};

/// Finds the gates and promises that failed because of proxies, or may have.
pub(super) fn none_made(run: &Run<'_>) -> Option<Doubt> {
    let cohorts = run.scenario.cohorts.iter();
    let cut_off: Vec<&str> = cohorts
        .filter(|cohort| is_cut_off(run.view.all(), cohort))
        .map(|cohort| cohort.name.as_str())
        .collect();
    let is_one = |name: &str| cut_off.contains(&name);
    let gates = run.judged_gates().filter(|(gate, result)| {
        let came_out_badly = !result.passed || result.ended_the_run;
        came_out_badly && is_about(run, gate, &is_one)
    });
    let gates = gates.map(|(gate, _)| gate.text.clone());
    let promises = run.contracts.iter();
    let promises = promises.filter(|promise| !promise.passed && is_one(&promise.cohort));
    let these = gates.chain(promises.map(ContractResult::name)).collect();
    let reason = || Distrust::NoTunnel {
        cohorts: cut_off.iter().map(|name| (*name).to_owned()).collect(),
        failures: Failures::of_proxies(run.scenario, run.view.all()),
    };
    about(reason, these)
}

/// Whether no connection of a cohort opened, and proxies are the only reason.
fn is_cut_off(summary: &Summary, cohort: &Cohort) -> bool {
    let count = |name: &str| Summary::sum(summary.select(name, Some(&cohort.name), None));
    let (mut by_proxy, mut otherwise) = (0, 0);
    for cause in Cause::ALL {
        let count = count(&metric::error(*cause));
        match (cause.is_of_proxy(), failures::ends_a_handshake(*cause)) {
            (true, _) => by_proxy += count,
            (false, true) => otherwise += count,
            (false, false) => {}
        }
    }
    let opened = count(Counter::ConnectionsOpened.name());
    by_proxy > 0 && otherwise == 0 && opened == 0
}

/// Whether a gate looks only at such cohorts, or at how connections of one of them fared.
fn is_about(run: &Run<'_>, gate: &Gate, is_one: &dyn Fn(&str) -> bool) -> bool {
    let mut selectors = gate.subject.selectors();
    selectors.any(|selector| {
        let cohorts = looked_at(run.scenario, selector).map(|cohort| is_one(&cohort.name));
        let cohorts = Vec::from_iter(cohorts);
        let metric = selector.metric.as_str();
        let is_of_openings = metric.starts_with("connections.") || metric.starts_with("errors.");
        match is_of_openings {
            true => cohorts.contains(&true),
            false => !cohorts.is_empty() && !cohorts.contains(&false),
        }
    })
}

//! What compares times of two machines is as sure as their clocks are. Deliveries are timed from the send by one clock to the
//! arrival by another, and promises `from = "fault"` from what the coordinator did to the target.

use super::contract::{ContractResult, Occurred};
use super::distrust::{Distrust, Doubt};
use super::doubts::{Run, about};
use super::facts::Facts;
use super::gates::GateResult;
use super::range::Range;
use super::view::View;
use super::warning::Warning;
use crate::metric::Timer;
use crate::scenario::{Gate, Origin, Scenario, Stat, Subject};
use crate::units::Nanos;

/// From this error on more than times is unsure: whether a connection was a member when a message was sent, and whether a
/// delivery was late.
const COUNTS: Nanos = Nanos::from_millis(50);
/// An error over this part of what is usual is told.
const PART_OF_USUAL: f64 = 0.1;

/// By how much a time from one machine to another may be wrong, either way; `None` if nobody knows, since the clock of one of
/// them was not asked.
type ClockError = Option<Nanos>;

/// Of times from one agent to another: the errors of the two worst add up. `None` where there are no two.
fn between(facts: &Facts) -> Option<ClockError> {
    let mut errors = each(facts);
    errors.sort_unstable();
    let [.., one, other] = errors[..] else {
        return None;
    };
    // What is not known comes first.
    let is_known = errors[0].is_some();
    Some(
        one.zip(other)
            .map(|(one, other)| one + other)
            .filter(|_| is_known),
    )
}

/// Of times from the coordinator to an agent. `None` where there is none.
fn to_an_agent(facts: &Facts) -> Option<ClockError> {
    let errors = each(facts);
    let is_known = errors.iter().all(Option::is_some);
    let worst = errors.into_iter().max()?;
    Some(worst.filter(|_| is_known))
}

fn each(facts: &Facts) -> Vec<ClockError> {
    let clocks = facts.parts.iter().map(|part| part.clock);
    clocks
        .map(|clock| clock.map(|clock| Nanos(clock.error_ns)))
        .collect()
}

/// Gates and promises whose result may be another one by true clocks.
pub(super) fn apart(run: &Run<'_>) -> Option<Doubt> {
    let mut these = Vec::new();
    let mut errors = Vec::new();
    if let Some(error) = between(run.facts) {
        let gates = run.judged_gates();
        let unsure = gates.filter(|(gate, result)| is_unsure(gate, result, error));
        these.extend(unsure.map(|(gate, _)| gate.text.clone()));
        errors.extend((!these.is_empty()).then_some(error));
    }
    if let Some(error) = to_an_agent(run.facts) {
        let timed = run.contracts.iter();
        let timed = timed.filter(|promise| is_timed_elsewhere(run.scenario, promise));
        let unsure = timed.filter(|promise| may_be_otherwise(promise, error));
        let names = Vec::from_iter(unsure.map(ContractResult::name));
        errors.extend((!names.is_empty()).then_some(error));
        these.extend(names);
    }
    let is_known = errors.iter().all(Option::is_some);
    let worst = errors.into_iter().flatten().max().filter(|_| is_known);
    about(
        || Distrust::ClocksApart {
            error_ns: worst.map(|worst| worst.0),
        },
        these,
    )
}

/// Whether the error may have changed the result of a gate on deliveries.
fn is_unsure(gate: &Gate, result: &GateResult, error: ClockError) -> bool {
    let mut selectors = gate.subject.selectors();
    if !selectors.any(|selector| selector.metric.starts_with("delivery.")) {
        return false;
    }
    let Some(error) = error.filter(|error| *error < COUNTS) else {
        return true;
    };
    let is_time = match &gate.subject {
        Subject::Stat(Stat::Count | Stat::Rate, _) | Subject::Ratio(..) => false,
        Subject::Stat(_, selector) => selector.metric == Timer::DeliveryLatency.name(),
    };
    result.observed.is_some_and(|seen| {
        let (value, error) = (seen.value, error.0 as f64);
        let range = Range {
            lo: (value - error).max(0.0),
            hi: value + error,
        };
        is_time && range.any(gate, !gate.op.holds(value, gate.value))
    })
}

/// Whether a promise counts from what the coordinator did.
fn is_timed_elsewhere(scenario: &Scenario, promise: &ContractResult) -> bool {
    let mut cohorts = scenario.cohorts.iter();
    let cohort = cohorts.find(|cohort| cohort.name == promise.cohort);
    let is_own = cohort.is_some_and(|cohort| !cohort.is_healthy());
    promise.from == Some(Origin::Fault) && !is_own && !scenario.target.faults.is_empty()
}

/// Whether times that are wrong by this may have changed the result of a promise.
fn may_be_otherwise(promise: &ContractResult, error: ClockError) -> bool {
    let Some((times, bounds)) = promise.times.zip(promise.bounds) else {
        return false;
    };
    let Some(error) = error else {
        return true;
    };
    let latest = bounds.hi_ns.unwrap_or(Nanos(u64::MAX));
    if promise.passed {
        let earliest = times.min_ns.saturating_sub(error);
        return earliest < bounds.lo_ns || times.max_ns.saturating_add(error) > latest;
    }
    // What never happened, or happened before, happens no sooner by another clock.
    let rows = promise.evidence.rows.iter().filter(|row| !row.held);
    let are_times = rows
        .clone()
        .all(|row| matches!(row.seen, Occurred::After(_)));
    let is_near =
        |ns: Nanos| ns.saturating_add(error) >= bounds.lo_ns && ns.saturating_sub(error) <= latest;
    are_times && promise.evidence.more == 0 && is_near(times.min_ns) && is_near(times.max_ns)
}

/// Warns where deliveries are timed between machines, and their clocks are not much surer than what is measured.
pub(super) fn warned(view: &View<'_>, facts: &Facts) -> Option<Warning> {
    let latency = view.histogram(Timer::DeliveryLatency.name())?;
    let half = latency.percentile(50.0)?;
    let error = between(facts)?;
    let is_notable = error.is_none_or(|error| error.0 as f64 > half as f64 * PART_OF_USUAL);
    is_notable.then_some(Warning::ClocksApart {
        error_ns: error.map(|error| error.0),
        half_ns: half,
    })
}

#[cfg(test)]
#[path = "clocks_tests.rs"]
mod tests;

//! Connections that did not open or did not become ready, or opened elsewhere than they might have.

use super::none_of;
use crate::measure::{Summary, Value};
use crate::metric::{self, Cause, Counter, Gauge, MAX_STREAMS};
use crate::scenario::{Cohort, HttpVersion, Reconnect, Scenario, Shape};
use crate::verdict::facts::{Facts, Outcome, planned_connections};
use crate::verdict::failures::Failures;
use crate::verdict::view::{View, is_gated_by};
use crate::verdict::warning::Warning;

/// Warns of connections that did not open. For a run that was cut short, compares with what was tried.
pub(super) fn fewer_connections(
    scenario: &Scenario,
    summary: &Summary,
    facts: &Facts,
) -> Option<Warning> {
    let count = |counter: Counter| summary.count(counter.name());
    let failed = count(Counter::ConnectionsFailed);
    let all_opened = count(Counter::ConnectionsOpened);
    // Where nobody dials again, these are first dials: they are not missing.
    let dials_once = |cohort: &&Cohort| cohort.reconnect == Reconnect::None;
    let abandoned = (scenario.cohorts.iter().filter(dials_once))
        .map(|cohort| {
            let name = Counter::ConnectionsAbandoned.name();
            Summary::sum(summary.select(name, Some(&cohort.name), None))
        })
        .sum::<u64>();
    let (asked, opened) = if facts.outcome == Outcome::Completed {
        let asked = planned_connections(scenario);
        let first_time = all_opened.saturating_sub(count(Counter::ConnectionsReconnected));
        let left_out = count(Counter::ConnectionsSkipped) + abandoned;
        let before: u64 = summary.carried.iter().sum();
        (asked.saturating_sub(left_out), first_time + before)
    } else {
        (failed + all_opened, all_opened)
    };
    let lost_for_good = scenario.cohorts.iter().filter(dials_once).any(|cohort| {
        let mut rows = summary.select(Counter::ConnectionsFailed.name(), Some(&cohort.name), None);
        rows.any(|row| matches!(row.value, Value::Counter(failed) if failed > 0))
    });
    (opened < asked || lost_for_good).then(|| Warning::FewerConnections {
        asked,
        opened,
        failed,
        failures: Failures::of(scenario, summary),
    })
}

/// Warns of set-ups that failed, if no gate would notice. Leaves out cohorts whose faults touch their messages.
pub(super) fn setups_failed(scenario: &Scenario, view: &View<'_>) -> Option<Warning> {
    let tells = |metric: &str| {
        [
            Counter::SetupFailed.name(),
            Counter::SetupReady.name(),
            Gauge::Ready.name(),
        ]
        .contains(&metric)
            || metric == metric::error(Cause::SetupFailed)
    };
    let cohorts = scenario.cohorts.iter();
    let cohorts =
        cohorts.filter(|cohort| cohort.keeps_messages() && !is_gated_by(scenario, tells, cohort));
    let counts = cohorts.map(|cohort| {
        let count = |counter: Counter| view.count_of(counter.name(), &cohort.name);
        (
            cohort,
            count(Counter::SetupFailed),
            count(Counter::SetupBegun),
        )
    });
    let failing = Vec::from_iter(counts.filter(|(_, failed, _)| *failed > 0));
    let (first, ..) = failing.first()?;
    let examples = &view.all().endings.examples;
    Some(Warning::SetupsFailed {
        failed: failing.iter().map(|(_, failed, _)| failed).sum(),
        begun: failing.iter().map(|(_, _, begun)| begun).sum(),
        example: (examples.get(&Cause::SetupFailed)).and_then(|some| some.first().cloned()),
        gate: none_of(Counter::SetupFailed, first),
    })
}

/// Warns of addresses that accepted no connection.
pub(super) fn fallbacks(summary: &Summary) -> Option<Warning> {
    let mut passed: Vec<_> = summary.fallbacks.iter().collect();
    passed.sort_by_key(|(_, fallback)| std::cmp::Reverse(fallback.count));
    let addresses = (passed.iter()).map(|(at, one)| ((*at).to_owned(), one.why.clone()));
    (!passed.is_empty()).then(|| Warning::Fallbacks {
        count: summary.count(Counter::ConnectionsFallbacks.name()),
        addresses: addresses.collect(),
        any_opened: summary.opened_any(),
    })
}

/// Warns of a server that allows fewer streams on a connection than were asked for.
pub(super) fn fewer_streams(scenario: &Scenario, summary: &Summary) -> Option<Warning> {
    let asked = scenario
        .cohorts
        .iter()
        .filter_map(|cohort| match cohort.access.http {
            HttpVersion::Two(sharing) => Some(sharing.streams.min(cohort.connections)),
            HttpVersion::One => None,
        });
    let allowed = summary.agreed.values(MAX_STREAMS);
    let allowed = allowed.filter_map(|(allowed, _)| allowed.parse().ok());
    let (asked, allowed) = (asked.max()?, allowed.min()?);
    (allowed < asked).then_some(Warning::FewerStreams { allowed, asked })
}

pub(super) fn arrivals_skipped(scenario: &Scenario, summary: &Summary) -> Option<Warning> {
    let Shape::Arrivals { max_open, .. } = scenario.load.shape else {
        return None;
    };
    let skipped = summary.count(Counter::ConnectionsSkipped.name());
    (skipped > 0).then_some(Warning::ArrivalsSkipped { skipped, max_open })
}

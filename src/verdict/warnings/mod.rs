//! Finds what a reader of the numbers should know about the run itself.
//! Each limit is defined beside what it limits, with its reason.

mod answers;
mod around;
mod connections;
mod generator;
mod samples;

pub use self::generator::LATE_NS;
pub use self::samples::{covered, samples_for};
use super::answers::Asked;
use super::clocks;
use super::distrust::{Distrust, Doubt};
use super::facts::Facts;
use super::view::View;
use super::warning::Warning;
use crate::measure::Summary;
use crate::metric::Counter;
use crate::scenario::{Cohort, Scenario, Selector, Stat, Subject};

/// Finds every warning, except those that repeat a doubt.
pub(super) fn find(
    scenario: &Scenario,
    view: &View<'_>,
    facts: &Facts,
    doubts: &[Doubt],
) -> Vec<Warning> {
    let all = view.all();
    let mut found = Vec::new();
    // Counts all cohorts: a bad client's fault begins after its 101, so until then it is like the others.
    found.extend(connections::fewer_connections(scenario, all, facts));
    found.extend(connections::setups_failed(scenario, view));
    found.extend(connections::fallbacks(all));
    found.extend(connections::fewer_streams(scenario, all));
    found.extend(facts.parts.iter().filter_map(|part| {
        let lost = part.lost.as_ref().filter(|lost| lost.went_on)?;
        let opened = |summary: &Summary| summary.total(Counter::ConnectionsOpened.name());
        Some(Warning::PartLost {
            part: part.number,
            at_ns: lost.at.as_nanos(),
            why: lost.why.clone(),
            opened: [opened(&part.health), opened(all)],
        })
    }));
    let is_insecure = scenario.trusts_anyone();
    found.extend(is_insecure.then_some(Warning::Insecure));
    found.extend(scenario.key_log().map(|path| Warning::KeyLog {
        path: path.display().to_string(),
    }));
    found.extend(scenario.cautions().into_iter().map(Warning::Caution));
    found.extend(connections::arrivals_skipped(scenario, all));
    found.extend(generator::busy(scenario, view, facts));
    found.extend(generator::held_up(view, facts));
    found.extend(generator::throttled(facts));
    found.extend(answers::unanswered(scenario, view, doubts));
    found.extend(answers::undelivered(scenario, view));
    found.extend(answers::no_age(scenario, view));
    found.extend(clocks::warned(view, facts));
    found.extend(generator::sends_late(scenario, view));
    found.extend(generator::not_sent(view));
    found.extend(answers::uncertain(scenario, view));
    found.extend(answers::pings_unanswered(scenario, view, doubts));
    found.extend(samples::too_few_samples(scenario, view));
    found.extend(samples::clipped(view));
    let retyped = view.count(Counter::MessagesRetyped.name());
    found.extend((retyped > 0).then_some(Warning::Retyped { count: retyped }));
    found.extend((all.endings.more > 0).then_some(Warning::EndingsOverflow {
        kept: all.endings.rows.len() as u64,
        more: all.endings.more,
    }));
    found.extend((all.records.more > 0).then_some(Warning::NotJudged {
        kept: all.records.rows.len() as u64,
        more: all.records.more,
    }));
    found.extend(around::gone_wrong(&facts.surroundings));
    found.extend(around::strangers(scenario, all, &facts.surroundings));
    found.extend((!facts.precise_timer).then_some(Warning::NoPreciseTimer));
    let pings = scenario.cohorts.iter().any(|c| c.watched().is_some());
    found.extend((pings && !facts.kernel_view).then_some(Warning::NoKernelView));
    found.retain(|warning| !doubts.iter().any(|doubt| says_more(&doubt.reason, warning)));
    found
}

/// Whether the doubt reports the same thing as the warning.
fn says_more(doubt: &Distrust, warning: &Warning) -> bool {
    matches!(
        (doubt, warning),
        (
            Distrust::NoConnection { .. },
            Warning::FewerConnections { .. }
        ) | (Distrust::NotSent { .. }, Warning::NotSent { .. })
            | (Distrust::SendsLate { .. }, Warning::SendsLate { .. })
            | (
                Distrust::NeverOpened { .. },
                Warning::FewerConnections { .. } | Warning::SetupsFailed { .. }
            )
            | (
                Distrust::NoAnswer { cohort: None, .. },
                Warning::Unanswered { .. }
            )
            | (
                Distrust::NoAnswer {
                    asked: Asked::Pings,
                    cohort: None,
                    ..
                },
                Warning::PingsUnanswered { .. }
            )
            | (Distrust::WorkersLate { .. }, Warning::HeldUp { .. })
            | (Distrust::Throttled(_), Warning::Throttled(_))
            | (Distrust::ClocksApart { .. }, Warning::ClocksApart { .. })
            | (
                Distrust::GeneratorBusy { .. },
                Warning::GeneratorBusy { .. }
            )
            | (Distrust::NotJudged { .. }, Warning::NotJudged { .. })
    )
}

/// The gate that holds if this never happens in a cohort.
fn none_of(counter: Counter, cohort: &Cohort) -> String {
    let counted = Subject::Stat(Stat::Count, of_cohort(counter, cohort));
    format!("{counted} == 0")
}

/// A counter of a cohort as a gate writes it: names the cohort only if a gate that names none does not look at it.
fn of_cohort(counter: Counter, cohort: &Cohort) -> Selector {
    let is_named = !cohort.is_looked_at(counter.name());
    Selector {
        metric: counter.name().to_owned(),
        cohort: is_named.then(|| cohort.name.clone()),
        stage: None,
    }
}

#[cfg(test)]
mod tests;

//! Doubts about single processes of a run in parts. Each is looked at by the rules for one, with its own numbers: a late
//! one is not averaged away among the others, and is named.

use super::distrust::{Concerns, Distrust, Doubt};
use super::doubts::{self, Run, about_these_or_all};
use super::facts::PartFacts;
use super::generator::{Generator, GeneratorProblem};
use super::view::{View, looked_at};
use crate::metric::Counter;
use crate::scenario::Shape;

/// What failed and may have failed because of the generator alone, or of one of several.
pub(super) fn own_doing(run: &Run<'_>) -> Vec<Doubt> {
    let parts = &run.facts.parts;
    if parts.is_empty() {
        let generator = Generator::new(run.scenario, run.view, run.facts);
        let found = doubts::own_doing(run, &generator).into_iter();
        return found.map(|(_, doubt)| doubt).collect();
    }
    let mut all = Vec::new();
    // What is known of single sends is known of all of them together, whoever sent them: said once.
    let mut late_sends = None;
    for part in parts {
        let own = View::new(run.scenario, &part.health);
        let generator = Generator::of_one(run.scenario, run.view, &own, &part.facts);
        for (problem, doubt) in doubts::own_doing(run, &generator) {
            match problem {
                GeneratorProblem::LateSends => late_sends = late_sends.or(Some(doubt)),
                _ => all.extend(fed_by(run, part, doubt)),
            }
        }
    }
    late_sends.into_iter().chain(all).collect()
}

/// The schedule was not kept, by the generator or by one of several.
pub(super) fn not_sent(run: &Run<'_>) -> Vec<Doubt> {
    let parts = &run.facts.parts;
    if parts.is_empty() {
        return doubts::not_sent(run, run.view).into_iter().collect();
    }
    let of_part = |part: &PartFacts| {
        let own = View::new(run.scenario, &part.health);
        fed_by(run, part, doubts::not_sent(run, &own)?)
    };
    parts.iter().filter_map(of_part).collect()
}

/// A part was lost that the others did not go on without.
pub(super) fn lost(run: &Run<'_>) -> Vec<Doubt> {
    let of_part = |part: &PartFacts| {
        let lost = part.lost.as_ref().filter(|lost| !lost.went_on)?;
        let reason = Distrust::Lost {
            at_ns: lost.at.as_nanos(),
            why: lost.why.clone(),
        };
        Some(Doubt {
            reason: Distrust::OfPart {
                part: part.number,
                name: part.name.clone(),
                reason: Box::new(reason),
            },
            concerns: Concerns::Everything,
        })
    };
    run.facts.parts.iter().filter_map(of_part).collect()
}

/// Measuring began before all connections of a part were open.
pub(super) fn not_settled(run: &Run<'_>) -> Vec<Doubt> {
    let is_asked = matches!(run.scenario.load.shape, Shape::Steady { .. });
    let of_part = |part: &PartFacts| {
        let measured = part.health.measured_from.filter(|_| is_asked)?;
        // That one was lost is told anyway.
        if part.lost.is_some() {
            return None;
        }
        if part.settled.is_some_and(|settled| settled <= measured) {
            return None;
        }
        let gates = run.judged_gates().map(|(gate, _)| gate.text.clone());
        let promises = run.contracts.iter().map(|promise| promise.name());
        let reason = || Distrust::NotSettled {
            settled_ns: part.settled.map(|settled| settled.as_nanos()),
            measured_ns: measured.as_nanos(),
        };
        let doubt = about_these_or_all(run, reason, gates.chain(promises).collect(), || true)?;
        fed_by(run, part, doubt)
    };
    run.facts.parts.iter().filter_map(of_part).collect()
}

/// A part heard of the measured time when it had begun.
pub(super) fn told_late(run: &Run<'_>) -> Vec<Doubt> {
    let of_part = |part: &PartFacts| {
        let late = part.told_late?;
        let gates = run.judged_gates().map(|(gate, _)| gate.text.clone());
        let promises = run.contracts.iter().map(|promise| promise.name());
        let reason = || Distrust::ToldLate { late_ns: late.0 };
        let doubt = about_these_or_all(run, reason, gates.chain(promises).collect(), || true)?;
        fed_by(run, part, doubt)
    };
    run.facts.parts.iter().filter_map(of_part).collect()
}

/// A doubt about one part: it concerns only the gates and promises that its connections feed.
fn fed_by(run: &Run<'_>, part: &PartFacts, doubt: Doubt) -> Option<Doubt> {
    let own = View::new(run.scenario, &part.health);
    let attempted = Counter::ConnectionsAttempted.name();
    let feeds = |cohort: &str| own.total_of(attempted, cohort) > 0;
    let is_fed = |judged: &str| {
        let mut gates = run.judged_gates().filter(|(gate, _)| gate.text == judged);
        let mut promises = run
            .contracts
            .iter()
            .filter(|promise| promise.name() == judged);
        gates.any(|(gate, _)| {
            let mut selectors = gate.subject.selectors();
            selectors
                .any(|selector| looked_at(run.scenario, selector).any(|cohort| feeds(&cohort.name)))
        }) || promises.any(|promise| feeds(&promise.cohort))
    };
    let concerns = match doubt.concerns {
        Concerns::Everything => Concerns::Everything,
        Concerns::Only(these) => {
            let fed: Vec<String> = these.into_iter().filter(|one| is_fed(one)).collect();
            if fed.is_empty() {
                return None;
            }
            Concerns::Only(fed)
        }
    };
    Some(Doubt {
        reason: Distrust::OfPart {
            part: part.number,
            name: part.name.clone(),
            reason: Box::new(doubt.reason),
        },
        concerns,
    })
}

#[cfg(test)]
#[path = "parts_tests.rs"]
mod tests;

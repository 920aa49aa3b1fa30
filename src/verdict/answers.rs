//! Finds runs and cohorts to which no expected answer came: what holds without answers proves nothing.

use super::distrust::{Concerns, Distrust, Doubt};
use super::doubts::{Run, about, about_these_or_all};
use super::facts::{expects_echoes, expects_pongs, is_disturbed};
use super::seen::Seen;
use super::view::looked_at;
use crate::measure::Summary;
use crate::metric::Counter;
use crate::scenario::Cohort;

/// Asks the healthy cohorts together. Then asks each cohort for itself: those that are healthy and that no fault of the
/// target or the path touches, and those whose own faults do not touch their messages.
pub(super) fn none_came(run: &Run<'_>) -> Vec<Doubt> {
    let (healthy, faulty): (Vec<&Cohort>, Vec<_>) =
        (run.scenario.cohorts.iter()).partition(|cohort| cohort.is_healthy());
    let all = no_answer(run, &healthy, None).map(|reason| Doubt {
        reason,
        concerns: Concerns::Everything,
    });
    let of_cohort = |cohort: &Cohort| {
        let has_waited = counted(run, &[cohort], &GIVEN_UP) > 0;
        let name = Some(cohort.name.clone());
        no_answer(run, &[cohort], name).filter(|_| has_waited)
    };
    let asked = healthy
        .into_iter()
        .filter(|cohort| all.is_none() && !is_disturbed(run.scenario, cohort));
    let asked = asked.filter_map(|cohort| {
        let reason = of_cohort(cohort)?;
        about_these_or_all(run, || reason, held(run, cohort), || true)
    });
    let kept = (faulty.into_iter()).filter(|cohort| cohort.keeps_messages());
    let kept = kept.filter_map(|cohort| {
        let reason = of_cohort(cohort)?;
        about(|| reason, held(run, cohort))
    });
    let each = Vec::from_iter(asked.chain(kept));
    all.into_iter().chain(each).collect()
}

/// Counts sends that waited for an answer until its timeout, or got a wrong one. Sends that were lost with their
/// connection prove nothing: the server may have ended it because of the fault.
const GIVEN_UP: [Counter; 3] = [
    Counter::MessagesTimedOut,
    Counter::MessagesMismatched,
    Counter::PingsMissed,
];

/// Counts answers outside of the measured window too, because they prove that the server answers. If a message expects
/// an answer, pongs do not count as answers. `name` is that of the cohort if only one is asked.
fn no_answer(run: &Run<'_>, cohorts: &[&Cohort], name: Option<String>) -> Option<Distrust> {
    let are_messages = expects_echoes(cohorts);
    if !are_messages && !expects_pongs(cohorts) {
        return None;
    }
    let total = |counters: &[Counter]| counted(run, cohorts, counters);
    let (sent, answers) = match are_messages {
        true => (
            total(&[Counter::MessagesSent]),
            total(&[
                Counter::MessagesEchoed,
                Counter::MessagesAnswered,
                Counter::MessagesLate,
            ]),
        ),
        false => (
            total(&[Counter::PingsSent]),
            total(&[Counter::PongsReceived, Counter::PongsLate]),
        ),
    };
    // If no message was due yet, a message that nobody asked for, or a pong, proves that the server is alive.
    let is_there = sent == 0 && total(&[Counter::MessagesReceived, Counter::PongsReceived]) > 0;
    (answers == 0 && !is_there).then(|| Distrust::NoAnswer {
        sent,
        are_messages,
        cohort: name,
        seen: Seen::of(run.view.all(), cohorts),
    })
}

/// These counters of these cohorts, over the whole run.
fn counted(run: &Run<'_>, cohorts: &[&Cohort], counters: &[Counter]) -> u64 {
    let rows = run.view.all().totals.iter().filter(|row| {
        let is_of = |cohort: &&Cohort| row.cohort.as_deref() == Some(&cohort.name);
        counters.iter().any(|counter| counter.name() == row.name) && cohorts.iter().any(is_of)
    });
    Summary::sum(rows)
}

/// The gates and promises that held and look at this cohort.
fn held(run: &Run<'_>, cohort: &Cohort) -> Vec<String> {
    let gates = run.judged_gates().filter(|(gate, result)| {
        let mut selectors = gate.subject.selectors();
        result.passed
            && selectors.any(|selector| {
                looked_at(run.scenario, selector).any(|one| one.name == cohort.name)
            })
    });
    let gates = gates.map(|(gate, _)| gate.text.clone());
    let promises = run.contracts.iter();
    let promises = promises.filter(|promise| promise.passed && promise.cohort == cohort.name);
    gates
        .chain(promises.map(|promise| promise.name()))
        .collect()
}

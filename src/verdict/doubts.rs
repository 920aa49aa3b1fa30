//! Finds the reasons not to trust a verdict, and which gates and promises each concerns.
//! Each limit is defined here or in [`super::lag`] and [`super::generator`], with its reason.

use super::answers;
use super::clocks;
use super::contract::{ContractResult, lag_limits, pings_sent_late, pongs_shifted};
use super::distrust::{Concerns, Distrust, Doubt, NOT_SENT_LIMIT};
use super::facts::{Facts, Outcome, is_open_model, planned_connections};
use super::failures::Failures;
use super::gates::GateResult;
use super::generator::{Generator, GeneratorProblem};
use super::lag::CUT_NS;
use super::parts;
use super::presence::{Losses, Openings};
use super::seen::Seen;
use super::shifted;
use super::tunnels;
use super::unnamed::Unnamed;
use super::view::{View, is_gated_by, looked_at};
use super::warnings::covered;
use crate::metric::{self, Cause, Counter, Timer};
use crate::scenario::{Cohort, Gate, PromiseKind, Scenario};
use crate::units::Nanos;

/// A run with its judged gates and promises.
pub(super) struct Run<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) view: &'a View<'a>,
    pub(super) facts: &'a Facts,
    /// The gates of `pass` in their order, after the abort gate that ended the run.
    pub(super) gates: &'a [GateResult],
    pub(super) contracts: &'a [ContractResult],
}

/// Finds every reason for a doubt.
pub(super) fn find(run: &Run<'_>) -> Vec<Doubt> {
    let Run {
        scenario,
        view,
        facts,
        ..
    } = run;
    let mut found = Vec::from_iter(relay_refused(facts));
    if !view.all().opened_any() {
        found.push(Distrust::NoConnection {
            planned: planned_connections(scenario),
            failures: Failures::until_ready(scenario, view.all()),
        });
        // Why there is none, where those who were to open them are lost.
        let mut doubts = parts::lost(run);
        doubts.extend(everything(found));
        return doubts;
    }
    let mut doubts = everything(found);
    if is_open_model(scenario) {
        doubts.extend(parts::not_sent(run));
    }
    if facts.outcome == Outcome::Completed {
        doubts.extend(answers::none_came(run));
        doubts.extend(answers::none_begun(run));
    }
    doubts.extend(tunnels::none_made(run));
    doubts.extend(parts::lost(run));
    doubts.extend(parts::own_doing(run));
    doubts.extend(parts::not_settled(run));
    doubts.extend(parts::told_late(run));
    doubts.extend(clocks::apart(run));
    doubts.extend(pings_late(run));
    doubts.extend(answers_shifted(run));
    doubts.extend(unproven(run));
    doubts
}

fn everything(found: Vec<Distrust>) -> Vec<Doubt> {
    let doubts = found.into_iter().map(|reason| Doubt {
        reason,
        concerns: Concerns::Everything,
    });
    doubts.collect()
}

pub(super) fn about(reason: impl FnOnce() -> Distrust, these: Vec<String>) -> Option<Doubt> {
    (!these.is_empty()).then(|| Doubt {
        reason: reason(),
        concerns: Concerns::Only(these),
    })
}

/// Concerns these gates and promises; if nothing was to be judged, concerns the whole run, because a run without gates
/// must not pass either if most of its load was missing.
pub(super) fn about_these_or_all(
    run: &Run<'_>,
    reason: impl FnOnce() -> Distrust,
    these: Vec<String>,
    all: impl FnOnce() -> bool,
) -> Option<Doubt> {
    if run.gates.is_empty() && run.contracts.is_empty() {
        return all().then(|| Doubt {
            reason: reason(),
            concerns: Concerns::Everything,
        });
    }
    about(reason, these)
}

impl<'a> Run<'a> {
    /// Each gate with its result, including the abort gate that ended the run.
    pub(super) fn judged_gates(&self) -> impl Iterator<Item = (&'a Gate, &'a GateResult)> {
        let gates = &self.scenario.gates;
        self.gates.iter().filter_map(move |result| {
            let list = match result.ended_the_run {
                true => &gates.abort,
                false => &gates.pass,
            };
            let gate = list.iter().find(|gate| gate.text == result.gate)?;
            Some((gate, result))
        })
    }
}

/// Checks only what passed: a failure is proved by what was seen, a pass only if all planned load was there.
fn unproven(run: &Run<'_>) -> Vec<Doubt> {
    let passed = |wanted: &dyn Fn(&[&Cohort]) -> bool| -> Vec<String> {
        let gates = run.judged_gates().filter(|(_, result)| result.passed);
        let gates = gates.filter(|(gate, _)| {
            let selectors = gate.subject.selectors();
            let cohorts = selectors.flat_map(|selector| looked_at(run.scenario, selector));
            wanted(&cohorts.collect::<Vec<_>>())
        });
        gates.map(|(gate, _)| gate.text.clone()).collect()
    };
    let of_contracts = |wanted: &dyn Fn(&[&Cohort]) -> bool| -> Vec<String> {
        let kept = run.contracts.iter().filter(|promise| promise.passed);
        let kept = kept.filter(|promise| {
            let mut cohorts = run.scenario.cohorts.iter();
            let cohort = cohorts.find(|cohort| cohort.name == promise.cohort);
            cohort.is_some_and(|cohort| wanted(&[cohort]))
        });
        kept.map(ContractResult::name).collect()
    };
    let mut doubts = Vec::new();
    if run.facts.outcome == Outcome::Completed {
        let never = |cohorts: &[&Cohort]| Openings::of(run.view, cohorts).are_few();
        let these = [passed(&never), of_contracts(&never)].concat();
        let all: Vec<&Cohort> = run.scenario.cohorts.iter().collect();
        let reason = || {
            let absent = all.iter().copied().filter(|cohort| never(&[cohort]));
            Distrust::NeverOpened {
                openings: Openings::of(run.view, &Vec::from_iter(absent)),
                failures: Failures::until_ready(run.scenario, run.view.all()),
            }
        };
        doubts.extend(about_these_or_all(run, reason, these, || never(&all)));
    }
    let losses = |cohorts: &[&Cohort]| Losses::of(run.scenario, run.view, cohorts);
    let lost = |cohorts: &[&Cohort]| losses(cohorts).are_most();
    let all: Vec<&Cohort> = run.scenario.cohorts.iter().collect();
    let reason = || {
        let closed = metric::error(Cause::ClosedByPeer);
        let judged = all.iter().filter(|cohort| cohort.is_looked_at(&closed));
        let seen = Seen::of(run.view.all(), &judged.copied().collect::<Vec<_>>());
        let lost = losses(&all);
        let metric = match lost.lost {
            0 if lost.closed > 0 => metric::error(Cause::StepFailed),
            _ => Counter::ConnectionsLost.name().into(),
        };
        let is_gated = |cohort: &&Cohort| is_gated_by(run.scenario, |one| one == metric, cohort);
        Distrust::ConnectionsLost {
            lost: lost.lost,
            closed: lost.closed,
            opened: lost.opened,
            missed: lost.missed,
            due: lost.due,
            gated: all.iter().any(is_gated),
            seen,
        }
    };
    doubts.extend(about_these_or_all(run, reason, passed(&lost), || {
        lost(&all)
    }));
    let more = run.view.all().records.more;
    if more > 0 {
        let reason = || Distrust::NotJudged {
            kept: run.view.all().records.rows.len() as u64,
            more,
        };
        doubts.extend(about(reason, of_contracts(&|_| true)));
    }
    doubts
}

/// Finds what failed and may have failed because of a generator alone, grouped by cause.
pub(super) fn own_doing(
    run: &Run<'_>,
    generator: &Generator<'_>,
) -> Vec<(GeneratorProblem, Doubt)> {
    let mut blamed: Vec<(GeneratorProblem, String)> = Vec::new();
    for (gate, result) in run.judged_gates() {
        let came_out = gate_came_out_badly(result);
        if let (true, Some(seen)) = (came_out, result.observed)
            && let Some(own) = generator.own(gate, seen, !result.ended_the_run)
        {
            blamed.push((own, gate.text.clone()));
        }
    }
    let promises = run.scenario.cohorts.iter().flat_map(|cohort| {
        let contract = cohort.contract.iter();
        contract.flat_map(|contract| &contract.promises)
    });
    for (promise, result) in promises.zip(run.contracts) {
        let limits = lag_limits(promise, Nanos(CUT_NS));
        let over = |seen: Option<u64>, limit: Option<Nanos>| {
            seen.zip(limit).is_some_and(|(seen, limit)| seen > limit.0)
        };
        let often = over(generator.whole.percentile(99.9), limits.often_ns);
        let once = over(Some(generator.whole.longest_ns()), limits.once_ns);
        if (often || (once && !result.passed)) && !still_late(generator, result) {
            blamed.push((GeneratorProblem::Lag, result.name()));
        } else if generator.is_throttled && limits.once_ns.is_some() && !result.passed {
            blamed.push((GeneratorProblem::Throttled, result.name()));
        }
    }
    let of = |wanted: GeneratorProblem| -> Vec<String> {
        let these = blamed.iter().filter(|(own, _)| *own == wanted);
        these.map(|(_, name)| name.clone()).collect()
    };
    let reasons = [
        GeneratorProblem::LateSends,
        GeneratorProblem::Lag,
        GeneratorProblem::Throttled,
        GeneratorProblem::Busy,
    ];
    let doubts = reasons.into_iter().filter_map(|own| {
        let reason = || reason(run, generator, own);
        Some((own, about(reason, of(own))?))
    });
    doubts.collect()
}

/// Whether a promise about times that wsbench measures itself is broken by more than its lags can have added.
fn still_late(generator: &Generator<'_>, result: &ContractResult) -> bool {
    let Some((times, hi)) = result
        .times
        .zip(result.bounds.and_then(|bounds| bounds.hi_ns))
    else {
        return false;
    };
    let last = match result.contract {
        PromiseKind::PongWithin => times.p99_ns,
        PromiseKind::CloseAnsweredWithin
        | PromiseKind::DetectedBetween
        | PromiseKind::RecoversWithin => times.max_ns,
        _ => return false,
    };
    let last = last.0 as f64;
    !result.passed && last - generator.reach(&generator.whole, last) > hi.0 as f64
}

/// Whether the result is bad. The caller also needs a value: a gate that failed for lack of data is not due to lag.
fn gate_came_out_badly(result: &GateResult) -> bool {
    !result.passed || result.ended_the_run
}

fn reason(run: &Run<'_>, generator: &Generator<'_>, own: GeneratorProblem) -> Distrust {
    match own {
        GeneratorProblem::LateSends => {
            let late = run.view.histogram(Timer::ScheduleLateness.name());
            let late = late.unwrap_or_default();
            Distrust::SendsLate {
                p99_ns: covered(&late, 99.0),
                max_ns: late.max().unwrap_or(0),
            }
        }
        GeneratorProblem::Lag => Distrust::WorkersLate {
            longest_ns: generator.whole.longest_ns(),
            p99_9_ns: generator.whole.percentile(99.9).unwrap_or(0),
            share: generator.whole.share(),
        },
        GeneratorProblem::Throttled => {
            Distrust::Throttled(generator.facts.throttling.unwrap_or_default())
        }
        GeneratorProblem::Busy => Distrust::GeneratorBusy {
            mean: generator.cpu_mean().unwrap_or(0.0),
            of: generator.facts.cpu_limit(),
        },
    }
}

/// `pong_within` counts from when a ping was due, so that a late generator cannot hide a late server. It must not
/// blame the server for the generator's lateness either.
fn pings_late(run: &Run<'_>) -> Option<Doubt> {
    let surroundings = &run.facts.surroundings;
    let (cohort, from_due, from_sent) =
        pings_sent_late(run.scenario, run.view.all(), surroundings)?;
    let reason = || Distrust::PingsLate {
        cohort: cohort.to_owned(),
        from_due_ns: from_due.0,
        from_sent_ns: from_sent.0,
    };
    about(reason, vec![pong_within(cohort)])
}

/// Where answers do not say what they answer, a lost one makes times too long and rates too low, and one too many makes
/// times too short and rates too high.
fn answers_shifted(run: &Run<'_>) -> Vec<Doubt> {
    let gates = run.judged_gates().filter_map(|(gate, result)| {
        let seen = result.observed.map(|seen| seen.value);
        let held = seen.is_some_and(|seen| gate.op.holds(seen, gate.value));
        let shift = shifted::of(run.scenario, run.view, gate, seen)?;
        (shift.range.any(gate, !held)).then(|| (shift.unnamed, gate.text.clone()))
    });
    let pongs = pongs_shifted(run.scenario, run.view, &run.facts.surroundings);
    let promises = pongs
        .into_iter()
        .map(|(cohort, unnamed)| (unnamed, pong_within(cohort)));
    let found: Vec<(Unnamed, String)> = gates.chain(promises).collect();
    let doubts = [true, false].into_iter().filter_map(|are_messages| {
        let these = found
            .iter()
            .filter(|(unnamed, _)| unnamed.are_messages == are_messages);
        let most = these
            .clone()
            .map(|(unnamed, _)| *unnamed)
            .reduce(Unnamed::most)?;
        let names = these.map(|(_, name)| name.clone()).collect();
        about(|| Distrust::AnswersShifted(most), names)
    });
    doubts.collect()
}

/// The name of this promise of a cohort, as doubts have it.
fn pong_within(cohort: &str) -> String {
    format!("pong_within of {cohort}")
}

/// Concerns the cohorts whose schedule wsbench itself did not keep: a message that the server did not take, or that was
/// due when its connection was lost, is not the generator's. `counts` are those of the process that is looked at.
pub(super) fn not_sent(run: &Run<'_>, counts: &View<'_>) -> Option<Doubt> {
    let count = |counter: Counter, cohort: &Cohort| counts.count_of(counter.name(), &cohort.name);
    let own = |cohort: &Cohort| {
        count(Counter::MessagesNotSent, cohort)
            .saturating_sub(count(Counter::MessagesNotTaken, cohort))
            .saturating_sub(count(Counter::ConnectionsLost, cohort))
    };
    let sends = |cohort: &&Cohort| cohort.is_looked_at(Counter::MessagesDue.name());
    let late: Vec<&Cohort> = (run.scenario.cohorts.iter().filter(sends))
        .filter(|cohort| {
            let due = count(Counter::MessagesDue, cohort) as f64;
            own(cohort) as f64 > due * NOT_SENT_LIMIT
        })
        .collect();
    let is_late = |cohort: &Cohort| late.iter().any(|late| late.name == cohort.name);
    let gates = run.judged_gates().filter(|(gate, _)| {
        let mut cohorts = gate.subject.selectors();
        cohorts.any(|selector| looked_at(run.scenario, selector).any(is_late))
    });
    let gates = gates.map(|(gate, _)| gate.text.clone());
    let promises = run
        .contracts
        .iter()
        .filter(|promise| late.iter().any(|cohort| cohort.name == promise.cohort));
    let these = gates.chain(promises.map(ContractResult::name)).collect();
    let reason = || Distrust::NotSent {
        not_sent: late
            .iter()
            .map(|cohort| own(cohort))
            .fold(0, u64::saturating_add),
        due: (late.iter())
            .map(|cohort| count(Counter::MessagesDue, cohort))
            .sum(),
    };
    about_these_or_all(run, reason, these, || !late.is_empty())
}

/// A lack of descriptors in wsbench's own relay is neither a fault of the path nor one of the server.
fn relay_refused(facts: &Facts) -> Option<Distrust> {
    let relayed = facts.surroundings.relayed?;
    (relayed.refused > 0).then_some(Distrust::RelayRefused {
        refused: relayed.refused,
        connections: relayed.connections,
    })
}

#[cfg(test)]
#[path = "doubts_tests.rs"]
mod tests;

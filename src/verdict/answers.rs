//! Finds runs and cohorts to which no expected answer came: what holds without answers proves nothing.

use super::distrust::{Concerns, Distrust, Doubt};
use super::doubts::{Run, about, about_these_or_all};
use super::facts::{expects_pongs, is_disturbed};
use super::gates::GateResult;
use super::presence::Openings;
use super::seen::Seen;
use super::view::{is_gated, looked_at};
use crate::measure::Summary;
use crate::metric::{self, Counter};
use crate::scenario::{Cohort, Gate, Message, Selector, Step, Verb};

/// What is sent or begun, and waits for something of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Messages, and those of steps beside them.
    Messages,
    /// Messages and requests of steps alone.
    Steps,
    /// Waits of steps for messages that no send asked for.
    Awaits,
    /// Pings.
    Pings,
}

impl Asked {
    /// What these cohorts ask: if a message expects an answer, pongs do not count as answers. Awaits are asked for beside
    /// that.
    fn of(cohorts: &[&Cohort]) -> Option<Self> {
        let mut messages = cohorts.iter().flat_map(|cohort| &cohort.messages);
        let mut steps = (cohorts.iter()).flat_map(|cohort| cohort.each_step_after_setup());
        if messages.any(Message::expects_answer) {
            Some(Self::Messages)
        } else if steps.any(Step::expects_answer) {
            Some(Self::Steps)
        } else {
            expects_pongs(cohorts).then_some(Self::Pings)
        }
    }

    const fn sent(self) -> Counter {
        match self {
            Self::Messages | Self::Steps => Counter::MessagesSent,
            Self::Awaits => Counter::AwaitsBegun,
            Self::Pings => Counter::PingsSent,
        }
    }

    const fn answers(self) -> &'static [Counter] {
        match self {
            Self::Messages | Self::Steps => &[
                Counter::MessagesEchoed,
                Counter::MessagesAnswered,
                Counter::MessagesLate,
            ],
            Self::Awaits => &[Counter::AwaitsMet],
            Self::Pings => &[Counter::PongsReceived, Counter::PongsLate],
        }
    }
}

/// Asks the healthy cohorts together. Then asks each cohort for itself: those that are healthy and that no fault of the
/// target or the path touches, and those whose own faults do not touch their messages.
pub(super) fn none_came(run: &Run<'_>) -> Vec<Doubt> {
    let (healthy, faulty): (Vec<&Cohort>, Vec<_>) =
        (run.scenario.cohorts.iter()).partition(|cohort| cohort.is_healthy());
    let all = no_answer(run, &healthy, None).and_then(|reason| but_wrong_answers(run, reason));
    let asked = healthy
        .into_iter()
        .filter(|cohort| all.is_none() && !is_disturbed(run.scenario, cohort));
    let asked = asked.flat_map(|cohort| {
        let reasons = of_cohort(run, cohort).into_iter();
        reasons.filter_map(|reason| about_these_or_all(run, || reason, held(run, cohort), || true))
    });
    let kept = (faulty.into_iter()).filter(|cohort| cohort.keeps_messages());
    let kept = kept.flat_map(|cohort| {
        let reasons = of_cohort(run, cohort).into_iter();
        reasons.filter_map(|reason| about(|| reason, held(run, cohort)))
    });
    let each = Vec::from_iter(asked.chain(kept));
    all.into_iter().chain(each).collect()
}

/// Concerns everything but the gates on wrong answers that failed, if such answers were seen.
fn but_wrong_answers(run: &Run<'_>, reason: Distrust) -> Option<Doubt> {
    let wrong = Counter::MessagesMismatched.name();
    let is_proved = |gate: &Gate, result: &GateResult| {
        let mut selectors = gate.subject.selectors();
        !result.passed
            && result.observed.is_some_and(|seen| seen.value > 0.0)
            && selectors.any(|one| one.metric == wrong)
    };
    let (proved, others): (Vec<_>, Vec<_>) = run
        .judged_gates()
        .partition(|(gate, result)| is_proved(gate, result));
    if proved.is_empty() {
        return Some(Doubt {
            reason,
            concerns: Concerns::Everything,
        });
    }
    let others = others.into_iter().map(|(gate, _)| gate.text.clone());
    let promises = run.contracts.iter().map(|promise| promise.name());
    about(|| reason, others.chain(promises).collect())
}

/// What did not come to this cohort, if it has waited for something.
fn of_cohort(run: &Run<'_>, cohort: &Cohort) -> Vec<Distrust> {
    if counted(run, &[cohort], &GIVEN_UP) == 0 {
        return Vec::new();
    }
    let answer = no_answer(run, &[cohort], Some(cohort.name.clone()));
    answer.into_iter().chain(none_met(run, cohort)).collect()
}

/// Counts sends that waited for an answer until its timeout, or got a wrong one, and awaits that were not met. What was
/// lost with its connection proves nothing: the server may have ended it because of the fault.
const GIVEN_UP: [Counter; 6] = [
    Counter::MessagesTimedOut,
    Counter::MessagesMismatched,
    Counter::PingsMissed,
    Counter::AwaitsTimedOut,
    Counter::AwaitsWrong,
    Counter::AwaitsAbandoned,
];

/// Counts answers outside of the measured window too, because they prove that the server answers. `name` is that of the
/// cohort if only one is asked.
fn no_answer(run: &Run<'_>, cohorts: &[&Cohort], name: Option<String>) -> Option<Distrust> {
    let asked = Asked::of(cohorts)?;
    let total = |counters: &[Counter]| counted(run, cohorts, counters);
    let sent = total(&[asked.sent()]);
    // If no message was due yet, a message that nobody asked for, or a pong, proves that the server is alive.
    let is_there = sent == 0 && total(&[Counter::MessagesReceived, Counter::PongsReceived]) > 0;
    (total(asked.answers()) == 0 && !is_there).then(|| Distrust::NoAnswer {
        sent,
        asked,
        cohort: name,
        seen: Seen::of(run.view.all(), cohorts),
    })
}

/// Whether awaits began and not one was met. A gate on `awaits.met` says what is wanted, and judges it itself: an await
/// may be there for what must not come.
fn none_met(run: &Run<'_>, cohort: &Cohort) -> Option<Distrust> {
    let asked = Asked::Awaits;
    let total = |counters: &[Counter]| counted(run, &[cohort], counters);
    let begun = total(&[asked.sent()]);
    let is_missed = begun > 0 && total(asked.answers()) == 0;
    (is_missed && !is_gated(run.scenario, asked.answers(), cohort)).then(|| Distrust::NoAnswer {
        sent: begun,
        asked,
        cohort: Some(cohort.name.clone()),
        seen: Seen {
            messages: total(&[Counter::MessagesUnsolicited]),
            ..Seen::of(run.view.all(), &[cohort])
        },
    })
}

/// What steps did nothing of in the measured time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idle {
    /// No step that sends or waits was begun.
    Steps,
    /// None had an answer, beside messages on a schedule.
    Answers,
    /// No await was begun.
    Awaits,
    /// No turn of a schedule was due.
    Turns,
}

impl Idle {
    const ALL: [Self; 4] = [Self::Steps, Self::Answers, Self::Awaits, Self::Turns];

    /// Continues "no", and is continued by the cohorts.
    pub(super) const fn subject(self) -> &'static str {
        match self {
            Self::Steps | Self::Answers => "step",
            Self::Awaits => "await",
            Self::Turns => "turn",
        }
    }

    /// What the subject did not do.
    pub(super) const fn predicate(self) -> &'static str {
        match self {
            Self::Steps | Self::Awaits => "was begun",
            Self::Answers => "had an answer",
            Self::Turns => "was due",
        }
    }

    /// Whether a metric counts what this is about, and what became of it.
    fn is_told_by(self, metric: &str) -> bool {
        let unasked = [Counter::MessagesReceived, Counter::MessagesUnsolicited];
        match self {
            Self::Steps | Self::Answers => {
                metric.starts_with("messages.")
                    && unasked.iter().all(|counter| counter.name() != metric)
            }
            Self::Awaits => metric.starts_with("awaits."),
            Self::Turns => metric.starts_with("turns."),
        }
    }

    /// Whether this cohort has steps of this kind.
    fn concerns(self, cohort: &Cohort) -> bool {
        let mut steps = cohort.each_step_after_setup();
        match self {
            Self::Steps => {
                cohort.messages.is_empty()
                    && steps.any(|step| {
                        matches!(step.verb, Verb::Send(_) | Verb::Http(_) | Verb::Await(_))
                    })
            }
            // A step that expects nothing has no time that would tell of it, and messages hide it in all counts.
            Self::Answers => {
                let sends = |step: &&Step| matches!(step.verb, Verb::Send(_) | Verb::Http(_));
                let mut sending = steps.filter(sends).peekable();
                !cohort.messages.is_empty()
                    && sending.peek().is_some()
                    && sending.all(Step::expects_answer)
            }
            Self::Awaits => steps.any(|step| matches!(step.verb, Verb::Await(_))),
            Self::Turns => steps
                .any(|step| matches!(&step.verb, Verb::Repeat(repeat) if repeat.pace.is_some())),
        }
    }

    /// Whether nothing of this kind happened in the measured time.
    fn is_so(self, run: &Run<'_>, cohort: &Cohort) -> bool {
        let none = |counter: Counter| run.view.count_of(counter.name(), &cohort.name) == 0;
        match self {
            Self::Steps => none(Counter::MessagesDue) && none(Counter::AwaitsBegun),
            Self::Answers => {
                let mut names = cohort
                    .each_step_after_setup()
                    .filter_map(|step| step.name.as_ref());
                none(Counter::AwaitsBegun)
                    && names.all(|name| !run.view.is_timed(&metric::latency(name), &cohort.name))
            }
            Self::Awaits => none(Counter::AwaitsBegun),
            Self::Turns => none(Counter::TurnsDue),
        }
    }
}

/// Finds gates that held on what the steps of their cohorts did, where they did nothing in the measured time: the first one
/// was done or has failed before, and nothing came after it.
pub(super) fn none_begun(run: &Run<'_>) -> Vec<Doubt> {
    let doubts = Idle::ALL.into_iter().filter_map(|kind| {
        let cohorts = run.scenario.cohorts.iter();
        let idle: Vec<&Cohort> = cohorts
            .filter(|cohort| kind.concerns(cohort) && kind.is_so(run, cohort))
            .filter(|cohort| !Openings::of(run.view, &[cohort]).are_few())
            .collect();
        let is_empty = |selector: &Selector| {
            // Who has no awaits or turns adds nothing to their counts.
            let counts = |cohort: &&Cohort| match kind {
                Idle::Awaits | Idle::Turns => kind.concerns(cohort),
                Idle::Steps | Idle::Answers => true,
            };
            let mut cohorts = looked_at(run.scenario, selector).filter(counts).peekable();
            kind.is_told_by(&selector.metric)
                && cohorts.peek().is_some()
                && cohorts.all(|cohort| idle.iter().any(|one| one.name == cohort.name))
        };
        let gates = run
            .judged_gates()
            .filter(|(gate, result)| result.passed && gate.subject.selectors().any(is_empty));
        let these = gates.map(|(gate, _)| gate.text.clone()).collect();
        let cohorts = idle.iter().map(|cohort| cohort.name.clone()).collect();
        about(|| Distrust::NoStep { kind, cohorts }, these)
    });
    doubts.collect()
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

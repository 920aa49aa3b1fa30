//! Answers and deliveries that did not come, came wrong, or cannot be told apart; and no gate would notice.

use super::{none_of, of_cohort};
use crate::metric::{self, Cause, Counter};
use crate::scenario::{Cohort, Message, PromiseKind, Scenario, Subject};
use crate::verdict::answers::Asked;
use crate::verdict::distrust::{Distrust, Doubt};
use crate::verdict::facts::is_disturbed;
use crate::verdict::unnamed::{Unnamed, text_heartbeat};
use crate::verdict::view::{View, is_gated, is_gated_by};
use crate::verdict::warning::Warning;

/// Pongs may be missing where connections end or a server is slow for a moment; more than this part is no accident.
const PINGS_UNANSWERED: f64 = 0.1;

/// Warns of messages that lack their expected answer, if no gate would notice. Leaves out cohorts whose faults touch
/// their messages.
pub(super) fn unanswered(
    scenario: &Scenario,
    view: &View<'_>,
    doubts: &[Doubt],
) -> Option<Warning> {
    let cohorts = scenario.cohorts.iter();
    let cohorts = cohorts.filter(|cohort| cohort.keeps_messages());
    let cohorts: Vec<&Cohort> = cohorts
        .filter(|cohort| !is_doubted(doubts, cohort))
        .collect();
    let mut gates = Vec::new();
    let mut without = |counter: Counter| -> u64 {
        let answers = [counter, Counter::MessagesEchoed, Counter::MessagesAnswered];
        let cohorts = cohorts
            .iter()
            .filter(|cohort| !is_gated(scenario, &answers, cohort));
        let counts = cohorts.map(|cohort| (cohort, view.count_of(counter.name(), &cohort.name)));
        let counts = Vec::from_iter(counts.filter(|(_, count)| *count > 0));
        gates.extend(counts.first().map(|(cohort, _)| none_of(counter, cohort)));
        counts.iter().map(|(_, count)| count).sum()
    };
    let timed_out = without(Counter::MessagesTimedOut);
    let mismatched = without(Counter::MessagesMismatched);
    let sent = cohorts.iter();
    let sent = sent.map(|cohort| view.count_of(Counter::MessagesSent.name(), &cohort.name));
    (timed_out + mismatched > 0).then(|| Warning::Unanswered {
        timed_out,
        mismatched,
        sent: sent.sum(),
        gates,
    })
}

/// Warns of deliveries that did not come in time, if no gate would notice. Leaves out cohorts whose faults touch their
/// messages.
pub(super) fn undelivered(scenario: &Scenario, view: &View<'_>) -> Option<Warning> {
    let [received, expected] = [Counter::DeliveryReceived, Counter::DeliveryExpected];
    let cohorts = scenario.cohorts.iter();
    let cohorts = cohorts
        .filter(|cohort| cohort.keeps_messages() && !is_gated(scenario, &[received], cohort));
    let counts = cohorts.map(|cohort| {
        let count = |counter: Counter| view.count_of(counter.name(), &cohort.name);
        let expected = count(expected);
        (cohort, expected.saturating_sub(count(received)), expected)
    });
    let lacking = Vec::from_iter(counts.filter(|(_, missing, _)| *missing > 0));
    let (first, ..) = lacking.first()?;
    let [received, expected] = [received, expected].map(|counter| of_cohort(counter, first));
    Some(Warning::Undelivered {
        missing: lacking.iter().map(|(_, missing, _)| missing).sum(),
        expected: lacking.iter().map(|(.., expected)| expected).sum(),
        gate: format!("{} == 100%", Subject::Ratio(received, expected)),
    })
}

/// Warns of what has a `time`, and of which answers or messages came, but none with a time.
pub(super) fn no_age(scenario: &Scenario, view: &View<'_>) -> Option<Warning> {
    let silent = scenario.cohorts.iter().flat_map(|cohort| {
        let is_timed = |name: String| view.is_timed(&name, &cohort.name);
        let requests = cohort.timed_requests();
        let requests = requests.filter_map(|(_, step, _)| step.name.as_deref());
        let requests = requests.filter(move |name| is_timed(metric::latency(name)));
        let on = cohort.on.iter().filter(|on| on.time.is_some());
        let on = on.map(|on| on.name.as_str());
        let on = on.filter(move |name| is_timed(format!("gap.{name}")));
        let came = requests.chain(on);
        came.filter(move |name| !is_timed(format!("age.{name}")))
    });
    let names = Vec::from_iter(silent.map(str::to_owned));
    (!names.is_empty()).then_some(Warning::NoAge { names })
}

/// Warns of messages, and of text heartbeats, whose answers may have been matched with another one.
pub(super) fn uncertain(scenario: &Scenario, view: &View<'_>) -> Vec<Warning> {
    let looked_at = |counter: Counter| {
        let cohorts = scenario.cohorts.iter();
        cohorts.filter(move |cohort| cohort.is_looked_at(counter.name()))
    };
    let by_order = |cohort: &&Cohort| cohort.messages.iter().any(Message::is_matched_by_order);
    let messages = looked_at(Counter::MessagesTimedOut).filter(by_order);
    let texts = looked_at(Counter::PingsMissed).filter(|cohort| text_heartbeat(cohort).is_some());
    let found = |cohorts: Vec<&Cohort>, are_messages: bool, answers: &[Counter]| {
        let each = (cohorts.iter()).map(|cohort| Unnamed::of(view, cohort, are_messages));
        let unnamed = each.fold(Unnamed::none(are_messages), Unnamed::and);
        let counts = cohorts.iter().flat_map(|cohort| {
            answers
                .iter()
                .map(|counter| view.count_of(counter.name(), &cohort.name))
        });
        let answers = counts.sum();
        unnamed
            .is_any()
            .then_some(Warning::Uncertain { unnamed, answers })
    };
    let pongs = [Counter::PongsReceived, Counter::PongsLate];
    let of_messages = found(messages.collect(), true, &[Counter::MessagesEchoed]);
    of_messages
        .into_iter()
        .chain(found(texts.collect(), false, &pongs))
        .collect()
}

/// Warns of cohorts whose pings were not answered, if nothing that is judged would notice: not a single one, or so many
/// that it is no accident. Leaves out cohorts whose pings want no answer, or whose pongs a fault keeps back on purpose.
pub(super) fn pings_unanswered(
    scenario: &Scenario,
    view: &View<'_>,
    doubts: &[Doubt],
) -> Option<Warning> {
    let cohorts = scenario.cohorts.iter().filter(|cohort| {
        cohort.is_looked_at(Counter::PingsMissed.name())
            && cohort.watched().is_some()
            && !is_disturbed(scenario, cohort)
            && !is_doubted(doubts, cohort)
            && !is_judged_by_pongs(scenario, cohort)
    });
    let (mut unanswered, mut sent) = (0, 0);
    for cohort in cohorts {
        let count = |counter: Counter| view.count_of(counter.name(), &cohort.name);
        let (pings, missed) = (count(Counter::PingsSent), count(Counter::PingsMissed));
        let all = view.total_of(Counter::PongsReceived.name(), &cohort.name);
        let late = view.total_of(Counter::PongsLate.name(), &cohort.name);
        // With `alive_on = "any"`, pings that are never answered need not count as missed.
        let missed = if all + late == 0 { pings } else { missed };
        if missed as f64 > pings as f64 * PINGS_UNANSWERED {
            unanswered += missed;
            sent += pings;
        }
    }
    (unanswered > 0).then_some(Warning::PingsUnanswered { unanswered, sent })
}

/// Whether a doubt says of this cohort alone that nothing answered it.
fn is_doubted(doubts: &[Doubt], cohort: &Cohort) -> bool {
    doubts.iter().any(|doubt| match &doubt.reason {
        Distrust::NoAnswer {
            asked,
            cohort: Some(name),
            ..
        } => *asked != Asked::Awaits && *name == cohort.name,
        _ => false,
    })
}

/// Whether a gate or a promise about this cohort depends on pongs that do not come.
fn is_judged_by_pongs(scenario: &Scenario, cohort: &Cohort) -> bool {
    let is_lost = cohort.gives_up();
    let tells = |metric: &str| {
        [
            Counter::PingsMissed,
            Counter::PongsReceived,
            Counter::ConnectionsDead,
        ]
        .iter()
        .any(|counter| counter.name() == metric)
            || (is_lost && metric == Counter::ConnectionsLost.name())
            || [Cause::PeerFrozen, Cause::PathDead, Cause::MissedPong]
                .iter()
                .any(|cause| metric::error(*cause) == metric)
    };
    let mut promises = cohort
        .contract
        .iter()
        .flat_map(|contract| &contract.promises);
    is_gated_by(scenario, tells, cohort)
        || promises.any(|promise| {
            matches!(
                promise.kind,
                PromiseKind::PongWithin
                    | PromiseKind::DetectedBetween
                    | PromiseKind::RecoversWithin
            )
        })
}

//! Finds what a reader of the numbers should know about the run itself.
//! Each limit is defined here, with its reason.

use super::answers::Asked;
use super::distrust::{Distrust, Doubt};
use super::facts::{Facts, Outcome, is_disturbed, is_open_model, planned_connections};
use super::failures::Failures;
use super::generator::{BUSY_MEAN, cpu};
use super::lag::{CUT_NS, Lag};
use super::unnamed::{Unnamed, text_heartbeat};
use super::view::{View, is_gated, is_gated_by};
use super::warning::Warning;
use crate::measure::{Relayed, Summary, Surroundings, Value};
use crate::metric::{self, Cause, Counter, Gauge, MAX_STREAMS, Timer};
use crate::scenario::{
    Cohort, HttpVersion, Message, PromiseKind, Reconnect, Scenario, Selector, Shape, Stat, Subject,
};

/// If it uses this part of all its cores in any one second, the generator may limit the run.
const BUSY_PEAK: f64 = 0.95;
/// Throttling in a smaller part of the periods than this is noise.
const THROTTLED: f64 = 0.01;
/// Pongs may be missing where connections end or a server is slow for a moment; more than this part is no accident.
const PINGS_UNANSWERED: f64 = 0.1;
/// Lateness below this is the normal cost of waking a thread.
const LATE_NS: u64 = 1_000_000;
/// How many samples above it a percentile needs.
const SAMPLES_ABOVE: f64 = 10.0;

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
    found.extend(fewer_connections(scenario, all, facts));
    found.extend(setups_failed(scenario, view));
    found.extend(fallbacks(all));
    found.extend(fewer_streams(scenario, all));
    let is_insecure = scenario.trusts_anyone();
    found.extend(is_insecure.then_some(Warning::Insecure));
    found.extend(scenario.key_log().map(|path| Warning::KeyLog {
        path: path.display().to_string(),
    }));
    found.extend(scenario.cautions().into_iter().map(Warning::Caution));
    found.extend(arrivals_skipped(scenario, all));
    found.extend(generator_busy(scenario, view, facts));
    found.extend(held_up(view, facts));
    found.extend(throttled(facts));
    found.extend(unanswered(scenario, view, doubts));
    found.extend(undelivered(scenario, view));
    found.extend(no_age(scenario, view));
    found.extend(sends_late(scenario, view));
    found.extend(not_sent(view));
    found.extend(uncertain(scenario, view));
    found.extend(pings_unanswered(scenario, view, doubts));
    found.extend(too_few_samples(scenario, view));
    found.extend(clipped(view));
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
    found.extend(around(&facts.surroundings));
    found.extend(strangers(scenario, all, &facts.surroundings));
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
            | (
                Distrust::GeneratorBusy { .. },
                Warning::GeneratorBusy { .. }
            )
            | (Distrust::NotJudged { .. }, Warning::NotJudged { .. })
    )
}

/// Warns of connections that did not open. For a run that was cut short, compares with what was tried.
fn fewer_connections(scenario: &Scenario, summary: &Summary, facts: &Facts) -> Option<Warning> {
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
        (asked.saturating_sub(left_out), first_time)
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
fn setups_failed(scenario: &Scenario, view: &View<'_>) -> Option<Warning> {
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
fn fallbacks(summary: &Summary) -> Option<Warning> {
    let mut passed: Vec<_> = summary.fallbacks.iter().collect();
    passed.sort_by_key(|(_, fallback)| std::cmp::Reverse(fallback.count));
    let addresses = (passed.iter()).map(|(at, one)| ((*at).to_owned(), one.why.clone()));
    (!passed.is_empty()).then(|| Warning::Fallbacks {
        count: summary.count(Counter::ConnectionsFallbacks.name()),
        addresses: addresses.collect(),
        any_opened: summary.count(Counter::ConnectionsOpened.name()) > 0,
    })
}

/// Warns of a server that allows fewer streams on a connection than were asked for.
fn fewer_streams(scenario: &Scenario, summary: &Summary) -> Option<Warning> {
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

/// Warns of problems with the faults themselves: of the target and of the path.
fn around(surroundings: &Surroundings) -> impl Iterator<Item = Warning> {
    let failed = (surroundings.fault_failed.clone()).map(|why| Warning::TargetFaultFailed { why });
    let look_ups = surroundings.look_ups_failed.clone();
    let look_ups = look_ups.map(|(count, why)| Warning::LookUpsFailed { count, why });
    let failed = failed.into_iter().chain(look_ups);
    let Relayed {
        connections,
        unreachable,
        accepts_failed,
        backed_up,
        ..
    } = surroundings.relayed.unwrap_or_default();
    let unreachable = (unreachable > 0).then_some(Warning::PathUnreachable {
        unreachable,
        connections,
    });
    let backed_up = (backed_up > 0).then_some(Warning::PathBackedUp {
        backed_up,
        connections,
    });
    let accepts = (accepts_failed > 0).then_some(Warning::PathAccepts {
        failed: accepts_failed,
    });
    let of_path = unreachable.into_iter().chain(accepts).chain(backed_up);
    failed.into_iter().chain(of_path)
}

/// Warns of connections to the relay that no client of this run has dialled.
fn strangers(scenario: &Scenario, all: &Summary, around: &Surroundings) -> Option<Warning> {
    let (path, relayed) = (scenario.path.as_ref()?, around.relayed?);
    let attempted = Counter::ConnectionsAttempted.name();
    let cohorts = (scenario.cohorts.iter()).filter(|cohort| path.leads(&cohort.name));
    let dialled =
        cohorts.map(|cohort| Summary::sum(all.select(attempted, Some(&cohort.name), None)));
    let strangers = relayed.connections.saturating_sub(dialled.sum());
    (strangers > 0).then_some(Warning::PathStrangers { strangers })
}

fn arrivals_skipped(scenario: &Scenario, summary: &Summary) -> Option<Warning> {
    let Shape::Arrivals { max_open, .. } = scenario.load.shape else {
        return None;
    };
    let skipped = summary.count(Counter::ConnectionsSkipped.name());
    (skipped > 0).then_some(Warning::ArrivalsSkipped { skipped, max_open })
}

fn generator_busy(scenario: &Scenario, view: &View<'_>, facts: &Facts) -> Option<Warning> {
    let (cpu, limit) = (cpu(view)?, facts.cpu_limit());
    (cpu.mean >= BUSY_MEAN * limit || cpu.max >= BUSY_PEAK * limit).then_some(
        Warning::GeneratorBusy {
            mean: cpu.mean,
            peak: cpu.max,
            limit,
            open_model: is_open_model(scenario),
        },
    )
}

/// Warns of a stop of this length whether it made a gate fail or not.
fn held_up(view: &View<'_>, facts: &Facts) -> Option<Warning> {
    let lag = Lag::measured(view, facts);
    (lag.longest_ns() >= CUT_NS).then(|| Warning::HeldUp {
        longest_ns: lag.longest_ns(),
        share: lag.share(),
    })
}

fn throttled(facts: &Facts) -> Option<Warning> {
    let throttling = facts.throttling?;
    (throttling.share() >= THROTTLED).then_some(Warning::Throttled(throttling))
}

/// Warns of messages that lack their expected answer, if no gate would notice. Leaves out cohorts whose faults touch
/// their messages.
fn unanswered(scenario: &Scenario, view: &View<'_>, doubts: &[Doubt]) -> Option<Warning> {
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
fn undelivered(scenario: &Scenario, view: &View<'_>) -> Option<Warning> {
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
fn no_age(scenario: &Scenario, view: &View<'_>) -> Option<Warning> {
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

fn sends_late(scenario: &Scenario, view: &View<'_>) -> Option<Warning> {
    let late = view.histogram(Timer::ScheduleLateness.name())?;
    let p99_ns = late.percentile(99.0)?;
    (p99_ns > LATE_NS).then(|| Warning::SendsLate {
        p99_ns,
        open_model: is_open_model(scenario),
        held_up: view.count(Counter::MessagesHeldUp.name()),
    })
}

fn not_sent(view: &View<'_>) -> Option<Warning> {
    let not_sent = view.count(Counter::MessagesNotSent.name());
    (not_sent > 0).then(|| Warning::NotSent {
        not_sent,
        not_taken: view.count(Counter::MessagesNotTaken.name()),
        due: view.count(Counter::MessagesDue.name()),
    })
}

/// Warns of messages, and of text heartbeats, whose answers may have been matched with another one.
fn uncertain(scenario: &Scenario, view: &View<'_>) -> Vec<Warning> {
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
fn pings_unanswered(scenario: &Scenario, view: &View<'_>, doubts: &[Doubt]) -> Option<Warning> {
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

/// One warning for each distribution: the lowest percentile with too few samples, of those that a gate looks at.
/// Leaves out empty distributions: their gates fail anyway.
fn too_few_samples(scenario: &Scenario, view: &View<'_>) -> Vec<Warning> {
    let mut looked_at: Vec<(Selector, Vec<f64>)> = Vec::new();
    for gate in &scenario.gates.pass {
        if let Subject::Stat(Stat::Percentile(percentile), selector) = &gate.subject {
            match looked_at.iter_mut().find(|(known, _)| known == selector) {
                Some((_, percentiles)) => percentiles.push(*percentile),
                None => looked_at.push((selector.clone(), vec![*percentile])),
            }
        }
    }
    let thin = looked_at.into_iter().filter_map(|(selector, percentiles)| {
        let samples = Summary::merged(view.of(&selector))?.count();
        let percentile = (percentiles.into_iter())
            .filter(|percentile| samples < samples_for(*percentile))
            .min_by(f64::total_cmp)?;
        Some(Warning::TooFewSamples {
            metric: shown(&selector),
            percentile,
            samples,
            wanted: samples_for(percentile),
        })
    });
    thin.collect()
}

/// Formats a selector as a gate writes it.
fn shown(selector: &Selector) -> String {
    let cohort = selector.cohort.iter().map(|name| format!("cohort={name}"));
    let stage = selector.stage.iter().map(|stage| format!("stage={stage}"));
    let places: Vec<String> = cohort.chain(stage).collect();
    if places.is_empty() {
        selector.metric.clone()
    } else {
        format!("{}{{{}}}", selector.metric, places.join(", "))
    }
}

/// How many samples a percentile (below 100) needs to be meaningful: ten above it.
pub fn samples_for(percentile: f64) -> u64 {
    // Rounds first: 100 - 99.9 is slightly more than 0.1 in floating point.
    let above = ((100.0 - percentile) * 1e9).round() / 1e9;
    (SAMPLES_ABOVE * 100.0 / above).ceil() as u64
}

fn clipped(view: &View<'_>) -> Vec<Warning> {
    let rows = view.distributions().filter_map(|row| match &row.value {
        Value::Histogram(times) if times.clipped() > 0 => Some(Warning::Clipped {
            metric: row.name.clone(),
            count: times.clipped(),
        }),
        _ => None,
    });
    rows.collect()
}

#[cfg(test)]
#[path = "warnings_tests.rs"]
mod tests;

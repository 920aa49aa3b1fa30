//! Finds what a reader of the numbers should know about the run itself.
//! Each limit stands here, with its reason.

use super::distrust::{Distrust, Doubt};
use super::facts::{Facts, Outcome, is_open_model, planned_connections};
use super::failures::Failures;
use super::lag::{BUSY_MEAN, CUT_NS, Lag, cpu};
use super::view::View;
use super::warning::Warning;
use crate::measure::{Relayed, Summary, Surroundings, Value};
use crate::metric::{Counter, Timer};
use crate::scenario::{Message, Reconnect, Scenario, Selector, Shape, Stat, Subject, Trust};

/// From this part of all its cores on, in any one second, the generator may be what limits the run.
const BUSY_PEAK: f64 = 0.95;
/// Throttling in fewer of the periods than this is noise.
const THROTTLED: f64 = 0.01;
/// Lateness below this is what a sleeping thread costs.
const LATE_NS: u64 = 1_000_000;
/// A percentile wants so many samples above it.
const SAMPLES_ABOVE: f64 = 10.0;

/// Every warning there is, but for what a doubt says already.
pub(super) fn find(
    scenario: &Scenario,
    view: &View<'_>,
    facts: &Facts,
    doubts: &[Doubt],
) -> Vec<Warning> {
    let all = view.all();
    let mut found = Vec::new();
    // What a bad client does wrong begins after its 101: until then it is like the others.
    found.extend(fewer_connections(scenario, all, facts));
    found.extend(fallbacks(all));
    let is_insecure = scenario.target.trust == Trust::Anyone;
    found.extend(is_insecure.then_some(Warning::Insecure));
    found.extend(arrivals_skipped(scenario, all));
    found.extend(generator_busy(scenario, view, facts));
    found.extend(held_up(view, facts));
    found.extend(throttled(facts));
    found.extend(unanswered(scenario, view));
    found.extend(sends_late(scenario, view));
    found.extend(not_sent(view));
    found.extend(uncertain(scenario, view));
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
    found.extend((!facts.precise_timer).then_some(Warning::NoPreciseTimer));
    let pings = scenario.cohorts.iter().any(|c| c.heartbeat.is_some());
    found.extend((pings && !facts.kernel_view).then_some(Warning::NoKernelView));
    found.retain(|warning| !doubts.iter().any(|doubt| says_more(&doubt.reason, warning)));
    found
}

/// Whether the doubt speaks of the same thing.
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
                Warning::FewerConnections { .. }
            )
            | (Distrust::NoAnswer { .. }, Warning::Unanswered { .. })
            | (Distrust::WorkersLate { .. }, Warning::HeldUp { .. })
            | (Distrust::Throttled(_), Warning::Throttled(_))
            | (
                Distrust::GeneratorBusy { .. },
                Warning::GeneratorBusy { .. }
            )
            | (Distrust::NotJudged { .. }, Warning::NotJudged { .. })
    )
}

/// A run that was cut short is held to what it tried.
fn fewer_connections(scenario: &Scenario, summary: &Summary, facts: &Facts) -> Option<Warning> {
    let count = |counter: Counter| summary.count(counter.name());
    let failed = count(Counter::ConnectionsFailed);
    let all_opened = count(Counter::ConnectionsOpened);
    let (asked, opened) = if facts.outcome == Outcome::Completed {
        let asked = planned_connections(scenario);
        let first_time = all_opened.saturating_sub(count(Counter::ConnectionsReconnected));
        (
            asked.saturating_sub(count(Counter::ConnectionsSkipped)),
            first_time,
        )
    } else {
        (failed + all_opened, all_opened)
    };
    let lost_for_good = scenario
        .cohorts
        .iter()
        .filter(|cohort| cohort.reconnect == Reconnect::None)
        .any(|cohort| {
            let mut rows =
                summary.select(Counter::ConnectionsFailed.name(), Some(&cohort.name), None);
            rows.any(|row| matches!(row.value, Value::Counter(failed) if failed > 0))
        });
    (opened < asked || lost_for_good).then(|| Warning::FewerConnections {
        asked,
        opened,
        failed,
        failures: Failures::of(summary),
    })
}

/// Addresses that took no connection while others did.
fn fallbacks(summary: &Summary) -> Option<Warning> {
    let (address, most) = (summary.fallbacks.iter()).max_by_key(|(_, fallback)| fallback.count)?;
    Some(Warning::Fallbacks {
        count: summary.count(Counter::ConnectionsFallbacks.name()),
        address: address.to_owned(),
        why: most.why.clone(),
    })
}

/// What went wrong with the faults themselves.
fn around(surroundings: &Surroundings) -> impl Iterator<Item = Warning> {
    let failed = (surroundings.fault_failed.clone()).map(|why| Warning::TargetFaultFailed { why });
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

/// A stop of this length is told, whether a gate failed by it or not.
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

/// Sent messages without the answer that they expect, where no gate would notice.
fn unanswered(scenario: &Scenario, view: &View<'_>) -> Option<Warning> {
    let is_gated = |counter: Counter| {
        let mut gates = scenario.gates.pass.iter();
        let is_of = |name: &str| gates.any(|gate| gate.subject.is_of(name));
        [counter.name(), Counter::MessagesEchoed.name()]
            .into_iter()
            .any(is_of)
    };
    let without = |counter: Counter| match is_gated(counter) {
        true => 0,
        false => view.count(counter.name()),
    };
    let timed_out = without(Counter::MessagesTimedOut);
    let mismatched = without(Counter::MessagesMismatched);
    (timed_out + mismatched > 0).then(|| Warning::Unanswered {
        timed_out,
        mismatched,
        sent: view.count(Counter::MessagesSent.name()),
    })
}

fn sends_late(scenario: &Scenario, view: &View<'_>) -> Option<Warning> {
    let late = view.histogram(Timer::ScheduleLateness.name())?;
    let p99_ns = late.percentile(99.0)?;
    (p99_ns > LATE_NS).then(|| Warning::SendsLate {
        p99_ns,
        open_model: is_open_model(scenario),
    })
}

fn not_sent(view: &View<'_>) -> Option<Warning> {
    let not_sent = view.count(Counter::MessagesNotSent.name());
    (not_sent > 0).then(|| Warning::NotSent {
        not_sent,
        due: view.count(Counter::MessagesDue.name()),
    })
}

fn uncertain(scenario: &Scenario, view: &View<'_>) -> Option<Warning> {
    let uncertain =
        view.count(Counter::MessagesUncertain.name()) + view.count(Counter::PongsUncertain.name());
    let answers = [
        Counter::MessagesEchoed,
        Counter::PongsReceived,
        Counter::PongsLate,
    ];
    let cohorts = scenario.cohorts.iter().filter(|cohort| {
        cohort.is_looked_at(Counter::MessagesTimedOut.name())
            && cohort.messages.iter().any(Message::is_matched_by_order)
    });
    let timed_out: u64 = cohorts
        .map(|cohort| {
            let name = Counter::MessagesTimedOut.name();
            Summary::sum(view.all().select(name, Some(&cohort.name), None))
        })
        .sum();
    (uncertain + timed_out > 0).then(|| Warning::Uncertain {
        uncertain,
        timed_out,
        answers: answers
            .map(|counter| view.count(counter.name()))
            .iter()
            .sum(),
    })
}

/// One for each distribution: the lowest percentile that is not covered, of those a gate looks at. An
/// empty one fails its gates anyway.
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

/// As a gate writes it.
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

/// How many samples a percentile (below 100) wants before it means much: ten above it.
pub fn samples_for(percentile: f64) -> u64 {
    // Rounded first: 100 - 99.9 is a little more than a tenth.
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
mod tests {
    use super::super::facts::Throttling;
    use super::super::fixture::{Run, gate, scenario, timed_gate};
    use super::super::judge::judge;
    use super::*;
    use crate::metric::Cause;
    use crate::scenario::{Op, Pacing, Payload};
    use std::time::Duration;

    fn found(scenario: &Scenario, run: &Run) -> Vec<Warning> {
        judged(scenario, &run.summary(), &Facts::completed(2), &[])
    }

    fn judged(
        scenario: &Scenario,
        summary: &Summary,
        facts: &Facts,
        doubts: &[Doubt],
    ) -> Vec<Warning> {
        find(scenario, &View::new(scenario, summary), facts, doubts)
    }

    #[test]
    fn a_healthy_run_warns_of_nothing() {
        assert_eq!(found(&scenario(), &Run::healthy()), []);
    }

    #[test]
    fn a_busy_generator_matters_differently_in_a_closed_model() {
        let mut run = Run::healthy();
        run.cpu(&[50.0, 189.0]);
        assert_eq!(found(&scenario(), &run), []);
        run.cpu(&[191.0]);
        let open = found(&scenario(), &run);
        assert!(open[0].to_string().ends_with("191 % at the peak, of 200 %"));
        assert!(open[0].hint().unwrap().starts_with("offer less"));
        let mut closed = scenario();
        closed.cohorts[0].messages[0].pacing = Pacing::Closed {
            in_flight: 1,
            think: Duration::ZERO,
        };
        assert!(
            found(&closed, &run)[0]
                .hint()
                .unwrap()
                .contains("partly the generator's")
        );
    }

    #[test]
    fn answers_that_cannot_be_told_apart_are_said() {
        let mut run = Run::healthy();
        let echoed = 100_000;
        run.add(Counter::MessagesUncertain, 40)
            .add(Counter::PongsUncertain, 2);
        let warnings = found(&scenario(), &run);
        assert!(
            matches!(warnings[..], [Warning::Uncertain { uncertain: 42, answers, timed_out: 0 }] if answers >= echoed),
            "{warnings:?}"
        );
        assert!(warnings[0].hint().unwrap().contains("{{stamp}}"));

        // Before the first timeout a lost answer is not noticed, so a timeout alone is a reason.
        let mut run = Run::healthy();
        run.add(Counter::MessagesTimedOut, 3);
        assert_eq!(found(&scenario(), &run), []);
        let mut fixed = scenario();
        fixed.cohorts[0].messages[0].payload = Payload::Fixed((*b"a").into());
        assert_eq!(
            found(&fixed, &run)[0].to_string(),
            "3 messages timed out where answers do not name theirs: those before and after may be of other messages"
        );
    }

    #[test]
    fn late_sends_are_said_once() {
        let mut run = Run::healthy();
        run.late(1_500_000, 100);
        assert_eq!(
            found(&scenario(), &run)[0].to_string(),
            "sends were late: p99 1.50 ms"
        );
        run.not_sent(500);
        let verdict = judge(&scenario(), &run.summary(), &Facts::completed(2));
        let kinds: Vec<_> = verdict.warnings.iter().map(Warning::kind).collect();
        assert_eq!(kinds, ["sends_late"]);
    }

    #[test]
    fn what_no_gate_looks_at_is_told() {
        let mut run = Run::healthy();
        run.add(Counter::MessagesTimedOut, 30)
            .add(Counter::MessagesMismatched, 2);
        let warnings = found(&scenario(), &run);
        assert_eq!(
            warnings[0].to_string(),
            "of 100,000 messages 30 timed out and 2 came back wrong, and no gate looks at that"
        );
        let mut gated = scenario();
        let none = gate(Stat::Count, "messages.timed_out", Op::Equal, 0.0);
        gated.gates.pass.push(none);
        let warnings = found(&gated, &run);
        assert!(
            warnings[0]
                .to_string()
                .contains("messages 2 came back wrong")
        );
    }

    #[test]
    fn a_long_stop_is_told() {
        let mut run = Run::healthy();
        run.lagged(2_000_000_000, 1);
        assert_eq!(
            found(&scenario(), &run)[0].to_string(),
            "wsbench itself was held up for 2.00 s at once, and for 10.0 % of the time"
        );
    }

    #[test]
    fn processor_time_is_held_to_what_may_be_had() {
        let mut run = Run::healthy();
        run.cpu(&[18.0]);
        let facts = Facts {
            cores: Some(0.2),
            throttling: Some(Throttling {
                periods: 100,
                throttled: 2,
            }),
            ..Facts::completed(2)
        };
        let warnings = judged(&scenario(), &run.summary(), &facts, &[]);
        let said: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "the generator was busy: 18 % CPU on average, 18 % at the peak, of 20 %",
                "the kernel kept wsbench from running in 2 of 100 periods, for its limit of CPU was used up"
            ]
        );
    }

    #[test]
    fn a_few_unsent_messages_are_named() {
        let mut run = Run::healthy();
        run.not_sent(1);
        let warnings = found(&scenario(), &run);
        assert_eq!(
            warnings[0].to_string(),
            "1 of 100,001 messages due were not sent"
        );
    }

    #[test]
    fn missing_connections_are_explained() {
        let mut run = Run::healthy();
        run.opened_less(3).refused(2, "connect: connection refused");
        run.failed(Cause::NoDescriptor, 1);
        let warnings = found(&scenario(), &run);
        assert_eq!(
            warnings[0].to_string(),
            "7 of 10 connections opened, 3 attempts failed: 2 refused, 1 no_descriptor (connect: connection refused)"
        );
        assert!(warnings[0].hint().unwrap().contains("running"));
    }

    #[test]
    fn a_run_cut_short_is_held_to_what_it_tried() {
        let mut run = Run::healthy();
        run.opened_less(5);
        let interrupted = Facts {
            outcome: Outcome::Interrupted,
            ..Facts::completed(2)
        };
        assert_eq!(judged(&scenario(), &run.summary(), &interrupted, &[]), []);
        assert_eq!(found(&scenario(), &run)[0].kind(), "fewer_connections");
    }

    #[test]
    fn thin_percentiles_are_named_from_the_lowest_on() {
        let mut run = Run::new();
        run.opened(10).echoed(500, 1_000_000);
        assert_eq!(found(&scenario(), &run), [], "no gate looks at one");

        let mut strict = scenario();
        for percent in [99.99, 99.0, 90.0] {
            let stat = Stat::Percentile(percent);
            (strict.gates.pass).push(timed_gate(stat, "latency.echo", Op::Less, 1e9));
        }
        let warnings = found(&strict, &run);
        assert_eq!(
            warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["500 samples of `latency.echo` are too few for p99, which wants 1,000"]
        );
        run.echoed(99_500, 1_000_000);
        assert_eq!(found(&strict, &run), []);
    }

    #[test]
    fn percentiles_want_ten_samples_above_them() {
        let wanted = [50.0, 90.0, 99.0, 99.9, 99.99].map(samples_for);
        assert_eq!(wanted, [20, 100, 1_000, 10_000, 100_000]);
    }

    #[test]
    fn what_reports_cannot_hold_is_said() {
        let mut run = Run::healthy();
        run.echoed(1, 2 * 3_600_000_000_000)
            .add(Counter::MessagesRetyped, 4);
        let mut summary = run.summary();
        summary.endings.more = 7;
        let kinds = |warnings: &[Warning]| -> Vec<&'static str> {
            warnings.iter().map(Warning::kind).collect()
        };
        let warnings = judged(&scenario(), &summary, &Facts::completed(2), &[]);
        assert_eq!(kinds(&warnings), ["clipped", "retyped", "endings_overflow"]);
    }

    #[test]
    fn skipped_arrivals_are_not_missing() {
        let mut run = Run::healthy();
        run.opened_less(4).add(Counter::ConnectionsSkipped, 4);
        let mut storm = scenario();
        storm.load.shape = Shape::Arrivals {
            rate: crate::units::Rate::per_second(5.0).unwrap(),
            lifetime: Duration::from_secs(1),
            max_open: 3,
            warm_up: Duration::ZERO,
            duration: Duration::from_secs(2),
        };
        let warnings = found(&storm, &run);
        assert_eq!(
            warnings,
            [Warning::ArrivalsSkipped {
                skipped: 4,
                max_open: 3
            }]
        );
    }

    #[test]
    fn faults_that_went_wrong_are_told() {
        let mut facts = Facts::completed(2);
        facts.surroundings.fault_failed = Some("the target has ended".to_owned());
        facts.surroundings.relayed = Some(Relayed {
            connections: 1_200,
            unreachable: 3,
            backed_up: 40,
            ..Relayed::default()
        });
        let warnings = judged(&scenario(), &Run::healthy().summary(), &facts, &[]);
        let said: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "a fault of the target could not be carried out, and none after it: the target has ended",
                "3 of 1,200 connections came no further than the relay of `[path]`: the target did not take them",
                "the relay of `[path]` held all it may for 40 of 1,200 connections, and made their senders wait",
            ]
        );
        facts.surroundings.fault_failed = None;
        facts.surroundings.relayed = Some(Relayed::default());
        assert_eq!(
            judged(&scenario(), &Run::healthy().summary(), &facts, &[]),
            []
        );
    }

    #[test]
    fn a_system_that_cannot_tell_says_so() {
        let facts = Facts {
            precise_timer: false,
            kernel_view: false,
            ..Facts::completed(2)
        };
        let warnings = judged(&scenario(), &Run::healthy().summary(), &facts, &[]);
        assert_eq!(warnings, [Warning::NoPreciseTimer, Warning::NoKernelView]);
    }

    #[test]
    fn addresses_that_were_passed_over_and_certificates_that_were_not_checked_are_told() {
        let mut run = Run::healthy();
        run.add(Counter::ConnectionsFallbacks, 7);
        let mut summary = run.summary();
        summary.fallbacks.add("[::1]:1", 5, "refused");
        summary.fallbacks.add("[::2]:1", 2, "unreachable");
        let mut insecure = scenario();
        insecure.target.trust = Trust::Anyone;
        let warnings = judged(&insecure, &summary, &Facts::completed(2), &[]);
        let said: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "7 dials went on to another address of the name: `refused` at [::1]:1",
                "`insecure = true`: the server's certificate was not checked, so anybody may have answered",
            ]
        );
    }
}

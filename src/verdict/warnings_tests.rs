//! Tests each warning: when it is given, and its text.

use super::super::distrust::Concerns;
use super::super::facts::Throttling;
use super::super::fixture::{Run, beside, gate, scenario, timed_gate};
use super::super::judge::judge;
use super::super::seen::Seen;
use super::*;
use crate::metric::Cause;
use crate::scenario::parse::parse_alone;
use crate::scenario::{
    Fault, FaultKind, Lifetime, OnDead, Op, Overrides, Pacing, Path, PathFault, PathFaultKind,
    Payload, PingKind, Trust,
};
use std::time::Duration;

fn found(scenario: &Scenario, run: &Run) -> Vec<Warning> {
    judged(scenario, &run.summary(), &Facts::completed(2), &[])
}

fn judged(scenario: &Scenario, summary: &Summary, facts: &Facts, doubts: &[Doubt]) -> Vec<Warning> {
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
    run.add(Counter::MessagesUncertain, 40)
        .add(Counter::MessagesDuplicated, 2)
        .add(Counter::PingsMissed, 1)
        .add(Counter::PongsUncertain, 3);
    let mut texts = scenario();
    texts.cohorts[0].messages[0].payload = Payload::Fixed((*b"a").into());
    let of = |scenario: &Scenario| {
        let warnings = found(scenario, &run).into_iter();
        let uncertain = warnings.filter(|warning| warning.kind() == "uncertain");
        uncertain
            .map(|warning| warning.to_string())
            .collect::<Vec<_>>()
    };
    // Pongs that are frames name their pings, and are no answers of this kind.
    let messages = "2 answers came that no message waited for, and the answers carry no stamp: \
                    answers may have been taken for those of other messages; \
                    40 of 100,000 answers were not timed";
    assert_eq!(of(&texts), [messages]);
    let heartbeat = texts.cohorts[0].heartbeat.as_mut().unwrap();
    heartbeat.pings.as_mut().unwrap().kind = PingKind::texts("?", "!");
    let pings = "1 text ping timed out, and the answers do not say which ping they answer: \
                 answers may have been taken for those of other text pings; \
                 3 of 100 answers were not timed";
    assert_eq!(of(&texts), [messages, pings]);
    assert!(found(&texts, &run)[0].hint().unwrap().contains("{{stamp}}"));

    // A lost answer is not noticed before its timeout, so a timeout alone is a reason to warn.
    let mut run = Run::healthy();
    run.add(Counter::MessagesTimedOut, 3);
    let uncertain = |scenario: &Scenario| {
        let warnings = found(scenario, &run);
        let uncertain = warnings
            .iter()
            .find(|warning| warning.kind() == "uncertain");
        uncertain.map(ToString::to_string)
    };
    assert_eq!(uncertain(&scenario()), None);
    let mut fixed = scenario();
    fixed.cohorts[0].messages[0].payload = Payload::Fixed((*b"a").into());
    assert_eq!(
        uncertain(&fixed).unwrap(),
        "3 messages timed out, and the answers carry no stamp: answers may have been taken for those of other messages"
    );
}

/// The gate that is named notices what the warning tells of, and is not there already.
#[test]
fn unanswered_messages_are_told_with_the_gate_that_is_missing() {
    let mut run = Run::healthy();
    run.add(Counter::MessagesTimedOut, 4);
    let mut scenario = scenario();
    let none = |metric: &str| gate(Stat::Count, metric, Op::Equal, 0.0);
    let hint = |scenario: &Scenario, run: &Run| {
        let mut warnings = found(scenario, run).into_iter();
        let unanswered = warnings.find(|warning| warning.kind() == "unanswered");
        unanswered.and_then(|warning| warning.hint())
    };
    let (timed_out, mismatched) = ("messages.timed_out", "messages.mismatched");
    scenario.gates.pass = vec![none(mismatched)];
    assert_eq!(
        hint(&scenario, &run).unwrap(),
        "add the gate `count(messages.timed_out) == 0`"
    );
    run.add(Counter::MessagesMismatched, 1);
    scenario.gates.pass.clear();
    assert_eq!(
        hint(&scenario, &run).unwrap(),
        "add the gate `count(messages.timed_out) == 0` and `count(messages.mismatched) == 0`"
    );
    for gates in [
        vec![none(timed_out), none(mismatched)],
        vec![none("messages.answered")],
    ] {
        scenario.gates.pass = gates;
        assert_eq!(hint(&scenario, &run), None);
    }
    scenario.cohorts[0].faults = vec![Fault {
        kind: FaultKind::WrongPong,
        after: Duration::ZERO,
    }];
    scenario.gates.pass.clear();
    let of_main = hint(&scenario, &run).unwrap();
    assert!(of_main.contains("{cohort=main}) == 0`"), "{of_main}");
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
fn what_the_server_did_not_take_is_told() {
    let mut run = Run::healthy();
    run.late(2_000_000, 100)
        .not_sent(500)
        .add(Counter::MessagesNotTaken, 500)
        .add(Counter::MessagesHeldUp, 30);
    let told: Vec<String> = found(&scenario(), &run)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        told,
        [
            "sends were late: p99 2.00 ms; for 30 messages the server took no bytes before",
            "500 of 100,500 messages due were not sent, because the server took no bytes",
        ]
    );
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
fn pings_that_nobody_answers_are_told() {
    let mut silent = Run::new();
    silent
        .opened(10)
        .echoed(1_000, 1_000_000)
        .add(Counter::PingsSent, 100)
        .add(Counter::PingsMissed, 20);
    let warned = |scenario: &Scenario, run: &Run| {
        let warnings = found(scenario, run).into_iter();
        let mut warnings = warnings.filter(|warning| warning.kind() == "pings_unanswered");
        warnings.next().map(|warning| warning.to_string())
    };
    let mut scenario = scenario();
    assert_eq!(warned(&scenario, &silent), None, "a gate looks at the dead");
    scenario.gates.pass = vec![gate(Stat::Count, "connections.lost", Op::Equal, 0.0)];
    assert_eq!(warned(&scenario, &silent), None, "the dead are lost");
    let heartbeat = scenario.cohorts[0].heartbeat.as_mut().unwrap();
    heartbeat.on_dead = OnDead::Keep;
    assert_eq!(
        warned(&scenario, &silent).unwrap(),
        "of 100 pings 100 got no pong in time, and no gate or promise looks at that"
    );
    silent.add(Counter::PongsReceived, 80);
    assert_eq!(
        warned(&scenario, &silent).unwrap(),
        "of 100 pings 20 got no pong in time, and no gate or promise looks at that"
    );
    let mut few = Run::healthy();
    few.add(Counter::PingsMissed, 10);
    assert_eq!(warned(&scenario, &few), None);
    let pings = &mut scenario.cohorts[0].heartbeat.as_mut().unwrap().pings;
    pings.as_mut().unwrap().watch = None;
    assert_eq!(warned(&scenario, &silent), None, "they want no answer");
}

/// What a doubt says of one cohort hides nothing of the others.
#[test]
fn a_doubt_about_one_cohort_speaks_for_that_one_alone() {
    let mut scenario = scenario();
    scenario.gates.pass.clear();
    let mut mute = scenario.cohorts[0].clone();
    mute.name = "mute".to_owned();
    scenario.cohorts.push(mute);
    let mut run = Run::new();
    run.opened(10)
        .sent(30)
        .add(Counter::MessagesTimedOut, 30)
        .add(Counter::PingsSent, 10)
        .add(Counter::PingsMissed, 10);
    let mut summary = run.summary();
    beside(&mut summary, "mute", run.summary());
    let said = |cohort: Option<&str>| {
        let doubts = cohort.map(|name| Doubt {
            reason: Distrust::NoAnswer {
                sent: 30,
                asked: Asked::Pings,
                cohort: Some(name.to_owned()),
                seen: Seen::default(),
            },
            concerns: Concerns::Everything,
        });
        let warnings = judged(&scenario, &summary, &Facts::completed(2), doubts.as_slice());
        let warnings = warnings.into_iter().map(|warning| warning.to_string());
        warnings
            .filter(|said| said.starts_with("of "))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        said(None),
        [
            "of 60 messages 60 timed out, and no gate looks at that",
            "of 20 pings 20 got no pong in time, and no gate or promise looks at that"
        ]
    );
    assert_eq!(
        said(Some("mute")),
        [
            "of 30 messages 30 timed out, and no gate looks at that",
            "of 10 pings 10 got no pong in time, and no gate or promise looks at that"
        ]
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
        "1 of 100,001 messages due was not sent"
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
        lifetime: Lifetime::Fixed(Duration::from_secs(1)),
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
fn connections_to_the_relay_that_nobody_dialled_are_told() {
    let mut scenario = scenario();
    let summary = Run::healthy().summary();
    let attempted = summary.count("connections.attempted");
    let warnings = |scenario: &Scenario, connections| {
        let mut facts = Facts::completed(2);
        facts.surroundings.relayed = Some(Relayed {
            connections,
            ..Relayed::default()
        });
        judged(scenario, &summary, &facts, &[])
    };
    assert_eq!(warnings(&scenario, attempted + 300), [], "there is no path");
    scenario.path = Some(Path {
        faults: vec![PathFault {
            kind: PathFaultKind::Freeze,
            after: None,
            lasts: None,
            cohorts: Vec::new(),
        }],
    });
    assert_eq!(warnings(&scenario, attempted), []);
    let strangers = Warning::PathStrangers { strangers: 300 };
    assert_eq!(warnings(&scenario, attempted + 300), [strangers]);
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
    summary.fallbacks.add("[::1]:1", 2, "unreachable");
    summary.fallbacks.add("[::2]:1", 5, "refused");
    let mut insecure = scenario();
    insecure.cohorts[0].access.tls.trust = Trust::Anyone;
    let warnings = judged(&insecure, &summary, &Facts::completed(2), &[]);
    let said: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "7 dials went on to another address of the name: `refused` at [::2]:1, `unreachable` at [::1]:1",
            "`insecure = true`: the server's certificate was not checked, so anybody may have answered",
        ]
    );
    assert!(warnings[0].hint().unwrap().contains("`handshake.tcp`"));
}

/// Nothing answers, so there is no time of an opening and no address that could be named instead.
#[test]
fn where_every_address_refuses_no_other_one_is_recommended() {
    let addresses = (1..=6).map(|number| (format!("127.0.0.{number}:1"), "refused".to_owned()));
    let warning = Warning::Fallbacks {
        count: 10,
        addresses: addresses.collect(),
        any_opened: false,
    };
    assert_eq!(warning.hint(), None);
    let said = warning.to_string();
    assert!(said.contains("at 127.0.0.4:1 and 2 more"), "{said}");
}

/// Answers of 204 have no content, so their age is not known, and its row is missing.
#[test]
fn what_tells_no_time_though_it_is_looked_for_is_told() {
    let text = r#"
        name = "x"
        target = { url = "embedded-http", rooms = true }
        load = { connections = 10, duration = "10s" }
        [[step]]
        name = "echo"
        http = { url = "/poll?room=r" }
        time = { at = "/at", unit = "ms" }
        "#;
    let polls = parse_alone(text, &Overrides::default()).unwrap();
    let warnings = found(&polls, &Run::healthy());
    let warning = warnings.iter().find(|warning| warning.kind() == "no_age");
    assert_eq!(
        warning.unwrap().to_string(),
        "nothing that came for `echo` told when it was made: how old it was is not known"
    );
    let mut run = Run::new();
    run.opened(10);
    let warnings = found(&polls, &run);
    assert!(warnings.iter().all(|one| one.kind() != "no_age"));
}

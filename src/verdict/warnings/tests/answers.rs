//! Answers that are missing, wrong or not to be told apart.

use std::time::Duration;

use super::{found, judged};
use crate::metric::Counter;
use crate::scenario::parse::parse_alone;
use crate::scenario::{Fault, FaultKind, OnDead, Op, Overrides, Payload, PingKind, Scenario, Stat};
use crate::verdict::answers::Asked;
use crate::verdict::distrust::{Concerns, Distrust, Doubt};
use crate::verdict::facts::Facts;
use crate::verdict::fixture::{Run, beside, gate, scenario};
use crate::verdict::seen::Seen;

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

//! Faults that could not be carried out, and what the relay tells.

use super::judged;
use crate::measure::Relayed;
use crate::scenario::{Path, PathFault, PathFaultKind, Scenario};
use crate::verdict::facts::Facts;
use crate::verdict::fixture::{Run, scenario};
use crate::verdict::warning::Warning;

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
fn look_ups_and_accepts_that_failed_are_told() {
    let mut facts = Facts::completed(2);
    facts.surroundings.look_ups_failed = Some((2, "look up h: no answer".to_owned()));
    facts.surroundings.relayed = Some(Relayed {
        accepts_failed: 1,
        ..Relayed::default()
    });
    let warnings = judged(&scenario(), &Run::healthy().summary(), &facts, &[]);
    let said: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "2 look-ups failed, the last to look up h: no answer",
            "the relay of `[path]` failed 1 time to take a connection, and waited after each",
        ]
    );
    assert!(warnings.iter().all(|warning| warning.hint().is_some()));
}

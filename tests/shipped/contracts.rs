//! Runs the shipped scenarios with promises of a server against the built-in server, unchanged except for fewer
//! connections: each must exit with 0, and every promise must be kept, with connected clients.

use std::collections::BTreeSet;

use super::common::run::{Run, shortened};
use super::common::table;
use wsbench::scenario::shipped;

/// The scenarios that a test below runs.
const PLAYED: [&str; 7] = [
    "graceful-shutdown",
    "heartbeat-activity",
    "heartbeat-contract",
    "heartbeat-stall",
    "proxy-idle",
    "reconnect-storm",
    "slow-reader",
];

fn play(name: &str, changes: &[(&str, &str)]) -> Run {
    let run = shortened(name, changes);
    let rows = table(&run.ended.file("contracts.csv"));
    let broken: Vec<_> = rows.iter().filter(|row| row["passed"] != "true").collect();
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(rows.iter().all(|row| row["observed_n"] != "0"), "{rows:#?}");
    assert!(!rows.is_empty());
    run.assert_passed();
    run
}

#[test]
fn each_is_played() {
    let cohorts = (shipped::ALL.iter())
        .filter(|(_, text)| text.contains("\n[[cohort]]") && !text.contains("\nrooms = "))
        // The built-in server does not speak it: `real_connections` plays that one.
        .filter(|(name, _)| *name != "http2");
    let names: BTreeSet<_> = cohorts.map(|(name, _)| *name).collect();
    assert_eq!(names, PLAYED.into());
}

#[test]
fn graceful_shutdown() {
    let run = play("graceful-shutdown", &[("1000", "200")]);
    assert_eq!(run.report.closes().get("1001.peer"), Some(&200));
}

#[test]
fn heartbeat_activity() {
    play("heartbeat-activity", &[]);
}

#[test]
fn heartbeat_contract() {
    play(
        "heartbeat-contract",
        &[("connections = 1000", "connections = 200")],
    );
}

#[test]
fn heartbeat_stall() {
    play(
        "heartbeat-stall",
        &[("repeat = 20", "repeat = 3"), ("2m5s", "22s")],
    );
}

#[test]
fn proxy_idle() {
    play("proxy-idle", &[]);
}

#[test]
fn reconnect_storm() {
    let run = play(
        "reconnect-storm",
        &[("connections = 300", "connections = 60")],
    );
    assert_eq!(run.report.count("connections.reconnected"), 240);
}

#[test]
fn slow_reader() {
    play("slow-reader", &[("connections = 200", "connections = 80")]);
}

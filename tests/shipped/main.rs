//! Runs every shipped scenario against the built-in server, only shorter and with fewer connections: it must exit with
//! 0, all its gates must hold, and the sums in every row must match. Scenarios with cohorts are in
//! `contracts.rs`, because their promises need their full time; those in rooms are in `rooms.rs`.

#[path = "../common/mod.rs"]
mod common;

mod contracts;
mod guilty;
mod rooms;

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::thread;

use common::books::assert_balanced;
use common::run::{Run, run, trusted};
use wsbench::scenario::shipped;

const CONNECTIONS: u64 = 50;

/// Two seconds of each scenario with fifty connections.
static SHORT: LazyLock<BTreeMap<&str, Run>> = LazyLock::new(|| run_all("50", "2s", &[]));

/// Runs all shipped scenarios side by side, since each of them mostly waits.
fn run_all(connections: &str, duration: &str, except: &[&str]) -> BTreeMap<&'static str, Run> {
    let arguments = ["--connections", connections, "--duration", duration];
    thread::scope(|scope| {
        let start = |(name, scenario): &(&'static str, &'static str)| {
            let (name, scenario) = (*name, *scenario);
            (
                name,
                scope.spawn(move || trusted(|| (run(scenario, &arguments), ())).0),
            )
        };
        let alike = shipped::ALL
            .iter()
            .filter(|(name, text)| !text.contains("\n[[cohort]]") && !except.contains(name))
            .filter(|(_, text)| !text.contains("\nrooms = "));
        let running: Vec<_> = alike.map(start).collect();
        let ended = running.into_iter();
        ended
            .map(|(name, run)| (name, run.join().unwrap()))
            .collect()
    })
}

#[track_caller]
fn short(name: &str) -> &'static Run {
    let run = &SHORT[name];
    assert_well(run);
    assert_eq!(
        run.report.count("closes.1000.local"),
        run.report.count("connections.opened"),
        "closed in good order"
    );
    assert!(
        run.report.connections.is_empty(),
        "nobody ended but as planned"
    );
    run
}

#[track_caller]
fn assert_well(run: &Run) {
    run.assert_passed();
    assert_balanced(run);
}

#[test]
fn echo() {
    let run = short("echo");
    // Ten messages per second on each of fifty connections in a window of two seconds, exactly.
    assert_eq!(run.count("messages.due"), 10 * 2 * CONNECTIONS);
    assert_eq!(run.count("messages.echoed"), 10 * 2 * CONNECTIONS);
    assert!(
        run.report.count("messages.due") > run.count("messages.due"),
        "the warm-up is in the totals"
    );
}

#[test]
fn heartbeat() {
    let run = short("heartbeat");
    assert_eq!(run.report.count("messages.due"), 0);
    assert!(run.report.count("heartbeat.pings_sent") > 0);
    assert_eq!(
        run.report.count("heartbeat.pongs_received"),
        run.report.count("heartbeat.pings_sent")
    );
}

/// What the server used is there, and grows with what is asked of it; the gates have data.
#[test]
fn idle_cost() {
    let run = short("idle-cost");
    assert_eq!(run.report.count("messages.due"), 0);
    assert_eq!(run.report.count("heartbeat.pings_sent"), 0);
    let least = |name| run.report.rows("metrics", name)[0]["min"].as_f64().unwrap();
    assert!(least("target.descriptors") >= CONNECTIONS as f64);
    assert!(least("target.rss") > 1e5);
    assert!(least("target.cpu") >= 0.0);
}

#[test]
fn idle_cost_with_pings() {
    let run = short("idle-cost-pings");
    assert_eq!(run.report.count("messages.due"), 0);
    assert_eq!(
        run.report.count("heartbeat.pongs_received"),
        run.report.count("heartbeat.pings_sent")
    );
}

#[test]
fn push() {
    let run = short("push");
    assert_eq!(run.report.count("messages.sent"), 0);
    assert_eq!(
        run.report.count("messages.unsolicited"),
        run.report.count("messages.received")
    );
    // Five messages per second for two seconds; one may fall outside at either end of the window.
    let each = run.count("messages.received") as f64 / CONNECTIONS as f64;
    assert!(
        (9.0..=11.0).contains(&each),
        "{each} messages to each connection"
    );
}

#[test]
fn ramp() {
    let run = short("ramp");
    let stages: Vec<u64> = run
        .measured()
        .keys()
        .filter_map(|(_, stage)| *stage)
        .collect();
    assert_eq!(stages, [1, 2, 3, 4, 5, 6]);
    assert_eq!(run.report.count("connections.opened"), CONNECTIONS);
}

#[test]
fn reference() {
    let run = short("reference");
    assert_eq!(run.count("messages.due"), 10 * 2 * CONNECTIONS);
}

#[test]
fn soak() {
    let run = short("soak");
    assert_eq!(run.count("messages.echoed"), 2 * CONNECTIONS);
}

#[test]
fn storm() {
    let run = short("storm");
    let totals = run.totals();
    // Finds the row of connections: the generator has a row of its own.
    let mut rows = totals.values();
    let row = rows.find(|row| row.count("connections.attempted") > 0);
    let row = row.unwrap();
    // 200 arrivals per second for two seconds; arrivals that were skipped for lack of room are counted too.
    assert_eq!(
        row.count("connections.attempted") + row.count("connections.skipped"),
        400
    );
    assert_eq!(
        row.count("messages.echoed"),
        row.count("connections.opened"),
        "each said one thing"
    );
}

/// The smallest possible run: one connection for one second. A gate without data would fail. `reference` has a gate on
/// missed pings, of which none is due in one second, so it is refused.
#[test]
fn gates_hold_for_one_connection_and_one_second() {
    for run in run_all("1", "1s", &["reference"]).values() {
        assert_well(run);
    }
}

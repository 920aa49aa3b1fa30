//! Runs two contracts against the built-in server, without a defect and with each of its defects: every defect must
//! break exactly the promises that belong to it, and the correct server must break none.

use std::collections::BTreeSet;

use super::common::run::{Run, run, trusted};
use super::common::table;
use wsbench::scenario::Defect;

/// The promises that concern every fault except a stall.
const SHEET: &str = include_str!("guilty/sheet.toml");
/// The promises about the cost of a server's stall.
const STALL: &str = include_str!("guilty/stall.toml");

/// The promises that a server with this defect breaks, as `cohort.promise`: in the sheet, and in the stall.
fn guilt(defect: Defect) -> (&'static [&'static str], &'static [&'static str]) {
    match defect {
        Defect::GlobalTick => (&["healthy.max_ping_sync"], &[]),
        Defect::NormalClose => (&["mute.code"], &[]),
        Defect::NoCloseFrame => (&["mute.code", "mute.ends_with"], &[]),
        Defect::BlockedPing => (&["slow.reaped_between", "slow.released_within"], &[]),
        Defect::SlowPong => (&["healthy.pong_within"], &[]),
        Defect::NeverReaps => (
            &[
                "mute.closed_between",
                "mute.code",
                "mute.ends_with",
                "mute.tcp_end_between",
                "slow.reaped_between",
                "slow.released_within",
            ],
            &[],
        ),
        Defect::KillsAfterStall => (&[], &["far.closed_per_stall"]),
    }
}

#[track_caller]
fn convict(defect: Defect) {
    let (sheet, stall) = guilt(defect);
    assert_broken(SHEET, Some(defect), sheet);
    assert_broken(STALL, Some(defect), stall);
}

/// Runs a sheet of promises against a server, and compares the broken ones with the expected ones.
#[track_caller]
fn assert_broken(sheet: &str, defect: Option<Defect>, expected: &[&str]) {
    let guilty = defect.map(|defect| format!("defect = \"{}\"\n", defect.name()));
    let scenario = [sheet, &guilty.unwrap_or_default()].concat();
    let (run, ()) = trusted(|| (run(&scenario, &[]), ()));
    let rows = table(&run.ended.file("contracts.csv"));
    let broken = rows.iter().filter(|row| row["passed"] == "false");
    let broken: BTreeSet<_> = broken
        .map(|row| format!("{}.{}", row["cohort"], row["contract"]))
        .collect();
    let expected: BTreeSet<_> = expected.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(broken, expected, "{defect:?}: {rows:#?}");
    let code = if expected.is_empty() { 0 } else { 3 };
    assert_eq!(run.ended.code, code, "{:#}", run.report.json["verdict"]);
    assert_all_seen(&run);
}

/// Checks that the clients were connected, since otherwise no verdict means anything.
#[track_caller]
fn assert_all_seen(run: &Run) {
    assert_eq!(run.report.count("connections.failed"), 0);
    for row in table(&run.ended.file("contracts.csv")) {
        assert_ne!(row["observed_n"], "0", "{row:?}");
    }
}

#[test]
fn the_innocent_is_acquitted() {
    assert_broken(SHEET, None, &[]);
    assert_broken(STALL, None, &[]);
}

#[test]
fn one_tick_for_all_is_seen_in_the_phases_of_pings() {
    convict(Defect::GlobalTick);
}

#[test]
fn a_normal_close_of_the_silent_is_seen_in_its_code() {
    convict(Defect::NormalClose);
}

#[test]
fn an_end_without_a_close_frame_is_seen_in_how_it_ends() {
    convict(Defect::NoCloseFrame);
}

#[test]
fn a_ping_behind_a_full_buffer_is_seen_in_those_who_do_not_read() {
    convict(Defect::BlockedPing);
}

#[test]
fn a_pong_behind_a_slow_handler_is_seen_in_its_time() {
    convict(Defect::SlowPong);
}

#[test]
fn who_never_reaps_is_seen_in_every_end_that_does_not_come() {
    convict(Defect::NeverReaps);
}

#[test]
fn who_kills_after_a_stall_is_seen_in_the_cost_of_each() {
    convict(Defect::KillsAfterStall);
}

#[test]
fn who_is_mute_is_closed_where_pings_are_messages_too() {
    let scenario = r#"
        name = "texts"
        target = { url = "embedded", heartbeat = { interval = "400ms", timeout = "300ms", kind = "text" } }
        load.duration = "2s"
        heartbeat = { kind = "text", server = { ping = "ping", pong = "pong" } }
        gates.pass = ["count(server_ping.received) > 0", "count(messages.unsolicited) == 0"]
        [[cohort]]
        name = "healthy"
        connections = 10
        contract = { closed = 0 }
        [[cohort]]
        name = "mute"
        connections = 10
        fault = { kind = "no_pong" }
        contract = { from = "ping", closed_between = ["250ms", "500ms"], code = 1011 }
    "#;
    let (run, ()) = trusted(|| (run(scenario, &[]), ()));
    run.assert_passed();
}

//! The relay of `[path]` in a run: what it takes, what counts as a fault, and whose sockets the server's are.

use std::fs;

use super::common::run::{run, trusted};
use super::common::{Ended, Handshake, Running, Script, Server};

fn scenario(target: &str, load: &str, rest: &str) -> String {
    format!(
        r#"
        name = "path"
        [target]
        close_timeout = "500ms"
        {target}
        [load]
        {load}
        {rest}
        "#
    )
}

const EMBEDDED: &str = "url = \"embedded\"";

/// Where no process may have more than two hundred descriptors.
fn run_short_of_descriptors(scenario: &str) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("test.toml"), scenario).unwrap();
    let by = ["sh", "-c", "ulimit -n 200; exec \"$0\" \"$@\""];
    let run = ["run", "test.toml", "--quiet", "--out", "report"];
    Running::call_by(&by, folder, &run, &[]).end()
}

#[test]
fn a_relay_that_would_run_out_of_descriptors_is_refused() {
    let server = Server::start(Script::default());
    let target = format!("url = \"{}\"", server.url());
    let load = "connections = 60\nduration = \"200ms\"";
    let rest = "[heartbeat]\ninterval = \"50ms\"";
    let with_path = format!("[path]\ndelay = \"1ms\"\n{rest}");
    let ended = run_short_of_descriptors(&scenario(&target, load, &with_path));
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    for said in [
        "failed to open 60 connections at once: that takes 245 file descriptors, and the hard limit is 200",
        "hint: raise it (`ulimit -Hn 245`",
        "or ask for at most 45 connections",
    ] {
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
    assert_eq!(server.log().opened(), 0);

    // As many as it says do fit.
    let fits = scenario(&target, &load.replace("60", "45"), &with_path);
    let ended = run_short_of_descriptors(&fits);
    assert!([0, 4].contains(&ended.code), "{}", ended.stderr);
    assert_eq!(ended.report().count("connections.opened"), 45);
    let relay = &ended.report().json["surroundings"]["relay"];
    assert_eq!(
        (&relay["connections"], &relay["refused"]),
        (&45.into(), &0.into())
    );
    assert!(relay["cpu_s"].as_f64().unwrap() > 0.0, "{relay}");
}

/// The delay is there from the first byte on; what the clients notice is the freeze.
#[test]
fn a_lasting_delay_is_not_the_fault() {
    const FREEZE: &str = r#"
        contract = { from = "fault", detected_between = ["100ms", "700ms"], recovers_within = "500ms" }
        [path]
        delay = "20ms"
        [[target.fault]]
        kind = "sigstop"
        after = "1s"
        for = "700ms"
        [heartbeat]
        interval = "100ms"
        timeout = "200ms"
        on_dead = "keep"
        "#;
    let load = "load = { connections = 20, duration = \"2200ms\" }";
    let (run, ()) = trusted(|| {
        let scenario = format!("name = \"path\"\ntarget.url = \"embedded\"\n{load}\n{FREEZE}");
        (run(&scenario, &[]), ())
    });
    run.assert_passed();
    let incidents = run.report.json["surroundings"]["incidents"].as_array();
    let kinds: Vec<_> = incidents.unwrap().iter().map(|one| &one["kind"]).collect();
    assert_eq!(kinds, ["sigstop"]);
}

/// The server hears nothing from half of its clients any more, and gives up on each of exactly them. What the client
/// has is a connection to the relay.
#[test]
fn a_server_that_gives_up_on_clients_behind_the_path_is_seen_to() {
    const SILENCED: &str = r#"
        [path]
        drop = { direction = "to_server", after = "500ms", cohorts = ["silenced"] }
        [[cohort]]
        name = "untouched"
        connections = 20
        contract = { closed = 0 }
        [[cohort]]
        name = "silenced"
        connections = 20
        [cohort.contract]
        from = "fault"
        reaped_between = ["1400ms", "2300ms"]
        released_within = "2500ms"
        "#;
    let target = "url = \"embedded\"\nheartbeat = { interval = \"400ms\", timeout = \"400ms\" }";
    let scenario = scenario(target, "duration = \"4s\"", SILENCED);
    let (run, ()) = trusted(|| (run(&scenario, &[]), ()));
    run.assert_passed();
    let (_, row) = run.report.promise("silenced", "reaped_between");
    assert_eq!(row["observed_n"], 20, "{row}");
}

#[test]
fn a_server_that_is_not_there_is_not_the_path() {
    let server = Server::start(Script::handshake(Handshake::Refuse));
    let target = format!("url = \"{}\"", server.url());
    let load = "connections = 4\nduration = \"200ms\"";
    let rest = "[path]\ndelay = \"1ms\"\n[heartbeat]\ninterval = \"50ms\"";
    let ended = Running::start(&scenario(&target, load, rest), &[]).end();
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    let report = ended.report();
    assert_eq!(report.distrust(), ["no_connection"]);
    assert_eq!(report.warnings(), ["path_unreachable"]);
    let said = "4 of 4 connections came no further than the relay of `[path]`";
    assert!(ended.stdout.contains(said), "{}", ended.stdout);
}

/// Without an address of the target the relay could only hang up, as if the server did.
#[test]
fn a_path_to_a_name_that_nobody_knows_leads_nowhere() {
    let target = "url = \"ws://nowhere.invalid:1/\"\nconnect_timeout = \"1s\"";
    let load = "connections = 4\nduration = \"200ms\"";
    let ended = Running::start(&scenario(target, load, "[path]\ndelay = \"1ms\""), &[]).end();
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    let says = "error: failed to look up nowhere.invalid: ";
    assert!(ended.stderr.contains(says), "{}", ended.stderr);
    assert!(ended.stderr.contains("hint: check the host name in `url`"));
    assert!(!ended.file("").exists());
}

#[test]
fn a_path_with_more_on_its_way_than_the_relay_holds_is_told() {
    const LONG: &str = r#"
        [path]
        delay = "1s"
        [[message]]
        name = "much"
        payload = { size = "64KiB" }
        rate = "20/s"
        "#;
    let load = "connections = 2\nduration = \"1500ms\"";
    let ended = Running::start(&scenario(EMBEDDED, load, LONG), &[]).end();
    assert!(
        ended.report().warnings().contains(&"path_backed_up"),
        "{}",
        ended.stdout
    );
    let said = "warning: the relay of `[path]` held all it may for 2 of 2";
    assert!(ended.stdout.contains(said), "{}", ended.stdout);
}

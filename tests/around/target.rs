//! The target's process: started, frozen, asked to end, and left as it should be, however the run ends.

use std::fs;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::common::address;
use super::common::real::wsbench;
use super::common::run::{run, trusted};
use super::common::{Running, process};
use super::server::{Serve, command};

/// Twenty clients that send and ping, for so long; more of it follows.
fn scenario(target: &str, duration: &str, rest: &str) -> String {
    format!(
        r#"
        name = "target"
        [target]
        close_timeout = "2s"
        {target}
        [load]
        connections = 20
        duration = "{duration}"
        {rest}
        "#
    )
}

const PINGS: &str = r#"
    [heartbeat]
    interval = "100ms"
    timeout = "200ms"
    on_dead = "keep"
    "#;

/// Waits for a condition, at most ten seconds.
#[track_caller]
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "not within ten seconds: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn is_stopped(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.starts_with('T')
}

fn incidents(report: &Value) -> Vec<(&str, f64, Option<f64>)> {
    let all = report["surroundings"]["incidents"].as_array().unwrap();
    let incident = |incident: &'_ Value| {
        (
            incident["began_s"].as_f64().unwrap(),
            incident["ended_s"].as_f64(),
        )
    };
    let named = all.iter().map(|one| (one["kind"].as_str().unwrap(), one));
    named
        .map(|(kind, one)| {
            let (began, ended) = incident(one);
            (kind, began, ended)
        })
        .collect()
}

#[test]
fn a_command_is_started_for_the_run_and_ended_with_it() {
    let (run, address) = trusted(|| {
        let address = address::free();
        let scenario = scenario(&command(address, &[]), "300ms", PINGS);
        (run(&scenario, &[]), address)
    });
    run.assert_passed();
    assert_eq!(run.report.count("connections.opened"), 20);
    assert!(TcpStream::connect(address).is_err(), "it has ended");
}

/// A command whose server is in a session of its own, and has another parent by the time it listens.
fn detached(address: std::net::SocketAddr) -> String {
    let serve = format!(
        "(setsid '{}' serve --host {} --port {} &) ; exec sleep 60",
        wsbench().display(),
        address.ip(),
        address.port()
    );
    format!("url = \"ws://{address}/\"\ncommand = [\"sh\", \"-c\", {serve:?}]")
}

#[test]
fn what_left_the_group_of_a_command_is_ended_with_it() {
    let address = address::free();
    let ended = Running::start(&scenario(&detached(address), "300ms", PINGS), &[]).end();
    assert_eq!(ended.report().count("connections.opened"), 20);
    assert!(TcpStream::connect(address).is_err(), "it has ended");
}

#[test]
fn what_left_the_group_of_a_command_does_not_outlive_a_killed_run() {
    let address = address::free();
    let running = Running::start(&scenario(&detached(address), "60s", PINGS), &["--quiet"]);
    until("the server listens", || TcpStream::connect(address).is_ok());
    running.signal("KILL");
    running.end();
    until("the server has ended", || {
        TcpStream::connect(address).is_err()
    });
}

#[test]
fn a_command_outlives_ctrl_c_until_its_clients_are_closed() {
    let address = address::free();
    let scenario = scenario(&command(address, &[]), "20s", PINGS);
    let running = Running::start(&scenario, &["--quiet"]);
    until("the server has clients", || {
        let children = process::children(running.id());
        children
            .into_iter()
            .any(|child| process::sockets(child) > 10)
    });
    running.signal_group("INT");
    let ended = running.end();
    assert_eq!(ended.code, 130, "{}", ended.stderr);
    let report = ended.report();
    let opened = report.count("connections.opened");
    assert_eq!(report.closes(), [("1000.local", opened)].into());
    assert!(report.errors().is_empty(), "{:?}", report.errors());
    assert!(TcpStream::connect(address).is_err(), "it has ended");
}

#[test]
fn a_command_that_ends_too_soon_is_told_with_what_it_said() {
    let address = address::free();
    let target = format!(
        "url = \"ws://{address}/\"\ncommand = [\"sh\", \"-c\", \"echo no database >&2; exit 7\"]"
    );
    let ended = Running::start(&scenario(&target, "1s", PINGS), &[]).end();
    assert_eq!(ended.code, 2);
    for said in [
        "error: failed to start `target.command`: `sh` ended with status 7 before it listened on",
        "\n  | no database\n",
        "hint: it has to stay in the foreground",
    ] {
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
    assert!(!ended.file("run.json").exists());
}

/// It takes ten seconds, in which nothing runs.
#[test]
fn a_command_that_never_listens_is_told_with_what_it_said() {
    let address = address::free();
    let target = format!(
        "url = \"ws://{address}/\"\ncommand = [\"sh\", \"-c\", \"echo on another port; exec sleep 60\"]"
    );
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("test.toml"),
        scenario(&target, "1s", PINGS),
    )
    .unwrap();
    let ended = Running::call(folder, &["run", "test.toml"], &[]).end();
    assert_eq!(ended.code, 2);
    for said in [
        "`sh` did not listen on",
        "\n  | on another port\n",
        "hint: it has to listen where `target.url` says",
    ] {
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
}

#[test]
fn a_command_has_room_for_as_many_connections_as_the_run() {
    let address = address::free();
    let (host, port) = (address.ip(), address.port());
    let serve = format!(
        "ulimit -Sn > limit.txt; exec '{}' serve --host {host} --port {port}",
        wsbench().display()
    );
    let target = format!("url = \"ws://{address}/\"\ncommand = [\"sh\", \"-c\", {serve:?}]");
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("test.toml"),
        scenario(&target, "200ms", PINGS),
    )
    .unwrap();
    let by = ["sh", "-c", "ulimit -Sn 200; exec \"$0\" \"$@\""];
    let ended = Running::call_by(&by, folder, &["run", "test.toml", "--quiet"], &[]).end();
    assert!([0, 4].contains(&ended.code), "{}", ended.stderr);
    let limit = fs::read_to_string(ended.folder().join("limit.txt")).unwrap();
    let own = fs::read_to_string("/proc/self/limits").unwrap();
    let hard = own.lines().find(|line| line.starts_with("Max open files"));
    let hard = hard.unwrap().split_whitespace().nth(4).unwrap().to_owned();
    assert_eq!(limit.trim(), hard);
}

#[test]
fn a_frozen_server_is_noticed_and_goes_on() {
    const FREEZE: &str = r#"
        [[target.fault]]
        kind = "sigstop"
        after = "300ms"
        for = "700ms"
        [contract]
        from = "fault"
        detected_between = ["100ms", "700ms"]
        recovers_within = "500ms"
        "#;
    let rest = format!("{PINGS}{FREEZE}");
    for is_command in [true, false] {
        let (run, _) = trusted(|| {
            let server = Serve::start(&[]);
            let (url, pid) = (
                format!("url = \"{}/\"", server.url),
                server.id().to_string(),
            );
            let run = match is_command {
                true => run(
                    &scenario(&command(address::free(), &[]), "1500ms", &rest),
                    &[],
                ),
                // `--pid` counts, whatever the scenario says.
                false => run(
                    &scenario(&format!("{url}\npid = 1"), "1500ms", &rest),
                    &["--pid", &pid],
                ),
            };
            assert!(process::is_alive(server.id()) && !is_stopped(server.id()));
            (run, ())
        });
        run.assert_passed();
        let incidents = incidents(&run.report.json);
        let [("sigstop", began, Some(ended))] = incidents[..] else {
            panic!("{incidents:?}");
        };
        // A freeze that began late on a busy machine ends at its time all the same.
        assert!(began >= 0.3 && ended - began >= 0.4, "{began} {ended}");
        assert!(run.report.json["surroundings"]["fault_failed"].is_null());
    }
}

#[test]
fn a_server_that_is_asked_to_end_says_goodbye_to_all() {
    const TERMINATE: &str = r#"
        [[target.fault]]
        kind = "sigterm"
        after = "300ms"
        [contract]
        from = "fault"
        closed_between = ["0s", "1500ms"]
        code = 1001
        "#;
    let (run, ()) = trusted(|| {
        let target = command(address::free(), &[]);
        (run(&scenario(&target, "2s", TERMINATE), &[]), ())
    });
    let (kept, row) = run.report.promise("main", "closed_between");
    assert!(kept, "{row}");
    let (kept, row) = run.report.promise("main", "code");
    assert!(kept, "{row}");
    assert_eq!(incidents(&run.report.json)[0].0, "sigterm");
}

#[test]
fn a_freeze_does_not_outlive_a_run_that_is_interrupted() {
    const FREEZE: &str = r#"
        [[target.fault]]
        kind = "sigstop"
        after = "200ms"
        for = "60s"
        "#;
    let server = Serve::start(&[]);
    let target = format!("url = \"{}/\"\npid = {}", server.url, server.id());
    let scenario = scenario(&target, "90s", &format!("{PINGS}{FREEZE}"));
    for signal in ["INT", "KILL"] {
        let running = Running::start(&scenario, &["--quiet"]);
        until("it is stopped", || is_stopped(server.id()));
        running.signal(signal);
        let ended = running.end();
        assert_eq!(
            ended.code,
            if signal == "INT" { 130 } else { -9 },
            "{}",
            ended.stderr
        );
        until("it goes on", || !is_stopped(server.id()));
    }
}

#[test]
fn a_fault_that_could_not_be_carried_out_is_told() {
    const TWO: &str = r#"
        [[target.fault]]
        kind = "sigterm"
        after = "200ms"
        [[target.fault]]
        kind = "sigstop"
        after = "1200ms"
        for = "100ms"
        "#;
    let two = format!("reconnect = {{ initial = \"100ms\" }}\n{TWO}");
    let target = command(address::free(), &[]);
    let ended = Running::start(&scenario(&target, "1500ms", &two), &[]).end();
    let report = ended.report();
    assert_eq!(
        report.json["surroundings"]["fault_failed"],
        "the target has ended"
    );
    assert!(report.warnings().contains(&"target_fault_failed"));
    let said = "warning: a fault of the target could not be carried out";
    assert!(ended.stdout.contains(said), "{}", ended.stdout);
}

#[test]
fn what_the_target_keeps_is_known_of_its_process() {
    const KEEPS: &str = "contract = { max_rss_growth = \"64MiB\", max_descriptor_growth = 0 }";
    for target in [
        "url = \"embedded\"".to_owned(),
        command(address::free(), &[]),
    ] {
        // A key of no table has to come first.
        let scenario = format!("{KEEPS}\n{}", scenario(&target, "300ms", PINGS));
        let (run, ()) = trusted(|| (run(&scenario, &[]), ()));
        run.assert_passed();
        let usage = &run.report.json["surroundings"]["usage"];
        assert!(usage["before"]["rss"].as_u64().unwrap() > 1 << 20);
        let descriptors = |when: &str| usage[when]["descriptors"].as_u64().unwrap();
        assert!(descriptors("before") > 3, "{usage}");
        assert_eq!(descriptors("before"), descriptors("after"));
    }
}

#[test]
fn a_target_that_keeps_a_descriptor_is_convicted() {
    let address = address::free();
    let (host, port) = (address.ip(), address.port());
    // The shell opens seven when the server has been there for a while; `sleep` gives back three.
    let open: String = (3..10)
        .map(|number| format!("exec {number}</dev/null; "))
        .collect();
    let serve = format!(
        "'{}' serve --host {host} --port {port} & sleep 1; {open} wait",
        wsbench().display()
    );
    let target = format!("url = \"ws://{address}/\"\ncommand = [\"sh\", \"-c\", {serve:?}]");
    let scenario = format!(
        "contract = {{ max_descriptor_growth = 1 }}\n{}",
        scenario(&target, "2s", PINGS)
    );
    let (run, ()) = trusted(|| (run(&scenario, &[]), ()));
    assert_eq!(run.ended.code, 3, "{}", run.ended.stderr);
    let (kept, row) = run.report.promise("main", "max_descriptor_growth");
    assert!(!kept, "{row}");
}

//! Runs that end before their time: by a signal, by two, by `kill -9`, by an abort gate.

use std::thread;
use std::time::{Duration, Instant};

use super::common::{Echo, Ended, OnClose, Running, Script, Server, process};

const FILES: [&str; 5] = [
    "connections.csv",
    "histogram.csv",
    "run.json",
    "summary.csv",
    "timeline.csv",
];

/// Far longer than these tests: what ends it is what they are about.
fn scenario(url: &str, ramp_up: &str) -> String {
    format!(
        r#"
        name = "long"
        [target]
        url = "{url}"
        [load]
        connections = 20
        ramp_up = "{ramp_up}"
        ramp_down = "100ms"
        duration = "20s"
        [[message]]
        name = "echo"
        rate = "20/s"
        [heartbeat]
        interval = "500ms"
        timeout = "5s"
        "#
    )
}

/// Waits for a condition, at most ten seconds.
#[track_caller]
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "not within ten seconds: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The report is whole and says that it was interrupted; every connection was closed as it should be.
fn assert_interrupted(ended: &Ended, server: &Server) {
    assert_eq!(ended.code, 130, "{}", ended.stderr);
    for file in FILES {
        assert!(ended.file(file).exists(), "{file}");
    }
    let report = ended.report();
    assert_eq!(report.json["outcome"], "interrupted");
    assert_eq!(report.json["verdict"]["exit_code"], 130);
    assert_eq!(report.json["verdict"]["passed"], false);
    assert!(report.errors().is_empty(), "{:?}", report.errors());
    let opened = report.count("connections.opened");
    assert_eq!(server.log().opened() as u64, opened);
    assert_eq!(report.closes(), [("1000.local", opened)].into());
    assert_eq!(
        server.log().close_codes(),
        vec![Some(1000); opened as usize]
    );
    assert_eq!(
        report.count("messages.echoed"),
        report.count("messages.sent")
    );
}

#[test]
fn a_signal_in_the_ramp_up() {
    for signal in ["INT", "TERM"] {
        let server = Server::start(Script::default());
        let running = Running::start(&scenario(&server.url(), "6s"), &["--quiet"]);
        server.wait_until(|log| log.opened() >= 3);
        running.signal(signal);
        let ended = running.end();
        assert!(ended.took < Duration::from_secs(10), "{:?}", ended.took);
        assert_interrupted(&ended, &server);
        assert!(ended.report().count("connections.opened") < 20);
    }
}

#[test]
fn a_signal_in_the_measured_window() {
    for signal in ["INT", "TERM"] {
        let server = Server::start(Script::default());
        let running = Running::start(&scenario(&server.url(), "0s"), &[]);
        server.wait_until(|log| log.messages() > 200);
        running.signal(signal);
        let ended = running.end();
        assert!(ended.took < Duration::from_secs(10), "{:?}", ended.took);
        assert_interrupted(&ended, &server);
        assert_eq!(ended.report().count("connections.opened"), 20);
        assert!(ended.stdout.contains("\nINTERRUPTED "), "{}", ended.stdout);
    }
}

#[test]
fn a_second_signal_quits_at_once() {
    let server = Server::start(Script::on_close(OnClose::Never));
    let scenario =
        scenario(&server.url(), "0s").replace("[load]", "close_timeout = \"20s\"\n[load]");
    let running = Running::start(&scenario, &["--quiet"]);
    server.wait_until(|log| log.messages() > 20);
    running.signal("INT");
    server.wait_until(|log| !log.close_codes().is_empty());
    let second = Instant::now();
    running.signal("INT");
    let ended = running.end();
    assert!(
        second.elapsed() < Duration::from_secs(5),
        "{:?}",
        second.elapsed()
    );
    assert_eq!(ended.code, 130);
    assert!(
        ended.stderr.contains("interrupted twice"),
        "{}",
        ended.stderr
    );
    assert!(!ended.file("run.json").exists(), "it was not to be written");
}

/// Starts a run against the built-in server, and returns it with the server's process once it has its clients.
fn with_built_in_server() -> (Running, u32) {
    let running = Running::start(&scenario("embedded", "0s"), &["--quiet"]);
    let mut server = None;
    wait_until("the built-in server has twenty clients", || {
        server = process::children(running.id()).first().copied();
        server.is_some_and(|server| process::sockets(server) > 20)
    });
    (running, server.unwrap())
}

#[test]
fn the_built_in_server_goes_with_a_killed_run() {
    let (running, server) = with_built_in_server();
    running.signal("KILL");
    let killed = Instant::now();
    assert_eq!(running.end().code, -9);
    wait_until("the built-in server is gone", || !process::is_alive(server));
    assert!(
        killed.elapsed() < Duration::from_secs(2),
        "{:?}",
        killed.elapsed()
    );
}

/// A terminal sends Ctrl-C to everyone in front of it: the server must outlive the closing of its clients.
#[test]
fn ctrl_c_lets_the_built_in_server_answer_the_last_close() {
    let (running, server) = with_built_in_server();
    running.signal_group("INT");
    let ended = running.end();
    assert_eq!(ended.code, 130, "{}", ended.stderr);
    let report = ended.report();
    assert_eq!(report.closes(), [("1000.local", 20)].into());
    assert!(report.errors().is_empty(), "{:?}", report.errors());
    assert!(!process::is_alive(server));
}

#[test]
fn an_abort_gate_ends_the_run_and_fails_it() {
    let server = Server::start(Script::echo(Echo::Never));
    let gates =
        "timeout = \"200ms\"\n[gates]\nabort = [\"count(messages.timed_out) > 0\"]\n[heartbeat]";
    let scenario = scenario(&server.url(), "0s").replace("[heartbeat]", gates);
    let ended = Ended::run(&scenario);
    assert!(ended.took < Duration::from_secs(10), "{:?}", ended.took);
    let report = ended.report();
    assert_eq!(report.json["outcome"], "aborted");
    assert_eq!(report.json["aborted_by"], "count(messages.timed_out) > 0");
    assert_eq!(report.failed_gates(), ["count(messages.timed_out) > 0"]);
    let late = report.distrust() == ["sends_late"];
    assert_eq!(ended.code, if late { 4 } else { 3 });
    assert_eq!(report.closes(), [("1000.local", 20)].into());
    assert_eq!(server.log().close_codes(), vec![Some(1000); 20]);
}

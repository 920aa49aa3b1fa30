//! wsbench itself stands still for a while, as on a suspended or throttled machine. The server is not to blame.

use std::thread;
use std::time::{Duration, Instant};

use super::common::{Ended, Event, Handshake, OnClose, Running, Script, Server};

/// How long it stands still.
const STOP: Duration = Duration::from_millis(700);

/// Stops it for [`STOP`] once this holds, and waits for its end.
fn stopped(running: Running, is_time: impl Fn(&Running) -> bool) -> Ended {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_time(&running) {
        assert!(Instant::now() < deadline, "it never began");
        thread::sleep(Duration::from_millis(5));
    }
    running.signal("STOP");
    thread::sleep(STOP);
    running.signal("CONT");
    running.end()
}

/// The gate on a time has no verdict, the other one holds.
#[track_caller]
fn assert_void(ended: &Ended) {
    let report = ended.report();
    let verdict = &report.json["verdict"];
    assert_eq!(ended.code, 4, "{verdict:#}");
    let gates = verdict["gates"].as_array().unwrap();
    let doubted: Vec<_> = gates.iter().map(|gate| &gate["doubted"]).collect();
    assert_eq!(doubted, [true, false], "{verdict:#}");
    let doubts = verdict["distrust"].as_array().unwrap().iter();
    let concerned: Vec<_> = doubts.map(|doubt| &doubt["concerns"]).collect();
    assert_eq!(*concerned[0], serde_json::json!([gates[0]["gate"]]));
}

#[test]
fn in_the_closed_model_a_stop_is_not_the_servers() {
    let server = Server::start(Script::default());
    let scenario = format!(
        r#"
        name = "stop"
        [target]
        url = "{}"
        [load]
        connections = 5
        ramp_up = "0s"
        duration = "3s"
        [[message]]
        name = "echo"
        in_flight = 1
        think = "20ms"
        [gates]
        pass = ["max(latency.echo) < 350ms", "count(messages.mismatched) == 0"]
        "#,
        server.url()
    );
    let running = Running::start(&scenario, &["--quiet"]);
    let ended = stopped(running, |_| server.log().messages() > 100);
    assert_void(&ended);
}

#[test]
fn for_listeners_a_stop_is_not_the_servers() {
    let scenario = r#"
        name = "stop"
        [target]
        url = "embedded"
        push = "50ms"
        [load]
        connections = 5
        ramp_up = "0s"
        duration = "4s"
        [gates]
        pass = ["max(receive.gap) < 350ms", "count(messages.received) > 0"]
        "#;
    let running = Running::start(scenario, &[]);
    let ended = stopped(running, |running| running.stderr().contains("measure"));
    assert_void(&ended);
}

/// Connections that should have ended meanwhile are still there when it goes on, so new ones find no room.
#[test]
fn while_clients_arrive_a_stop_is_not_the_servers() {
    let server = Server::start(Script::default());
    let scenario = format!(
        r#"
        name = "stop"
        [target]
        url = "{}"
        [load]
        arrivals = {{ rate = "50/s", lifetime = "200ms", max_open = 20 }}
        duration = "3s"
        [gates]
        pass = ["count(connections.skipped) == 0", "count(connections.failed) == 0"]
        "#,
        server.url()
    );
    let running = Running::start(&scenario, &["--quiet"]);
    let ended = stopped(running, |_| {
        server.log().count(|event| *event == Event::Accepted) > 20
    });
    assert_void(&ended);
}

/// The handshakes are under way when wsbench is stopped for longer than `connect_timeout`. That time does not count for
/// the deadline, so none of them fails; but their times are too long by it.
#[test]
fn in_the_ramp_up_a_stop_is_not_the_servers() {
    let server = Server::start(Script::handshake(Handshake::Late(Duration::from_millis(
        250,
    ))));
    let scenario = format!(
        r#"
        name = "stop"
        [target]
        url = "{}"
        connect_timeout = "500ms"
        [load]
        connections = 5
        ramp_up = "0s"
        duration = "1s"
        [gates]
        pass = ["max(handshake.total) < 400ms", "count(connections.failed) == 0"]
        "#,
        server.url()
    );
    let running = Running::start(&scenario, &[]);
    let ended = stopped(running, |_| {
        server.log().count(|event| *event == Event::Accepted) == 5
    });
    assert_void(&ended);
    assert_eq!(ended.report().count("errors.connect_timeout"), 0);
}

/// A server that does not end TCP is given up after `close_timeout`. Where wsbench stood still meanwhile, nobody knows
/// whether it would have.
#[test]
fn while_closing_a_stop_is_not_the_servers() {
    let server = Server::start(Script::on_close(OnClose::Never));
    let scenario = format!(
        r#"
        name = "stop"
        [target]
        url = "{}"
        close_timeout = "500ms"
        [load]
        connections = 5
        ramp_up = "0s"
        ramp_down = "0s"
        duration = "1s"
        [[message]]
        name = "echo"
        rate = "20/s"
        [gates]
        pass = ["count(errors.close_timeout) == 0", "count(messages.mismatched) == 0"]
        "#,
        server.url()
    );
    let running = Running::start(&scenario, &[]);
    let ended = stopped(running, |_| !server.log().close_codes().is_empty());
    assert_void(&ended);
}

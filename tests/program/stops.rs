//! wsbench itself stands still for a while, as on a suspended or throttled machine. The server is not to blame.

use std::thread;
use std::time::{Duration, Instant};

use super::common::{Ended, Running, Script, Server};

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

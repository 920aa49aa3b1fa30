//! What the coordinator does for all: gates that end a run, the target's process, and what happens to it.

use serde_json::Value;

use super::common::nats::{Nats, Version};
use super::common::real::wsbench;
use super::common::{Running, Script, Server, address};
use super::setting::{agent, assert_code, coordinator, scenario};

/// Agents of one worker each.
fn agents(nats: &Nats) -> [Running; 2] {
    ["one", "two"].map(|name| agent(nats, name, "1"))
}

fn end(agents: [Running; 2]) {
    for agent in agents {
        assert_code(&agent.end(), 0);
    }
}

#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn an_abort_gate_ends_the_load_of_all_agents() {
    let server = Server::start(Script::default());
    let nats = Nats::start(Version::Debian);
    let agents = agents(&nats);
    // No agent alone sends as many: each has 10 or 9 connections, of which each sends ten a second.
    let gate = "count(messages.sent) > 380";
    let scenario = format!(
        "{}\n        gates.abort = [\"{gate}\"]",
        scenario(&server.url(), 40)
    );
    let led = coordinator(&nats, &scenario, 2, &[]).end();
    assert_code(&led, 3);
    let report = led.report();
    assert_eq!(report.json["outcome"], "aborted");
    assert_eq!(report.json["aborted_by"], gate);
    // It was measured until then, and no longer.
    let measured = report.json["measured_seconds"].as_f64().unwrap();
    assert!((1.0..20.0).contains(&measured), "{measured}");
    assert!(report.count("messages.sent") > 380);
    end(agents);
}

/// A target that the coordinator starts, and to which it does this, on a machine that is the agents' as well.
fn started(address: &str, faults: &str) -> String {
    let (host, port) = address.split_once(':').unwrap();
    let program = wsbench().display().to_string();
    let command = [program.as_str(), "serve", "--host", host, "--port", port];
    format!(
        r#"
        name = "started"
        [target]
        url = "ws://{address}/"
        command = {command:?}
        {faults}
        [load]
        connections = 20
        ramp_up = "300ms"
        warm_up = "300ms"
        duration = "8s"
        [heartbeat]
        interval = "100ms"
        timeout = "400ms"
        on_dead = "keep"
        [gates]
        pass = ["count(connections.failed) == 0", "max(target.cpu) > 0", "max(target.rss) > 0"]
        "#
    )
}

#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn the_coordinator_starts_the_target_and_does_to_it_what_is_planned() {
    let nats = Nats::start(Version::PyPi);
    let agents = agents(&nats);
    let address = address::free().to_string();
    let freeze = r#"
        [[target.fault]]
        kind = "sigstop"
        after = "1s"
        for = "1500ms"
        [contract]
        from = "fault"
        detected_between = ["50ms", "4s"]
        recovers_within = "4s"
        "#;
    let led = coordinator(&nats, &started(&address, freeze), 2, &[]).end();
    assert_code(&led, 0);
    let report = led.report();
    let incidents = report.json["surroundings"]["incidents"].as_array().unwrap();
    let [incident] = &incidents[..] else {
        panic!("{incidents:?}");
    };
    assert_eq!(incident["kind"], "sigstop");
    let times = ["began_s", "ended_s"].map(|key| incident[key].as_f64().unwrap());
    assert!(times[1] - times[0] > 1.0, "{incident}");
    // What the coordinator did is where the times of the agents begin.
    for promise in ["detected_between", "recovers_within"] {
        let (is_kept, judged) = report.promise("main", promise);
        assert!(is_kept && judged["judged"].as_u64() == Some(20), "{judged}");
    }
    // Both agents saw it: their pings were not answered meanwhile.
    let parts = report.json["parts"].as_array().unwrap();
    let opened: Vec<&Value> = parts.iter().map(|part| &part["opened"]).collect();
    assert_eq!(opened, [10, 10]);
    let missed = report.count("heartbeat.missed");
    assert!(missed >= 20, "{missed}");
    end(agents);
    assert!(
        std::net::TcpStream::connect(&address).is_err(),
        "it goes on"
    );
}

/// A target that cannot be started ends nothing but this run.
#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn agents_are_let_go_where_the_target_cannot_be_started() {
    let nats = Nats::start(Version::Debian);
    let waits = agent(&nats, "waits", "1");
    let address = address::free().to_string();
    let scenario = started(&address, "").replace("\"serve\"", "\"no-such-command\"");
    let led = coordinator(&nats, &scenario, 1, &[]).end();
    assert_code(&led, 2);
    assert!(led.stderr.contains("hint: "), "{}", led.stderr);
    // It takes the next run.
    let server = Server::start(Script::default());
    let led = coordinator(&nats, &super::setting::scenario(&server.url(), 1), 1, &[]).end();
    assert_code(&led, 0);
    assert_code(&waits.end(), 0);
}

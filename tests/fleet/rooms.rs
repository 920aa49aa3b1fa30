//! Who hears what is published may be on another machine than who says it.

use super::common::nats::{Nats, Version};
use super::common::{Broadcast, Ended};
use super::setting::{agent, assert_code, coordinator, lost_of, unbalanced, wait_for};

/// Deliveries of a second: twelve connections in one room, in which each speaks 20 times.
const EACH_SECOND: u64 = 12 * 12 * 20;

pub(super) fn scenario(url: &str, seconds: u32) -> String {
    format!(
        r#"
        name = "all"
        target.url = "{url}"
        load = {{ warm_up = "1s", duration = "{seconds}s" }}
        [[cohort]]
        name = "members"
        connections = 12
        joins = "all"
        [[cohort.message]]
        name = "say"
        payload = {{ json = '{{"from":{{{{place}}}},"text":"{{{{stamp}}}}"}}' }}
        rate = "20/s"
        expect = "none"
        timeout = "3s"
        to = "all"
        [gates]
        pass = [
            "ratio(delivery.received / delivery.expected) == 100%",
            "count(delivery.stray) == 0",
            "count(delivery.duplicated) == 0",
            "p50(delivery.latency) < 2s",
        ]
        "#
    )
}

fn played(nats: &Nats, server: &Broadcast) -> Ended {
    let agents = [agent(nats, "one", "1"), agent(nats, "two", "2")];
    let led = coordinator(nats, &scenario(&server.url(), 4), 2, &[]).end();
    for agent in agents {
        assert_code(&agent.end(), 0);
    }
    led
}

#[test]
#[ignore = "needs NATS servers of both versions; run by scripts/test"]
fn what_is_said_on_one_machine_is_expected_on_all() {
    Version::each(|version| {
        let (nats, server) = (Nats::start(version), Broadcast::start(|_| 1));
        let led = played(&nats, &server);
        assert_code(&led, 0);
        let report = led.report();
        let [expected, received] =
            ["expected", "received"].map(|what| report.count(&format!("delivery.{what}")));
        assert_eq!(expected, received, "{}", led.stdout);
        // Whole seconds of all members, wherever they are.
        assert!(expected >= 3 * EACH_SECOND, "{expected}");
        assert_eq!(report.count("messages.received"), server.sent());
        // Times between the machines were judged as surely as their clocks are known, which is told.
        for part in report.json["parts"].as_array().unwrap() {
            assert!(part["clock"]["error_ns"].as_u64().unwrap() > 0, "{part}");
        }
    });
}

#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn what_is_dropped_on_the_way_to_another_machine_is_missing() {
    // In a second that is measured, however long the agents took to begin.
    let from = 4 * EACH_SECOND + EACH_SECOND / 2;
    let server = Broadcast::start(move |delivery| match delivery.checked_sub(from) {
        Some(0..50) => 0,
        Some(400..420) => 2,
        _ => 1,
    });
    let led = played(&Nats::start(Version::PyPi), &server);
    assert_code(&led, 3);
    let report = led.report();
    let missing = report.count("delivery.expected") - report.count("delivery.received");
    assert_eq!(missing, 50, "{}", led.stdout);
    assert_eq!(report.count("delivery.duplicated"), 20);
}

/// From then on nobody knows what was to be heard, so nothing is missing.
#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn what_a_lost_agent_said_is_not_missed() {
    let (nats, server) = (Nats::start(Version::Debian), Broadcast::start(|_| 1));
    let (stays, goes) = (agent(&nats, "stays", "1"), agent(&nats, "goes", "1"));
    let options = ["--on-agent-loss", "continue"];
    let led = coordinator(&nats, &scenario(&server.url(), 13), 2, &options);
    wait_for(&stays, "plays share");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    // Seconds are told of when their last message cannot come any more.
    while server.sent() < 9 * EACH_SECOND {
        assert!(std::time::Instant::now() < deadline, "nothing is heard");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    goes.signal("KILL");
    let led = led.end();
    assert_code(&led, 0);
    assert_code(&stays.end(), 0);
    let report = unbalanced(&led);
    assert!(matches!(lost_of(&report)[..], [Some(_), None]));
    let count = |name: &str| {
        let totals = report["totals"].as_array().unwrap().iter();
        let rows = totals.filter(|row| row["name"] == name);
        rows.filter_map(|row| row["count"].as_u64()).sum::<u64>()
    };
    assert_eq!(count("delivery.expected"), count("delivery.received"));
    assert!(count("delivery.expected") >= EACH_SECOND);
}

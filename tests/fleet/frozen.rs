//! A process that stands still for a time, as on a machine that swaps: nothing is lost meanwhile, and what it finds when it
//! goes on is the same run.

use std::time::Duration;

use super::common::nats::{Nats, Version};
use super::common::{Script, Server, process};
use super::setting::{
    Alone, agent, assert_code, attach, coordinator, run_of, scenario, wait_for_messages,
};

/// Longer than an agent may give no sign of life, and shorter than agents go on without a coordinator.
const STANDS: Duration = Duration::from_secs(5);

#[test]
#[ignore = "needs NATS servers of both versions; run by scripts/test"]
fn a_broker_that_stands_still_loses_nothing() {
    let alone = Alone::begin(8);
    Version::each(|version| {
        let server = Server::start(Script::default());
        let scenario = scenario(&server.url(), 8);
        let nats = Nats::start(version);
        let agents = [agent(&nats, "one", "1"), agent(&nats, "two", "1")];
        let led = coordinator(&nats, &scenario, 2, &[]);
        wait_for_messages(&server, 300);
        process::signal(nats.id(), "STOP");
        std::thread::sleep(STANDS);
        process::signal(nats.id(), "CONT");
        let led = led.end();
        assert_code(&led, 0);
        assert_eq!(
            led.report().fixed_by_the_plan(),
            *alone.counts(),
            "{version:?}"
        );
        for agent in agents {
            assert_code(&agent.end(), 0);
        }
    });
}

/// Whoever takes over makes the whole report, and so does who goes on after that.
#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn a_coordinator_that_stands_still_can_be_followed_by_another() {
    let server = Server::start(Script::default());
    let scenario = scenario(&server.url(), 8);
    let alone = Alone::begin(8);
    let nats = Nats::start(Version::PyPi);
    let agents = [agent(&nats, "one", "1"), agent(&nats, "two", "1")];
    let led = coordinator(&nats, &scenario, 2, &[]);
    let run = run_of(&led);
    wait_for_messages(&server, 300);
    led.signal("STOP");
    let after = attach(&nats, &run, &[]).end();
    assert_code(&after, 0);
    assert_eq!(after.report().fixed_by_the_plan(), *alone.counts());
    for agent in agents {
        assert_code(&agent.end(), 0);
    }
    led.signal("CONT");
    let led = led.end();
    assert_code(&led, 0);
    assert_eq!(led.report().fixed_by_the_plan(), *alone.counts());
}

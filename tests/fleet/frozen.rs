//! A process that stands still for a time, as on a machine that swaps: nothing is lost meanwhile, and what it finds when it
//! goes on is the same run.

use std::time::Duration;

use super::common::nats::Version;
use super::common::process;
use super::setting::{Alone, UnderWay, assert_is_alone};

/// Longer than an agent may give no sign of life, and shorter than agents go on without a coordinator.
const STANDS: Duration = Duration::from_secs(5);

#[test]
#[ignore = "needs NATS servers of both versions; run by scripts/test"]
fn a_broker_that_stands_still_loses_nothing() {
    let alone = Alone::begin(8);
    Version::each(|version| {
        let run = UnderWay::begin(version, 8);
        process::signal(run.nats.id(), "STOP");
        std::thread::sleep(STANDS);
        process::signal(run.nats.id(), "CONT");
        run.assert_ends(&alone);
    });
}

/// Whoever takes over makes the whole report, and so does who goes on after that.
#[test]
#[ignore = "needs NATS servers of both versions; run by scripts/test"]
fn a_coordinator_that_stands_still_can_be_followed_by_another() {
    let alone = Alone::begin(8);
    Version::each(|version| {
        let run = UnderWay::begin(version, 8);
        run.led.signal("STOP");
        let (_nats, led, _) = run.assert_followed(&alone);
        led.signal("CONT");
        assert_is_alone(led, &alone);
    });
}

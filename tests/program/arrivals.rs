//! Sessions that come at a rate: each plays its steps once, and goes.

use super::common::run::{run, trusted};

const SCENARIO: &str = r#"
name = "sessions"
[target]
url = "embedded"
rooms = true
[load]
arrivals = { rate = "4/s", lifetime = "steps", max_open = 4 }
duration = "3s"
[[setup]]
name = "join"
send = { json = '{"join":"room","id":{{id}}}' }
expect = { "/id" = "{{id}}" }
[[step]]
name = "turn"
repeat = { count = 3 }
[[step.step]]
name = "say"
send = { json = '{"say":"room","data":{{turn}},"id":{{id}}}' }
expect = { "/id" = "{{id}}" }
[[step.step]]
pause = "10ms"
[gates]
pass = [
    "count(messages.timed_out) == 0",
    "count(connections.skipped) == 0",
    "max(connections.open) <= 4",
]
"#;

#[test]
fn every_arrival_plays_its_steps_once_and_goes() {
    let (run, ()) = trusted(|| (run(SCENARIO, &[]), ()));
    run.assert_passed();
    // The last one has a quarter of a second, and needs a few hundredths.
    for (name, count) in [
        ("connections.attempted", 12),
        ("connections.opened", 12),
        ("connections.closed", 12),
        ("connections.lost", 0),
        ("setup.ready", 12),
        ("closes.1000.local", 12),
    ] {
        assert_eq!(run.report.count(name), count, "{name}");
    }
    for (name, count) in [
        ("messages.sent", 36),
        ("messages.answered", 36),
        ("latency.say", 36),
        ("latency.turn", 36),
    ] {
        assert_eq!(run.count(name), count, "{name}");
    }
}

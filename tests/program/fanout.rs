//! Fan-out as users see it: who should have heard what, and who did.

use std::path::Path;
use std::thread;

use wsbench::scenario::ServerRooms;
use wsbench::server::{Behaviour, EmbeddedServer};

use super::common::{Broadcast, Ended, Report, Running};

/// Twelve connections in one room, in which each speaks 20 times a second.
fn scenario(url: &str, joins: &str) -> String {
    format!(
        r#"
        name = "all"
        target.url = "{url}"
        load = {{ warm_up = "1500ms", duration = "2s" }}
        [[cohort]]
        name = "members"
        connections = 12
        joins = {joins}
        [[cohort.message]]
        name = "say"
        payload = {{ json = '{{"from":{{{{place}}}},"text":"{{{{stamp}}}}"}}' }}
        rate = "20/s"
        expect = "none"
        timeout = "1s"
        to = "all"
        [gates]
        pass = [
            "ratio(delivery.received / delivery.expected) == 100%",
            "count(delivery.stray) == 0",
            "count(delivery.duplicated) == 0",
            "count(delivery.unordered) == 0",
        ]
        "#
    )
}

const OUTCOMES: [&str; 5] = [
    "delivery.received",
    "delivery.late",
    "delivery.duplicated",
    "delivery.stray",
    "delivery.unsure",
];

/// All that the server sent came, and was counted as something.
#[track_caller]
fn all_came(server: &Broadcast, report: &Report) {
    let heard: u64 = OUTCOMES.iter().map(|name| report.count(name)).sum();
    assert_eq!(heard, server.sent());
    assert_eq!(report.count("messages.received"), server.sent());
    assert_eq!(report.count("messages.unsolicited"), 0);
}

#[test]
fn what_is_published_to_all_is_heard_by_all() {
    let server = Broadcast::start(|_| 1);
    let ended = Running::start(&scenario(&server.url(), "\"all\""), &[]).end();
    let report = ended.report();
    all_came(&server, &report);
    let (expected, received) = (
        report.count("delivery.expected"),
        report.count("delivery.received"),
    );
    assert_eq!(expected, received, "{}", ended.stdout);
    // Two seconds are measured, and begin within a second.
    assert!(expected >= 12 * 12 * 20, "{expected}");
    assert_eq!(ended.code, 0, "{}", ended.stdout);
    let line = ended
        .stdout
        .lines()
        .find(|line| line.starts_with("delivery "));
    let line = line.unwrap_or_else(|| panic!("{}", ended.stdout));
    assert!(
        line.contains("expected (100 %) · 0 missing · 0 twice · 0 stray"),
        "{line}"
    );
    let timeline = super::common::table(&ended.file("timeline.csv"));
    let delivered: u64 = timeline
        .iter()
        .map(|row| row["delivered"].parse::<u64>().unwrap())
        .sum();
    assert_eq!(delivered, server.sent());
}

#[test]
fn what_is_dropped_is_missing_and_what_is_doubled_comes_twice() {
    // From two and a half seconds after the start on: in a second that begins in the measured time.
    let server = Broadcast::start(|delivery| match delivery {
        7_600..7_650 => 0,
        8_000..8_020 => 2,
        _ => 1,
    });
    let ended = Ended::run(&scenario(&server.url(), "[\"all\"]"));
    let report = ended.report();
    all_came(&server, &report);
    assert_eq!(report.count("delivery.duplicated"), 20, "{}", ended.stdout);
    let missing = report.count("delivery.expected") - report.count("delivery.received");
    assert_eq!(missing, 50, "{}", ended.stdout);
    assert_eq!(
        report.failed_gates(),
        [
            "ratio(delivery.received / delivery.expected) == 100%",
            "count(delivery.duplicated) == 0"
        ]
    );
}

#[test]
fn who_is_in_another_topic_should_not_hear_it() {
    let server = Broadcast::start(|_| 1);
    let ended = Ended::run(&scenario(&server.url(), "\"others\""));
    let report = ended.report();
    all_came(&server, &report);
    assert_eq!(report.count("delivery.stray"), server.sent());
    assert_eq!(report.count("delivery.expected"), 0);
    let failed = report.failed_gates();
    assert!(
        failed.contains(&"ratio(delivery.received / delivery.expected) == 100%"),
        "{failed:?}"
    );
    assert!(failed.contains(&"count(delivery.stray) == 0"), "{failed:?}");
}

/// The rooms of the built-in server: members come by a message, which is answered before the measured time.
#[test]
fn rooms_hear_what_is_said_in_them() {
    let scenario = r#"
        name = "rooms"
        target = { url = "embedded", rooms = true }
        load = { warm_up = "1500ms", duration = "2s" }
        [[cohort]]
        name = "members"
        connections = 12
        joins = "room-{{place / 4}}"
        [[cohort.message]]
        name = "join"
        payload = { json = '{"join":"room-{{place / 4}}"}' }
        rate = "1/s"
        phase = "aligned"
        count = 1
        expect = "none"
        [[cohort.message]]
        name = "say"
        payload = { json = '{"say":"room-{{place / 4}}","self":false,"data":"{{stamp}}"}' }
        rate = "20/s"
        expect = "none"
        timeout = "1s"
        to = "room-{{place / 4}}"
        self = false
        [gates]
        pass = [
            "ratio(delivery.received / delivery.expected) == 100%",
            "count(delivery.stray) == 0",
            "count(delivery.unordered) == 0",
            "p99(delivery.latency) < 1s",
        ]
    "#;
    let ended = Ended::run(scenario);
    let report = ended.report();
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    let measured = report.rows("metrics", "delivery.expected");
    let expected: u64 = measured
        .iter()
        .map(|row| row["count"].as_u64().unwrap())
        .sum();
    assert!(expected >= 12 * 3 * 20, "{expected}");
}

/// Members come and go by steps, some of them with their connections; the server's own counts say what happened.
#[test]
fn members_that_come_and_go_are_counted_as_the_server_counts_them() {
    let behaviour = Behaviour {
        rooms: Some(ServerRooms::default()),
        ..Behaviour::default()
    };
    let server =
        EmbeddedServer::spawn(Path::new(env!("CARGO_BIN_EXE_wsbench")), &behaviour).unwrap();
    let scenario = format!(
        r#"
        name = "visits"
        target.url = "{}"
        load = {{ warm_up = "1s", duration = "9s" }}
        [[cohort]]
        name = "hosts"
        connections = 3
        [[cohort.setup]]
        name = "open"
        send = {{ json = '{{"join":"room-{{{{place}}}}","id":{{{{id}}}}}}' }}
        expect = {{ "/id" = "{{{{id}}}}" }}
        check = {{ "/ok" = true }}
        joins = "room-{{{{place}}}}"
        [[cohort.message]]
        name = "talk"
        payload = {{ json = '{{"say":"room-{{{{place}}}}","id":{{{{id}}}},"data":"{{{{stamp}}}}"}}' }}
        rate = "40/s"
        expect = {{ "/id" = "{{{{id}}}}" }}
        check = {{ "/ok" = true }}
        timeout = "1s"
        to = "room-{{{{place}}}}"
        [[cohort]]
        name = "guests"
        connections = 12
        [[cohort.step]]
        repeat = {{ count = 2 }}
        [[cohort.step.step]]
        name = "join"
        send = {{ json = '{{"join":"room-{{{{place % 3}}}}","id":{{{{id}}}}}}' }}
        expect = {{ "/id" = "{{{{id}}}}" }}
        joins = "room-{{{{place % 3}}}}"
        [[cohort.step.step]]
        pause = ["1s", "3s"]
        [[cohort.step.step]]
        name = "ask"
        send = {{ json = '{{"say":"room-{{{{place % 3}}}}","id":{{{{id}}}},"self":false,"data":"{{{{stamp}}}}"}}' }}
        expect = {{ "/id" = "{{{{id}}}}" }}
        check = {{ "/ok" = true }}
        timeout = "1s"
        to = "room-{{{{place % 3}}}}"
        self = false
        [[cohort.step.step]]
        name = "leave"
        send = {{ json = '{{"leave":"room-{{{{place % 3}}}}","id":{{{{id}}}}}}' }}
        expect = {{ "/id" = "{{{{id}}}}" }}
        leaves = "room-{{{{place % 3}}}}"
        [[cohort.step.step]]
        pause = ["0s", "800ms"]
        [[cohort.step]]
        reconnect = {{ after = "100ms" }}
        [gates]
        pass = [
            "ratio(delivery.received / delivery.expected) == 100%",
            "count(delivery.stray) == 0",
            "count(delivery.duplicated) == 0",
            "count(delivery.unordered) == 0",
            "ratio(messages.answered / messages.sent) == 100%",
        ]
        "#,
        server.url()
    );
    let ended = Ended::run(&scenario);
    let counts = server.stop().expect("counts");
    let report = ended.report();
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    assert_eq!(report.count("delivery.published"), counts.said);
    let heard: u64 = OUTCOMES.iter().map(|name| report.count(name)).sum();
    assert_eq!(heard, counts.delivered, "{}", ended.stdout);
    let expected = report.count("delivery.expected");
    assert_eq!(expected, report.count("delivery.received"));
    assert!(expected > 3 * 40 * 9, "{expected}");
    assert!(report.count("delivery.unsure") > 500, "{}", ended.stdout);
    assert!(report.count("connections.reconnected") >= 12);
}

/// Two rooms of five listeners each, with one speaker; the rooms do one thing wrong on purpose.
fn guilty(defect: &str) -> String {
    format!(
        r#"
        name = "guilty"
        target = {{ url = "embedded", rooms = {{ defect = "{defect}" }} }}
        load = {{ warm_up = "1500ms", duration = "2s" }}
        [[cohort]]
        name = "speakers"
        connections = 2
        joins = "room-{{{{place}}}}"
        [[cohort.message]]
        name = "join"
        payload = {{ json = '{{"join":"room-{{{{place}}}}"}}' }}
        rate = "1/s"
        phase = "aligned"
        count = 1
        expect = "none"
        [[cohort.message]]
        name = "say"
        payload = {{ json = '{{"say":"room-{{{{place}}}}","self":false,"data":"{{{{stamp}}}}"}}' }}
        rate = "250/s"
        expect = "none"
        timeout = "2s"
        to = "room-{{{{place}}}}"
        self = false
        [[cohort]]
        name = "listeners"
        connections = 10
        joins = "room-{{{{place % 2}}}}"
        [[cohort.message]]
        name = "join"
        payload = {{ json = '{{"join":"room-{{{{place % 2}}}}"}}' }}
        rate = "1/s"
        phase = "aligned"
        count = 1
        expect = "none"
        [gates]
        pass = [
            "ratio(delivery.received / delivery.expected) == 100%",
            "count(delivery.duplicated) == 0",
            "count(delivery.unordered) == 0",
            "count(delivery.stray) == 0",
        ]
        "#
    )
}

/// Each defect of the rooms is found, and nothing else is.
#[test]
fn rooms_are_convicted_of_what_they_do_wrong() {
    let cases = [
        (
            "drops_delivery",
            "ratio(delivery.received / delivery.expected) == 100%",
        ),
        ("doubles_delivery", "count(delivery.duplicated) == 0"),
        ("swaps_delivery", "count(delivery.unordered) == 0"),
        ("leaks_room", "count(delivery.stray) == 0"),
    ];
    thread::scope(|scope| {
        for (defect, gate) in cases {
            scope.spawn(move || {
                let ended = Ended::run(&guilty(defect));
                let report = ended.report();
                assert_eq!(report.failed_gates(), [gate], "{defect}: {}", ended.stdout);
            });
        }
    });
}

#[test]
fn check_says_how_much_is_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let text = scenario("ws://127.0.0.1:9/", "\"all\"");
    std::fs::write(folder.path().join("test.toml"), text).unwrap();
    let ended = Running::call(folder, &["check", "test.toml"], &[]).end();
    let said = "topics       1: 240 published and 2,880 delivered a second";
    assert!(ended.stdout.contains(said), "{}", ended.stdout);
}

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

/// Two rooms of twenty listeners each, with one speaker, who joins twice since rooms may forget a member; the rooms do one
/// thing wrong on purpose, or nothing.
fn guilty(rooms: &str) -> String {
    format!(
        r#"
        name = "guilty"
        target = {{ url = "embedded", rooms = {rooms} }}
        load = {{ warm_up = "1500ms", duration = "3s" }}
        [[setup]]
        repeat = {{ count = 2 }}
        [[setup.step]]
        name = "join"
        send = {{ json = '{{"join":"room-{{{{place % 2}}}}","id":{{{{id}}}}}}' }}
        expect = {{ "/id" = "{{{{id}}}}" }}
        check = {{ "/ok" = true }}
        joins = "room-{{{{place % 2}}}}"
        [[cohort]]
        name = "speakers"
        connections = 2
        [[cohort.message]]
        name = "say"
        payload = {{ json = '{{"say":"room-{{{{place}}}}","id":{{{{id}}}},"self":false,"data":"{{{{stamp}}}}"}}' }}
        rate = "60/s"
        expect = {{ "/id" = "{{{{id}}}}" }}
        check = {{ "/ok" = true }}
        timeout = "2s"
        to = "room-{{{{place}}}}"
        self = false
        [[cohort]]
        name = "listeners"
        connections = 40
        [[cohort.setup]]
        name = "join"
        send = {{ json = '{{"join":"room-{{{{place % 2}}}}","id":{{{{id}}}}}}' }}
        expect = {{ "/id" = "{{{{id}}}}" }}
        check = {{ "/ok" = true }}
        joins = "room-{{{{place % 2}}}}"
        [[cohort.step]]
        repeat = {{}}
        [[cohort.step.step]]
        name = "hears"
        await = {{ has = ["/seq"] }}
        timeout = "1s"
        [[cohort.step.step]]
        pause = "200ms"
        [gates]
        pass = [
            "ratio(delivery.received / delivery.expected) == 100%",
            "count(delivery.duplicated) == 0",
            "count(delivery.unordered) == 0",
            "count(delivery.stray) == 0",
            "ratio(messages.answered / messages.sent) == 100%",
            "count(awaits.timed_out) == 0",
        ]
        "#
    )
}

/// Each defect of the rooms is found, and nothing else is.
#[test]
fn rooms_are_convicted_of_what_they_do_wrong() {
    const COMPLETE: &str = "ratio(delivery.received / delivery.expected) == 100%";
    let cases: [(&str, &[&str]); 7] = [
        ("", &[]),
        ("drops_delivery", &[COMPLETE]),
        ("doubles_delivery", &["count(delivery.duplicated) == 0"]),
        ("swaps_delivery", &["count(delivery.unordered) == 0"]),
        ("leaks_room", &["count(delivery.stray) == 0"]),
        (
            "answers_wrong_id",
            &["ratio(messages.answered / messages.sent) == 100%"],
        ),
        // Who is forgotten hears nothing at all.
        (
            "forgets_member",
            &[COMPLETE, "count(awaits.timed_out) == 0"],
        ),
    ];
    thread::scope(|scope| {
        for (defect, gates) in cases {
            scope.spawn(move || {
                let rooms = match defect {
                    "" => "true".to_owned(),
                    defect => format!("{{ defect = \"{defect}\" }}"),
                };
                let ended = Ended::run(&guilty(&rooms));
                let report = ended.report();
                assert_eq!(report.failed_gates(), gates, "{defect}: {}", ended.stdout);
            });
        }
    });
}

/// Two rooms with a speaker and listeners each; in one there is somebody who reads nothing.
fn with_a_deaf_member(rooms: &str) -> String {
    let cohort = |name: &str, connections: u32, room: &str, more: &str| {
        format!(
            r#"
            [[cohort]]
            name = "{name}"
            connections = {connections}
            {more}
            [[cohort.setup]]
            name = "join"
            send = {{ json = '{{"join":"{room}","id":{{{{id}}}}}}' }}
            expect = {{ "/id" = "{{{{id}}}}" }}
            check = {{ "/ok" = true }}
            joins = "{room}"
            "#
        )
    };
    let speaks = |room: &str| {
        format!(
            r#"
            [[cohort.message]]
            name = "say"
            payload = {{ json = '{{"say":"{room}","id":{{{{id}}}},"data":["{{{{stamp}}}}","{{{{text(4000)}}}}"]}}' }}
            rate = "100/s"
            expect = {{ "/id" = "{{{{id}}}}" }}
            check = {{ "/ok" = true }}
            timeout = "2s"
            to = "{room}"
            "#
        )
    };
    let deaf = "fault = { kind = \"stop_reading\", after = \"500ms\" }";
    [
        format!(
            r#"
            name = "deaf"
            target = {{ url = "embedded", rooms = {rooms} }}
            load = {{ warm_up = "2s", duration = "4s" }}
            "#
        ),
        cohort("near-speaker", 1, "near", ""),
        speaks("near"),
        cohort("near", 4, "near", ""),
        cohort("deaf", 1, "near", deaf),
        cohort("far-speaker", 1, "far", ""),
        speaks("far"),
        cohort("far", 4, "far", ""),
        r#"
        [gates]
        pass = [
            "ratio(delivery.received{cohort=near} / delivery.expected{cohort=near}) == 100%",
            "ratio(messages.answered{cohort=near-speaker} / messages.sent{cohort=near-speaker}) == 100%",
            "ratio(delivery.received{cohort=far} / delivery.expected{cohort=far}) == 100%",
            "ratio(messages.answered{cohort=far-speaker} / messages.sent{cohort=far-speaker}) == 100%",
            "count(delivery.duplicated) == 0",
            "count(delivery.unordered) == 0",
            "count(delivery.stray) == 0",
        ]
        "#
        .to_owned(),
    ]
    .concat()
}

/// A room that waits for a member which reads nothing is late for all others in it, and for nobody elsewhere. A right one
/// is late for nobody.
#[test]
fn a_room_that_waits_for_a_slow_member_is_convicted() {
    let guilty = Ended::run(&with_a_deaf_member(
        "{ defect = \"slow_member_blocks_room\" }",
    ));
    assert_eq!(
        guilty.report().failed_gates(),
        [
            "ratio(delivery.received{cohort=near} / delivery.expected{cohort=near}) == 100%",
            "ratio(messages.answered{cohort=near-speaker} / messages.sent{cohort=near-speaker}) == 100%",
        ],
        "{}",
        guilty.stdout
    );
    let innocent = Ended::run(&with_a_deaf_member("true"));
    let failed = innocent.report().failed_gates().join(", ");
    assert_eq!(failed, "", "{}", innocent.stdout);
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

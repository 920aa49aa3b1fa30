//! Runs the shipped scenarios in rooms against the built-in server, shorter and with fewer connections: each must exit with
//! 0, all its gates must hold, and what was measured must have happened.

use std::collections::BTreeSet;
use std::fs;

use super::common::run::{Run, shortened};
use wsbench::scenario::shipped;

/// The scenarios that a test below runs.
const PLAYED: [&str; 9] = [
    "chat",
    "co-editing",
    "danmaku",
    "game",
    "lesson",
    "meeting",
    "polling",
    "quotes",
    "subscription",
];

fn play(name: &str, changes: &[(&str, &str)]) -> Run {
    let run = shortened(name, changes);
    run.assert_passed();
    assert_eq!(run.report.count("connections.lost"), 0);
    run
}

#[test]
fn each_is_played() {
    let rooms = (shipped::ALL.iter()).filter(|(_, text)| text.contains("\nrooms = "));
    let names: BTreeSet<_> = rooms.map(|(name, _)| *name).collect();
    assert_eq!(names, PLAYED.into());
}

#[test]
fn chat() {
    let run = play(
        "chat",
        &[
            ("1000", "60"),
            ("\"6/m\"", "\"2/s\""),
            ("\"30s\"", "\"3s\""),
        ],
    );
    // Rooms of twenty.
    assert!(run.count("delivery.expected") > 2 * 60 * 20);
}

#[test]
fn co_editing() {
    let run = play("co-editing", &[("200", "20"), ("\"30s\"", "\"4s\"")]);
    assert!(run.count("messages.answered") > 20);
    assert_eq!(run.count("messages.answered"), run.count("messages.sent"));
    // Four others see it.
    let published = run.count("delivery.published");
    assert_eq!(run.count("delivery.expected"), 4 * published);
}

#[test]
fn danmaku() {
    let run = play(
        "danmaku",
        &[
            ("950", "90"),
            ("50\n", "10\n"),
            ("\"1/m\"", "\"30/m\""),
            ("\"10s\"", "\"1s\""),
            ("\"1m\"", "\"4s\""),
        ],
    );
    assert!(run.count("delivery.published") >= 20);
    assert!(run.count("delivery.expected") >= 20 * 100);
}

#[test]
fn game() {
    let run = play(
        "game",
        &[
            ("connections = 100", "connections = 20"),
            ("\"30s\"", "\"3s\""),
            // Beside other tests, times say nothing.
            ("< 60ms", "< 1s"),
            ("< 50ms", "< 1s"),
            ("lateness) < 1ms", "lateness) < 1s"),
        ],
    );
    assert!(run.count("pushes.received") >= 20 * 50);
    assert!(run.count("delivery.received") > 20 * 20 * 2 * 10);
}

#[test]
fn lesson() {
    let run = play(
        "lesson",
        &[
            ("1000", "100"),
            ("\"5%\"", "\"50%\""),
            ("\"30s\"", "\"5s\""),
        ],
    );
    assert!(run.count("messages.answered") > 20, "hands go up");
    assert!(run.count("delivery.expected") > 100 * 20);
}

#[test]
fn meeting() {
    let run = play(
        "meeting",
        &[
            ("200", "24"),
            ("\"2/m\"", "\"10/m\""),
            ("\"20s\"", "\"3s\""),
            ("self = false", "self = false\ntimeout = \"1s\""),
            ("\"1m\"", "\"14s\""),
        ],
    );
    // Two calls of each, with six messages to the three others.
    assert_eq!(run.count("awaits.met"), 2 * 24);
    assert_eq!(run.count("delivery.published"), 2 * 24 * 6);
}

/// Each group hears each piece of news once, in its own way.
#[test]
fn polling() {
    let run = play(
        "polling",
        &[
            ("connections = 200", "connections = 20"),
            ("\"20s\"", "\"4s\""),
            // Beside other tests, times say nothing.
            ("< 250ms", "< 20s"),
            ("< 500ms", "< 20s"),
            ("< 1500ms", "< 20s"),
        ],
    );
    for age in ["pushed", "polled", "dialled", "waited"] {
        let heard = run.count(&format!("age.{age}"));
        assert!(heard >= 20 * 3, "{age}: {heard}");
    }
    // A request for each piece of news, and a connection for each request of one group.
    assert!(run.count("messages.answered") >= 3 * 20 * 3);
    assert!(run.count("connections.renewed") >= 20 * 3);
    // Side by side, in one table of the report.
    let page = fs::read_to_string(run.ended.file("report.html")).unwrap();
    let table = page.rsplit("How old news was").next().unwrap();
    let table = table.split("</table>").next().unwrap();
    for cohort in ["push", "poll", "dial", "wait"] {
        assert!(table.contains(&format!(">{cohort}<")), "{table}");
    }
    assert!(!table.contains(">host<"), "it hears no news: {table}");
}

#[test]
fn quotes() {
    let run = play("quotes", &[("1000", "50"), ("\"30s\"", "\"3s\"")]);
    assert!(run.count("pushes.received") >= 50 * 55);
}

#[test]
fn subscription() {
    let changes = [
        ("connections = 500", "connections = 50"),
        ("\"10s\"", "\"1s\""),
        ("duration = \"30s\"", "duration = \"3s\""),
    ];
    let run = play("subscription", &changes);
    assert_eq!(run.report.count("setup.ready"), 50);
    // Ten ticks a second for three seconds; one may fall outside at either end of the window.
    assert!(run.count("pushes.received") >= 50 * 28);
}

//! Pongs that do not come, come late or unasked, and pings of the server's own.

use std::time::Duration;

use super::common::frame::{PING, PONG};
use super::common::{Event, Pong, Script};
use super::{CONNECTIONS, GATES, Outcome, echoes, run, scenario};

#[test]
fn no_pongs_while_all_else_goes_well() {
    let outcome = run(&scenario(), Script::pong(Pong::Never));
    outcome.assert_all_end("missed_pong", "1011.local");
    outcome.assert_rows(&[
        ("state", "dead"),
        ("pings_missed", "1"),
        ("last_pong_s", ""),
        ("close_code", "1011"),
        ("close_reason", "heartbeat timeout"),
    ]);
    for (name, count) in [
        ("connections.dead", CONNECTIONS),
        ("connections.lost", CONNECTIONS),
        ("heartbeat.missed", CONNECTIONS),
        ("heartbeat.pongs_received", 0),
        ("messages.timed_out", 0),
    ] {
        assert_eq!(outcome.count(name), count, "{name}");
    }
    assert_eq!(
        outcome.count("heartbeat.pings_sent"),
        outcome.log().pings() as u64
    );
    assert_eq!(
        outcome.log().close_codes(),
        vec![Some(1011); CONNECTIONS as usize]
    );
    outcome.assert_fails(&["connections.dead", "connections.lost"]);
}

#[test]
fn pongs_that_stop_coming() {
    let outcome = run(&scenario(), Script::pong(Pong::Only(1)));
    outcome.assert_all_end("missed_pong", "1011.local");
    assert_eq!(outcome.count("heartbeat.pongs_received"), CONNECTIONS);
    for row in &outcome.report.connections {
        assert_ne!(row["last_pong_s"], "");
        assert_eq!(row["pings_missed"], "1");
    }
    outcome.assert_fails(&["connections.dead", "connections.lost"]);
}

#[test]
fn pongs_to_other_pings() {
    let outcome = run(&scenario(), Script::pong(Pong::Wrong));
    outcome.assert_all_end("missed_pong", "1011.local");
    assert_eq!(outcome.count("heartbeat.pongs_received"), 0);
    let pings = outcome.count("heartbeat.pings_sent");
    assert_eq!(outcome.count("heartbeat.unsolicited"), pings);
}

#[test]
fn late_pongs_are_late_and_not_lost() {
    let heartbeat = "[heartbeat]\ninterval = \"300ms\"\ntimeout = \"100ms\"\nmax_missed = 3\n";
    let scenario = format!("{}{heartbeat}{GATES}", echoes());
    let late = Script::pong(Pong::Late(Duration::from_millis(180)));
    let outcome = run(&scenario, late);
    outcome.assert_all_complete();
    let pings = outcome.count("heartbeat.pings_sent");
    assert!(pings >= 2 * CONNECTIONS);
    assert_eq!(outcome.count("heartbeat.missed"), pings);
    assert_eq!(outcome.count("heartbeat.pongs_received"), 0);
    let late = outcome.count("heartbeat.late");
    assert!(
        (pings - CONNECTIONS..=pings).contains(&late),
        "{late} of {pings}"
    );
    let rtt = outcome.report.rows("totals", "heartbeat.rtt")[0];
    assert!(rtt["min"].as_f64().unwrap() >= 180e3, "{rtt}");
    outcome.assert_passes();
}

/// How many frames the server sent by itself: their payload is a number.
fn own(outcome: &Outcome, opcode: u8) -> u64 {
    let is_own = |event: &Event| matches!(event, Event::Sent(f) if f.opcode == opcode && f.payload.len() < 10);
    outcome.log().count(is_own) as u64
}

#[test]
fn pongs_nobody_asked_for_are_harmless() {
    let script = Script {
        pong_every: Some(Duration::from_millis(70)),
        ..Script::default()
    };
    let outcome = run(&scenario(), script);
    outcome.assert_all_complete();
    assert_eq!(outcome.count("heartbeat.unsolicited"), own(&outcome, PONG));
    assert!(own(&outcome, PONG) > 5 * CONNECTIONS);
    assert_eq!(
        outcome.count("heartbeat.pongs_received"),
        outcome.count("heartbeat.pings_sent")
    );
    outcome.assert_passes();
}

fn pinging() -> Script {
    Script {
        ping_every: Some(Duration::from_millis(70)),
        ..Script::default()
    }
}

#[test]
fn the_servers_pings_are_answered_at_once_and_counted() {
    let outcome = run(&scenario(), pinging());
    outcome.assert_all_complete();
    let pings = own(&outcome, PING);
    assert!(pings > 5 * CONNECTIONS);
    assert_eq!(outcome.count("server_ping.received"), pings);
    // One may cross our Close frame, after which nothing is sent.
    let pongs = outcome.log().pongs() as u64;
    assert!(
        (pings - CONNECTIONS..=pings).contains(&pongs),
        "{pongs} of {pings}"
    );
    let interval = outcome.report.rows("totals", "server_ping.interval")[0];
    assert_eq!(interval["count"], pings - CONNECTIONS);
    let p50 = interval["p50"].as_f64().unwrap();
    assert!((30e3..150e3).contains(&p50), "70 ms, roughly: {p50} µs");
    assert!(median_answer(&outcome) < Duration::from_millis(50));
    outcome.assert_passes();
}

/// From a ping of the server's to the client's pong with the same payload.
fn median_answer(outcome: &Outcome) -> Duration {
    let entries = outcome.log().entries();
    let pongs = entries.iter().filter_map(|pong| match &pong.event {
        Event::Received(frame) if frame.opcode == PONG => Some((pong, frame)),
        _ => None,
    });
    let mut answers: Vec<Duration> = pongs
        .map(|(pong, frame)| {
            let is_its_ping = |event: &Event| matches!(event, Event::Sent(ping) if ping.opcode == PING && ping.payload == frame.payload);
            let mut pings = entries.iter().filter(|ping| ping.connection == pong.connection);
            let ping = pings.find(|ping| is_its_ping(&ping.event)).expect("a pong has its ping");
            pong.at - ping.at
        })
        .collect();
    answers.sort();
    answers[answers.len() / 2]
}

#[test]
fn with_auto_pong_off_they_are_counted_and_not_answered() {
    let scenario = scenario().replace("[heartbeat]", "[heartbeat]\nauto_pong = false");
    let outcome = run(&scenario, pinging());
    outcome.assert_all_complete();
    assert_eq!(outcome.count("server_ping.received"), own(&outcome, PING));
    assert_eq!(outcome.log().pongs(), 0);
    outcome.assert_passes();
}

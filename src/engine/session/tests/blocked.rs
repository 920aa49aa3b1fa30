//! Tests a peer that accepts no bytes: no bytes pile up, and every message is counted.

use super::play::play;
use super::script::{Heard, MS, S, Script, healthy, ping};
use crate::metric::{Cause, Counter, Timer};
use crate::units::{Timestamp, after};

const TEN_A_SECOND: &str = r#"
    target.close_timeout = "3s"
    load = { connections = 1, ramp_up = "0s", duration = "10s", ramp_down = "0s" }
    message = [{ name = "m", rate = "10/s", phase = "aligned", timeout = "5s" }]
"#;

const BOOKS: [Counter; 6] = [
    Counter::MessagesDue,
    Counter::MessagesSent,
    Counter::MessagesHeldUp,
    Counter::MessagesNotSent,
    Counter::MessagesNotTaken,
    Counter::MessagesEchoed,
];

#[test]
fn a_backlog_is_sent_late_and_never_piles_up() {
    let seen = play(TEN_A_SECOND, |_| {
        Script::new(healthy).blocked(after(3 * S)..after(5 * S))
    });
    assert_eq!(seen.counts(BOOKS), [100, 100, 19, 0, 0, 100]);
    // One frame was queued before the block was noticed; the others were sent at once at 5 s.
    let at_once = seen
        .peer()
        .messages()
        .iter()
        .filter(|at| **at == after(5 * S))
        .count();
    assert_eq!(at_once, 21);
    assert_eq!(
        seen.timer(Timer::ScheduleLateness).max(),
        Some((1900 * MS).0)
    );
    assert_eq!(seen.peer().flushes(), 30 + 2 + 49 + 1);
}

#[test]
fn what_is_too_late_to_be_sent_is_not_sent() {
    let scenario = TEN_A_SECOND.replace("5s", "500ms");
    let seen = play(&scenario, |_| {
        Script::new(healthy).blocked(after(3 * S)..after(5 * S))
    });
    // The message queued at 3 s times out; those from 3.1 s to 4.4 s are older than their timeout at 5 s.
    assert_eq!(seen.counts(BOOKS), [100, 86, 5, 14, 14, 85]);
    assert_eq!(seen.count(Counter::MessagesTimedOut), 1);
    assert_eq!(seen.count(Counter::MessagesLate), 1);
}

#[test]
fn what_a_blocked_peer_did_not_take_by_the_end_is_not_sent() {
    let seen = play(TEN_A_SECOND, |_| {
        Script::new(healthy).blocked(after(3 * S)..after(60 * S))
    });
    assert_eq!(seen.counts(BOOKS), [100, 31, 0, 69, 69, 30]);
    assert_eq!(seen.peer().most_queued(), 2);
    // Our Close could not be sent either.
    assert_eq!(seen.causes(), [Cause::WriteTimeout]);
    assert_eq!(seen.ended, after(13 * S));
}

#[test]
fn a_blocked_peer_that_still_talks_is_still_read() {
    let seen = play(TEN_A_SECOND, |_| {
        let script = Script::new(healthy).blocked(after(3 * S + MS)..after(60 * S));
        (4..8).fold(script, |script, second| {
            script.says(after(second * S), ping())
        })
    });
    assert_eq!(seen.count(Counter::ServerPings), 4);
    assert!(
        seen.peer()
            .heard()
            .iter()
            .all(|(_, heard)| !matches!(heard, Heard::Pong(_)))
    );
}

#[test]
fn a_blocked_peer_is_pinged_and_found_dead() {
    let scenario = r#"
        target.close_timeout = "3s"
        load = { connections = 1, ramp_up = "0s", duration = "60s", ramp_down = "0s" }
        message = [{ name = "m", rate = "10/s", phase = "aligned", timeout = "5s" }]
        heartbeat = { interval = "10s", timeout = "5s", phase = "aligned", max_missed = 3 }
    "#;
    let seen = play(scenario, |_| {
        Script::new(healthy).blocked(after(12 * S)..after(90 * S))
    });
    assert_eq!(seen.causes(), [Cause::MissedPong]);
    assert_eq!(seen.count(Counter::PingsSent), 5);
    assert_eq!(
        seen.timer(Timer::HeartbeatDetection).max(),
        Some((33_099 * MS).0)
    );
    assert_eq!(seen.ended, after(48 * S));
}

#[test]
fn pings_to_a_blocked_peer_do_not_pile_up_without_end() {
    let scenario = r#"
        target.close_timeout = "3s"
        load = { connections = 1, ramp_up = "0s", duration = "60s", ramp_down = "0s" }
        heartbeat = { interval = "10ms", timeout = "5ms", phase = "aligned", on_dead = "keep" }
    "#;
    let seen = play(scenario, |_| {
        Script::new(healthy).blocked(after(S)..after(51 * S))
    });
    assert!(
        seen.peer().most_queued() < 1000,
        "{}",
        seen.peer().most_queued()
    );
    // One late ping is sent instead of all that were put off; then the schedule goes on.
    let after: Vec<Timestamp> = seen
        .peer()
        .pings()
        .into_iter()
        .filter(|at| *at > after(51 * S))
        .collect();
    assert_eq!(after.len(), 899);
    assert_eq!(seen.count(Counter::ConnectionsDead), 1);
    assert!(seen.timer(Timer::ScheduleLateness).max() > Some((40 * S).0));
}

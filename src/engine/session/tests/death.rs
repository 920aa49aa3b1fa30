//! Tests when a silent peer is declared dead, with which cause, and what follows.

use proptest::prelude::*;

use super::play::{Simulation, play};
use super::script::{RTT, S, Script, close, fin, healthy, nothing, reset, text};
use crate::measure::State;
use crate::metric::{Cause, CloseKind, Counter, Side, Timer};
use crate::units::{Nanos, Timestamp, after};

/// Returns one connection with a heartbeat of 10 s and a timeout of 5 s, and more keys for it.
fn heartbeat(more: &str) -> String {
    format!(
        r#"
        load = {{ connections = 1, ramp_up = "0s", duration = "60s", ramp_down = "0s" }}
        heartbeat = {{ interval = "10s", timeout = "5s", phase = "aligned"{more} }}
        "#
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn silence_is_detected_within_interval_and_timeout(
        silent in 0u64..40_000, interval in 500u64..8_000, timeout in 100u64..8_000, any in any::<bool>(), talks in any::<bool>(),
    ) {
        let scenario = format!(
            r#"
            load = {{ connections = 1, ramp_up = "0s", duration = "60s", ramp_down = "0s" }}
            message = [{}]
            heartbeat = {{ interval = "{interval}ms", timeout = "{timeout}ms", alive_on = "{}" }}
            "#,
            if talks { r#"{ name = "talk", rate = "3/s" }"# } else { "" },
            if any { "any" } else { "pong" },
        );
        let silent = silent * 1_000_000;
        let longest = (interval + timeout) * 1_000_000;
        let seen = play(&scenario, move |_| Script::silent_from(Timestamp::from_nanos(silent)));
        prop_assert_eq!(seen.counts([Counter::ConnectionsDead, Counter::ConnectionsClosed]), [1, 1]);
        let detection = seen.timer(Timer::HeartbeatDetection);
        prop_assert_eq!(detection.count(), 1);
        prop_assert!(detection.max() <= Some(longest), "{:?}", detection.max());
        // The connection was closed at that moment.
        let (closed, code) = seen.peer().close().unwrap();
        prop_assert_eq!(code, 1011);
        prop_assert!(closed > after(Nanos(silent)) && closed <= after(Nanos(silent + longest)), "{} {:?}", silent, closed);
    }
}

#[test]
fn only_so_many_deadlines_in_a_row_are_death() {
    // Silent to the pings at 10, 20, 40, 50 and 60 seconds.
    let deaf = |at: Timestamp| (after(5 * S)..after(25 * S)).contains(&at) || at > after(35 * S);
    let scenario = heartbeat(", max_missed = 3").replace("60s", "90s");
    let seen = play(&scenario, move |_| {
        Script::new(move |at, heard| {
            if deaf(at) {
                nothing()
            } else {
                healthy(at, heard)
            }
        })
    });
    assert_eq!(seen.peer().close(), Some((after(65 * S), 1011)));
    let counters = [
        Counter::PingsSent,
        Counter::PingsMissed,
        Counter::ConnectionsDead,
    ];
    assert_eq!(seen.counts(counters), [7, 5, 1]);
    assert_eq!(seen.endings[0].pings_missed, 3);
    assert_eq!(seen.endings[0].last_ping_ns, Some(after(60 * S)));
    assert_eq!(seen.endings[0].last_pong_ns, Some(after(30 * S + RTT)));
}

#[test]
fn any_traffic_is_a_sign_of_life_where_the_scenario_says_so() {
    let talkative = || {
        let script = Script::silent_from(after(S));
        (1..35).fold(script, |script, second| {
            script.says(after(second * S), text("tick"))
        })
    };
    let any = play(&heartbeat(", alive_on = \"any\""), move |_| talkative());
    assert_eq!(any.peer().close(), Some((after(45 * S), 1011)));
    assert_eq!(any.timer(Timer::HeartbeatDetection).max(), Some((11 * S).0));
    let pong = play(&heartbeat(""), move |_| talkative());
    assert_eq!(pong.peer().close(), Some((after(15 * S), 1011)));
}

#[test]
fn a_worker_that_stood_still_does_not_take_its_peers_for_dead() {
    // The pong came in time, and is read ten seconds later.
    let play = Simulation::new(&heartbeat("")).stalled(after(20 * S + Nanos(1))..after(30 * S));
    let seen = play.run(|_| Script::new(healthy));
    let counters = [
        Counter::PingsSent,
        Counter::PongsReceived,
        Counter::PingsMissed,
        Counter::PongsLate,
        Counter::ConnectionsDead,
    ];
    assert_eq!(seen.counts(counters), [6, 5, 1, 1, 0]);
    assert_eq!(seen.timer(Timer::HeartbeatRtt).max(), Some((10 * S).0));
    assert!(seen.endings.is_empty());
}

#[test]
fn a_late_generator_does_not_hide_a_late_server() {
    // The ping of 10 s is sent at 13 s, and is answered as fast as the others.
    let play = Simulation::new(&heartbeat("")).stalled(after(9 * S)..after(13 * S));
    let seen = play.run(|_| Script::new(healthy));
    assert_eq!(seen.timer(Timer::HeartbeatRtt).max(), Some(RTT.0));
    let latency = seen.timer(Timer::HeartbeatDelay);
    assert_eq!(
        (latency.min(), latency.max()),
        (Some(RTT.0), Some((3 * S + RTT).0))
    );
    assert_eq!(latency.count(), 6);
}

#[test]
fn the_kernels_view_tells_a_frozen_peer_from_a_dead_path() {
    let cause = |script: fn() -> Script| play(&heartbeat(""), move |_| script()).causes();
    assert_eq!(
        cause(|| Script::silent_from(after(S)).seen_as(0, 0)),
        [Cause::PeerFrozen]
    );
    assert_eq!(
        cause(|| Script::silent_from(after(S)).seen_as(1, 4)),
        [Cause::PathDead]
    );
    assert_eq!(cause(|| Script::silent_from(after(S))), [Cause::MissedPong]);
}

#[test]
fn the_dead_are_closed() {
    let seen = play(&heartbeat(""), |_| {
        Script::silent_from(after(12 * S)).says(after(25 * S + Nanos(3)), reset())
    });
    assert_eq!(seen.peer().close(), Some((after(25 * S), 1011)));
    assert_eq!(seen.ended, after(25 * S + Nanos(3)));
    let [ending] = &seen.endings[..] else {
        panic!("{:?}", seen.endings);
    };
    assert_eq!(
        (ending.cause, ending.state),
        (Cause::MissedPong, State::Dead)
    );
    assert_eq!(ending.ended_ns, Some(after(25 * S + Nanos(3))));
    assert_eq!(ending.last_received_ns, Some(after(10 * S + RTT)));
    let closes: Vec<_> = seen.all.closes().collect();
    assert_eq!(closes, [(CloseKind::Rst, Side::Peer, 1)]);
}

#[test]
fn nothing_is_sent_to_the_dead() {
    // One message is due at the moment of death, and one was due before.
    let scenario = heartbeat("")
        + r#"message = [{ name = "m", rate = "1/s", phase = "aligned", in_flight = 30, timeout = "30s" }]"#;
    let seen = play(&scenario, |_| Script::silent_from(after(12 * S)));
    let messages = seen.peer().messages();
    assert_eq!(messages.len(), 25);
    assert_eq!(messages[24], after(24 * S));
    assert_eq!(seen.peer().close(), Some((after(25 * S), 1011)));
    let counters = [
        Counter::MessagesDue,
        Counter::MessagesSent,
        Counter::MessagesEchoed,
        Counter::MessagesLost,
    ];
    assert_eq!(seen.counts(counters), [25, 25, 12, 13]);
}

#[test]
fn the_dead_are_kept_and_pinged_on_where_the_scenario_says_so() {
    let seen = play(&heartbeat(", on_dead = \"keep\""), |_| {
        // The peer answers again in the end.
        Script::new(|at, heard| {
            if (after(12 * S)..after(47 * S)).contains(&at) {
                nothing()
            } else {
                healthy(at, heard)
            }
        })
    });
    assert_eq!(
        seen.peer().pings(),
        [Nanos::ZERO, 10 * S, 20 * S, 30 * S, 40 * S, 50 * S].map(after)
    );
    assert_eq!(seen.peer().close(), Some((after(60 * S), 1000)));
    let counters = [
        Counter::PingsMissed,
        Counter::PongsReceived,
        Counter::ConnectionsDead,
        Counter::ConnectionsClosed,
    ];
    assert_eq!(seen.counts(counters), [3, 3, 1, 1]);
    let [ending] = &seen.endings[..] else {
        panic!("{:?}", seen.endings);
    };
    assert_eq!((ending.state, ending.ended_ns), (State::Dead, None));
    assert_eq!(seen.all.caused(Cause::MissedPong), 1);
    assert_eq!(seen.all.caused(Cause::Completed), 1);
}

#[test]
fn the_dead_that_stay_silent_are_told_of_once() {
    let seen = play(&heartbeat(", on_dead = \"keep\""), |_| {
        Script::silent_from(after(12 * S))
    });
    // Our Close at the end is not answered either, which is not reported again.
    assert_eq!(seen.peer().close(), Some((after(60 * S), 1000)));
    assert_eq!(seen.causes(), [Cause::MissedPong]);
    assert_eq!(seen.all.caused(Cause::CloseTimeout), 0);
    assert_eq!(seen.count(Counter::ConnectionsClosed), 1);
    // A reset after the death is reported.
    let seen = play(&heartbeat(", on_dead = \"keep\""), |_| {
        Script::silent_from(after(12 * S)).says(after(40 * S), reset())
    });
    assert_eq!(seen.causes(), [Cause::MissedPong, Cause::Reset]);
}

#[test]
fn the_dead_are_dialled_again_where_the_scenario_says_so() {
    let scenario = r#"
        message = [{ name = "m", rate = "1/s", phase = "aligned" }]
        [load]
        connections = 1
        ramp_up = "0s"
        duration = "60s"
        ramp_down = "0s"
        reconnect = { initial = "3s", jitter = "none" }
        [heartbeat]
        interval = "10s"
        timeout = "5s"
        phase = "aligned"
        on_dead = "reconnect"
    "#;
    let seen = play(scenario, |dial| match dial {
        0 => Script::silent_from(after(12 * S)),
        _ => Script::new(healthy),
    });
    let [first, second] = &seen.peers[..] else {
        panic!("{} dials", seen.peers.len());
    };
    // Dead at 25 s, dialled again at 28 s; the schedule went on meanwhile.
    assert_eq!(first.close(), None);
    assert_eq!(first.messages().len(), 25);
    assert_eq!(second.messages()[0], after(28 * S));
    assert_eq!(second.pings(), [30 * S, 40 * S, 50 * S].map(after));
    assert_eq!(second.close(), Some((after(60 * S), 1000)));
    assert_eq!(seen.timer(Timer::ReconnectDuration).max(), Some((3 * S).0));
    let counters = [
        Counter::ConnectionsAttempted,
        Counter::ConnectionsOpened,
        Counter::ConnectionsReconnected,
        Counter::ConnectionsClosed,
        Counter::ConnectionsDead,
        Counter::MessagesDue,
        Counter::MessagesSent,
        Counter::MessagesNotSent,
        Counter::MessagesOffline,
    ];
    assert_eq!(seen.counts(counters), [2, 2, 1, 2, 1, 60, 57, 0, 3]);
    // Messages up to 20 s had timed out when the connection was dropped; the last four were lost with it.
    let counters = [Counter::MessagesTimedOut, Counter::MessagesLost];
    assert_eq!(seen.counts(counters), [9, 4]);
}

#[test]
fn a_lost_connection_is_dialled_again_until_the_load_ends() {
    let scenario = r#"
        [load]
        connections = 1
        ramp_up = "0s"
        duration = "20s"
        ramp_down = "0s"
        reconnect = { initial = "2s", max = "30s", jitter = "none" }
    "#;
    // Every connection is lost after five seconds: at 5, 12 and 19 seconds, and not dialled again after that.
    let seen = play(scenario, |dial| {
        Script::new(healthy).says(after(dial as u64 * 7 * S + 5 * S), fin())
    });
    assert_eq!(seen.peers.len(), 3);
    assert_eq!(seen.ended, after(20 * S));
    assert_eq!(seen.causes(), [Cause::Eof; 3]);
    assert_eq!(seen.count(Counter::ConnectionsReconnected), 2);
}

#[test]
fn what_is_due_while_a_connection_is_lost_is_offline() {
    let scenario = r#"
        [load]
        connections = 1
        ramp_up = "0s"
        duration = "20s"
        ramp_down = "0s"
        reconnect = { initial = "2s", max = "2s", jitter = "none" }

        [[message]]
        name = "m"
        rate = "1/s"
        phase = "aligned"
    "#;
    let counters = [
        Counter::MessagesDue,
        Counter::MessagesSent,
        Counter::MessagesNotSent,
        Counter::MessagesOffline,
    ];
    // Lost just before 5 s, open again just before 7 s.
    let back = play(scenario, |dial| match dial {
        0 => Script::new(healthy).says(after(5 * S).saturating_sub(Nanos(1)), fin()),
        _ => Script::new(healthy),
    });
    assert_eq!(back.counts(counters), [20, 18, 0, 2]);
    let gone = play(scenario, |dial| match dial {
        0 => Script::new(healthy).says(after(5 * S).saturating_sub(Nanos(1)), fin()),
        _ => Script::refused(),
    });
    assert_eq!(gone.counts(counters), [20, 5, 0, 15]);
    // A Close of the peer ends the schedule of its connection, and TCP ends one round trip later.
    let closed = play(scenario, |dial| match dial {
        0 => Script::new(healthy).says(after(5 * S).saturating_sub(Nanos(1)), close(Some(1001))),
        _ => Script::new(healthy),
    });
    assert_eq!(closed.counts(counters), [20, 17, 0, 3]);
}

#[test]
fn a_connection_waits_for_another_time_after_each_loss() {
    let scenario = r#"
        [load]
        connections = 1
        ramp_up = "0s"
        duration = "60s"
        ramp_down = "0s"
        reconnect = { initial = "5s", max = "5s", jitter = "full" }
    "#;
    let seen = play(scenario, |dial| {
        let lost = (1 + dial as u64) * 10 * S;
        Script::new(healthy).says(after(lost), fin())
    });
    let waits = seen.timer(Timer::ReconnectDuration);
    assert!(waits.count() >= 4);
    assert!(
        waits.max() > waits.min().map(|least| least + S.0),
        "{waits:?}"
    );
}

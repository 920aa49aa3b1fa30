//! Tests when pings are sent, and what pongs mean.

use super::play::play;
use super::script::{Heard, Lines, MS, RTT, S, Script, healthy, nothing, ping, pong, text};
use crate::metric::{Counter, Timer};
use crate::units::{Nanos, Timestamp, after};

const ALONE: &str = r#"
    load = { connections = 1, ramp_up = "0s", duration = "35s", ramp_down = "0s" }
    heartbeat = { interval = "10s", timeout = "5s", phase = "aligned" }
"#;

/// Answers each ping after `delay`, and is healthy otherwise.
fn pongs_after(delay: impl Fn(usize) -> Nanos + 'static) -> Script {
    let mut pings = 0;
    Script::new(move |at, heard| {
        let mut lines = healthy(at, heard);
        if let Heard::Ping(_) = heard {
            lines[0].0 = at + delay(pings);
            pings += 1;
        }
        lines
    })
}

#[test]
fn pings_go_out_on_an_absolute_schedule_with_spread_phases() {
    let scenario = r#"
        load = { connections = 5, ramp_up = "0s", duration = "60s", ramp_down = "0s" }
        heartbeat = { interval = "10s", timeout = "5s" }
    "#;
    let seen = play(scenario, |_| Script::new(healthy));
    let mut phases = Vec::new();
    for peer in &seen.peers {
        let pings = peer.pings();
        assert_eq!(pings.len(), 6);
        let even = pings
            .windows(2)
            .all(|pair| pair[1].saturating_since(pair[0]) == 10 * S);
        assert!(even, "{pings:?}");
        phases.push(pings[0]);
    }
    phases.sort_unstable();
    let apart = phases
        .windows(2)
        .all(|pair| pair[1].saturating_since(pair[0]) > S);
    assert!(apart, "{phases:?}");
    assert_eq!(seen.timer(Timer::ScheduleLateness).max(), Some(0));
    assert_eq!(seen.count(Counter::PongsReceived), 30);
}

#[test]
fn a_ping_that_went_out_late_does_not_move_the_next_one() {
    let script = |_| Script::new(healthy).blocked(after(19 * S)..after(22 * S));
    let seen = play(ALONE, script);
    assert_eq!(
        seen.peer().pings(),
        [Nanos::ZERO, 10 * S, 22 * S, 30 * S].map(after)
    );
    assert_eq!(seen.count(Counter::PingsMissed), 0);
}

#[test]
fn a_flood_both_ways_does_not_delay_a_ping() {
    let scenario = r#"
        load = { connections = 1, ramp_up = "0s", duration = "2s", ramp_down = "0s" }
        message = [{ name = "flood", rate = "2000/s" }]
        heartbeat = { interval = "100ms", timeout = "1s", phase = "aligned" }
    "#;
    let flood = |_| {
        let script = Script::new(healthy);
        (0..500 * 20).fold(script, |script, at| {
            script.says(after(at / 500 * 100 * MS), text("and more"))
        })
    };
    let seen = play(scenario, flood);
    // The last one is due while the last answers are waited for.
    let expected: Vec<Timestamp> = (0..=20).map(|ping| after(ping * 100 * MS)).collect();
    assert_eq!(seen.peer().pings(), expected);
    assert_eq!(seen.timer(Timer::ScheduleLateness).max(), Some(0));
    assert_eq!(seen.count(Counter::MessagesEchoed), 4000);
    assert_eq!(seen.count(Counter::MessagesUnsolicited), 10_000);
}

#[test]
fn a_pong_acknowledges_all_earlier_pings() {
    let scenario = r#"
        load = { connections = 1, ramp_up = "0s", duration = "3s", ramp_down = "0s" }
        heartbeat = { interval = "1s", timeout = "10s", phase = "aligned" }
    "#;
    let seen = play(scenario, |_| {
        let mut pings = 0;
        Script::new(move |at, heard| {
            pings += usize::from(matches!(heard, Heard::Ping(_)));
            match heard {
                Heard::Ping(_) if pings < 3 => nothing(),
                _ => healthy(at, heard),
            }
        })
    });
    let counters = [
        Counter::PingsSent,
        Counter::PongsReceived,
        Counter::PingsMissed,
    ];
    assert_eq!(seen.counts(counters), [3, 1, 0]);
    // Nothing was waited for after that pong.
    assert_eq!(seen.peer().close(), Some((after(3 * S), 1000)));
}

#[test]
fn a_late_pong_is_late_and_counted_once_with_its_round_trip() {
    let scenario = r#"
        load = { connections = 1, ramp_up = "0s", duration = "25s", ramp_down = "0s" }
        heartbeat = { interval = "10s", timeout = "5s", phase = "aligned", max_missed = 2 }
    "#;
    let seen = play(scenario, |_| {
        pongs_after(|ping| if ping == 1 { 7 * S } else { RTT })
    });
    let counters = [
        Counter::PingsSent,
        Counter::PongsReceived,
        Counter::PingsMissed,
        Counter::PongsLate,
        Counter::ConnectionsDead,
    ];
    assert_eq!(seen.counts(counters), [3, 2, 1, 1, 0]);
    assert_eq!(seen.timed(Timer::HeartbeatRtt), 3);
    assert_eq!(seen.timer(Timer::HeartbeatRtt).max(), Some((7 * S).0));
    assert_eq!(seen.causes(), []);
}

#[test]
fn unsolicited_pongs_are_counted_and_harmless() {
    let seen = play(ALONE, |_| {
        let script = Script::silent_from(after(15 * S));
        let script = script
            .says(after(S), pong(""))
            .says(after(2 * S), pong("wsb"));
        // A pong to another run's ping, or to one that was never sent, does not keep a peer alive.
        let script = script.says(after(22 * S), pong("wsb0000000200000002"));
        script.says(after(23 * S), pong("wsb0000000100000063"))
    });
    assert_eq!(seen.count(Counter::PongsUnsolicited), 4);
    assert_eq!(seen.count(Counter::PongsReceived), 2);
    assert_eq!(seen.count(Counter::ConnectionsDead), 1);
}

#[test]
fn text_heartbeats_are_the_same_machine() {
    let scenario = r#"
        load = { connections = 1, ramp_up = "0s", duration = "55s", ramp_down = "0s" }
        [heartbeat]
        interval = "10s"
        timeout = "5s"
        max_missed = 2
        phase = "aligned"
        kind = "text"
        send = "are you there?"
        expect = "yes"
    "#;
    let answers = |at: Timestamp, heard: &Heard| -> Lines {
        match heard {
            Heard::Text(asked) if asked == "are you there?" => {
                let delay = if (after(10 * S)..after(20 * S)).contains(&at) {
                    6 * S
                } else {
                    RTT
                };
                let line = (at + delay, text("yes"));
                if at < after(25 * S) {
                    vec![line]
                } else {
                    nothing()
                }
            }
            _ => healthy(at, heard),
        }
    };
    let seen = play(scenario, move |_| Script::new(answers));
    assert_eq!(
        seen.peer().messages(),
        [Nanos::ZERO, 10 * S, 20 * S, 30 * S, 40 * S].map(after)
    );
    let counters = [
        Counter::PingsSent,
        Counter::PongsReceived,
        Counter::PongsLate,
        Counter::PingsMissed,
        Counter::ConnectionsDead,
        Counter::MessagesSent,
        Counter::MessagesUnsolicited,
    ];
    assert_eq!(seen.counts(counters), [5, 2, 1, 3, 1, 0, 0]);
    assert_eq!(seen.peer().close(), Some((after(45 * S), 1011)));
}

/// Answers name no ping here. A lost one must not make every later one late.
#[test]
fn a_lost_answer_to_a_text_heartbeat_is_one_missed_ping() {
    let counters = [
        Counter::PingsSent,
        Counter::PongsReceived,
        Counter::PingsMissed,
        Counter::PongsLate,
        Counter::PongsUncertain,
        Counter::PongsUnsolicited,
    ];
    let scenario = r#"
        load = { connections = 1, ramp_up = "0s", duration = "100s", ramp_down = "0s" }
        [heartbeat]
        interval = "1s"
        timeout = "900ms"
        max_missed = 5
        phase = "aligned"
        kind = "text"
        send = "?"
        expect = "!"
    "#;
    let seen = play(scenario, |_| {
        let mut turn = 0;
        Script::new(move |at, heard| match heard {
            Heard::Text(_) => {
                turn += 1;
                let is_lost = turn % 12 == 0;
                if is_lost {
                    nothing()
                } else {
                    vec![(at + RTT, text("!"))]
                }
            }
            _ => healthy(at, heard),
        })
    });
    // One answer after each lost one is uncertain; then a timeout passes without an open ping.
    assert_eq!(seen.counts(counters), [100, 92, 8, 0, 8, 0]);
    assert_eq!(seen.timer(Timer::HeartbeatRtt).max(), Some(RTT.0));
}

#[test]
fn the_servers_pings_are_answered_at_once_and_their_interval_recorded() {
    let seen = play(ALONE, |_| {
        let script = Script::new(healthy).says(after(S), ping());
        script.says(after(4 * S), ping()).says(after(9 * S), ping())
    });
    assert_eq!(seen.peer().pongs(), [S, 4 * S, 9 * S].map(after));
    assert_eq!(seen.count(Counter::ServerPings), 3);
    let intervals = seen.timer(Timer::ServerPingInterval);
    assert_eq!(
        (intervals.min(), intervals.max()),
        (Some((3 * S).0), Some((5 * S).0))
    );
}

/// A server that pings again as soon as it is answered keeps the connection busy, and still gets its last answer.
#[test]
fn the_servers_pings_are_answered_at_once_however_many_come() {
    for answered in 1..20 {
        let seen = play(ALONE, move |_| {
            let mut left = answered;
            let again = Script::new(move |at, heard| match heard {
                Heard::Pong(_) if left > 1 => {
                    left -= 1;
                    vec![(at, ping())]
                }
                _ => healthy(at, heard),
            });
            again.says(after(S), ping())
        });
        assert_eq!(seen.peer().pongs(), vec![after(S); answered]);
    }
}

#[test]
fn without_auto_pong_the_servers_pings_are_only_counted() {
    let scenario = r#"
        load = { connections = 1, ramp_up = "0s", duration = "35s", ramp_down = "0s" }
        heartbeat = { interval = "10s", timeout = "5s", auto_pong = false }
    "#;
    let seen = play(scenario, |_| {
        Script::new(healthy)
            .says(after(S), ping())
            .says(after(3 * S), ping())
    });
    assert!(seen.peer().pongs().is_empty());
    assert_eq!(seen.count(Counter::ServerPings), 2);
    assert_eq!(seen.timer(Timer::ServerPingInterval).max(), Some((2 * S).0));
    assert_eq!(seen.causes(), []);
}

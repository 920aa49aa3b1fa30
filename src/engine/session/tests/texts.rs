//! Tests heartbeats that are messages, of either side, and what is silent for too long.

use super::bad::{always, between, contract};
use super::play::{Simulation, play};
use super::script::{Heard, Lines, MS, RTT, S, Script, healthy, nothing, ping, text};
use super::seen::Seen;
use crate::metric::Counter::{
    ConnectionsDead, ConnectionsReconnected, MessagesAnswered, MessagesReceived, MessagesSent,
    MessagesUnsolicited, PingsMissed, PingsSent, PongsLate, PongsReceived, PongsUncertain,
    PongsUnsolicited, PushesReceived, ServerPings,
};
use crate::metric::{Cause, Timer};
use crate::scenario::{Fault, FaultKind, PromiseKind};
use crate::units::{Nanos, Timestamp, after};

/// A client of Engine.IO: the server pings by `2`, and wants to hear `3`.
const ENGINE: &str = r#"
    target.close_timeout = "3s"
    load = { connections = 1, ramp_up = "0s", duration = "30s", ramp_down = "0s" }
    heartbeat = { kind = "text", server = { ping = "2", pong = "3" } }
"#;

/// What was said, and when, if it was a text.
fn said(seen: &Seen) -> Vec<(Timestamp, String)> {
    let heard = seen.peer().heard().into_iter();
    let texts = heard.filter_map(|(at, heard)| match heard {
        Heard::Text(bytes) => Some((at, String::from_utf8(bytes.to_vec()).unwrap())),
        _ => None,
    });
    texts.collect()
}

/// Says `2` at these times.
fn pinging(times: &[Nanos]) -> Script {
    let script = Script::new(healthy_but_silent);
    (times.iter()).fold(script, |script, at| script.says(after(*at), text("2")))
}

/// Answers a Close.
fn healthy_but_silent(at: Timestamp, heard: &Heard) -> Lines {
    match heard {
        Heard::Text(_) | Heard::Binary(_) => nothing(),
        _ => healthy(at, heard),
    }
}

#[test]
fn pings_of_the_server_that_are_messages_are_answered_at_once_and_timed() {
    let seen = play(ENGINE, |_| {
        pinging(&[S, 4 * S, 9 * S]).says(after(2 * S), text("22"))
    });
    let pongs = [S, 4 * S, 9 * S].map(|at| (after(at), "3".to_owned()));
    assert_eq!(said(&seen), pongs);
    let counters = [
        ServerPings,
        MessagesReceived,
        MessagesUnsolicited,
        MessagesSent,
        PingsSent,
    ];
    assert_eq!(seen.counts(counters), [3, 4, 1, 0, 0]);
    let intervals = seen.timer(Timer::ServerPingInterval);
    assert_eq!(
        (intervals.min(), intervals.max()),
        (Some((3 * S).0), Some((5 * S).0))
    );
}

#[test]
fn they_are_answered_before_the_client_is_ready_and_by_none_with_auto_pong_false() {
    let setup = "[[setup]]\nname = \"open\"\nawait = { prefix = \"0\" }\ntimeout = \"9s\"";
    let script = || pinging(&[S]).says(after(5 * S), text("0{}"));
    let seen = play(&format!("{ENGINE}{setup}"), move |_| script());
    assert_eq!(said(&seen), [(after(S), "3".to_owned())]);
    assert_eq!(seen.causes(), []);
    let mute = ENGINE.replace("kind =", "auto_pong = false, kind =");
    let seen = play(&mute, |_| pinging(&[S, 2 * S]));
    assert_eq!((said(&seen), seen.count(ServerPings)), (vec![], 2));
}

#[test]
fn pings_without_an_answer_are_taken_and_counted() {
    let scenario = ENGINE.replace(
        r#"{ ping = "2", pong = "3" }"#,
        r#"{ ping = { "/type" = "ping" } }"#,
    );
    let seen = play(&scenario, |_| {
        let message = r#"{"type":"ping","message":1}"#;
        pinging(&[S]).says(after(3 * S), text(message))
    });
    assert_eq!(
        (said(&seen), seen.counts([ServerPings, MessagesUnsolicited])),
        (vec![], [1, 1])
    );
}

/// A client of [`ENGINE`] with this fault from the third second on, under a contract.
fn bad(kind: FaultKind) -> Simulation {
    Simulation::new(ENGINE).with(|cohort| {
        cohort.faults = vec![Fault {
            kind,
            after: (3 * S).into(),
        }];
        cohort.contract = Some(contract(PromiseKind::ClosedBetween.of(between(0, 20))));
    })
}

/// The payload of a masked frame of text.
fn unmasked(bytes: &[u8]) -> String {
    assert_eq!(bytes[0], 0x81, "{bytes:?}");
    let mask = bytes[2..6].iter().cycle();
    let text = bytes[6..].iter().zip(mask).map(|(a, b)| (a ^ b) as char);
    text.collect()
}

#[test]
fn faults_answer_them_late_wrongly_or_not_at_all() {
    let pongs = |kind| {
        let seen = bad(kind).run(|_| pinging(&[S, 4 * S, 7 * S, 10 * S]));
        let put = seen.peer().put().into_iter();
        let put: Vec<_> = put.map(|(at, bytes)| (at, unmasked(&bytes))).collect();
        let record = seen.record();
        assert_eq!(record.pings_ns, [S, 4 * S, 7 * S, 10 * S].map(after));
        // A ping is no answer of the server.
        assert_eq!(
            (record.first_answer_ns, record.fault_ns),
            (None, Some(after(3 * S)))
        );
        (put, record.unanswered_ping_ns)
    };
    let three = |at: Nanos| (after(at), "3".to_owned());
    let first = three(S);
    assert_eq!(
        pongs(FaultKind::NoPong),
        (vec![first.clone()], Some(after(4 * S)))
    );
    let late = FaultKind::LatePong {
        delay: always(1500 * MS),
    };
    let times = [S, 5500 * MS, 8500 * MS, 11_500 * MS];
    assert_eq!(pongs(late), (times.map(three).to_vec(), Some(after(4 * S))));
    let stops = FaultKind::PongStopsAfter { pings: 2 };
    let times = [S, 4 * S, 7 * S];
    assert_eq!(
        pongs(stops),
        (times.map(three).to_vec(), Some(after(10 * S)))
    );
    let wrong = |at: Nanos| (after(at), "!".to_owned());
    let all = vec![first, wrong(4 * S), wrong(7 * S), wrong(10 * S)];
    assert_eq!(pongs(FaultKind::WrongPong), (all, Some(after(4 * S))));
}

#[test]
fn a_fault_waits_until_its_client_is_ready_and_counts_from_there() {
    let setup = "[[setup]]\nname = \"open\"\nawait = { prefix = \"0\" }\ntimeout = \"9s\"";
    let simulation = Simulation::new(&format!("{ENGINE}{setup}")).with(|cohort| {
        cohort.faults = vec![Fault {
            kind: FaultKind::NoPong,
            after: (2 * S).into(),
        }];
        cohort.contract = Some(contract(PromiseKind::ClosedBetween.of(between(0, 20))));
    });
    let pings = [S, 4 * S, 6 * S, 8 * S];
    let seen = simulation.run(move |_| pinging(&pings).says(after(5 * S), text("0{}")));
    let put = seen.peer().put().into_iter().map(|(at, _)| at);
    let pongs: Vec<_> = said(&seen)
        .into_iter()
        .map(|(at, _)| at)
        .chain(put)
        .collect();
    assert_eq!(pongs, [S, 4 * S, 6 * S].map(after));
    assert_eq!(seen.record().unanswered_ping_ns, Some(after(8 * S)));
}

#[test]
fn answers_with_an_id_name_their_ping() {
    let scenario = r#"
        load = { connections = 1, ramp_up = "0s", duration = "10s", ramp_down = "0s" }
        message = [{ name = "m", rate = "1/s", phase = "aligned", payload = "m{{id}}.", expect = { prefix = "m{{id}}." } }]
        [heartbeat]
        interval = "1s"
        timeout = "900ms"
        max_missed = 9
        phase = "aligned"
        kind = "text"
        send = { json = '{"ping":{{id}},"n":{{n}}}' }
        expect = { "/pong" = "{{id}}" }
    "#;
    let seen = play(scenario, |_| {
        Script::new(|at, heard| {
            let Heard::Text(bytes) = heard else {
                return healthy(at, heard);
            };
            let said = std::str::from_utf8(bytes).unwrap();
            let Some(ping) = said.strip_prefix(r#"{"ping":"#) else {
                return healthy(at, heard);
            };
            let (id, n) = ping
                .strip_suffix('}')
                .unwrap()
                .split_once(r#","n":"#)
                .unwrap();
            let pong = format!(r#"{{"pong":{id}}}"#);
            match n {
                // Late; lost; an id that is that of a message.
                "2" => vec![(at + 950 * MS, text(pong))],
                "4" => nothing(),
                "6" => vec![(at + RTT, text(r#"{"pong":1}"#)), (at + RTT, text(pong))],
                _ => vec![(at + RTT, text(pong))],
            }
        })
    });
    let counters = [
        PingsSent,
        PongsReceived,
        PongsLate,
        PingsMissed,
        PongsUncertain,
        PongsUnsolicited,
    ];
    assert_eq!(seen.counts(counters), [10, 8, 1, 2, 0, 0]);
    assert_eq!(
        seen.counts([MessagesSent, MessagesAnswered, MessagesUnsolicited]),
        [10, 10, 1]
    );
    assert_eq!(seen.timer(Timer::HeartbeatRtt).max(), Some((950 * MS).0));
}

#[test]
fn a_keep_alive_expects_nothing_and_says_what_the_set_up_kept() {
    let scenario = r#"
        load = { connections = 1, ramp_up = "0s", duration = "10s", ramp_down = "0s" }
        target.split = "\u0000"
        [heartbeat]
        kind = "text"
        interval = "2s"
        phase = "aligned"
        send = "{{n}} {{token}}"
        expect = "none"
        [[setup]]
        name = "login"
        send = "hello"
        expect = { prefix = "token " }
        save = { token = { regex = "token (.*)" } }
    "#;
    let seen = play(scenario, |_| {
        Script::new(|at, heard| match heard {
            Heard::Text(bytes) if bytes.starts_with(b"hello") => {
                vec![(at + RTT, text("token x\0"))]
            }
            _ => healthy_but_silent(at, heard),
        })
    });
    let texts: Vec<String> = said(&seen).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["hello\0", "0 x\0", "1 x\0", "2 x\0", "3 x\0"]);
    assert_eq!(
        seen.counts([PingsSent, PingsMissed, ConnectionsDead]),
        [4, 0, 0]
    );
    assert_eq!(seen.causes(), []);
}

#[test]
fn line_ends_alone_are_a_heartbeat_that_is_no_message() {
    let scenario = r#"
        load = { connections = 1, ramp_up = "0s", duration = "10s", ramp_down = "0s" }
        target.split = "\u0000"
        heartbeat = { kind = "text", interval = "4s", phase = "aligned", send = "\n", expect = "none", server = { ping = "" } }
        on = [{ name = "message", match = { prefix = "MESSAGE\n" } }]
    "#;
    let seen = play(scenario, |_| {
        let script = Script::new(healthy_but_silent);
        let script = script
            .says(after(S), text("\n"))
            .says(after(3 * S), text("\n"));
        script.says(after(5 * S), text("MESSAGE\n\nx\0\n"))
    });
    let texts: Vec<String> = said(&seen).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["\n"; 3]);
    let counters = [
        ServerPings,
        MessagesReceived,
        PushesReceived,
        MessagesUnsolicited,
    ];
    assert_eq!(seen.counts(counters), [2, 1, 1, 0]);
}

const SILENT: &str = r#"
    load = { connections = 1, ramp_up = "0s", duration = "60s", ramp_down = "0s" }
    heartbeat = { kind = "text", silence = "10s", server = { ping = "2", pong = "3" } }
"#;

#[test]
fn a_server_that_says_nothing_for_so_long_is_dead() {
    let seen = play(SILENT, |_| pinging(&[S, 8 * S]));
    assert_eq!(seen.peer().close(), Some((after(18 * S), 1011)));
    assert_eq!(seen.causes(), [Cause::Silent]);
    assert_eq!(seen.endings[0].detail, "nothing came for 10s");
    assert_eq!(seen.count(ConnectionsDead), 1);
    assert_eq!(
        seen.timer(Timer::HeartbeatDetection).max(),
        Some((10 * S).0)
    );
    // Whatever comes is a sign of life, and so is the 101.
    let alive = play(SILENT, |_| {
        let script = Script::new(healthy);
        (1..7).fold(script, |script, k| script.says(after(k * 9 * S), ping()))
    });
    assert_eq!((alive.causes(), alive.count(ConnectionsDead)), (vec![], 0));
    let never = play(SILENT, |_| pinging(&[]));
    assert_eq!(never.peer().close(), Some((after(10 * S), 1011)));
}

#[test]
fn a_late_worker_makes_no_server_silent() {
    let simulation = Simulation::new(SILENT).stalled(after(5 * S)..after(20 * S));
    let seen = simulation.run(|_| {
        let script = Script::new(healthy_but_silent);
        // What came meanwhile is read a moment after the worker goes on.
        let script = script.says(after(20_500 * MS), text("2"));
        (3..7).fold(script, |script, k| script.says(after(k * 9 * S), text("2")))
    });
    assert_eq!((seen.causes(), seen.count(ConnectionsDead)), (vec![], 0));
}

#[test]
fn who_is_dead_of_silence_is_kept_or_dialled_again() {
    let keep = SILENT.replace("kind =", "on_dead = \"keep\", kind =");
    let seen = play(&keep, |_| pinging(&[S, 30 * S]));
    assert_eq!(seen.count(ConnectionsDead), 1);
    assert_eq!(seen.causes(), [Cause::Silent]);
    assert_eq!(seen.peer().close(), Some((after(60 * S), 1000)));
    let again = SILENT.replace("kind =", "on_dead = \"reconnect\", kind =");
    let again = again.replace(
        "load = {",
        "load = { reconnect = { initial = \"1s\", jitter = \"none\" },",
    );
    let seen = play(&again, |turn| match turn {
        0 => pinging(&[]),
        _ => (1..7).fold(Script::new(healthy), |script, k| {
            script.says(after(k * 9 * S), ping())
        }),
    });
    assert_eq!(
        seen.counts([ConnectionsDead, ConnectionsReconnected]),
        [1, 1]
    );
}

#[test]
fn silence_and_missed_pongs_are_one_death() {
    let scenario = r#"
        load = { connections = 1, ramp_up = "0s", duration = "60s", ramp_down = "0s" }
        heartbeat = { interval = "4s", timeout = "2s", max_missed = 5, phase = "aligned", silence = "10s", on_dead = "keep" }
    "#;
    let seen = play(scenario, |_| {
        Script::new(|at, heard| match heard {
            Heard::Ping(_) => nothing(),
            _ => healthy(at, heard),
        })
    });
    assert_eq!(seen.count(ConnectionsDead), 1);
    assert_eq!(seen.causes(), [Cause::Silent]);
}

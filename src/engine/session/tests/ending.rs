//! Tests how a connection ends: the drain, the close handshake, and what is lost.

use super::play::{Simulation, play};
use super::script::{
    Heard, Lines, MS, RTT, S, Say, Script, close, fin, healthy, nothing, reset, text,
};
use crate::measure::State;
use crate::metric::{Cause, CloseKind, Counter, Side, Timer};
use crate::net::Lost;
use crate::units::{Nanos, Timestamp, after};

const ONE_A_SECOND: &str = r#"
    target.close_timeout = "3s"
    load = { connections = 1, ramp_up = "0s", duration = "10s", ramp_down = "0s" }
    message = [{ name = "m", rate = "1/s", phase = "aligned", timeout = "5s" }]
"#;

const BOOKS: [Counter; 5] = [
    Counter::MessagesDue,
    Counter::MessagesSent,
    Counter::MessagesNotSent,
    Counter::MessagesEchoed,
    Counter::MessagesLost,
];

/// Answers a Close with `answer`, and is healthy otherwise.
fn closes(answer: impl Fn(Timestamp) -> Lines + 'static) -> Script {
    Script::new(move |at, heard| match heard {
        Heard::Close(_) => answer(at),
        _ => healthy(at, heard),
    })
}

#[test]
fn the_drain_waits_for_answers_and_then_closes() {
    let seen = play(ONE_A_SECOND, |_| {
        Script::new(|at, heard| {
            let mut lines = healthy(at, heard);
            if let Heard::Text(_) = heard {
                lines[0].0 = at + 4 * S;
            }
            lines
        })
    });
    assert_eq!(seen.counts(BOOKS), [10, 10, 0, 10, 0]);
    assert_eq!(seen.peer().close(), Some((after(13 * S), 1000)));
    assert_eq!(seen.timer(Timer::CloseDuration).max(), Some(RTT.0));
    assert_eq!(seen.all.caused(Cause::Completed), 1);
    let closes: Vec<_> = seen.all.closes().collect();
    assert_eq!(closes, [(CloseKind::Code(1000), Side::Local, 1)]);
    assert!(seen.endings.is_empty());
}

#[test]
fn the_drain_waits_no_longer_than_an_answer_may_take() {
    let heartbeat =
        r#"heartbeat = { interval = "4s", timeout = "7s", max_missed = 5, phase = "aligned" }"#;
    let seen = play(ONE_A_SECOND, |_| Script::silent_from(Timestamp::ORIGIN));
    assert_eq!(seen.peer().close(), Some((after(14 * S), 1000)));
    // The last ping is sent at 8 s.
    let seen = play(&format!("{ONE_A_SECOND}{heartbeat}"), |_| {
        Script::silent_from(Timestamp::ORIGIN)
    });
    assert_eq!(seen.peer().close(), Some((after(15 * S), 1000)));
    assert_eq!(seen.count(Counter::PingsMissed), 3);
}

#[test]
fn pings_go_on_while_the_drain_waits_for_an_answer() {
    let heartbeat = r#"heartbeat = { interval = "1s", timeout = "500ms", phase = "aligned" }"#;
    // The answer to the last message, of 9 s, never comes.
    let seen = play(&format!("{ONE_A_SECOND}{heartbeat}"), |_| {
        Script::new(|at, heard| match heard {
            Heard::Text(_) if at >= after(9 * S) => nothing(),
            _ => healthy(at, heard),
        })
    });
    assert_eq!(seen.peer().close(), Some((after(14 * S), 1000)));
    let pings = seen.peer().pings();
    let in_the_drain: Vec<_> = pings.iter().filter(|at| **at >= after(10 * S)).collect();
    assert_eq!(
        in_the_drain,
        [10, 11, 12, 13]
            .map(|s| after(s * S))
            .iter()
            .collect::<Vec<_>>()
    );
    assert_eq!(seen.peer().messages().len(), 10);
    assert_eq!(seen.count(Counter::PingsMissed), 0);
    assert_eq!(seen.all.caused(Cause::Completed), 1);
}

#[test]
fn nobody_is_silent_because_our_own_messages_have_ended() {
    let heartbeat = r#"
        heartbeat = { interval = "1900ms", timeout = "1500ms", phase = "aligned", alive_on = "any" }
    "#;
    // It answers messages but no pings, and the message of 9 s after 4 s: its connection waits for it alone.
    let seen = play(&format!("{ONE_A_SECOND}{heartbeat}"), |_| {
        Script::new(|at, heard| match heard {
            Heard::Ping(_) => nothing(),
            Heard::Text(_) if at >= after(9 * S) => {
                let mut lines = healthy(at, heard);
                lines[0].0 = at + 4 * S;
                lines
            }
            _ => healthy(at, heard),
        })
    });
    assert_eq!(seen.peer().close(), Some((after(13 * S), 1000)));
    assert_eq!(seen.count(Counter::MessagesEchoed), 10);
    assert_eq!(seen.all.caused(Cause::Completed), 1);
}

#[test]
fn closes_are_spread_over_ramp_down() {
    let scenario = r#"
        load = { connections = 10, ramp_up = "0s", duration = "5s", ramp_down = "4s" }
        message = [{ name = "m", rate = "1/s" }]
    "#;
    let seen = play(scenario, |_| Script::new(healthy));
    let mut closes: Vec<_> = seen
        .peers
        .iter()
        .map(|peer| peer.close().unwrap())
        .collect();
    closes.sort_unstable();
    assert!(
        closes
            .iter()
            .all(|(at, code)| (after(5 * S)..after(9 * S)).contains(at) && *code == 1000)
    );
    assert!(
        closes
            .windows(2)
            .all(|pair| pair[1].0.saturating_since(pair[0].0) > 100 * MS),
        "{closes:?}"
    );
    assert_eq!(seen.all.caused(Cause::Completed), 10);
}

#[test]
fn a_connection_keeps_its_schedule_and_its_heartbeat_until_its_own_close() {
    let scenario = |load: &str| {
        format!(
            r#"
            load = {{ {load}, ramp_down = "20s" }}
            message = [{{ name = "m", rate = "1/s", phase = "aligned" }}]
            heartbeat = {{ interval = "2s", timeout = "1s", phase = "aligned" }}
            "#
        )
    };
    let steady = r#"connections = 10, ramp_up = "0s", duration = "10s""#;
    let stages = r#"stages = [{ duration = "4s", connections = 10 }, { duration = "6s", connections = 10 }]"#;
    let arrivals =
        r#"arrivals = { rate = "2/s", lifetime = "25s", max_open = 100 }, duration = "10s""#;
    for load in [steady, stages, arrivals] {
        let seen = play(&scenario(load), |_| Script::new(healthy));
        assert!(seen.peers.len() >= 10);
        for peer in &seen.peers {
            let (closed, code) = peer.close().unwrap();
            assert_eq!(code, 1000);
            assert!(
                (after(10 * S)..after(30 * S)).contains(&closed),
                "{load}: {closed:?}"
            );
            let last = |times: Vec<Timestamp>| *times.last().unwrap();
            assert!(last(peer.messages()) + S >= closed, "{load}: {closed:?}");
            assert!(last(peer.pings()) + 2 * S >= closed, "{load}: {closed:?}");
        }
        // A message that is sent after the end of the load is in no measured window.
        let measured = |counter| -> u64 {
            let windows = seen.windows.iter();
            windows.map(|window| window.counter(counter)).sum()
        };
        let before_the_end: usize = (seen.peers.iter())
            .map(|peer| {
                peer.messages()
                    .iter()
                    .filter(|at| **at < after(10 * S))
                    .count()
            })
            .sum();
        assert_eq!(
            measured(Counter::MessagesSent),
            before_the_end as u64,
            "{load}"
        );
        assert!(seen.count(Counter::MessagesSent) > measured(Counter::MessagesSent));
        assert_eq!(seen.count(Counter::MessagesNotSent), 0);
        assert_eq!(seen.causes(), [], "{load}");
    }
}

#[test]
fn a_connection_that_is_lost_in_the_ramp_down_owes_nothing_more() {
    let scenario = r#"
        load = { connections = 2, ramp_up = "0s", duration = "10s", ramp_down = "20s", reconnect = { initial = "1s", max = "1s" } }
        message = [{ name = "m", rate = "1/s", phase = "aligned" }]
    "#;
    let counters = [
        Counter::MessagesDue,
        Counter::MessagesSent,
        Counter::MessagesOffline,
        Counter::ConnectionsLost,
        Counter::ConnectionsAttempted,
    ];
    // The first connection closes at the end of the load; the second would close at its turn after 22 s.
    let seen = play(scenario, |dial| match dial {
        1 => Script::new(healthy).says(after(15 * S + Nanos(1)), fin()),
        _ => Script::new(healthy),
    });
    assert_eq!(seen.counts(counters), [10 + 16, 10 + 16, 0, 1, 2]);
    assert_eq!(seen.ended, after(15 * S + Nanos(1)));
    // A connection that is lost before the end still counts what was due until then.
    let seen = play(scenario, |dial| match dial {
        0 => Script::new(healthy),
        1 => Script::new(healthy).says(after(8 * S + Nanos(1)), fin()),
        _ => Script::refused(),
    });
    assert_eq!(seen.counts(counters)[..4], [10 + 10, 10 + 9, 1, 1]);
}

#[test]
fn a_peer_that_does_not_end_tcp_is_given_up_after_close_timeout() {
    let answers: [fn(Timestamp) -> Lines; 2] =
        [|_| nothing(), |at| vec![(at + RTT, close(Some(1000)))]];
    let kinds = [CloseKind::Timeout, CloseKind::Code(1000)];
    for (answer, kind) in answers.into_iter().zip(kinds) {
        let seen = play(ONE_A_SECOND, move |_| closes(answer));
        assert_eq!(seen.causes(), [Cause::CloseTimeout]);
        assert_eq!(seen.endings[0].state, State::Closing);
        assert_eq!(seen.ended, after(13 * S));
        assert_eq!(seen.timed(Timer::CloseDuration), 0);
        assert_eq!(
            seen.all.closes().collect::<Vec<_>>(),
            [(kind, Side::Local, 1)]
        );
    }
}

#[test]
fn an_answer_that_crosses_our_close_is_still_taken() {
    let seen = play(ONE_A_SECOND, |_| {
        closes(|at| {
            vec![
                (at + RTT, text("one more")),
                (at + S, close(Some(1000))),
                (at + S, fin()),
            ]
        })
    });
    assert_eq!(seen.count(Counter::MessagesUnsolicited), 1);
    assert_eq!(seen.timer(Timer::CloseDuration).max(), Some(S.0));
    assert!(seen.endings.is_empty());
}

#[test]
fn a_close_is_answered_although_tcp_ends_with_it() {
    let seen = play(ONE_A_SECOND, |_| {
        let script = Script::new(healthy).says(after(5 * S / 2), close(Some(1001)));
        script.says(after(5 * S / 2), fin())
    });
    let last = seen.peer().heard().pop();
    assert_eq!(
        last,
        Some((after(5 * S / 2), Heard::CloseReply(Some(1001))))
    );
}

/// A RST because of unread bytes does not cancel what had come before.
#[test]
fn a_close_that_came_before_a_failed_send_is_seen() {
    let one_after_another = r#"
        load = { connections = 1, ramp_up = "0s", duration = "10s", ramp_down = "0s" }
        message = [{ name = "m", in_flight = 1 }]
    "#;
    let seen = play(one_after_another, |_| {
        Script::new(|at, heard| match heard {
            Heard::Text(bytes) => vec![(at + S, text(bytes.clone()))],
            _ => healthy(at, heard),
        })
        .hangs_up_on_bytes(after(3 * S))
    });
    assert_eq!(seen.causes(), [Cause::ClosedByPeer]);
}

#[test]
fn a_close_of_the_server_is_answered_and_what_was_unanswered_is_lost() {
    let seen = play(ONE_A_SECOND, |_| {
        Script::silent_from(after(3 * S))
            .says(after(5 * S + Nanos(1)), close(Some(1001)))
            .says(after(5 * S + Nanos(2)), fin())
    });
    let last = seen.peer().heard().pop();
    assert_eq!(
        last,
        Some((after(5 * S + Nanos(1)), Heard::CloseReply(Some(1001))))
    );
    assert_eq!(seen.counts(BOOKS), [6, 6, 0, 3, 3]);
    let [ending] = &seen.endings[..] else {
        panic!("{:?}", seen.endings);
    };
    assert_eq!(
        (ending.cause, ending.close_code),
        (Cause::ClosedByPeer, Some(1001))
    );
    assert_eq!(
        (ending.closed_by, ending.ended_ns),
        (Some(Side::Peer), Some(after(5 * S + Nanos(2))))
    );
    // Only our own closes are timed.
    assert_eq!(seen.timed(Timer::CloseDuration), 0);
}

#[test]
fn a_server_that_closes_and_does_not_end_tcp_is_given_up_too() {
    let seen = play(ONE_A_SECOND, |_| {
        Script::silent_from(after(3 * S)).says(after(5 * S), close(None))
    });
    assert_eq!(seen.causes(), [Cause::ClosedByPeer]);
    assert_eq!(seen.ended, after(8 * S));
}

#[test]
fn a_connection_that_breaks_takes_its_unanswered_messages_along() {
    let broken = || Say::End(Lost::Broken(Cause::BadUtf8, "not UTF-8".to_owned()));
    let ends: [(fn() -> Say, Cause); 3] = [
        (fin, Cause::Eof),
        (reset, Cause::Reset),
        (broken, Cause::BadUtf8),
    ];
    for (end, cause) in ends {
        let seen = play(ONE_A_SECOND, move |_| {
            Script::silent_from(after(3 * S)).says(after(5 * S + Nanos(1)), end())
        });
        assert_eq!(seen.counts(BOOKS), [6, 6, 0, 3, 3]);
        assert_eq!(seen.causes(), [cause]);
        assert_eq!(seen.endings[0].state, State::Open);
        assert_eq!(seen.ended, after(5 * S + Nanos(1)));
    }
}

#[test]
fn a_backlog_that_goes_with_its_connection_is_not_sent() {
    let scenario = ONE_A_SECOND.replace("rate", "in_flight = 1, rate");
    let ends: [fn() -> Say; 2] = [fin, || close(Some(1001))];
    for end in ends {
        let seen = play(&scenario, move |_| {
            Script::silent_from(after(3 * S))
                .says(after(5 * S + Nanos(1)), end())
                .says(after(6 * S), fin())
        });
        // The messages of 4 s and 5 s waited for the answer to the one of 3 s.
        assert_eq!(seen.counts(BOOKS), [6, 4, 2, 3, 1]);
    }
}

#[test]
fn an_arrival_stays_for_its_lifetime() {
    let scenario = r#"
        load.arrivals = { rate = "2/s", lifetime = "3s", max_open = 100 }
        load.duration = "10s"
        load.ramp_down = "0s"
        message = [{ name = "m", rate = "1/s" }]
    "#;
    let seen = play(scenario, |_| Script::new(healthy));
    assert_eq!(seen.peers.len(), 20);
    for (index, peer) in seen.peers.iter().enumerate() {
        let opened = index as u64 * 500 * MS;
        let expected = after((opened + 3 * S).min(10 * S));
        let (closed, code) = peer.close().unwrap();
        assert!(
            (expected..=expected + RTT).contains(&closed),
            "{index}: {closed:?}"
        );
        assert_eq!(code, 1000);
    }
    assert!(seen.endings.is_empty());
}

#[test]
fn an_interrupted_ramp_opens_no_more_and_closes_what_is_open() {
    let scenario = r#"
        load = { connections = 10, ramp_up = "10s", duration = "60s", ramp_down = "1s" }
        message = [{ name = "m", rate = "1/s", timeout = "2s" }]
    "#;
    let interrupted = Simulation::new(scenario).interrupted_at(after(4500 * MS));
    let seen = interrupted.run(|_| Script::new(healthy));
    assert_eq!(seen.peers.len(), 5);
    assert_eq!(seen.all.caused(Cause::Completed), 5);
    for peer in &seen.peers {
        let (closed, _) = peer.close().unwrap();
        assert!(closed >= after(4500 * MS));
        assert!(peer.messages().iter().all(|at| *at < closed));
    }
    assert!(seen.ended < after(5502 * MS), "{:?}", seen.ended);
}

#[test]
fn no_ramp_at_all_opens_all_at_once() {
    let scenario = r#"
        load = { connections = 300, ramp_up = "0s", duration = "10s", ramp_down = "1s" }
        heartbeat = { interval = "4s", timeout = "1s" }
    "#;
    let seen = play(scenario, |_| Script::new(healthy));
    assert_eq!(seen.all.caused(Cause::Completed), 300);
    assert_eq!(seen.timer(Timer::ScheduleLateness).max(), Some(0));
    assert!(seen.ended < after(11 * S + 2 * RTT));
}

/// A dial fails without any wait, as for a name that is not known.
#[test]
fn a_dial_that_fails_at_once_is_not_tried_without_end() {
    let load = r#"load = { connections = 2, ramp_up = "0s", duration = "1s", reconnect = { initial = "0s", max = "0s" } }"#;
    let seen = play(load, |_| Script::refused());
    assert_eq!(seen.count(Counter::ConnectionsOpened), 0);
    let failed = seen.count(Counter::ConnectionsFailed);
    assert!((1_000..=2_010).contains(&failed), "{failed}");
}

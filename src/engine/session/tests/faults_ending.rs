//! Tests clients that end a connection badly, or keep it when they should not.

use super::bad::{IDLE, bad, between, contract};
use super::script::{Heard, MS, RTT, S, Script, close, fin, healthy, nothing, ping};
use crate::measure::{EndedBy, TcpEnding};
use crate::metric::{Cause, CloseKind, Counter, Side};
use crate::net::Act;
use crate::net::TcpEnd;
use crate::scenario::{FaultKind, Jitter, PromiseKind, Reconnect};
use crate::units::{Nanos, after};
use std::time::Duration;

/// One minute with a message each second.
const TALKATIVE: &str = r#"
    target.close_timeout = "3s"
    load = { connections = 1, ramp_up = "0s", duration = "60s", ramp_down = "0s" }
    message = [{ name = "m", rate = "1/s", phase = "aligned", timeout = "2s", expect = "none" }]
"#;

#[test]
fn a_client_that_never_closes_waits_for_the_server() {
    let play = bad(IDLE, [(Nanos::ZERO, FaultKind::NeverClose)]).with(|cohort| {
        cohort.contract = Some(contract(PromiseKind::TcpEndBetween.of(between(29, 31))));
    });
    let seen = play.run(|_| {
        let script = Script::new(healthy).says(after(10 * S), close(Some(1000)));
        script.says(after(40 * S), fin())
    });
    assert!(seen.peer().heard().is_empty());
    let record = seen.record();
    assert_eq!(record.decided_ns(), Some(after(10 * S)));
    assert_eq!(record.tcp_end_ns, Some(after(40 * S)));
    // The session waits for an end that never comes one second longer than was promised.
    let play = bad(IDLE, [(Nanos::ZERO, FaultKind::NeverClose)]).with(|cohort| {
        cohort.contract = Some(contract(PromiseKind::TcpEndBetween.of(between(29, 31))));
    });
    let seen = play.run(|_| Script::new(healthy).says(after(10 * S), close(None)));
    assert_eq!(
        (seen.record().tcp_end_ns, seen.ended),
        (None, after(42 * S))
    );
}

#[test]
fn a_client_that_never_closes_still_ends_with_the_run() {
    let seen = bad(IDLE, [(Nanos::ZERO, FaultKind::NeverClose)]).run(|_| Script::new(healthy));
    assert_eq!(seen.peer().close(), Some((after(60 * S), 1000)));
    assert_eq!(seen.record().cause, Cause::Completed);
    assert_eq!(seen.record().ended_by, EndedBy::Plan);
    assert_eq!(seen.record().decided_ns(), None);
}

#[test]
fn a_reset_is_the_clients_own_end_and_no_loss() {
    let seen = bad(IDLE, [(5 * S, FaultKind::Reset)]).run(|_| Script::new(healthy));
    assert_eq!(seen.peer().acts(), [(after(5 * S), Act::Reset)]);
    assert_eq!(seen.ended, after(5 * S));
    assert_eq!(seen.count(Counter::ConnectionsLost), 0);
    assert_eq!(seen.all.caused(Cause::Fault), 1);
    let closes: Vec<_> = seen.all.closes().collect();
    assert_eq!(closes, [(CloseKind::Rst, Side::Local, 1)]);
    assert!(seen.endings.is_empty());
    let record = seen.record();
    assert_eq!(
        (record.ended_by, record.cause),
        (EndedBy::Fault, Cause::Fault)
    );
    assert_eq!(
        (record.fault_ns, record.ended_ns),
        (Some(after(5 * S)), after(5 * S))
    );
}

#[test]
fn with_reconnect_a_client_that_reset_comes_again_and_each_life_is_kept() {
    let play = bad(IDLE, [(20 * S, FaultKind::Reset)]).with(|cohort| {
        cohort.reconnect = Reconnect::Backoff {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(1),
            jitter: Jitter::None,
            retry_after: false,
        };
    });
    let seen = play.run(|_| Script::new(healthy));
    let opened: Vec<_> = seen
        .records
        .iter()
        .map(|record| record.opened_ns.as_nanos() / S.0)
        .collect();
    assert_eq!(opened, [0, 21, 42]);
    let lost: Vec<_> = seen
        .records
        .iter()
        .map(|record| record.lost_before_ns)
        .collect();
    assert_eq!(lost, [None, Some(after(20 * S)), Some(after(41 * S))]);
    assert_eq!(seen.records[2].ended_by, EndedBy::Plan);
}

#[test]
fn after_a_half_close_nothing_is_sent_and_all_is_read() {
    let seen = bad(TALKATIVE, [(2_500 * MS, FaultKind::HalfClose)]).run(|_| {
        let script = Script::new(|_, _| nothing()).says(after(4 * S), ping());
        script
            .says(after(5 * S), close(Some(1001)))
            .says(after(6 * S), fin())
    });
    assert_eq!(seen.peer().acts(), [(after(2_500 * MS), Act::HalfClose)]);
    assert_eq!(seen.peer().messages(), [Nanos::ZERO, S, 2 * S].map(after));
    assert_eq!(seen.peer().heard().len(), 3);
    let record = seen.record();
    assert_eq!(record.unanswered_ping_ns, Some(after(4 * S)));
    assert_eq!(record.last_sent_ns, Some(after(2 * S)));
    assert_eq!(record.ended_by, EndedBy::Server);
    assert_eq!(
        (record.close_code, record.tcp_end_ns),
        (Some(1001), Some(after(6 * S)))
    );
}

#[test]
fn a_client_that_vanished_holds_back_what_it_would_send_and_is_gone_without_a_word() {
    let seen = bad(TALKATIVE, [(2_500 * MS, FaultKind::Vanish { lasts: None })])
        .run(|_| Script::new(|_, _| nothing()));
    assert_eq!(seen.peer().acts(), [(after(2_500 * MS), Act::Vanish)]);
    assert_eq!(seen.peer().messages(), [Nanos::ZERO, S, 2 * S].map(after));
    assert_eq!(seen.peer().close(), None);
    let closes: Vec<_> = seen.all.closes().collect();
    assert_eq!(closes, [(CloseKind::Timeout, Side::Local, 1)]);
    let record = seen.record();
    assert_eq!(
        (record.ended_by, record.cause),
        (EndedBy::Plan, Cause::Fault)
    );
    assert_eq!(
        (record.fault_ns, record.fault_end_ns),
        (Some(after(2_500 * MS)), None)
    );
}

#[test]
fn a_client_that_is_back_sends_what_waited() {
    let lasts = Some(Duration::from_secs(5));
    let seen =
        bad(TALKATIVE, [(2_500 * MS, FaultKind::Vanish { lasts })]).run(|_| Script::new(healthy));
    let messages = seen.peer().messages();
    // The message of 3 s waited in the connection. Those of 4 and 5 s were given up after their `timeout`.
    assert_eq!(messages[..3], [Nanos::ZERO, S, 2 * S].map(after));
    assert_eq!(messages[3..6], [after(7_500 * MS); 3]);
    assert_eq!(messages[6..8], [8 * S, 9 * S].map(after));
    assert_eq!(seen.count(Counter::MessagesNotSent), 2);
    assert_eq!(seen.record().fault_end_ns, Some(after(7_500 * MS)));
    assert_eq!(seen.peer().close(), Some((after(60 * S), 1000)));
    assert_eq!(seen.record().cause, Cause::Completed);
}

#[test]
fn a_close_with_a_code_of_its_own_is_the_faults() {
    for (code, heard) in [(Some(3000), 3000), (None, 1005)] {
        let codes = vec![code];
        let seen = bad(IDLE, [(5 * S, FaultKind::Close { codes })]).run(|_| Script::new(healthy));
        assert_eq!(seen.peer().close(), Some((after(5 * S), heard)));
        let record = seen.record();
        assert_eq!(
            (record.close_sent_ns, record.close_sent_code),
            (Some(after(5 * S)), code)
        );
        assert_eq!(record.close_received_ns, Some(after(5 * S + RTT)));
        assert_eq!(record.tcp_end, Some(TcpEnding::Fin));
        assert_eq!(
            (record.ended_by, record.cause),
            (EndedBy::Fault, Cause::Completed)
        );
        assert_eq!(record.decided_ns(), None);
    }
}

#[test]
fn a_held_connection_sees_the_end_of_tcp_and_stays_to_the_end_of_the_run() {
    let codes = vec![Some(1000)];
    let faults = [
        (5 * S, FaultKind::Close { codes }),
        (Nanos::ZERO, FaultKind::Hold),
    ];
    let seen = bad(IDLE, faults).run(|_| {
        Script::new(|at, heard| match heard {
            Heard::Close(_) => vec![(at + RTT, close(Some(1000)))],
            _ => nothing(),
        })
        .ends_tcp(after(7 * S), TcpEnd::Fin)
    });
    let record = seen.record();
    assert_eq!(
        (record.tcp_end_ns, record.tcp_end),
        (Some(after(7 * S)), Some(TcpEnding::Fin))
    );
    assert_eq!(
        (record.ended_ns, record.ended_by),
        (after(60 * S), EndedBy::Fault)
    );
    assert_eq!(record.cause, Cause::Completed);
}

/// Plays clients whose server promises to end them 8 s after they stopped reading.
fn stops_reading(script: impl Fn() -> Script + 'static) -> super::seen::Seen {
    let text = IDLE.replace("connections = 1", "connections = 3");
    let play = bad(&text, [(5 * S, FaultKind::StopReading)]).with(|cohort| {
        cohort.contract = Some(contract(PromiseKind::ReapedBetween.of(between(4, 8))));
    });
    play.run(move |_| script())
}

#[test]
fn who_does_not_read_asks_once_whether_the_server_is_there() {
    let seen = stops_reading(|| Script::new(healthy).says(after(6 * S), ping()));
    // Places 0, 1 and 2 of the golden ratio, over 10 s.
    let probes = [0.0, 0.618, 0.236].map(|part| 5 * S + Nanos((part * 10e9) as u64));
    for (record, expected) in seen.records.iter().zip(probes) {
        let (at, alive) = record.probe.unwrap();
        assert!(
            at.abs_diff(after(expected)) < 10 * MS,
            "{at:?} {expected:?}"
        );
        assert!(alive);
        assert!(record.pings_ns.is_empty());
        assert_eq!(
            (record.ended_by, record.cause),
            (EndedBy::Plan, Cause::Fault)
        );
    }
    for peer in &seen.peers {
        assert_eq!(peer.put().len(), 1);
        assert_eq!(peer.put()[0].1.len(), 6);
    }
}

#[test]
fn a_reset_in_answer_to_the_probe_says_that_the_server_is_gone() {
    let seen = stops_reading(|| Script::new(healthy).ends_tcp(after(5 * S + MS), TcpEnd::Rst));
    assert_eq!(seen.records[0].probe, Some((after(5 * S), false)));
    assert_eq!(seen.records[0].tcp_end, Some(TcpEnding::Rst));
    // The others ended before their probe.
    for record in &seen.records[1..] {
        assert_eq!(record.probe, None);
        assert_eq!(record.decided_ns(), Some(after(5 * S + MS)));
    }
}

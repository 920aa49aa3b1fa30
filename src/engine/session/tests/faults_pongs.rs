//! Tests clients that answer pings late, wrongly, or not at all.

use super::bad::{IDLE, always, bad};
use super::play::Simulation;
use super::script::{Heard, MS, PING, RTT, S, Script, close, fin, healthy, ping};
use super::seen::Seen;
use crate::measure::EndedBy;
use crate::metric::Cause;
use crate::scenario::FaultKind;
use crate::units::{Nanos, Timestamp, after};

/// Plays a server that pings at these times, and ends the connection with a Close at 20 s.
fn pinged<const N: usize>(play: Simulation, times: [Nanos; N]) -> Seen {
    play.run(move |_| {
        let script = Script::new(healthy).says(after(20 * S), close(Some(1011)));
        times
            .iter()
            .fold(script, |script, at| script.says(after(*at), ping()))
    })
}

/// Returns the pongs that were sent: their times and payloads.
fn pongs(seen: &Seen) -> Vec<(Timestamp, Vec<u8>)> {
    let pong = |(at, bytes): (Timestamp, Vec<u8>)| {
        assert_eq!(bytes[0], 0x8A, "{bytes:?}");
        assert_eq!(usize::from(bytes[1] & 0x7F), bytes.len() - 6);
        let mask = bytes[2..6].iter().cycle();
        (
            at,
            bytes[6..].iter().zip(mask).map(|(a, b)| a ^ b).collect(),
        )
    };
    seen.peer().put().into_iter().map(pong).collect()
}

fn right(times: &[Timestamp]) -> Vec<(Timestamp, Vec<u8>)> {
    times.iter().map(|at| (*at, PING.to_vec())).collect()
}

#[test]
fn no_pong_answers_pings_until_its_time_and_still_answers_a_close() {
    let seen = pinged(bad(IDLE, [(5 * S, FaultKind::NoPong)]), [S, 7 * S, 9 * S]);
    assert_eq!(pongs(&seen), right(&[after(S)]));
    assert!(
        seen.peer()
            .heard()
            .contains(&(after(20 * S), Heard::CloseReply(Some(1011))))
    );
    let record = seen.record();
    assert_eq!(record.fault_ns, Some(after(5 * S)));
    assert_eq!(record.unanswered_ping_ns, Some(after(7 * S)));
    assert_eq!(record.pings_ns, [S, 7 * S, 9 * S].map(after));
    assert_eq!(record.ended_by, EndedBy::Server);
    assert_eq!(record.close_received_ns, Some(after(20 * S)));
    assert_eq!(record.tcp_end_ns, Some(after(20 * S + RTT)));
    assert_eq!(record.cause, Cause::ClosedByPeer);
}

#[test]
fn late_pongs_come_late_by_exactly_their_delay() {
    let delay = always(1_300 * MS);
    let seen = pinged(
        bad(IDLE, [(Nanos::ZERO, FaultKind::LatePong { delay })]),
        [S, 2 * S, 10 * S],
    );
    assert_eq!(
        pongs(&seen),
        right(&[after(2_300 * MS), after(3_300 * MS), after(11_300 * MS)])
    );
    assert_eq!(seen.record().level_ns, Some(1_300 * MS));
    assert_eq!(seen.record().unanswered_ping_ns, Some(after(S)));
}

#[test]
fn a_late_pong_is_late_after_the_kernels_stamp() {
    let delay = always(S);
    let play = bad(IDLE, [(Nanos::ZERO, FaultKind::LatePong { delay })]);
    let seen = play.run(|_| {
        let script = Script::new(healthy).says(after(5 * S), ping());
        script
            .stamped_before(300 * MS)
            .says(after(20 * S), close(None))
    });
    assert_eq!(pongs(&seen), right(&[after(5_700 * MS)]));
    assert_eq!(seen.record().pings_ns, [4_700 * MS].map(after));
}

#[test]
fn pongs_that_are_due_after_a_close_are_not_sent() {
    let delay = always(10 * S);
    let seen = pinged(
        bad(IDLE, [(Nanos::ZERO, FaultKind::LatePong { delay })]),
        [15 * S],
    );
    assert_eq!(pongs(&seen), []);
}

#[test]
fn pongs_stop_after_so_many() {
    let seen = pinged(
        bad(
            IDLE,
            [(Nanos::ZERO, FaultKind::PongStopsAfter { pings: 2 })],
        ),
        [Nanos::ZERO, S, 2 * S, 3 * S],
    );
    assert_eq!(pongs(&seen), right(&[Timestamp::ORIGIN, after(S)]));
    assert_eq!(seen.record().unanswered_ping_ns, Some(after(2 * S)));
    assert_eq!(seen.record().fault_ns, Some(Timestamp::ORIGIN));
}

#[test]
fn a_wrong_pong_has_another_payload() {
    let seen = pinged(bad(IDLE, [(Nanos::ZERO, FaultKind::WrongPong)]), [S]);
    let [(at, payload)] = &pongs(&seen)[..] else {
        panic!("{:?}", pongs(&seen));
    };
    assert_eq!((*at, payload.len()), (after(S), PING.len()));
    assert_ne!(payload, PING);
    assert_eq!(seen.record().unanswered_ping_ns, Some(after(S)));
}

#[test]
fn faults_go_on_side_by_side() {
    let faults = [
        (Nanos::ZERO, FaultKind::NoPong),
        (Nanos::ZERO, FaultKind::NeverClose),
    ];
    let seen = bad(IDLE, faults).run(|_| {
        let script = Script::new(healthy).says(after(S), ping());
        script
            .says(after(3 * S), close(None))
            .says(after(5 * S), fin())
    });
    assert!(seen.peer().heard().is_empty(), "{:?}", seen.peer().heard());
    let record = seen.record();
    assert_eq!(record.unanswered_ping_ns, Some(after(S)));
    assert_eq!(
        (record.close_received_ns, record.tcp_end_ns),
        (Some(after(3 * S)), Some(after(5 * S)))
    );
    assert_eq!(record.close_code, Some(1005));
}

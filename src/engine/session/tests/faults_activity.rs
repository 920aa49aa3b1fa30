//! Tests clients that send one kind of frame only, a frame that never ends, fragments, or forbidden frames.

use std::time::Duration;

use super::bad::{IDLE, always, bad};
use super::play::Simulation;
use super::script::{Heard, MS, RTT, S, Script, close, fin, healthy, ping};
use super::seen::Seen;
use crate::measure::EndedBy;
use crate::metric::{Cause, CloseKind, Counter, Side};
use crate::scenario::{Activity, FaultKind, Illegal};
use crate::units::{Nanos, Timestamp, after};

/// Would send messages and pings without its fault.
const TALKATIVE: &str = r#"
    target.close_timeout = "3s"
    load = { connections = 1, ramp_up = "0s", duration = "10s", ramp_down = "0s" }
    message = [{ name = "m", rate = "1/s", phase = "aligned", timeout = "2s" }]
    heartbeat = { interval = "4s", timeout = "1s", phase = "aligned" }
"#;

fn only(frame: Activity) -> Simulation {
    let every = always(1_500 * MS);
    bad(TALKATIVE, [(2 * S, FaultKind::Only { frame, every })])
}

fn times(seen: &Seen) -> Vec<Timestamp> {
    seen.peer().put().into_iter().map(|(at, _)| at).collect()
}

#[test]
fn only_one_kind_of_frame_is_sent_at_its_gaps() {
    let kinds = [
        (Activity::UnsolicitedPong, 0x8A),
        (Activity::Ping, 0x89),
        (Activity::Text, 0x81),
        (Activity::EmptyText, 0x81),
    ];
    for (frame, first) in kinds {
        let seen = only(frame).run(|_| Script::new(healthy).says(after(3 * S), ping()));
        let gaps = [3_500, 5_000, 6_500, 8_000, 9_500].map(|ms| after(ms * MS));
        assert_eq!(times(&seen), gaps, "{frame:?}");
        assert!(seen.peer().put().iter().all(|(_, put)| put[0] == first));
        // Messages of 0 and 1 s, and none of those that were due later.
        assert_eq!(seen.peer().messages(), [Nanos::ZERO, S].map(after));
        assert_eq!(seen.peer().pings(), [Timestamp::ORIGIN]);
        assert_eq!(
            seen.counts([Counter::MessagesSent, Counter::MessagesNotSent]),
            [2, 8]
        );
        // The client closes like a healthy one.
        assert_eq!(seen.peer().close(), Some((after(10 * S), 1000)));
        assert_eq!(seen.record().unanswered_ping_ns, Some(after(3 * S)));
        assert_eq!(seen.record().ended_by, EndedBy::Plan);
    }
}

#[test]
fn nothing_is_nothing_and_pongs_are_pongs() {
    let nothing = only(Activity::Nothing).run(|_| Script::new(healthy).says(after(3 * S), ping()));
    assert!(times(&nothing).is_empty());
    assert_eq!(nothing.record().last_sent_ns, Some(after(S)));
    let pong = only(Activity::Pong).run(|_| Script::new(healthy).says(after(3 * S), ping()));
    assert_eq!(times(&pong), [3 * S].map(after));
    assert_eq!(pong.record().unanswered_ping_ns, None);
    assert_eq!(pong.record().last_sent_ns, Some(after(3 * S)));
}

/// Returns the bytes that were put in, in order.
fn stream(seen: &Seen) -> Vec<u8> {
    let put = seen.peer().put().into_iter();
    put.flat_map(|(_, bytes)| bytes).collect()
}

#[test]
fn a_frame_that_is_never_complete_is_the_last_that_is_sent() {
    let every = Duration::from_millis(500);
    let trickle = bad(TALKATIVE, [(2 * S, FaultKind::Trickle { every })]);
    let byte = only(Activity::Byte);
    for (play, first, sent) in [(trickle, 2 * S, 8 + 15), (byte, 3_500 * MS, 5)] {
        let seen = play.run(|_| Script::new(healthy).says(after(3 * S), ping()));
        assert_eq!(times(&seen)[0], after(first));
        let stream = stream(&seen);
        assert_eq!(stream.len(), sent, "{stream:?}");
        assert_eq!(stream[..4], [0x81, 0x80 | 126, 0xFF, 0xFF]);
        let others = seen.peer().heard().into_iter();
        let mut late =
            others.filter(|(at, heard)| *at >= after(2 * S) && !matches!(heard, Heard::Put(_)));
        assert_eq!(late.next(), None);
        // Within a frame no close handshake is possible.
        assert_eq!(seen.all.caused(Cause::Fault), 1);
        let closes: Vec<_> = seen.all.closes().collect();
        assert_eq!(closes, [(CloseKind::Fin, Side::Local, 1)]);
        assert_eq!(seen.count(Counter::ConnectionsLost), 0);
        assert!(seen.endings.is_empty());
        assert_eq!(seen.record().ended_by, EndedBy::Plan);
        assert_eq!(seen.ended, after(10 * S));
    }
}

#[test]
fn after_a_stall_the_schedule_goes_on_where_it_would_be() {
    let stalled = only(Activity::Ping).stalled(after(4 * S)..after(7_200 * MS));
    let seen = stalled.run(|_| Script::new(healthy));
    let gaps = [3_500, 7_200, 8_000, 9_500].map(|ms| after(ms * MS));
    assert_eq!(times(&seen), gaps);
}

#[test]
fn fragments_alternate_with_pauses_and_pings_go_between() {
    let pause = Duration::from_secs(2);
    let play = bad(TALKATIVE, [(S, FaultKind::Fragments { pause })]);
    let seen = play.run(|_| Script::new(healthy));
    assert_eq!(
        times(&seen),
        [1, 3, 5, 7, 9].map(|second| after(second * S))
    );
    let firsts: Vec<u8> = (seen.peer().put().iter()).map(|(_, put)| put[0]).collect();
    assert_eq!(firsts, [0x01, 0x80, 0x01, 0x80, 0x01]);
    assert_eq!(seen.peer().pings(), [Nanos::ZERO, 4 * S, 8 * S].map(after));
    assert_eq!(seen.peer().messages(), [Timestamp::ORIGIN]);
}

#[test]
fn each_illegal_frame_is_sent_once_and_the_servers_close_is_answered() {
    use Illegal::*;
    for illegal in [
        LongPing,
        FragmentedPing,
        BadUtf8,
        Unmasked,
        ReservedOpcode,
        Rsv1Ping,
        BadDeflate,
        DeflateBomb,
    ] {
        let play = bad(IDLE, [(2 * S, FaultKind::IllegalFrame(illegal))]);
        let seen = play.run(|_| Script::new(healthy).says(after(2 * S + RTT), close(Some(1002))));
        assert_eq!(times(&seen), [2 * S].map(after), "{illegal:?}");
        assert!(
            seen.peer()
                .heard()
                .contains(&(after(2 * S + RTT), Heard::CloseReply(Some(1002))))
        );
        assert_eq!(seen.record().close_code, Some(1002));
        assert_eq!(seen.record().fault_ns, Some(after(2 * S)));
    }
}

#[test]
fn nothing_follows_a_close_frame_with_a_bad_code() {
    let fault = FaultKind::IllegalFrame(Illegal::BadCloseCode);
    let seen = bad(IDLE, [(2 * S, fault)]).run(|_| {
        let script = Script::new(healthy).says(after(2 * S + RTT), close(Some(1002)));
        script.says(after(2 * S + 2 * RTT), fin())
    });
    assert_eq!(stream(&seen)[..2], [0x88, 0x82]);
    assert_eq!(seen.peer().heard().len(), 1);
    assert_eq!(seen.record().tcp_end_ns, Some(after(2 * S + 2 * RTT)));
}

//! What an answer is taken for.

use bytes::Bytes;

use super::play::{Seen, play};
use super::script::{Heard, Lines, MS, RTT, S, Script, binary, healthy, text};
use crate::metric::{Counter, Timer};
use crate::plan::Nanos;

const OUTCOMES: [Counter; 7] = [
    Counter::MessagesReceived,
    Counter::MessagesEchoed,
    Counter::MessagesMismatched,
    Counter::MessagesDuplicated,
    Counter::MessagesUnsolicited,
    Counter::MessagesTimedOut,
    Counter::MessagesLate,
];

/// Ten messages, one a second, each answered as `answer` says.
fn ten(keys: &str, answer: impl Fn(Nanos, usize, &Bytes) -> Lines + Copy + 'static) -> Seen {
    let scenario = format!(
        r#"
        load = {{ connections = 1, ramp_up = "0s", duration = "10s", ramp_down = "0s" }}
        message = [{{ name = "m", rate = "1/s", phase = "aligned", timeout = "1500ms", {keys} }}]
        "#
    );
    play(&scenario, move |_| {
        let mut turn = 0;
        Script::new(move |at, heard| match heard {
            Heard::Text(bytes) | Heard::Binary(bytes) => {
                turn += 1;
                answer(at, turn - 1, bytes)
            }
            _ => healthy(at, heard),
        })
    })
}

fn changed(bytes: &Bytes, place: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[place] ^= 1;
    bytes
}

const STAMPED: &str = r#"payload = { size = "100B" }"#;

#[test]
fn a_wrong_a_duplicate_a_late_and_an_unexpected_answer_are_told_apart() {
    let seen = ten(STAMPED, |at, turn, bytes| {
        let echo = text(bytes.clone());
        match turn {
            // Wrong in its filler, and in the last digit of its time.
            1 => vec![(at + RTT, text(changed(bytes, 99)))],
            2 => vec![(at + RTT, text(changed(bytes, 47)))],
            // Cut short.
            3 => vec![(at + RTT, text(bytes.slice(..80)))],
            4 => vec![(at + RTT, echo.clone()), (at + 2 * RTT, echo)],
            // After its timeout, twice.
            5 => vec![(at + 1600 * MS, echo.clone()), (at + 1700 * MS, echo)],
            6 => vec![(at + RTT, text("hello")), (at + RTT, echo)],
            // Its run is another one's.
            7 => vec![(at + RTT, text(changed(bytes, 5))), (at + RTT, echo)],
            // It was never sent.
            8 => vec![(at + RTT, text(changed(bytes, 22))), (at + RTT, echo)],
            _ => vec![(at + RTT, echo)],
        }
    });
    assert_eq!(seen.counts(OUTCOMES), [15, 6, 3, 2, 3, 1, 1]);
    // Only what is an echo is timed.
    assert_eq!(seen.all.latency(0).unwrap().count(), 6);
    assert_eq!(seen.all.latency(0).unwrap().max(), Some(RTT));
    assert_eq!(seen.timed(Timer::ReceiveGap), 14);
}

#[test]
fn answers_may_come_in_any_order_where_there_is_a_stamp() {
    let seen = ten(STAMPED, |at, turn, bytes| {
        let delay = if turn % 2 == 0 { 1400 * MS } else { 100 * MS };
        vec![(at + delay, text(bytes.clone()))]
    });
    assert_eq!(seen.counts(OUTCOMES), [10, 10, 0, 0, 0, 0, 0]);
    let latency = seen.all.latency(0).unwrap();
    assert_eq!(
        (latency.min(), latency.max()),
        (Some(100 * MS), Some(1400 * MS))
    );
}

#[test]
fn an_echo_of_the_other_type_is_an_echo_and_said() {
    let to_binary = |at, _, bytes: &Bytes| vec![(at + RTT, binary(bytes.clone()))];
    let to_text = |at, _, bytes: &Bytes| vec![(at + RTT, text(bytes.clone()))];
    let retyped = |seen: Seen| {
        assert_eq!(seen.counts(OUTCOMES), [10, 10, 0, 0, 0, 0, 0]);
        seen.count(Counter::MessagesRetyped)
    };
    assert_eq!(retyped(ten(STAMPED, to_binary)), 10);
    assert_eq!(retyped(ten(STAMPED, to_text)), 0);
    assert_eq!(
        retyped(ten(
            r#"payload = { hex = "00ff" }, frame = "binary""#,
            to_text
        )),
        10
    );
    assert_eq!(
        retyped(ten(
            r#"payload = { hex = "00ff" }, frame = "binary""#,
            to_binary
        )),
        0
    );
}

#[test]
fn fixed_payloads_are_matched_by_order_oldest_first() {
    let seen = ten(r#"payload = { text = "time?" }"#, |at, turn, bytes| {
        let echo = text(bytes.clone());
        match turn {
            // Late, and in order.
            1 => vec![(at + 1700 * MS, echo)],
            2 => vec![(at + 800 * MS, echo)],
            // Nothing else could it be the answer to.
            4 => vec![(at + RTT, text("five past"))],
            // One is waited for, the other is not.
            6 => vec![(at + RTT, echo.clone()), (at + RTT, echo)],
            8 => vec![(at + RTT, echo), (at + RTT, text("tea?"))],
            _ => vec![(at + RTT, echo)],
        }
    });
    assert_eq!(seen.counts(OUTCOMES), [12, 8, 1, 0, 2, 1, 1]);
    let latency = seen.all.latency(0).unwrap();
    assert_eq!((latency.min(), latency.max()), (Some(RTT), Some(800 * MS)));
}

#[test]
fn fixed_payloads_are_told_apart_by_their_bytes() {
    let scenario = r#"
        load = { connections = 1, ramp_up = "0s", duration = "10s", ramp_down = "0s" }
        message = [
            { name = "slow", rate = "1/s", phase = "aligned", payload = { text = "a" } },
            { name = "fast", rate = "1/s", phase = "aligned", payload = { text = "b" } },
            { name = "sized", rate = "1/s", phase = "aligned", payload = { size = "5B" } },
        ]
    "#;
    let seen = play(scenario, |_| {
        Script::new(|at, heard| {
            let mut lines = healthy(at, heard);
            if matches!(heard, Heard::Text(bytes) if bytes == "a") {
                lines[0].0 = at + S;
            }
            lines
        })
    });
    assert_eq!(seen.counts(OUTCOMES), [30, 30, 0, 0, 0, 0, 0]);
    let slowest = |message| seen.all.service(message).unwrap().max();
    assert_eq!([0, 1, 2].map(slowest), [Some(S), Some(RTT), Some(RTT)]);
}

//! Tests how answers are matched and counted.

use bytes::Bytes;

use super::play::play;
use super::script::{Heard, Lines, MS, RTT, S, Script, binary, healthy, text};
use super::seen::Seen;
use crate::metric::{Counter, Timer};
use crate::units::Timestamp;

const OUTCOMES: [Counter; 7] = [
    Counter::MessagesReceived,
    Counter::MessagesEchoed,
    Counter::MessagesMismatched,
    Counter::MessagesDuplicated,
    Counter::MessagesUnsolicited,
    Counter::MessagesTimedOut,
    Counter::MessagesLate,
];

/// Plays ten messages, one a second, each answered as `answer` says.
fn ten(keys: &str, answer: impl Fn(Timestamp, usize, &Bytes) -> Lines + Copy + 'static) -> Seen {
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
            // The stamp has another run's number.
            7 => vec![(at + RTT, text(changed(bytes, 5))), (at + RTT, echo)],
            // The message was never sent.
            8 => vec![(at + RTT, text(changed(bytes, 22))), (at + RTT, echo)],
            _ => vec![(at + RTT, echo)],
        }
    });
    assert_eq!(seen.counts(OUTCOMES), [15, 6, 3, 2, 3, 1, 1]);
    // Only an echo is timed.
    assert_eq!(seen.all.latency(0).unwrap().count(), 6);
    assert_eq!(seen.all.latency(0).unwrap().max(), Some(RTT.0));
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
        (Some((100 * MS).0), Some((1400 * MS).0))
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
fn a_late_answer_is_one_to_the_step_that_it_answers() {
    let scenario = r#"
        load = { connections = 1, ramp_up = "0s", duration = "10s", ramp_down = "0s" }
        [[step]]
        send = "a text"
        expect = "none"
        [[step]]
        name = "slow"
        send = "{{stamp}}"
        frame = "binary"
        expect = "echo"
        timeout = "1s"
        on_fail = "go_on"
        [[step]]
        send = "another text"
        expect = "none"
    "#;
    let seen = play(scenario, |_| {
        Script::new(|at, heard| match heard {
            Heard::Text(_) => Vec::new(),
            Heard::Binary(bytes) => vec![(at + 2 * S, binary(bytes.clone()))],
            _ => healthy(at, heard),
        })
    });
    assert_eq!(seen.count(Counter::MessagesSent), 3);
    assert_eq!(seen.count(Counter::MessagesLate), 1);
    assert_eq!(seen.count(Counter::MessagesRetyped), 0);
}

#[test]
fn fixed_payloads_are_matched_by_order_oldest_first() {
    let seen = ten(r#"payload = { text = "time?" }"#, |at, turn, bytes| {
        let echo = text(bytes.clone());
        match turn {
            // Late, so it is matched to the next message, and the answer to that one is taken for the late one.
            1 => vec![(at + 1700 * MS, echo)],
            2 => vec![(at + 800 * MS, echo)],
            // Only this message waits for an answer, so the text is taken for its answer.
            4 => vec![(at + RTT, text("five past"))],
            // One message waits for an answer; after the second one the stream is uncertain.
            6 => vec![(at + RTT, echo.clone()), (at + RTT, echo)],
            8 => vec![(at + RTT, echo), (at + RTT, text("tea?"))],
            _ => vec![(at + RTT, echo)],
        }
    });
    assert_eq!(seen.counts(OUTCOMES), [12, 8, 1, 1, 1, 1, 1]);
    let latency = seen.all.latency(0).unwrap();
    assert_eq!((latency.min(), latency.max()), (Some(RTT.0), Some(RTT.0)));
    assert_eq!(latency.count(), 4);
    assert_eq!(seen.count(Counter::MessagesUncertain), 4);
}

/// Sends 60 messages, one each 100 ms, with four on their way; the fifth is answered twice.
fn with_a_duplicate(payload: &str) -> Seen {
    let scenario = format!(
        r#"
        load = {{ connections = 1, ramp_up = "0s", duration = "10s", ramp_down = "0s" }}
        message = [{{ name = "m", rate = "10/s", phase = "aligned", timeout = "500ms", count = 60, payload = {payload} }}]
        "#
    );
    play(&scenario, |_| {
        let mut turn = 0;
        Script::new(move |at, heard| match heard {
            Heard::Text(bytes) => {
                turn += 1;
                let echo = (at + 380 * MS, text(bytes.clone()));
                vec![echo; if turn == 5 { 2 } else { 1 }]
            }
            _ => healthy(at, heard),
        })
    })
}

/// The second answer is taken for that of the next message, and so on: which message is answered shows only when more
/// answers came than were waited for.
#[test]
fn a_duplicate_shifts_a_stream_and_shows_when_nothing_is_left_to_answer() {
    let seen = with_a_duplicate(r#"{ text = "a" }"#);
    assert_eq!(seen.counts(OUTCOMES), [61, 60, 0, 1, 0, 0, 0]);
    assert_eq!(seen.all.latency(0).unwrap().min(), Some((280 * MS).0));
    let seen = with_a_duplicate(r#"{ text = "{{stamp}}" }"#);
    assert_eq!(seen.counts(OUTCOMES), [61, 60, 0, 1, 0, 0, 0]);
    assert_eq!(seen.all.latency(0).unwrap().min(), Some((380 * MS).0));
}

#[test]
fn after_an_answer_too_many_nothing_is_timed_until_the_stream_is_quiet() {
    let counters = [
        Counter::MessagesEchoed,
        Counter::MessagesDuplicated,
        Counter::MessagesUncertain,
    ];
    let doubled = |rate: &str, payload: &str| {
        let keys = format!("rate = \"{rate}\", phase = \"aligned\", payload = {payload}");
        let scenario = format!(
            r#"
            load = {{ connections = 1, ramp_up = "0s", duration = "10s", ramp_down = "0s" }}
            message = [{{ name = "m", timeout = "500ms", {keys} }}]
            "#
        );
        let seen = play(&scenario, |_| {
            Script::new(|at, heard| match heard {
                Heard::Text(bytes) => vec![(at + RTT, text(bytes.clone())); 2],
                _ => healthy(at, heard),
            })
        });
        let timed = seen.all.latency(0).unwrap().count();
        (seen.counts(counters), timed)
    };
    let unstamped = r#"{ text = "a" }"#;
    assert_eq!(doubled("10/s", unstamped), ([100, 100, 99], 1));
    assert_eq!(doubled("1/s", unstamped), ([10, 10, 0], 10));
    let stamped = r#"{ text = "{{stamp}}" }"#;
    assert_eq!(doubled("10/s", stamped), ([100, 100, 0], 100));
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
    assert_eq!(
        [0, 1, 2].map(slowest),
        [S, RTT, RTT].map(|time| Some(time.0))
    );
}

/// Sends a message each 100 ms or at once after an answer; every `lost`-th answer is lost.
fn losing(keys: &str, lost: usize) -> Seen {
    let scenario = format!(
        r#"
        load = {{ connections = 1, ramp_up = "0s", duration = "100s", ramp_down = "0s" }}
        message = [{{ name = "m", timeout = "500ms", {keys} }}]
        "#
    );
    play(&scenario, move |_| {
        let mut turn = 0;
        Script::new(move |at, heard| {
            turn += 1;
            match heard {
                Heard::Text(_) if turn % lost == 0 => Lines::new(),
                _ => healthy(at, heard),
            }
        })
    })
}

#[test]
fn a_lost_answer_is_one_timeout_and_not_the_end_of_the_rate() {
    let counters = [
        Counter::MessagesSent,
        Counter::MessagesEchoed,
        Counter::MessagesTimedOut,
        Counter::MessagesUncertain,
    ];
    // Each 100 messages take 99 times 99 ms with thinking, and 500 ms for the answer that is lost.
    let think = r#"payload = { text = "a" }, in_flight = 1, think = "98ms""#;
    let [sent, echoed, timed_out, uncertain] = losing(think, 100).counts(counters);
    let stamped = think.replace(r#""a""#, r#""{{stamp}}""#);
    let control = losing(&stamped, 100).counts(counters);
    assert_eq!([sent, echoed, timed_out], control[..3]);
    assert_eq!(timed_out, sent / 100);
    // After the first timeout the connection is never quiet for a whole timeout.
    assert_eq!((uncertain, control[3]), (sent - 100 - (sent / 100 - 1), 0));
}

#[test]
fn a_stream_that_is_quiet_for_its_timeout_is_certain_again() {
    let slow = r#"payload = { text = "a" }, rate = "1/s""#;
    let seen = losing(slow, 10);
    let counters = [
        Counter::MessagesSent,
        Counter::MessagesEchoed,
        Counter::MessagesTimedOut,
        Counter::MessagesUncertain,
    ];
    assert_eq!(seen.counts(counters), [100, 90, 10, 0]);
    assert_eq!(seen.all.latency(0).unwrap().max(), Some(RTT.0));
}

#[test]
fn what_is_uncertain_is_not_timed() {
    // The answer to the first is lost, and each that follows comes before the timeout of the one before.
    let quick = r#"payload = { text = "a" }, rate = "4/s", in_flight = 2"#;
    let seen = losing(quick, 100);
    assert!(seen.count(Counter::MessagesTimedOut) > 0);
    assert!(seen.count(Counter::MessagesUncertain) > 0);
    let stamped = quick.replace(r#""a""#, r#""{{stamp}}""#);
    let seen = losing(&stamped, 100);
    assert_eq!(seen.count(Counter::MessagesUncertain), 0);
    assert_eq!(seen.all.latency(0).unwrap().max(), Some(RTT.0));
}

#[test]
fn a_stamp_is_found_wherever_the_server_puts_it() {
    let stamped = r#"payload = { text = '{"id":1,"s":"{{stamp}}"}' }"#;
    let seen = ten(stamped, |at, turn, bytes| {
        let echo = String::from_utf8(bytes.to_vec()).unwrap();
        assert_eq!(&echo[..13], r#"{"id":1,"s":""#);
        match turn {
            // A wrapped echo is an answer, but not an echo.
            1 => vec![(at + RTT, text(format!("[{echo}]")))],
            2 => vec![(at + RTT, text(echo[13..61].to_owned()))],
            3 => vec![(at + 1400 * MS, text(echo))],
            4 => vec![(at + 1600 * MS, text(echo))],
            5 => vec![(at + RTT, text(changed(bytes, 3)))],
            // Cut within its stamp.
            6 => vec![
                (at + RTT, text(echo[..40].to_owned())),
                (at + RTT, text(echo)),
            ],
            _ => vec![(at + RTT, text(echo))],
        }
    });
    assert_eq!(seen.counts(OUTCOMES), [11, 6, 3, 0, 1, 1, 1]);
    assert_eq!(seen.all.latency(0).unwrap().max(), Some((1400 * MS).0));
    assert_eq!(seen.count(Counter::MessagesUncertain), 0);
}

#[test]
fn a_text_that_looks_like_a_stamp_is_answered_like_any_other() {
    for run in ["0000002a", "00000001"] {
        let looks = format!("w1{run}{}", "0".repeat(38));
        let fixed = format!(r#"payload = {{ text = "{looks}" }}"#);
        let seen = ten(&fixed, |at, _, bytes| vec![(at + RTT, text(bytes.clone()))]);
        assert_eq!(seen.counts(OUTCOMES), [10, 10, 0, 0, 0, 0, 0], "{run}");
    }
}

#[test]
fn the_stamp_of_another_connection_answers_nothing() {
    let scenario = r#"
        load = { connections = 1, ramp_up = "0s", duration = "3s", ramp_down = "0s" }
        message = [
            { name = "fixed", rate = "1/s", phase = "aligned", payload = { text = "a" } },
            { name = "stamped", rate = "1/s", phase = "aligned", payload = { size = "64B" } },
        ]
    "#;
    let seen = play(scenario, |_| {
        Script::new(|at, heard| match heard {
            Heard::Text(bytes) if bytes == "a" => Lines::new(),
            Heard::Text(bytes) => {
                let other = changed(bytes, 19);
                let wrapped = [b"to all: ", &other[..]].concat();
                vec![
                    (at + RTT, text(other)),
                    (at + RTT, text(wrapped)),
                    (at + RTT, text(bytes.clone())),
                ]
            }
            _ => healthy(at, heard),
        })
    });
    assert_eq!(seen.counts(OUTCOMES), [9, 3, 0, 0, 6, 3, 0]);
}

//! Tests messages that are packets of MQTT, by a server that speaks it in bytes.

use super::play::play;
use super::script::{Heard, Lines, MS, RTT, S, Say, Script, binary, fin, healthy, nothing, text};
use super::seen::Seen;
use crate::metric::Cause;
use crate::metric::Counter::{
    ConnectionsDead, MessagesAnswered, MessagesMismatched, MessagesRetyped, MessagesSent,
    MessagesUnsolicited, PingsMissed, PingsSent, PongsReceived, PushesReceived, SetupFailed,
    SetupReady,
};
use crate::units::{Timestamp, after};

const CLIENT: &str = r#"
    target.dialect = { name = "mqtt", client_id = "c{{place}}", username = "guest", password = "a:b", keep_alive = "2" }
    load = { connections = 1, ramp_up = "0s", duration = "10s", ramp_down = "0s" }
    setup = [{ name = "subscribe", send = { subscribe = ["room", "1"] } }]
    on = [{ name = "heard", match = { message = ["room"] }, check = { "/n" = 1 } }]
"#;

/// The bytes of a packet that a client sent, without its mask.
fn said(seen: &Seen) -> Vec<Vec<u8>> {
    let heard = seen.peer().heard().into_iter();
    let packets = heard.filter_map(|(_, heard)| match heard {
        Heard::Binary(bytes) => Some(bytes.to_vec()),
        Heard::Text(bytes) => panic!("a text: {bytes:?}"),
        _ => None,
    });
    packets.collect()
}

/// What a server of MQTT answers to a packet: it takes every client, and grants every topic.
fn answers(packet: &[u8]) -> Vec<Vec<u8>> {
    match packet[0] {
        0x10 => vec![b"\x20\x02\0\0".to_vec()],
        0x82 => vec![[b"\x90\x03", &packet[2..4], b"\x01"].concat()],
        0xC0 => vec![b"\xd0\0".to_vec()],
        // What is published is acknowledged, and told in the room.
        0x32 => {
            let topic = usize::from(packet[3]);
            let id = &packet[4 + topic..6 + topic];
            vec![
                [b"\x40\x02", id].concat(),
                b"\x32\x0f\0\x04room\x12\x34{\"n\":1}".to_vec(),
            ]
        }
        _ => vec![],
    }
}

/// Answers as [`answers`] says, each answer in as many frames as `frames` makes of it.
fn server(frames: impl Fn(Vec<Vec<u8>>) -> Vec<Vec<u8>> + 'static) -> Script {
    Script::new(move |at, heard| match heard {
        Heard::Binary(packet) => {
            let frames = frames(answers(packet)).into_iter();
            frames.map(|frame| (at + RTT, binary(frame))).collect()
        }
        _ => healthy(at, heard),
    })
}

fn with_questions() -> String {
    format!(
        "{CLIENT}message = [{{ name = \"ask\", rate = \"2/s\", phase = \"aligned\", payload = {{ publish_acknowledged = [\"q\", \"{{{{n}}}}\"] }} }}]"
    )
}

/// Each packet in a frame, all in one, each byte in a frame of its own: it makes no difference.
#[test]
fn packets_are_the_same_in_whatever_frames_they_come() {
    type Frames = fn(Vec<Vec<u8>>) -> Vec<Vec<u8>>;
    let ways: [Frames; 3] = [
        |packets| packets,
        |packets| vec![packets.concat()],
        |packets| packets.concat().chunks(1).map(<[u8]>::to_vec).collect(),
    ];
    for frames in ways {
        let seen = play(&with_questions(), move |_| server(frames));
        let counters = [
            SetupReady,
            MessagesSent,
            MessagesAnswered,
            PushesReceived,
            MessagesUnsolicited,
            MessagesRetyped,
        ];
        assert_eq!(seen.counts(counters), [1, 19, 19, 19, 0, 0]);
        assert_eq!(seen.counts([PingsSent, PongsReceived]), [4, 4]);
        let said = said(&seen);
        assert_eq!(
            said[0],
            b"\x10\x1a\0\x04MQTT\x04\xc2\0\x02\0\x02c0\0\x05guest\0\x03a:b"
        );
        assert_eq!(said[1][..2], *b"\x82\x09");
        let acknowledged = said
            .iter()
            .filter(|packet| **packet == *b"\x40\x02\x12\x34");
        assert_eq!(acknowledged.count(), 19);
        assert_eq!(seen.causes(), []);
    }
}

#[test]
fn a_server_that_does_not_answer_a_pingreq_is_dead() {
    let seen = play(CLIENT, |_| {
        let script = server(|packets| packets);
        let mut part = script.part;
        Script::new(move |at, heard| match heard {
            Heard::Binary(packet) if packet[0] == 0xC0 => nothing(),
            _ => part(at, heard),
        })
    });
    assert_eq!(seen.counts([PingsMissed, ConnectionsDead]), [1, 1]);
}

#[test]
fn who_is_refused_is_told_why() {
    let refuses = |packet: &'static [u8], refusal: &'static [u8]| {
        let seen = play(CLIENT, move |_| {
            server(move |answers| match answers.first() {
                Some(answer) if answer[0] == packet[0] => vec![refusal.to_vec()],
                _ => answers,
            })
        });
        assert_eq!(seen.count(SetupFailed), 1);
        seen.causes()
    };
    assert_eq!(refuses(b"\x20", b"\x20\x02\0\x05"), [Cause::SetupFailed]);
    // The packet identifier is that of the step: the second of its exchange, behind that of CONNECT.
    let refused = b"\x90\x03\0\x02\x80";
    assert_eq!(refuses(b"\x90", refused), [Cause::SetupFailed]);
}

/// What follows a malformed packet cannot be read: it ends the connection, with a Close.
#[test]
fn a_malformed_packet_ends_the_connection_by_its_name() {
    let ends = |says: Say, at_once: Option<Say>| {
        let seen = play(CLIENT, move |_| {
            let script = server(|packets| packets).says(after(3 * S), says.clone());
            let more = at_once.clone().map(|more| (after(3 * S), more));
            more.into_iter()
                .fold(script, |script, (at, more)| script.says(at, more))
        });
        let closes = seen.peer().heard().into_iter();
        let closes = closes.filter_map(|(_, heard)| match heard {
            Heard::Close(code) => code,
            _ => None,
        });
        (seen.causes(), closes.collect::<Vec<_>>())
    };
    let broken = (vec![Cause::ProtocolError], vec![1002]);
    assert_eq!(ends(binary(&b"\x36\x03\0\x01a"[..]), None), broken);
    assert_eq!(ends(text("\u{10}\0"), None), broken);
    let (causes, _) = ends(binary(&b"\xff"[..]), Some(fin()));
    assert_eq!(causes, [Cause::ProtocolError], "not what came behind it");
    let big = binary(&b"\x30\xff\xff\xff\x7f"[..]);
    assert_eq!(ends(big, None), (vec![Cause::MessageTooBig], vec![1009]));
}

/// Values of a running connection may make a text no packet.
#[test]
fn a_text_that_is_no_packet_ends_the_connection() {
    let scenario = format!(
        "{CLIENT}step = [{{ name = \"say\", send = {{ publish = [\"{{{{kept}}}}\", \"x\"] }} }}]"
    );
    let scenario = scenario.replace(
        "[\"room\", \"1\"] } }",
        "[\"room\", \"1\"] }, save = { kept = { regex = \"granted(.*)\" } } }",
    );
    let scenario = scenario.replace("(.*)", ":1(\\\\n)");
    let seen = play(&scenario, |_| server(|packets| packets));
    assert_eq!(seen.causes(), [Cause::StepFailed]);
}

#[test]
fn a_wrong_answer_is_that_of_its_message() {
    let seen = play(
        &with_questions().replace(
            "name = \"ask\"",
            "check = { prefix = \"PUBACK\\nid:7\\n\" }, name = \"ask\"",
        ),
        |_| server(|packets| packets),
    );
    // The messages have every other id, beside the steps.
    assert_eq!(seen.counts([MessagesAnswered, MessagesMismatched]), [1, 18]);
}

/// So many acknowledgements wait while the server takes no bytes; they are sent when it does.
#[test]
fn acknowledgements_wait_for_a_server_that_takes_no_bytes() {
    let pushes = |count: usize| -> Lines {
        let push = b"\x32\x0f\0\x04room\x12\x34{\"n\":1}".repeat(100);
        let at =
            |frame: usize| -> Timestamp { after(3 * S) + MS.saturating_mul(frame as u64 / 40) };
        (0..count / 100)
            .map(|frame| (at(frame), binary(push.clone())))
            .collect()
    };
    let run = |count: usize| {
        let seen = play(CLIENT, move |_| {
            let mut script = server(|packets| packets);
            script.lines = pushes(count);
            script.blocked(after(2_500 * MS)..after(5 * S))
        });
        let acknowledged = said(&seen)
            .into_iter()
            .filter(|packet| packet[0] == 0x40)
            .count();
        (seen.count(PushesReceived), acknowledged, seen.causes())
    };
    assert_eq!(run(2_000), (2_000, 2_000, vec![]));
    let (heard, _, causes) = run(66_000);
    assert_eq!((heard, causes), (65_536, vec![Cause::ProtocolError]));
}

//! Compares with another implementation: the reader must decode bytes as tungstenite does, however they are cut.

use proptest::prelude::*;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketContext};
use tokio_tungstenite::tungstenite::{self, Message};

use super::peer::{Bytes, DecodedItem, MAX_MESSAGE, assert_same, ours};
use super::*;

/// Returns a server's frame, valid or not.
fn server_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        short @ 0..126 => out.push(short as u8),
        long @ 126..65_536 => {
            out.push(126);
            out.extend((long as u16).to_be_bytes());
        }
        longer => {
            out.push(127);
            out.extend((longer as u64).to_be_bytes());
        }
    }
    out.extend(payload);
    out
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => "[a-z]{0,200}".prop_map(String::into_bytes),
        4 => any::<String>().prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..130),
        1 => (0usize..110_000).prop_map(|length| vec![0xA5; length]),
    ]
}

/// Generates payloads of Close frames, with codes that a server may send: tungstenite returns only those.
fn close() -> impl Strategy<Value = Vec<u8>> {
    let code = prop_oneof![Just(1000u16), Just(1001), Just(1011), 3000u16..5000];
    let whole = (code, "[a-zé]{0,30}")
        .prop_map(|(code, reason)| [&code.to_be_bytes(), reason.as_bytes()].concat());
    prop_oneof![4 => whole, 1 => Just(Vec::new()), 1 => Just(vec![3])]
}

fn frames() -> impl Strategy<Value = Vec<u8>> {
    let control = prop::collection::vec(any::<u8>(), 0..126);
    prop_oneof![
        12 => text().prop_map(|text| server_frame(0x81, &text)),
        8 => bytes().prop_map(|bytes| server_frame(0x82, &bytes)),
        4 => control.clone().prop_map(|bytes| server_frame(0x89, &bytes)),
        4 => control.prop_map(|bytes| server_frame(0x8A, &bytes)),
        // A message in parts, with a ping in between.
        6 => (text(), 0usize..200, any::<bool>()).prop_map(|(text, cut, ping)| {
            let (first, second) = text.split_at(cut.min(text.len()));
            let ping = if ping { server_frame(0x89, b"?") } else { Vec::new() };
            [server_frame(0x01, first), ping, server_frame(0x00, b""), server_frame(0x80, second)].concat()
        }),
        2 => (bytes(), bytes()).prop_map(|(first, second)| {
            [server_frame(0x02, &first), server_frame(0x80, &second)].concat()
        }),
        1 => close().prop_map(|payload| server_frame(0x88, &payload)),
        // Any first two bytes, and what may follow them.
        2 => (any::<u8>(), bytes()).prop_map(|(first, bytes)| server_frame(first, &bytes)),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn bytes_mean_what_they_mean_to_others(frames in prop::collection::vec(frames(), 0..8), cut in 1usize..300) {
        assert_same(&frames.concat(), cut);
    }

    #[test]
    fn what_is_written_is_read_by_others(
        payloads in prop::collection::vec((0u8..4, bytes()), 1..6), seed in any::<u64>(), written in 1usize..5000,
    ) {
        let mut writer = Writer::new(seed);
        let mut wanted = Vec::new();
        for (kind, bytes) in &payloads {
            let short = &bytes[..bytes.len().min(125)];
            let (frame, message) = match kind {
                0 => (Frame::Binary(bytes), Message::binary(bytes.clone())),
                1 => (Frame::Ping(short), Message::Ping(short.to_vec().into())),
                2 => (Frame::Pong(short), Message::Pong(short.to_vec().into())),
                _ => (Frame::Text(b"text"), Message::text("text")),
            };
            writer.add(frame);
            wanted.push(message);
        }
        writer.add(Frame::Close { code: Some(1000), reason: "bye" });
        let mut wire = Vec::new();
        while !writer.unwritten().is_empty() {
            let part = writer.unwritten().len().min(written);
            wire.extend_from_slice(&writer.unwritten()[..part]);
            writer.wrote(part);
        }
        let mut server = WebSocketContext::new(Role::Server, None);
        let mut stream = Bytes(&wire);
        for message in wanted {
            prop_assert_eq!(server.read(&mut stream).unwrap(), message);
        }
        let Ok(Message::Close(Some(close))) = server.read(&mut stream) else {
            return Err(TestCaseError::fail("no Close frame"));
        };
        prop_assert_eq!((u16::from(close.code), close.reason.as_str()), (1000, "bye"));
    }

    #[test]
    fn a_mask_taken_twice_is_none(bytes in prop::collection::vec(any::<u8>(), 0..100), key in any::<[u8; 4]>()) {
        let mut masked = bytes.clone();
        mask(&mut masked, key);
        let each = bytes.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key);
        prop_assert!(masked.iter().copied().eq(each));
        mask(&mut masked, key);
        prop_assert_eq!(masked, bytes);
    }

    #[test]
    fn frames_after_a_close_are_counted_however_the_bytes_are_cut(
        lengths in prop::collection::vec(0usize..70_000, 0..6), cut in 1usize..500,
    ) {
        let mut bytes = server_frame(0x88, &[3, 232]);
        for length in &lengths {
            bytes.extend(server_frame(0x82, &vec![0x88; *length]));
        }
        let (mut room, mut reader) = (Room::default(), Reader::new(MAX_MESSAGE));
        let mut closes = 0;
        for part in bytes.chunks(cut) {
            room.space()[..part.len()].copy_from_slice(part);
            room.filled(part.len());
            while let Some(found) = reader.next(&mut room, None).unwrap() {
                let is_normal = found.lend(&room) == Frame::Close { code: Some(1000), reason: "" };
                prop_assert!(is_normal);
                closes += 1;
            }
        }
        prop_assert_eq!((closes, reader.after_close() as usize), (1, lengths.len()));
    }
}

/// A server may send many bytes right after its 101, and a turn may end before all are taken.
#[test]
fn what_is_left_keeps_its_order_however_much_it_is() {
    let payloads: Vec<Vec<u8>> = (0..600u32).map(|n| n.to_be_bytes().repeat(20)).collect();
    let frames = payloads.iter().map(|payload| server_frame(0x82, payload));
    let mut left: Vec<u8> = frames.flatten().collect();
    assert!(left.len() > 3 * Room::default().space().len());
    let (mut room, mut reader) = (Room::default(), Reader::new(MAX_MESSAGE));
    let mut seen = Vec::new();
    while seen.len() < payloads.len() {
        room.enter(&mut left);
        // Ends the turn after at most seven frames.
        for _ in 0..7 {
            let Some(found) = reader.next(&mut room, None).unwrap() else {
                break;
            };
            let Frame::Binary(payload) = found.lend(&room) else {
                panic!("{found:?}");
            };
            seen.push(payload.to_vec());
        }
        room.leave(&mut left);
    }
    assert_eq!(seen, payloads);
    assert!(left.is_empty());
}

#[test]
fn what_is_unlawful_after_a_close_is_counted_and_not_judged() {
    for garbage in [
        b"HTTP/1.1 200 OK".as_slice(),
        &[0xC1, 0],
        &[0x82, 0x81, 1, 2, 3, 4, 5],
    ] {
        let bytes = [
            &server_frame(0x88, &[3, 232]),
            garbage,
            &server_frame(0x81, b"?"),
        ]
        .concat();
        let (mut room, mut reader) = (Room::default(), Reader::new(MAX_MESSAGE));
        let mut seen = 0;
        for part in bytes.chunks(3) {
            room.space()[..part.len()].copy_from_slice(part);
            room.filled(part.len());
            seen += usize::from(reader.next(&mut room, None).unwrap().is_some());
        }
        assert_eq!((seen, reader.after_close()), (1, 1), "{garbage:?}");
    }
}

#[test]
fn an_idle_connection_holds_no_buffer() {
    let (mut room, mut left) = (Room::default(), Vec::new());
    let (mut reader, mut writer) = (Reader::new(MAX_MESSAGE), Writer::new(1));
    writer.add(Frame::Binary(&[7; 10_000]));
    writer.wrote(writer.unwritten().len());
    // A big message in two reads, and the first byte of the next one.
    let bytes = [server_frame(0x82, &[7; 10_000]), vec![0x82]].concat();
    for part in bytes.chunks(6000) {
        room.enter(&mut left);
        room.space()[..part.len()].copy_from_slice(part);
        room.filled(part.len());
        let found = reader.next(&mut room, None).unwrap();
        assert_eq!(found.is_some(), part.len() < 6000);
        room.leave(&mut left);
    }
    assert!(left.capacity() <= 8, "{}", left.capacity());
    let sizes = format!("{reader:?} {writer:?}");
    assert!(sizes.len() < 400, "{sizes}");
}

#[test]
fn a_forbidden_close_code_is_told_as_it_was_on_the_wire() {
    let seen = ours(&server_frame(0x88, &[3, 238]), 3);
    assert_eq!(seen, [DecodedItem::Close(Some(1006), String::new())]);
    let own = tungstenite::protocol::frame::coding::CloseCode::from(1006);
    assert!(!own.is_allowed());
}

#[test]
fn each_broken_rule_is_named() {
    for (bytes, rule) in [
        (vec![0x81, 0x80], Broken::Masked),
        (vec![0xC1, 0x00], Broken::ReservedBits),
        (vec![0x83, 0x00], Broken::ReservedOpcode(3)),
        (vec![0x09, 0x00], Broken::FragmentedControl),
        (vec![0x89, 126, 0, 126], Broken::LongControl),
        (vec![0x82, 126, 0, 125], Broken::LongLength),
        (
            vec![0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF],
            Broken::LongLength,
        ),
        (
            vec![0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0],
            Broken::NegativeLength,
        ),
        (vec![0x80, 0x00], Broken::NothingToContinue),
        (vec![0x01, 0x00, 0x81, 0x00], Broken::Interleaved),
        (vec![0x88, 0x01, 3], Broken::HalfCloseCode),
        (vec![0x81, 0x02, 0xC3, 0x28], Broken::BadUtf8),
        // Before the rest of its frame has come.
        (vec![0x01, 0x7D, 0xF4, 0x90], Broken::BadUtf8),
        (vec![0x88, 0x03, 3, 232, 0xFF], Broken::BadReason),
        (
            vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0x86, 0xA1],
            Broken::TooBig {
                bytes: 100_001,
                max: MAX_MESSAGE,
            },
        ),
    ] {
        let (mut room, mut reader) = (Room::default(), Reader::new(MAX_MESSAGE));
        room.space()[..bytes.len()].copy_from_slice(&bytes);
        room.filled(bytes.len());
        assert_eq!(reader.next(&mut room, None), Err(rule));
    }
}

//! Tests that texts of packets are packets, whatever frames these come in.

use proptest::prelude::*;

use super::ids::Ids;
use super::peer::{assert_same, read, written};

/// The texts of all packets in these frames, none of which is malformed.
fn texts(ids: &Ids, frames: &[&[u8]]) -> Vec<Vec<u8>> {
    let (seen, malformed) = read(ids, frames);
    assert_eq!(malformed, None);
    seen.into_iter().map(|(text, _)| text).collect()
}

/// The bytes are those of the examples of sections 3.1 to 3.14, or were sent to and by RabbitMQ 3.10.8.
#[test]
fn each_kind_of_packet_has_its_text() {
    for (text, packet) in [
        (
            "CONNECT\nclient-id:\nkeep-alive:60\nclean-session:true\n",
            &b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"[..],
        ),
        (
            "CONNECT\nclient-id:c1\nkeep-alive:10\nclean-session:false\nusername:guest\npassword:a:b\n",
            b"\x10\x1a\x00\x04MQTT\x04\xc0\x00\x0a\x00\x02c1\x00\x05guest\x00\x03a:b",
        ),
        (
            "CONNACK\ncode:0\nsession-present:false\n",
            b"\x20\x02\x00\x00",
        ),
        (
            "CONNACK\ncode:4\nsession-present:false\n",
            b"\x20\x02\x00\x04",
        ),
        (
            "CONNACK\ncode:0\nsession-present:true\n",
            b"\x20\x02\x01\x00",
        ),
        (
            "PUBLISH\ntopic:a/b\nqos:0\n\nhi\n\n\0é",
            b"\x30\x0c\x00\x03a/bhi\n\n\0\xc3\xa9",
        ),
        (
            "PUBLISH\ntopic:a/b\nqos:1\nid:10\n\n",
            b"\x32\x07\x00\x03a/b\x00\x0a",
        ),
        (
            "PUBLISH\ntopic:a\nqos:1\nid:258\nretain:true\ndup:true\n\n{}",
            b"\x3b\x07\x00\x01a\x01\x02{}",
        ),
        (
            "PUBLISH\ntopic:a\nqos:0\nretain:true\n\n",
            b"\x31\x03\x00\x01a",
        ),
        (
            "SUBSCRIBE\nid:1\ntopic:room\nqos:0\n",
            b"\x82\x09\x00\x01\x00\x04room\x00",
        ),
        (
            "SUBSCRIBE\nid:1\ntopic:a/+/#\nqos:1\n",
            b"\x82\x0a\x00\x01\x00\x05a/+/#\x01",
        ),
        ("SUBACK\nid:1\ngranted:0\n", b"\x90\x03\x00\x01\x00"),
        ("SUBACK\nid:1\nrefused:128\n", b"\x90\x03\x00\x01\x80"),
        ("PUBACK\nid:1\n", b"\x40\x02\x00\x01"),
        (
            "UNSUBSCRIBE\nid:1\ntopic:room\n",
            b"\xa2\x08\x00\x01\x00\x04room",
        ),
        ("UNSUBACK\nid:1\n", b"\xb0\x02\x00\x01"),
        ("PINGREQ\n", b"\xc0\x00"),
        ("PINGRESP\n", b"\xd0\x00"),
        ("DISCONNECT\n", b"\xe0\x00"),
    ] {
        let mut ids = Ids::new(1);
        ids.send(1);
        assert_eq!(texts(&ids, &[packet]), [text.as_bytes()], "{text}");
        assert_eq!(
            written(&mut ids, text.as_bytes()).unwrap(),
            packet,
            "{text}"
        );
    }
}

#[test]
fn a_publish_with_qos_1_is_to_be_acknowledged() {
    let (seen, _) = read(
        &Ids::new(1),
        &[b"\x32\x05\0\x01a\x01\x02\x30\x03\0\x01a\x40\x02\0\x01"],
    );
    let to_acknowledge: Vec<_> = seen.into_iter().map(|(_, identifier)| identifier).collect();
    assert_eq!(to_acknowledge, [Some(258), None, None]);
}

#[test]
fn fields_may_stand_in_any_order_and_some_may_be_left_out() {
    let ids = &mut Ids::new(1);
    for (given, same) in [
        ("PUBLISH\nqos:0\ntopic:a\n\nx", "PUBLISH\ntopic:a\n\nx"),
        (
            "PUBLISH\ntopic:a",
            "PUBLISH\ntopic:a\nqos:0\nretain:false\ndup:false\n\n",
        ),
        ("PINGREQ", "PINGREQ\n"),
        (
            "SUBSCRIBE\ntopic:a\nid:1",
            "SUBSCRIBE\nid:1\ntopic:a\nqos:0\n",
        ),
    ] {
        assert_eq!(
            written(ids, given.as_bytes()),
            written(ids, same.as_bytes())
        );
    }
}

#[test]
fn what_is_no_packet_is_told_with_the_way_out() {
    let ids = &mut Ids::new(1);
    for (text, what, hint) in [
        (
            "hello",
            "begins with `hello`, which is no packet of MQTT",
            "such as PUBLISH",
        ),
        ("", "begins with ``", "such as PUBLISH"),
        (
            "PUBLISH\nqos:0\n\nx",
            "is a PUBLISH without `topic`",
            "add the line `topic:…`",
        ),
        (
            "PUBLISH\ntopic:a\nqos:2\n\n",
            "whose `qos` is `2`",
            "it is 0 or 1",
        ),
        (
            "PUBLISH\ntopic:a\nqos:1\n\n",
            "without `id`",
            "add the line `id:…`",
        ),
        (
            "PUBLISH\ntopic:a\nid:1\n\n",
            "whose `id` is `1`",
            "with `qos:1`",
        ),
        (
            "PUBLISH\ntopic:a\nqos:1\nid:x\n\n",
            "whose `id` is `x`",
            "such as {{id}}",
        ),
        (
            "PUBLISH\ntopic:a\nqos:1\nid:0\n\n",
            "whose `id` is `0`",
            "above 0",
        ),
        (
            "PUBLISH\ntopic:a/#\n\n",
            "whose `topic` is `a/#`",
            "without the wildcards",
        ),
        (
            "PUBLISH\ntopic:a\ntopic:b\n\n",
            "with the line `topic:b`",
            "each once",
        ),
        (
            "PUBLISH\ntopic:a\nhello\n\n",
            "with the line `hello`",
            "`topic`, `qos`, `id`, `retain`, `dup`",
        ),
        (
            "PUBLISH\ntopic:a\nretain:yes\n\n",
            "whose `retain` is `yes`",
            "true or false",
        ),
        (
            "SUBSCRIBE\nid:1\ntopic:\n",
            "whose `topic` is ``",
            "not empty",
        ),
        ("PINGREQ\na:b\n", "with the line `a:b`", "it has no fields"),
        (
            "PINGREQ\n\nx",
            "is a PINGREQ with something behind its fields",
            "only a PUBLISH",
        ),
        (
            "SUBACK\nid:1\nrefused:5\n",
            "whose `refused` is `5`",
            "it is 128",
        ),
        (
            "CONNECT\nclient-id:a\nkeep-alive:70000\n",
            "whose `keep-alive` is `70000`",
            "seconds",
        ),
        (
            "CONNECT\nclient-id:a\nkeep-alive:7\npassword:x\n",
            "without `username`",
            "add",
        ),
        (
            "CONNECT\nclient-id:a\u{7}\nkeep-alive:7\n",
            "whose `client-id` is",
            "control characters",
        ),
    ] {
        let error = written(ids, text.as_bytes()).unwrap_err();
        let said = error.to_string();
        assert!(said.contains(what), "{said}");
        assert!(error.hint().contains(hint), "{}", error.hint());
    }
}

#[test]
fn malformed_packets_are_told_apart() {
    let ids = &Ids::new(1);
    for (bytes, what) in [
        (&b"\x00\x00"[..], "begins with the byte 00"),
        (b"\xf0\x00", "begins with the byte f0"),
        (b"\x42\x02\x00\x01", "begins with the byte 42"),
        (b"\x50\x02\x00\x01", "begins with the byte 50"),
        (b"\x34\x05\x00\x01a\x00\x01", "begins with the byte 34"),
        (b"\x36\x05\x00\x01a\x00\x01", "begins with the byte 36"),
        (b"\x30\xff\xff\xff\xff\x01", "more than 4 bytes"),
        (
            b"\x30\x80\x80\x80\x01",
            "2097157 bytes, and 1048576 are allowed",
        ),
        (b"\x30\x00", "a PUBLISH of MQTT ends before its fields do"),
        (b"\x30\x03\x00\x04a", "ends before its fields do"),
        (b"\x30\x02\x00\x00", "empty topic"),
        (b"\x30\x03\x00\x01#", "wildcard"),
        (b"\x30\x03\x00\x01\n", "control characters"),
        (b"\x30\x03\x00\x01\xff", "no UTF-8"),
        (b"\x32\x05\x00\x01a\x00\x00", "packet identifier 0"),
        (
            b"\x40\x03\x00\x01x",
            "a PUBACK of MQTT goes on behind its fields",
        ),
        (b"\x90\x03\x00\x01\x03", "a code that there is not"),
        (b"\x90\x02\x00\x01", "ends before"),
        (b"\x20\x02\x02\x00", "wrong flag"),
        (b"\xd0\x01x", "a PINGRESP of MQTT goes on"),
    ] {
        let said = read(ids, &[bytes]).1.unwrap().to_string();
        assert!(said.contains(what), "{said}");
    }
}

#[test]
fn an_answer_has_the_id_of_what_was_sent_last_with_its_identifier() {
    for exchanges in [1, 2, 3, 7, 256, 257, 65_535] {
        assert_eq!(Ids::new(exchanges).answered(1), 0, "nothing was sent");
        let own = 65_535 / exchanges;
        for exchange in [0, exchanges / 2, exchanges - 1] {
            let mut ids = Ids::new(exchanges);
            let mut turns = [0, 1, own - 1, own, own + 1, 5 * own + 3, 1 << 40];
            turns.sort_unstable();
            for turn in turns {
                let id = turn * exchanges + exchange + 1;
                let identifier = ids.send(id);
                assert_eq!(ids.answered(identifier), id, "{exchanges}: {id}");
            }
        }
    }
    let mut ids = Ids::new(2);
    ids.send(3);
    assert_eq!(
        [1, 2, 3, 4, 5, 65_535].map(|id| ids.answered(id)),
        [1, 0, 3, 0, 0, 0]
    );
}

fn topic() -> impl Strategy<Value = String> {
    "[a-z/ :é]{1,12}"
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    let published = prop::collection::vec(any::<u8>(), 0..300);
    let publish = (
        topic(),
        prop::option::of(1u16..),
        any::<(bool, bool)>(),
        published,
    );
    let publish = publish.prop_map(|(topic, id, (retain, dup), published)| {
        let id = match id {
            Some(id) => format!("qos:1\nid:{id}\n"),
            None => "qos:0\n".to_owned(),
        };
        let retain = if retain { "retain:true\n" } else { "" };
        let dup = if dup { "dup:true\n" } else { "" };
        let head = format!("PUBLISH\ntopic:{topic}\n{id}{retain}{dup}\n");
        [head.into_bytes(), published].concat()
    });
    let id = 1u16..;
    prop_oneof![
        4 => publish,
        1 => ("[a-z0-9]{0,23}", any::<(u16, bool)>(), prop::option::of(("[a-z:]{0,9}", prop::option::of(".{0,9}"))))
            .prop_map(|(client, (keep_alive, clean), login)| {
                let login = login.map(|(name, password)| {
                    let password = password.map(|password| format!("password:{}\n", password.replace(char::is_control, "")));
                    format!("username:{name}\n{}", password.unwrap_or_default())
                });
                let login = login.unwrap_or_default();
                format!("CONNECT\nclient-id:{client}\nkeep-alive:{keep_alive}\nclean-session:{clean}\n{login}").into_bytes()
            }),
        1 => (id.clone(), topic(), 0..2).prop_map(|(id, topic, qos)| format!("SUBSCRIBE\nid:{id}\ntopic:{topic}\nqos:{qos}\n").into_bytes()),
        1 => (id.clone(), topic()).prop_map(|(id, topic)| format!("UNSUBSCRIBE\nid:{id}\ntopic:{topic}\n").into_bytes()),
        1 => prop::sample::select(vec!["PINGREQ\n", "PINGRESP\n", "DISCONNECT\n", "CONNACK\ncode:5\nsession-present:true\n"])
            .prop_map(|text| text.as_bytes().to_vec()),
    ]
}

proptest! {
    /// Written and read again is the same, however the bytes are cut into frames.
    #[test]
    fn packets_are_the_same_in_whatever_frames_they_come(
        said in prop::collection::vec(text(), 0..12),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let ids = &mut Ids::new(1);
        let bytes: Vec<u8> = said.iter().flat_map(|text| written(ids, text).unwrap()).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let frames: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
        prop_assert_eq!(texts(ids, &frames), said);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        prop_assert_eq!(read(ids, &single), read(ids, &[&bytes]));
    }

    /// Answers to all that is under way have their ids, whoever else sends what.
    #[test]
    fn answers_get_their_ids_back(
        exchanges in 1u64..=300,
        sent in prop::collection::vec((any::<prop::sample::Index>(), 1u64..4), 1..200),
        begins in 0u64..1 << 40,
    ) {
        let mut ids = Ids::new(exchanges);
        let mut turns = vec![begins; exchanges as usize];
        let mut under_way = Vec::new();
        for (exchange, leap) in sent {
            let exchange = exchange.index(exchanges as usize);
            turns[exchange] += leap;
            let id = turns[exchange] * exchanges + exchange as u64 + 1;
            under_way.push((ids.send(id), id, exchange));
        }
        let own = 65_535 / exchanges;
        for (identifier, id, exchange) in under_way {
            prop_assert!(identifier > 0);
            if turns[exchange] - (id - 1) / exchanges < own {
                prop_assert_eq!(ids.answered(identifier), id);
            }
        }
    }

    /// Any bytes and any text: no panic, and what is taken is the same however it comes.
    #[test]
    fn anything_is_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..80), size in 1usize..20,
        text in "(PUBLISH|SUBSCRIBE|CONNECT|x)(\n(topic|qos|id|client-id|keep-alive):.{0,3}){0,4}\n{0,2}.{0,4}",
    ) {
        assert_same(&bytes, size);
        if let Ok(packet) = written(&mut Ids::new(3), text.as_bytes()) {
            assert_same(&packet, size);
        }
    }
}

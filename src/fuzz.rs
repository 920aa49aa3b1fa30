//! What must hold for any bytes whatever. The targets in `fuzz/` call these with bytes that libFuzzer finds;
//! `cargo test` calls them with random ones.

use std::io;
use std::path::Path;

use serde::de::IgnoredAny;

use crate::frame::assert_bounded;
use crate::frame::peer::assert_same;
use crate::net::check_any_answer;
use crate::plan::Plan;
use crate::scenario::{Form, Outside, Overrides, Scenario, Segment, Source, Variable, parse};
use crate::{http, json, mqtt, record};

/// Our reader makes of frames what tungstenite makes of them. The first byte says how many are read at once.
pub fn frames(data: &[u8]) {
    if let Some((cut, bytes)) = data.split_first() {
        assert_same(bytes, usize::from(*cut).max(1));
    }
}

/// Compressed bytes are restored or refused, however they are cut, and become no more than may be.
pub fn deflate(data: &[u8]) {
    if let Some((cut, bytes)) = data.split_first() {
        assert_bounded(bytes, usize::from(*cut).max(1));
    }
}

/// An answer to the upgrade request is taken, refused, or waited for; and it is not waited for without end.
pub fn handshake(data: &[u8]) {
    check_any_answer(data);
}

/// An answer to any other request is the same however it is cut, and its cookies make a header.
pub fn http(data: &[u8]) {
    if let Some((cut, bytes)) = data.split_first() {
        http::peer::assert_same(bytes, usize::from(*cut).max(1));
    }
}

/// Pointers find in a JSON text what serde_json finds, and a look at any other bytes ends.
pub fn json(data: &[u8]) {
    json::peer::assert_same(data);
}

/// Packets of MQTT are the same however they are cut into frames, and are written as they were read.
pub fn mqtt(data: &[u8]) {
    if let Some((cut, bytes)) = data.split_first() {
        mqtt::peer::assert_same(bytes, usize::from(*cut).max(1));
    }
}

/// A part of a run is read or refused, takes no more memory than one, and what was read can be added up.
pub fn parts(data: &[u8]) {
    record::assert_bounded(data);
}

/// A scenario is taken or refused. Every problem can be shown, and what was taken can be planned.
pub fn scenario(data: &[u8]) {
    let Ok(source) = Source::from_bytes("fuzz.toml", data.to_vec()) else {
        return;
    };
    read(&source, &Overrides::default());
}

/// The text of a gate is taken or refused, in a scenario in which most metrics can be measured.
pub fn gate(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let source = Source {
        name: "fuzz.toml".to_owned(),
        text: BASE.to_owned(),
    };
    let overrides = Overrides {
        gates: vec![text.to_owned()],
        ..Overrides::default()
    };
    read(&source, &overrides);
}

/// A text with placeholders, as text and as JSON, is taken or refused. What was taken is written as what it was taken for.
pub fn template(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    for key in ["text", "json"] {
        // A string of TOML is one of JSON, but for one character.
        let payload = serde_json::json!(text)
            .to_string()
            .replace('\x7f', "\\u007f");
        let text = format!("{TEMPLATE}payload.{key} = {payload}\n");
        let name = "fuzz.toml".to_owned();
        let read = |_: &Path| Ok(b"{\"name\":\"\\\"\\n\",\"age\":[1]}".to_vec());
        let outside = Outside {
            env: &|_| None,
            read: &read,
            list: &Outside::no_folder,
        };
        match parse(&Source { name, text }, &Overrides::default(), &outside) {
            Ok(scenario) => assert_written(scenario, key == "json"),
            Err(problems) => assert!(!problems.to_string().is_empty(), "refused without a word"),
        }
    }
}

fn assert_written(scenario: Scenario, is_json: bool) {
    let longest = scenario.longest_payload();
    let is_raw = has_raw_values(&scenario);
    let plan = Plan::new(scenario, 1, 7);
    let client = plan.client(0, 1);
    let mut bytes = Vec::new();
    client.templates()[0].write(|| [b's'; _], || client.values(0, 3), &mut bytes);
    assert!(bytes.len() as u64 <= longest.0, "longer than {longest:?}");
    assert!(str::from_utf8(&bytes).is_ok(), "not UTF-8");
    if is_json && !is_raw {
        let read = serde_json::from_slice::<IgnoredAny>(&bytes);
        assert!(read.is_ok(), "not JSON: {read:?}");
    }
}

fn has_raw_values(scenario: &Scenario) -> bool {
    let segments = scenario.cohorts[0].texts().into_iter().flatten();
    let mut variables = segments.flat_map(Segment::variables);
    variables.any(|variable| match variable {
        Variable::Column(column) => !matches!(column.form, Form::Json | Form::JsonInJson),
        _ => false,
    })
}

const TEMPLATE: &str = r#"
name = "fuzz"
target.url = "embedded"
load.connections = 2
data.user = { file = "u.jsonl", pick = "circular" }
[[message]]
name = "m"
rate = "1/s"
expect = "none"
"#;

/// Rows of a file are taken or refused, as CSV and as JSON lines. Each cell of those that are taken can be looked up.
pub fn rows(data: &[u8]) {
    for name in ["u.csv", "u.jsonl"] {
        let text = TEMPLATE.replace("u.jsonl", name);
        let name = "fuzz.toml".to_owned();
        let outside = Outside {
            env: &|_| None,
            read: &|_| Ok(data.to_vec()),
            list: &Outside::no_folder,
        };
        match parse(&Source { name, text }, &Overrides::default(), &outside) {
            Ok(scenario) => {
                let data = &scenario.data[0];
                assert!(data.rows() > 0, "no row");
                let cells = (0..data.rows()).flat_map(|row| {
                    (0..data.columns().len()).map(move |column| data.cell(row, column))
                });
                let all: usize = cells.map(str::len).sum();
                assert!(all as u64 <= data.memory(), "more than there is");
            }
            Err(problems) => assert!(!problems.to_string().is_empty(), "refused without a word"),
        }
    }
}

const BASE: &str = r#"
name = "fuzz"
[target]
url = "ws://127.0.0.1:9/"
[load]
stages = [{ duration = "1s", connections = 1 }, { duration = "1s", connections = 2 }]
[[message]]
name = "echo"
rate = "1/s"
[heartbeat]
interval = "100ms"
timeout = "50ms"
"#;

fn read(source: &Source, overrides: &Overrides) {
    let outside = Outside {
        env: &|_| None,
        read: &|_| Err(io::ErrorKind::NotFound.into()),
        list: &Outside::no_folder,
    };
    match parse(source, overrides, &outside) {
        Ok(scenario) => assert!(!scenario.cohorts.is_empty(), "a scenario without clients"),
        Err(problems) => assert!(!problems.to_string().is_empty(), "refused without a word"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..400)
    }

    /// Words of the language in any order get further than bytes do.
    fn words(of: &'static str) -> impl Strategy<Value = Vec<u8>> {
        let words: Vec<&'static str> = of.split_inclusive(['\n', ' ', '"', '(', '.']).collect();
        prop::collection::vec(prop::sample::select(words), 0..40)
            .prop_map(|words| words.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn any_bytes_as_frames(data in bytes()) {
            frames(&data);
        }

        #[test]
        fn any_bytes_as_an_answer(data in prop_oneof![bytes(), words(ANSWER)]) {
            handshake(&data);
        }

        #[test]
        fn any_bytes_as_http(data in prop_oneof![bytes(), words(ANSWER)]) {
            http(&data);
        }

        #[test]
        fn any_bytes_as_json(data in prop_oneof![bytes(), words(JSON)]) {
            json(&data);
        }

        #[test]
        fn any_bytes_as_packets(data in prop_oneof![bytes(), words(PACKETS)]) {
            mqtt(&data);
        }

        #[test]
        fn any_bytes_as_a_compressed_message(data in prop_oneof![bytes(), words(PACKED)]) {
            deflate(&data);
        }

        #[test]
        fn any_bytes_as_a_part(data in prop_oneof![bytes(), words(PARTS)]) {
            parts(&data);
        }

        #[test]
        fn any_text_as_a_scenario(data in prop_oneof![bytes(), words(REFERENCE)]) {
            scenario(&data);
        }

        #[test]
        fn any_text_with_placeholders(data in prop_oneof![bytes(), words(PLACEHOLDERS)]) {
            template(&data);
        }

        #[test]
        fn any_bytes_as_rows(data in prop_oneof![bytes(), words(ROWS)]) {
            rows(&data);
        }

        #[test]
        fn any_text_as_a_gate(data in prop_oneof![bytes(), words(GATES)]) {
            gate(&data);
        }
    }

    const REFERENCE: &str = include_str!("../scenarios/reference.toml");
    const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=12; \
        client_max_window_bits=9; server_no_context_takeover\r\nHTTP/1.1 103 Early Hints\r\n\r\nLocation: /ws/\r\n";
    const PACKETS: &str = "\x01 \x03 \x30\x04\0\x01a \x32\x06\0\x01a\0\x07 \x31\x04\0\x01\n.\x40\x02\0. \x20\x02\0\0\x20\x02\0\x06 \x10\x0d\0\x04MQTT\x04\x02\0\x05\0\0 \x30 \x34 \0";
    const PARTS: &str = "wsbr\x01 \x04\x00\x00\x00 \u{81} \u{a4}Head \u{a6}Second \u{a3}End \u{a7}version\x03 \u{a8}interval\x01 \u{a7}cohorts\u{81}\u{a4}main \u{a4}open \u{a5}whole\u{82}\u{a6}counts \u{a5}times\u{80} \u{a7}windows\u{80} \u{90} \u{cf}";
    const PACKED: &str =
        "\x07 \x00\x05\x00\u{fa}\u{ff}Hello \x00\x00\u{ff}\u{ff} \x01 \x03\x00 K\x4c\x04\x02 \x00";
    const JSON: &str = r#"{"a": {"b": [ 1, -2.5e3, "x\u0041 \ud83d\ude00", true, null ], "a.b": "" } , "a": false } ]"#;
    const PLACEHOLDERS: &str = "{\"a\": \"{{user.name}}\", \"b\": {{user.age}} , [{{n + 1}} ] {{raw(user.age)}} \
        {{url(user.name)}} {{base64(user.name, ':')}} {{id % 9}} {{random(1, 6)}} {{hex(8)}} {{now_ms}} \"{{stamp}}\" {{{{ {{uuid}} {{user.nam}} :";
    const ROWS: &str = "name,age\n\"a b\",1\n{\"name\": \"a\", \"age\": 1}\n{\"age\": [1, {\"a\": null}], \"name\": \"b\"}\n, \" \r\n";
    const GATES: &str = "p99(latency.echo{stage=2, cohort=main}) < 50ms count(connections.dead) == 0 \
        ratio(messages.timed_out / messages.sent) <= 0.1% rate(messages.echoed) >= 1/s max(heartbeat.rtt) > 1s";

    /// The scenario around a gate is a good one: otherwise no gate would be looked at.
    #[test]
    fn a_good_gate_is_taken() {
        let overrides = Overrides {
            gates: vec!["p99(latency.echo) < 50ms".to_owned()],
            ..Overrides::default()
        };
        let source = Source {
            name: String::new(),
            text: BASE.to_owned(),
        };
        let outside = Outside {
            env: &|_| None,
            read: &|_| Err(io::ErrorKind::NotFound.into()),
            list: &Outside::no_folder,
        };
        assert_eq!(
            parse(&source, &overrides, &outside)
                .map(drop)
                .map_err(|p| p.to_string()),
            Ok(())
        );
    }
}

//! `[[message]]`: what is sent, when, and which answer is expected.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::payload::Payload;
use super::template;
use crate::scenario::reading::{
    At, Check, Given as _, Key, List, Section, Time, TimeOrZero, Whole,
};
use crate::units::{ByteSize, Rate};

const MAX_MESSAGES: usize = 256;
const MAX_PAYLOAD: u64 = 16 << 20;

/// A message that a connection sends repeatedly.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Letters, digits, `-` and `_`; unique in its cohort.
    pub name: String,
    /// The payload.
    pub payload: Payload,
    /// The opcode: text or binary.
    pub frame: FrameKind,
    /// When it is sent.
    pub pacing: Pacing,
    /// The number of sends per connection after which it stops. Above zero.
    pub count: Option<u64>,
    /// The expected answer.
    pub expect: Expect,
    /// The longest time from the send to the answer. Above zero.
    pub timeout: Duration,
}

/// As text or as binary (RFC 6455 section 5.6).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FrameKind {
    /// Opcode 1.
    #[default]
    Text,
    /// Opcode 2.
    Binary,
}

/// When a message is sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pacing {
    /// On a schedule (open model). With `in_flight`, at most this many messages are unanswered at a time.
    Open {
        /// The rate of each connection.
        rate: Rate,
        /// How the gaps vary.
        gaps: Gaps,
        /// The offset of a connection's first send within the gap.
        phase: Phase,
        /// The most unanswered messages. Above zero.
        in_flight: Option<u32>,
    },
    /// As soon as an answer has come (closed model).
    Closed {
        /// The number of unanswered messages at a time. Above zero.
        in_flight: u32,
        /// The time from an answer to the next send. May be zero.
        think: Duration,
    },
}

/// How the gaps of a schedule vary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gaps {
    /// All alike.
    #[default]
    Constant,
    /// Exponential: a Poisson process.
    Poisson,
}

/// Where in the gap a connection starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Connections are offset evenly.
    #[default]
    Spread,
    /// All at the same time.
    Aligned,
}

/// What must come back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// The same bytes.
    #[default]
    Echo,
    /// Nothing.
    None,
}

/// A message that is sent again and again by every connection.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
#[schemars(rename = "Message")]
pub(in crate::scenario) struct MessageTable {
    /// Names its metrics, as in `latency.<name>`: 1 to 64 letters, digits, `-` and `_`. Required.
    pub(in crate::scenario) name: Key<String>,
    /// What is sent. Default { size = "64B" }.
    payload: Key<PayloadTable>,
    /// As text or as binary. Default "text".
    frame: Key<FrameKind>,
    /// For each connection, whether the server answers or not (open model).
    pub(in crate::scenario) rate: Key<Rate>,
    /// How the gaps vary. Only with `rate`. Default "constant".
    gaps: Key<Gaps>,
    /// Where in the gap a connection starts. Only with `rate`. Default "spread".
    phase: Key<Phase>,
    /// So many unanswered at a time: alone the closed model, with `rate` a limit.
    in_flight: Key<Whole<1, 1_000_000>>,
    /// From an answer to the next send. Only without `rate`. Default "0s".
    think: Key<TimeOrZero>,
    /// Stop after so many on each connection.
    count: Key<Whole<1, { u32::MAX }>>,
    /// What must come back. Default "echo".
    expect: Key<Expect>,
    /// From the send to the answer. Default "5s".
    timeout: Key<Time>,
}

/// What is sent: exactly one of these keys.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a table with `size`, `text`, `hex` or `file`, such as { size = \"64B\" }"
)]
#[schemars(rename = "Payload")]
struct PayloadTable {
    /// So many bytes made by wsbench; from 48 bytes on they carry a stamp that names the message.
    size: Key<ByteSize>,
    /// This text; `{{stamp}}` in it is replaced by a stamp that names the message, and `{{{{` writes `{{`.
    text: Key<String>,
    /// Exactly these bytes, two hexadecimal digits each.
    hex: Key<String>,
    /// The bytes of this file; relative to the scenario file.
    file: Key<String>,
}

/// Resolves the messages of one cohort, or the shared ones; `None` if one is invalid.
pub(super) fn resolve(
    check: &mut Check<'_>,
    path: &str,
    list: &Key<List<At<MessageTable>>>,
) -> Option<Vec<Message>> {
    let Some(At { value, place }) = list else {
        return Some(Vec::new());
    };
    let given = &value.0;
    if given.len() > MAX_MESSAGES {
        let what = format_args!("is given more than {MAX_MESSAGES} times");
        check.problem(path, place, what);
        return None;
    }
    let names = given
        .iter()
        .filter_map(|message| message.value.name.as_ref());
    check.unique(&format!("{path}.name"), names);
    let resolved: Vec<_> = given
        .iter()
        .map(|At { value: keys, place }| {
            let check = &mut *check;
            keys.resolve(&mut Section { check, path, place })
        })
        .collect();
    resolved.into_iter().collect()
}

impl MessageTable {
    fn resolve(&self, section: &mut Section<'_, '_>) -> Option<Message> {
        let hint = "write `name = \"echo\"`; its metrics are named after it";
        let name = section.name(&self.name, hint);
        let frame = self.frame.value_or(FrameKind::default());
        let expect = self.expect.value_or(Expect::default());
        let payload = match &self.payload {
            Some(At { value: keys, place }) => {
                let (path, check) = (&section.key("payload"), &mut *section.check);
                keys.resolve(Section { check, path, place }, frame)
            }
            None => Some(Payload::Size(ByteSize(64))),
        };
        let pacing = self.pacing(section);
        if expect == Expect::None && self.in_flight.is_some() {
            section.wrong(
                "in_flight",
                &self.in_flight,
                "cannot be used with `expect = \"none\"`: nothing would ever be answered",
                "leave it out and use `rate`",
            );
        }
        Some(Message {
            name: name?,
            payload: payload?,
            frame,
            pacing: pacing?,
            count: self.count.value(),
            expect,
            timeout: self.timeout.value_or(Duration::from_secs(5)),
        })
    }

    fn pacing(&self, section: &mut Section<'_, '_>) -> Option<Pacing> {
        let in_flight = self.in_flight.value();
        if let Some(rate) = self.rate.value() {
            let because = "cannot be used with `rate`, which says when to send";
            let given = [("think", self.think.place())];
            section.excluded(&given, because, "leave out one of them");
            return Some(Pacing::Open {
                rate,
                gaps: self.gaps.value_or(Gaps::default()),
                phase: self.phase.value_or(Phase::default()),
                in_flight,
            });
        }
        let Some(in_flight) = in_flight else {
            let hint = "write `rate = \"10/s\"`, or `in_flight = 1` to wait for each answer";
            section.missing(&["rate", "in_flight"], hint);
            return None;
        };
        let because = "is only for messages with a `rate`";
        let given = [("gaps", self.gaps.place()), ("phase", self.phase.place())];
        section.excluded(&given, because, "leave it out, or add a `rate`");
        Some(Pacing::Closed {
            in_flight,
            think: self.think.value_or(Duration::ZERO),
        })
    }
}

impl PayloadTable {
    fn resolve(&self, mut section: Section<'_, '_>, frame: FrameKind) -> Option<Payload> {
        let payload = self.bytes(&mut section)?;
        if payload.len() > MAX_PAYLOAD {
            section.wrong_whole("is longer than 16 MiB", None);
            return None;
        }
        if let (FrameKind::Text, Payload::Fixed(bytes)) = (frame, &payload)
            && std::str::from_utf8(bytes).is_err()
        {
            let what = "is not UTF-8, which a text frame must be (RFC 6455 section 5.6)";
            section.wrong_whole(what, "write `frame = \"binary\"`");
        }
        Some(payload)
    }

    fn bytes(&self, section: &mut Section<'_, '_>) -> Option<Payload> {
        let bytes: Vec<u8> = match (&self.size, &self.text, &self.hex, &self.file) {
            (Some(size), None, None, None) => return Some(Payload::Size(size.value)),
            (None, Some(text), None, None) => {
                let key = section.key("text");
                let value = section.check.expand(&key, text)?;
                let place = text.place.clone();
                return template::text(section.check, &key, &At { value, place });
            }
            (None, None, Some(hex), None) => {
                let bytes = from_hex(&hex.value);
                if bytes.is_none() {
                    let what = "is not a row of pairs of hexadecimal digits";
                    section.wrong("hex", &self.hex, what, "write it like \"00 ff 7a\"");
                }
                bytes?
            }
            (None, None, None, Some(file)) => section.check.file(&section.key("file"), file)?.1,
            (None, None, None, None) => {
                let keys = ["size", "text", "hex", "file"];
                section.missing(&keys, "write { size = \"64B\" }");
                return None;
            }
            _ => {
                let hint = "keep one of `size`, `text`, `hex` and `file`";
                section.wrong_whole("says more than once what is sent", hint);
                return None;
            }
        };
        Some(Payload::Fixed(bytes.into()))
    }
}

/// The bytes of a hexadecimal text; spaces between the pairs of digits are allowed.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty()
        .then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_come_in_pairs() {
        assert_eq!(from_hex("00 fF\n7a"), Some(vec![0, 255, 0x7a]));
        assert_eq!(from_hex(""), Some(vec![]));
        assert_eq!(from_hex("0"), None);
        assert_eq!(from_hex("zz"), None);
    }
}

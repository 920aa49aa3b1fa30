//! A `[[message]]`: what is sent, when, and what must come back.

use std::time::Duration;

use super::load::{time_or, zero_or};
use super::template;
use crate::scenario::file::{MessageTable, PayloadTable};
use crate::scenario::model::{Expect, FrameKind, Gaps, Message, Pacing, Payload, Phase};
use crate::scenario::reading::{At, Check, List};
use crate::units::ByteSize;

const MAX_MESSAGES: usize = 256;
const MAX_PAYLOAD: u64 = 16 << 20;

/// Resolves the messages of one cohort, or those for all; `None` where one cannot be.
pub(super) fn messages(
    check: &mut Check<'_>,
    path: &str,
    list: &At<List<At<MessageTable>>>,
) -> Option<Vec<Message>> {
    let given = &list.value.0;
    if given.len() > MAX_MESSAGES {
        check.problem(
            path,
            &list.place,
            format_args!("is given more than {MAX_MESSAGES} times"),
        );
        return None;
    }
    check.unique(
        &format!("{path}.name"),
        given.iter().filter_map(|m| m.value.name.as_ref()),
    );
    let resolved: Vec<_> = given
        .iter()
        .map(|table| Part { path, table }.message(check))
        .collect();
    resolved.into_iter().collect()
}

/// One table, and what its keys are called.
struct Part<'a> {
    path: &'a str,
    table: &'a At<MessageTable>,
}

impl Part<'_> {
    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    fn message(&self, check: &mut Check<'_>) -> Option<Message> {
        let keys = &self.table.value;
        match &keys.name {
            Some(name) => check.name(&self.key("name"), name),
            None => check.missing(
                &self.table.place,
                &self.key("name"),
                "write `name = \"echo\"`; its metrics are named after it",
            ),
        }
        let frame = keys
            .frame
            .as_ref()
            .map_or(FrameKind::Text, |frame| frame.value);
        let expect = keys
            .expect
            .as_ref()
            .map_or(Expect::Echo, |expect| expect.value);
        let payload = self.payload(check, frame);
        let pacing = self.pacing(check);
        if let (Expect::None, Some(in_flight)) = (expect, &keys.in_flight) {
            check.problem_with_hint(
                &self.key("in_flight"),
                &in_flight.place,
                "cannot be used with `expect = \"none\"`: nothing would ever be answered",
                "leave it out and use `rate`",
            );
        }
        Some(Message {
            name: keys.name.as_ref()?.value.clone(),
            payload: payload?,
            frame,
            pacing: pacing?,
            count: keys.count.as_ref().map(|count| u64::from(count.value.0)),
            expect,
            timeout: time_or(keys.timeout.as_ref(), Duration::from_secs(5)),
        })
    }

    fn pacing(&self, check: &mut Check<'_>) -> Option<Pacing> {
        let keys = &self.table.value;
        let in_flight = keys.in_flight.as_ref().map(|count| count.value.0);
        if let Some(rate) = &keys.rate {
            check.excluded(
                &[(&self.key("think"), keys.think.as_ref().map(|k| &k.place))],
                "cannot be used with `rate`, which says when to send",
                "leave out one of them",
            );
            return Some(Pacing::Open {
                rate: rate.value,
                gaps: keys.gaps.as_ref().map_or(Gaps::Constant, |gaps| gaps.value),
                phase: keys
                    .phase
                    .as_ref()
                    .map_or(Phase::Spread, |phase| phase.value),
                in_flight,
            });
        }
        let Some(in_flight) = in_flight else {
            let hint = "write `rate = \"10/s\"`, or `in_flight = 1` to wait for each answer";
            let keys = [self.key("rate"), self.key("in_flight")];
            check.missing_any(
                &self.table.place,
                &keys.each_ref().map(String::as_str),
                hint,
            );
            return None;
        };
        check.excluded(
            &[
                (&self.key("gaps"), keys.gaps.as_ref().map(|k| &k.place)),
                (&self.key("phase"), keys.phase.as_ref().map(|k| &k.place)),
            ],
            "is only for messages with a `rate`",
            "leave it out, or add a `rate`",
        );
        Some(Pacing::Closed {
            in_flight,
            think: zero_or(keys.think.as_ref(), Duration::ZERO),
        })
    }

    fn payload(&self, check: &mut Check<'_>, frame: FrameKind) -> Option<Payload> {
        let Some(table) = &self.table.value.payload else {
            return Some(Payload::Size(ByteSize(64)));
        };
        let key = self.key("payload");
        let payload = self.bytes(check, &key, table)?;
        if payload.len() > MAX_PAYLOAD {
            check.problem(&key, &table.place, "is longer than 16 MiB");
            return None;
        }
        if let (FrameKind::Text, Payload::Fixed(bytes)) = (frame, &payload)
            && std::str::from_utf8(bytes).is_err()
        {
            check.problem_with_hint(
                &key,
                &table.place,
                "is not UTF-8, which a text frame must be (RFC 6455 section 5.6)",
                "write `frame = \"binary\"`",
            );
        }
        Some(payload)
    }

    fn bytes(&self, check: &mut Check<'_>, key: &str, table: &At<PayloadTable>) -> Option<Payload> {
        match &table.value {
            PayloadTable {
                size: Some(size),
                text: None,
                hex: None,
                file: None,
            } => Some(Payload::Size(size.value)),
            PayloadTable {
                size: None,
                text: Some(text),
                hex: None,
                file: None,
            } => template::text(check, &format!("{key}.text"), text),
            PayloadTable {
                size: None,
                text: None,
                hex: Some(hex),
                file: None,
            } => {
                let bytes = from_hex(&hex.value);
                if bytes.is_none() {
                    let what = "is not a row of pairs of hexadecimal digits";
                    let hint = "write it like \"00 ff 7a\"";
                    check.problem_with_hint(&format!("{key}.hex"), &hex.place, what, hint);
                }
                bytes.map(|bytes| Payload::Fixed(bytes.into()))
            }
            PayloadTable {
                size: None,
                text: None,
                hex: None,
                file: Some(file),
            } => {
                let (_, bytes) = check.file(&format!("{key}.file"), file)?;
                Some(Payload::Fixed(bytes.into()))
            }
            PayloadTable {
                size: None,
                text: None,
                hex: None,
                file: None,
            } => {
                let keys = ["size", "text", "hex", "file"].map(|kind| format!("{key}.{kind}"));
                let keys = keys.each_ref().map(String::as_str);
                check.missing_any(&table.place, &keys, "write { size = \"64B\" }");
                None
            }
            _ => {
                let what = "says more than once what is sent";
                let hint = "keep one of `size`, `text`, `hex` and `file`";
                check.problem_with_hint(key, &table.place, what, hint);
                None
            }
        }
    }
}

/// The bytes that pairs of digits stand for; spaces between them do not matter.
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

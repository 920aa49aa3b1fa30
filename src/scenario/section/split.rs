//! `target.split`: how frames hold messages.

use std::borrow::Cow;

use super::{Cohort, FrameKind, Payload, STAMP_LEN, Segment};
use crate::mqtt::Packets;
use crate::scenario::reading::{Key, Section, Shorthand, keys};

/// How frames hold messages that are not one each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Split {
    /// Each is ended or parted by this text of 1 to 16 bytes.
    Text(String),
    /// They are packets of MQTT 3.1.1; see [`crate::mqtt`].
    Mqtt,
}

/// The protocols whose packets wsbench knows.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub(in crate::scenario) enum Protocol {
    /// MQTT 3.1.1.
    Mqtt,
}

keys! {
    /// Packets in place of messages.
    #[serde(expecting = "a text such as \"\\u001e\", or { packets = \"mqtt\" }")]
    SplitTable = "Split" {
        /// The protocol of the packets, each of which is shown and written as a text. Required.
        packets: Protocol,
    }
}

/// A text, or packets.
pub(in crate::scenario) type SplitGiven = Shorthand<String, SplitTable>;

impl SplitTable {
    /// The resolved table; notes what is sent and is no packet.
    pub(super) fn resolve(
        &self,
        section: &mut Section<'_, '_>,
        given: &Key<SplitGiven>,
        cohorts: &[Cohort],
    ) -> Option<Split> {
        let own = &mut Section {
            check: section.check,
            path: "target.split",
            place: &given.as_ref()?.place,
        };
        let hint = "write `split = { packets = \"mqtt\" }`";
        let Protocol::Mqtt = own.required("packets", &self.packets, hint)?;
        for (name, payload, frame) in cohorts.iter().flat_map(Cohort::frames) {
            if let Err(error) = Packets::new(1).write(&mut sample(payload)) {
                let what = format_args!("cannot write what `{name}` sends: it {error}");
                section.wrong("split", given, what, error.hint());
            }
            if frame == FrameKind::Binary {
                let what =
                    format_args!("puts packets into binary frames, and `{name}` says so, too");
                section.wrong("split", given, what, "leave `frame` out there");
            }
        }
        Some(Split::Mqtt)
    }
}

/// What a payload may be like: its placeholders stand for 1, or for a stamp.
fn sample(payload: &Payload) -> Vec<u8> {
    let part = |segment: &Segment| match segment {
        Segment::Literal(bytes) => Cow::Owned(bytes.to_vec()),
        Segment::Stamp => Cow::Borrowed(&[b'1'; STAMP_LEN][..]),
        Segment::Variable(_) | Segment::Base64(..) => Cow::Borrowed(&b"1"[..]),
    };
    match payload {
        Payload::Size(size) => vec![b'a'; size.as_usize()],
        Payload::Fixed(bytes) => bytes.to_vec(),
        Payload::Template(segments) => segments
            .iter()
            .flat_map(|one| part(one).into_owned())
            .collect(),
    }
}

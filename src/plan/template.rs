//! A message on the wire: constant bytes, and stamps between them.

use std::ops::Deref;
use std::sync::Arc;

use super::stamp::STAMP_LEN;
use crate::scenario::{Message, Payload, Segment};

/// The bytes of a message without its stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Box<[TemplatePart]>,
    /// The position of the first stamp.
    stamp_at: Option<u32>,
    length: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum TemplatePart {
    Bytes(Slice),
    Stamp,
}

impl TemplatePart {
    fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Stamp => STAMP_LEN,
        }
    }
}

impl From<&Segment> for TemplatePart {
    fn from(segment: &Segment) -> Self {
        match segment {
            Segment::Literal(bytes) => Self::Bytes(bytes.into()),
            Segment::Stamp => Self::Stamp,
        }
    }
}

impl Template {
    /// Makes the template of a message; padding is taken from `filler`.
    pub fn new(message: &Message, filler: &Slice) -> Self {
        let parts: Box<[TemplatePart]> = match &message.payload {
            Payload::Size(size) => match size.as_usize().checked_sub(STAMP_LEN) {
                Some(rest) => [TemplatePart::Stamp, TemplatePart::Bytes(filler.first(rest))].into(),
                None => [TemplatePart::Bytes(filler.first(size.as_usize()))].into(),
            },
            Payload::Fixed(bytes) => [TemplatePart::Bytes(bytes.into())].into(),
            Payload::Stamped(segments) => segments.iter().map(TemplatePart::from).collect(),
        };
        let first = parts.iter().position(|part| *part == TemplatePart::Stamp);
        let stamp_at = first.map(|first| {
            let before: usize = parts[..first].iter().map(TemplatePart::len).sum();
            before as u32
        });
        let length = parts.iter().map(TemplatePart::len).sum();
        Self {
            parts,
            stamp_at,
            length,
        }
    }

    /// Returns the position of the first stamp; `None` if every message is the same, and answers are matched by their
    /// order.
    pub fn stamp_at(&self) -> Option<u32> {
        self.stamp_at
    }

    /// Returns the bytes of every message; `None` if they have stamps.
    pub fn fixed(&self) -> Option<&[u8]> {
        match &self.parts[..] {
            [TemplatePart::Bytes(bytes)] => Some(bytes),
            _ => None,
        }
    }

    /// Replaces the content of `out` by the bytes of a message. `stamp` is called once at most.
    pub fn write(&self, stamp: impl FnOnce() -> [u8; STAMP_LEN], out: &mut Vec<u8>) {
        // Keeps the bytes that are there, because all are replaced.
        out.resize(self.length, 0);
        let stamp = self.stamp_at.map(|_| stamp());
        let mut start = 0;
        for part in &self.parts {
            let bytes = match (part, &stamp) {
                (TemplatePart::Bytes(bytes), _) => bytes,
                (TemplatePart::Stamp, Some(stamp)) => &stamp[..],
                (TemplatePart::Stamp, None) => continue,
            };
            out[start..start + bytes.len()].copy_from_slice(bytes);
            start += bytes.len();
        }
    }

    /// Returns whether these are the bytes of the message whose stamp is at `at`.
    pub fn is_echo(&self, at: usize, bytes: &[u8]) -> bool {
        let Some(stamp) = bytes.get(at..at + STAMP_LEN) else {
            return false;
        };
        if bytes.len() != self.length {
            return false;
        }
        let mut start = 0;
        self.parts.iter().all(|part| {
            let found = &bytes[start..start + part.len()];
            let is_named = start == at;
            start += part.len();
            match part {
                TemplatePart::Bytes(expected) => found == &**expected,
                // Does not compare the stamp with itself.
                TemplatePart::Stamp => is_named || found == stamp,
            }
        })
    }
}

/// The first bytes of a shared buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    bytes: Arc<[u8]>,
    length: usize,
}

impl Slice {
    /// Makes bytes that fill payloads. They are printable and differ from each other, so that a server that mixes bytes
    /// up is noticed.
    pub fn filler(length: usize) -> Self {
        const TEXT: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ.-";
        let bytes = TEXT.iter().copied().cycle().take(length).collect();
        Self { bytes, length }
    }

    /// Returns its first `length` bytes, or all if it has less, in the same buffer.
    fn first(&self, length: usize) -> Self {
        Self {
            bytes: Arc::clone(&self.bytes),
            length: length.min(self.length),
        }
    }
}

impl From<&Arc<[u8]>> for Slice {
    fn from(bytes: &Arc<[u8]>) -> Self {
        Self {
            bytes: Arc::clone(bytes),
            length: bytes.len(),
        }
    }
}

impl Deref for Slice {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Series, StampFinder};
    use crate::scenario::{Expect, FrameKind, Pacing};
    use crate::units::{ByteSize, Timestamp};
    use proptest::prelude::*;
    use std::time::Duration;

    fn template(payload: Payload) -> Template {
        let message = Message {
            name: "m".to_owned(),
            payload,
            frame: FrameKind::Text,
            pacing: Pacing::Closed {
                in_flight: 1,
                think: Duration::ZERO,
            },
            count: None,
            expect: Expect::Echo,
            timeout: Duration::from_secs(1),
        };
        Template::new(&message, &Slice::filler(200))
    }

    #[test]
    fn fillers_share_their_memory() {
        let longest = Slice::filler(1000);
        let short = longest.first(10);
        assert_eq!(&short[..], b"abcdefghij");
        assert!(Arc::ptr_eq(&short.bytes, &longest.bytes));
    }

    fn segments() -> impl Strategy<Value = Vec<Segment>> {
        let literal = prop::collection::vec(any::<u8>(), 1..40);
        let literal = literal.prop_map(|bytes| Segment::Literal(bytes.into()));
        let segment = prop_oneof![literal, Just(Segment::Stamp)];
        prop::collection::vec(segment, 0..6).prop_map(|mut segments| {
            segments.push(Segment::Stamp);
            segments
        })
    }

    proptest! {
        #[test]
        fn what_was_written_is_found_and_is_an_echo(
            segments in segments(), run in any::<u32>(), sequence in 0u64..1 << 40, intended in any::<u64>(),
            more in prop::collection::vec(any::<u8>(), 0..20), changed in any::<prop::sample::Index>(),
        ) {
            let series = Series::new(run, 1, 2, 3);
            let template = template(Payload::Stamped(segments.into()));
            let mut bytes = Vec::new();
            template.write(|| series.stamp(sequence, Timestamp::from_nanos(intended)), &mut bytes);
            let at = template.stamp_at().unwrap() as usize;
            prop_assert_eq!(series.read(&bytes[at..]), Some((sequence, Timestamp::from_nanos(intended))));
            prop_assert!(template.is_echo(at, &bytes));
            prop_assert_eq!(template.fixed(), None);

            // The stamp is found wherever a server puts it.
            let finder = StampFinder::new(run);
            let wrapped = [&more[..], &bytes, &more].concat();
            let found = (finder.find(&wrapped)).find_map(|at| series.read(&wrapped[at..]));
            prop_assert_eq!(found, Some((sequence, Timestamp::from_nanos(intended))));
            prop_assert_eq!(template.is_echo(at + more.len(), &wrapped), more.is_empty());

            let changed = changed.index(bytes.len());
            if !(at..at + STAMP_LEN).contains(&changed) {
                bytes[changed] ^= 1;
                prop_assert!(!template.is_echo(at, &bytes));
            }
        }

        #[test]
        fn a_size_is_kept(size in 0u64..200) {
            let template = template(Payload::Size(ByteSize(size)));
            let mut bytes = Vec::new();
            template.write(|| [b'x'; STAMP_LEN], &mut bytes);
            prop_assert_eq!(bytes.len() as u64, size);
            prop_assert_eq!(template.stamp_at().is_some(), size >= 48);
        }
    }
}

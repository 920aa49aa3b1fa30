//! A message on the wire: constant bytes, with stamps and values between them.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use super::stamp::STAMP_LEN;
use super::values::{Bytes, Comparison, FILLER, Values};
use crate::frame::{Packer, Packing, Prepared};
use crate::scenario::{Compression, Form, FrameKind, Payload, Segment, Variable};

/// The bytes of a message without its stamp and its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Box<[TemplatePart]>,
    has_stamp: bool,
    /// The position of the first stamp, if it is the same in each message.
    stamp_at: Option<u32>,
    /// The length, without variables.
    length: usize,
    /// Whether there are variables.
    varies: bool,
    frame: FrameKind,
    /// Its fixed parts, compressed for windows of 9 to 15 bits, when first needed; `None`: that does not pay.
    prepared: [OnceLock<Option<Prepared>>; 7],
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum TemplatePart {
    Bytes(Slice),
    Stamp,
    Variable(Variable),
    Base64(Arc<[Segment]>, Form),
}

impl TemplatePart {
    /// The length, without variables.
    fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Stamp => STAMP_LEN,
            Self::Variable(_) | Self::Base64(..) => 0,
        }
    }
}

impl From<&Segment> for TemplatePart {
    fn from(segment: &Segment) -> Self {
        match segment {
            Segment::Literal(bytes) => Self::Bytes(bytes.into()),
            Segment::Stamp => Self::Stamp,
            Segment::Variable(variable) => Self::Variable(*variable),
            Segment::Base64(parts, form) => Self::Base64(Arc::clone(parts), *form),
        }
    }
}

impl Template {
    /// Makes the template of messages with this payload, in frames of this kind; padding is taken from `filler`.
    pub fn new(payload: &Payload, frame: FrameKind, filler: &Slice) -> Self {
        let parts: Box<[TemplatePart]> = match payload {
            Payload::Size(size) => match size.as_usize().checked_sub(STAMP_LEN) {
                Some(rest) => [TemplatePart::Stamp, TemplatePart::Bytes(filler.first(rest))].into(),
                None => [TemplatePart::Bytes(filler.first(size.as_usize()))].into(),
            },
            Payload::Fixed(bytes) => [TemplatePart::Bytes(bytes.into())].into(),
            Payload::Template(segments) => segments.iter().map(TemplatePart::from).collect(),
        };
        let is_variable = |part: &TemplatePart| {
            matches!(part, TemplatePart::Variable(_) | TemplatePart::Base64(..))
        };
        let first = parts.iter().position(|part| *part == TemplatePart::Stamp);
        let stamp_at = first
            .filter(|first| !parts[..*first].iter().any(is_variable))
            .map(|first| parts[..first].iter().map(TemplatePart::len).sum::<usize>() as u32);
        Self {
            has_stamp: first.is_some(),
            stamp_at,
            length: parts.iter().map(TemplatePart::len).sum(),
            varies: parts.iter().any(is_variable),
            parts,
            frame,
            prepared: Default::default(),
        }
    }

    /// Returns the kind of the frames.
    pub fn frame(&self) -> FrameKind {
        self.frame
    }

    /// Returns whether messages have a stamp. Without one, answers are matched by their order.
    pub fn has_stamp(&self) -> bool {
        self.has_stamp
    }

    /// Returns the position of the first stamp, if it is the same in each message.
    pub fn stamp_at(&self) -> Option<u32> {
        self.stamp_at
    }

    /// Returns the bytes of every message; `None` if they differ.
    pub fn fixed(&self) -> Option<&[u8]> {
        match &self.parts[..] {
            [TemplatePart::Bytes(bytes)] => Some(bytes),
            _ => None,
        }
    }

    /// Replaces the content of `out` by the bytes of a message. `stamp` and `values` are called once at most.
    pub fn write<'a>(
        &self,
        stamp: impl FnOnce() -> [u8; STAMP_LEN],
        values: impl FnOnce() -> Values<'a>,
        out: &mut Vec<u8>,
    ) {
        if self.varies {
            let stamp = if self.has_stamp { stamp() } else { [0; _] };
            out.clear();
            return self.put(&stamp, &values(), out);
        }
        let stamp = if self.has_stamp { stamp() } else { [0; _] };
        out.clear();
        for part in &self.parts {
            match part {
                TemplatePart::Bytes(bytes) => out.extend_from_slice(bytes),
                TemplatePart::Stamp => out.extend_from_slice(&stamp),
                TemplatePart::Variable(_) | TemplatePart::Base64(..) => {}
            }
        }
    }

    /// Returns its fixed parts as they are sent compressed; `None` if they are shorter than the threshold, or do not gain
    /// by it.
    pub fn prepared(&self, packing: Packing) -> Option<&Prepared> {
        if self.length < packing.threshold {
            return None;
        }
        let place = usize::from(packing.bits).checked_sub(9)?;
        let prepare = || {
            let fixed = self.parts.iter().map(|part| match part {
                TemplatePart::Bytes(bytes) => Some(&**bytes),
                _ => None,
            });
            let shortest = Compression::SHORTEST_PREPARED;
            Some(Prepared::new(fixed, packing.bits, shortest))
                .filter(|prepared| !prepared.is_empty())
        };
        self.prepared.get(place)?.get_or_init(prepare).as_ref()
    }

    /// Replaces the content of `out` by a compressed message, behind which stands `end`. Returns its length before it was
    /// compressed. `stamp` and `values` are called once at most.
    pub fn pack<'a>(
        &self,
        prepared: &Prepared,
        stamp: impl FnOnce() -> [u8; STAMP_LEN],
        values: impl FnOnce() -> Values<'a>,
        end: &[u8],
        out: &mut Vec<u8>,
    ) -> usize {
        let stamp = if self.has_stamp { stamp() } else { [0; _] };
        let mut packer = Packer::new(prepared, out);
        if self.varies {
            self.put(&stamp, &values(), &mut packer);
        } else {
            for (index, part) in self.parts.iter().enumerate() {
                match part {
                    TemplatePart::Bytes(bytes) => packer.piece(index, bytes),
                    TemplatePart::Stamp => packer.stored(&stamp),
                    TemplatePart::Variable(_) | TemplatePart::Base64(..) => {}
                }
            }
        }
        packer.stored(end);
        packer.finish()
    }

    /// Passes all bytes of a message on.
    #[inline(never)]
    fn put(&self, stamp: &[u8; STAMP_LEN], values: &Values<'_>, out: &mut impl Bytes) {
        for (index, part) in self.parts.iter().enumerate() {
            if !out.is_open() {
                return;
            }
            match part {
                TemplatePart::Bytes(bytes) => out.fixed(index, bytes),
                TemplatePart::Stamp => out.put(stamp),
                TemplatePart::Variable(variable) => values.put(variable, index, out),
                TemplatePart::Base64(parts, form) => values.base64(parts, *form, index, out),
            }
        }
    }

    /// Returns whether these are the bytes of the message whose stamp is at `at`, and which has these values.
    pub fn is_echo<'a>(
        &self,
        at: usize,
        bytes: &[u8],
        values: impl FnOnce() -> Values<'a>,
    ) -> bool {
        let Some(stamp) = bytes.get(at..).and_then(<[u8]>::first_chunk) else {
            return false;
        };
        if self.varies {
            let mut comparison = Comparison::with(bytes);
            self.put(stamp, &values(), &mut comparison);
            return comparison.is_same();
        }
        let mut rest = bytes;
        for part in &self.parts {
            let found = match part {
                TemplatePart::Bytes(expected) => rest.strip_prefix(&**expected),
                TemplatePart::Stamp => match rest.split_first_chunk() {
                    Some((found, rest)) if found == stamp => Some(rest),
                    _ => None,
                },
                TemplatePart::Variable(_) | TemplatePart::Base64(..) => Some(rest),
            };
            let Some(behind) = found else {
                return false;
            };
            rest = behind;
        }
        rest.is_empty()
    }
}

/// The first bytes of a shared buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    bytes: Arc<[u8]>,
    length: usize,
}

impl Slice {
    /// Makes bytes that fill payloads.
    pub fn filler(length: usize) -> Self {
        let bytes = FILLER.iter().copied().cycle().take(length).collect();
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
    use crate::frame::Inflater;
    use crate::plan::{Seed, Series, StampFinder};
    use crate::units::{ByteSize, Timestamp};
    use proptest::prelude::*;

    fn template(payload: Payload) -> Template {
        Template::new(&payload, FrameKind::Text, &Slice::filler(200))
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
        let variable = prop::sample::select(vec![
            "n",
            "place / 20",
            "connection",
            "cohort",
            "run",
            "random(0, 1000)",
            "hex(20)",
            "uuid",
            "text(3)",
            "now_ms",
            "now_iso",
        ]);
        let variable = variable.prop_map(|text| Segment::Variable(text.parse().unwrap()));
        let segment = prop_oneof![2 => literal, 1 => variable, 1 => Just(Segment::Stamp)];
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
            let template = template(Payload::Template(segments.into()));
            let values = || Values { cohort: "main", run, connection: 2, place: 1, n: sequence, id: sequence + 1, turn: 0, saved: &[], ids: &[], connections: 9, seed: Seed::new(5), slot: 3, data: &[] };
            let mut bytes = Vec::new();
            template.write(|| series.stamp(sequence, Timestamp::from_nanos(intended)), values, &mut bytes);
            let finder = StampFinder::new(run);
            let at = finder.find(&bytes).next().unwrap();
            prop_assert!(template.has_stamp());
            prop_assert!(template.stamp_at().is_none_or(|known| known as usize == at));
            prop_assert_eq!(series.read(&bytes[at..]), Some((sequence, Timestamp::from_nanos(intended))));
            prop_assert!(template.is_echo(at, &bytes, values));
            prop_assert_eq!(template.fixed(), None);

            // The stamp is found wherever a server puts it.
            let wrapped = [&more[..], &bytes, &more].concat();
            let found = (finder.find(&wrapped)).find_map(|at| series.read(&wrapped[at..]));
            prop_assert_eq!(found, Some((sequence, Timestamp::from_nanos(intended))));
            prop_assert_eq!(template.is_echo(at + more.len(), &wrapped, values), more.is_empty());

            // Nobody knows again what the wall clock was.
            let has_clock = template.parts.iter().any(|part| matches!(part, TemplatePart::Variable(Variable::Now(_))));
            let changed = changed.index(bytes.len());
            if !(at..at + STAMP_LEN).contains(&changed) && !has_clock {
                bytes[changed] ^= 1;
                prop_assert!(!template.is_echo(at, &bytes, values));
            }
        }

        #[test]
        fn a_packed_message_is_restored_to_the_plain_one(
            segments in segments(), long in prop::collection::vec(any::<u8>(), 64..120), sequence in 0u64..1 << 40,
            bits in 9u8..=15, end in prop::sample::select(vec![&b""[..], b"\x1e"]),
        ) {
            let has_clock = |segment: &Segment| matches!(segment, Segment::Variable(Variable::Now(_)));
            let mut segments: Vec<Segment> = segments.into_iter().filter(|one| !has_clock(one)).collect();
            segments.push(Segment::Literal(long.repeat(2).into()));
            let template = template(Payload::Template(segments.into()));
            let values = || Values { cohort: "main", run: 1, connection: 2, place: 1, n: sequence, id: sequence + 1, turn: 0, saved: &[], ids: &[], connections: 9, seed: Seed::new(5), slot: 3, data: &[] };
            let stamp = || [b'x'; STAMP_LEN];
            let mut plain = Vec::new();
            template.write(stamp, values, &mut plain);
            plain.extend_from_slice(end);

            prop_assert_eq!(template.prepared(Packing { bits, threshold: 100_000 }), None);
            let prepared = template.prepared(Packing { bits, threshold: 100 }).unwrap();
            let mut packed = Vec::new();
            prop_assert_eq!(template.pack(prepared, stamp, values, end, &mut packed), plain.len());
            let (mut inflater, mut out) = (Inflater::default(), Vec::new());
            inflater.add(&packed, &mut out, plain.len()).unwrap();
            inflater.finish(&mut out, plain.len()).unwrap();
            prop_assert_eq!(out, plain);
        }

        #[test]
        fn a_size_is_kept(size in 0u64..200) {
            let template = template(Payload::Size(ByteSize(size)));
            let mut bytes = Vec::new();
            template.write(|| [b'x'; STAMP_LEN], || unreachable!("there are no variables"), &mut bytes);
            prop_assert_eq!(bytes.len() as u64, size);
            prop_assert_eq!(template.stamp_at().is_some(), size >= 48);
        }
    }
}

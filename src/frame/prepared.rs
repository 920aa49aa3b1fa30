//! Compressed messages that are made in advance, with places for what differs from message to message.
//!
//! What differs stands in stored blocks (RFC 1951 section 3.2.4), so nothing is compressed when a message is sent. The
//! pieces between refer to nothing before them.

use super::deflate::{Deflater, TAIL};

/// The most bytes of a stored block, and the length of its header.
const LONGEST_STORED: usize = 65_535;
const HEADER: usize = 5;
const LEVEL: u8 = 9;

/// How messages are sent that were compressed in advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packing {
    /// The logarithm of the window, 9 to 15.
    pub bits: u8,
    /// The fewest bytes of a message that is sent compressed.
    pub threshold: usize,
}

/// The fixed pieces of a message, compressed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prepared(Box<[Option<Box<[u8]>>]>);

impl Prepared {
    /// Compresses pieces with a window of 2^`bits` bytes, 9 to 15; `None` are those that differ. One with fewer bytes than
    /// `shortest` is stored together with what is around it, since a block of its own costs five bytes before and behind.
    pub fn new<'a>(
        pieces: impl IntoIterator<Item = Option<&'a [u8]>>,
        bits: u8,
        shortest: usize,
    ) -> Self {
        let mut deflater = Deflater::new(LEVEL, bits);
        let compressed = |piece: &'a [u8]| {
            deflater.reset();
            let mut out = Vec::new();
            deflater.flushed(piece, &mut out);
            (out.len() < piece.len()).then(|| out.into())
        };
        let long = |piece: Option<&'a [u8]>| piece.filter(|piece| piece.len() >= shortest);
        let mut compressed = compressed;
        Self(
            pieces
                .into_iter()
                .map(|piece| long(piece).and_then(&mut compressed))
                .collect(),
        )
    }

    /// Returns whether no piece is worth a block of its own.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// Returns the piece at this place, if it is worth a block of its own.
    fn piece(&self, index: usize) -> Option<&[u8]> {
        self.0.get(index)?.as_deref()
    }
}

/// Writes one message of the pieces of a [`Prepared`] and what is between them, in their order.
pub struct Packer<'a> {
    prepared: &'a Prepared,
    out: &'a mut Vec<u8>,
    /// Where the header of the stored block begins that bytes are added to.
    open: Option<usize>,
    plain: usize,
}

impl<'a> Packer<'a> {
    /// Replaces the content of `out`.
    pub fn new(prepared: &'a Prepared, out: &'a mut Vec<u8>) -> Self {
        out.clear();
        Self {
            prepared,
            out,
            open: None,
            plain: 0,
        }
    }

    /// Adds the piece at this index, which these bytes were.
    pub fn piece(&mut self, index: usize, bytes: &[u8]) {
        match self.prepared.piece(index) {
            Some(piece) => {
                self.close();
                self.out.extend_from_slice(piece);
                self.plain += bytes.len();
            }
            None => self.stored(bytes),
        }
    }

    /// Adds bytes that differ from message to message.
    pub fn stored(&mut self, mut bytes: &[u8]) {
        self.plain += bytes.len();
        while !bytes.is_empty() {
            let open = *self.open.get_or_insert_with(|| {
                let at = self.out.len();
                self.out.extend_from_slice(&[0; HEADER]);
                at
            });
            let space = LONGEST_STORED - (self.out.len() - open - HEADER);
            let (now, later) = bytes.split_at(space.min(bytes.len()));
            self.out.extend_from_slice(now);
            bytes = later;
            if !bytes.is_empty() {
                self.close();
            }
        }
    }

    /// Ends the message. Returns its length before it was compressed.
    pub fn finish(mut self) -> usize {
        if self.open.is_some() || self.out.is_empty() {
            self.close();
            // The first byte of the empty block whose others are not sent.
            self.out.push(0x00);
        } else {
            self.out.truncate(self.out.len() - TAIL.len());
        }
        self.plain
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            let length = (self.out.len() - open - HEADER) as u16;
            let [low, high] = length.to_le_bytes();
            self.out[open + 1..open + HEADER].copy_from_slice(&[low, high, !low, !high]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Inflater;
    use proptest::prelude::*;

    fn pieces() -> impl Strategy<Value = Vec<(bool, Vec<u8>)>> {
        let words = prop::collection::vec(
            prop::sample::select(vec!["name", "{\"id\":", "12", ",", "}"]),
            0..400,
        );
        let bytes = prop_oneof![
            4 => words.prop_map(|words| words.concat().into_bytes()),
            4 => prop::collection::vec(any::<u8>(), 0..200),
            1 => (60_000usize..140_000).prop_map(|length| vec![b'x'; length]),
        ];
        prop::collection::vec((any::<bool>(), bytes), 0..6)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn what_was_prepared_is_restored_whatever_stands_between(pieces in pieces(), bits in 9u8..=15, cut in 1usize..3000) {
            let fixed = pieces.iter().map(|(is_fixed, bytes)| is_fixed.then_some(&bytes[..]));
            let prepared = Prepared::new(fixed, bits, 64);
            let mut packed = b"before".to_vec();
            let mut packer = Packer::new(&prepared, &mut packed);
            for (index, (is_fixed, bytes)) in pieces.iter().enumerate() {
                match is_fixed {
                    true => packer.piece(index, bytes),
                    false => packer.stored(bytes),
                }
            }
            let plain: Vec<u8> = pieces.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
            prop_assert_eq!(packer.finish(), plain.len());
            prop_assert!(packed.len() <= plain.len() + 1 + 5 * (pieces.len() + 1 + plain.len() / 60_000));
            let mut inflater = Inflater::default();
            let mut out = Vec::new();
            for _ in 0..2 {
                out.clear();
                for part in packed.chunks(cut) {
                    inflater.add(part, &mut out, plain.len()).unwrap();
                }
                inflater.finish(&mut out, plain.len()).unwrap();
                prop_assert_eq!(&out, &plain);
            }
        }
    }

    #[test]
    fn a_stamp_is_stored_and_the_rest_is_compressed_once() {
        let rest = [b'x'; 1000];
        let prepared = Prepared::new([None, Some(&rest[..])], 15, 64);
        let mut packed = Vec::new();
        let mut packer = Packer::new(&prepared, &mut packed);
        packer.stored(&[b's'; 48]);
        packer.piece(1, &rest);
        assert_eq!(packer.finish(), 1048);
        assert_eq!(packed[..5], [0x00, 0x30, 0x00, 0xcf, 0xff]);
        assert_eq!(packed[5..53], [b's'; 48]);
        assert!(packed.len() < 75, "{}", packed.len());
    }
}

//! Compresses messages and restores them (RFC 7692 section 7.2). Bytes only; the output is bounded.

use super::header::Broken;
use super::room::Room;
use zlib_rs::{Deflate, DeflateFlush, Inflate, InflateFlush, Status};

/// The end of each compressed message, which is not sent (RFC 7692 section 7.2.1).
pub(super) const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];
/// The window with which any message can be restored.
const WIDEST: u8 = 15;
/// The fewest and the most bytes that the output grows by.
const GROWTH: std::ops::RangeInclusive<usize> = 512..=16 * 1024;

/// Restores messages, one after the other. Takes 19 KiB, and 48 once a message has come in parts.
pub struct Inflater {
    inflate: Inflate,
    /// Whether the last block said that nothing follows it, and nothing has.
    is_final: bool,
}

impl Default for Inflater {
    fn default() -> Self {
        Self {
            inflate: Inflate::new(false, WIDEST),
            is_final: false,
        }
    }
}

impl Inflater {
    /// Forgets all messages before.
    pub fn reset(&mut self) {
        self.inflate.reset(false);
        self.is_final = false;
    }

    /// Appends what these bytes, the next ones of a message, stand for.
    ///
    /// # Errors
    /// When they are invalid, or make `out` longer than `max`.
    pub fn add(&mut self, mut bytes: &[u8], out: &mut Vec<u8>, max: usize) -> Result<(), Broken> {
        while !bytes.is_empty() {
            self.is_final = false;
            bytes = self.until_final(bytes, out, max)?;
        }
        Ok(())
    }

    /// Ends a message.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn finish(&mut self, out: &mut Vec<u8>, max: usize) -> Result<(), Broken> {
        match std::mem::take(&mut self.is_final) {
            true => Ok(()),
            false => self.add(&TAIL, out, max),
        }
    }

    /// Takes bytes up to the end of a block that says that nothing follows it. Something may: RFC 7692 section 7.2.3.4.
    fn until_final<'a>(
        &mut self,
        mut bytes: &'a [u8],
        out: &mut Vec<u8>,
        max: usize,
    ) -> Result<&'a [u8], Broken> {
        let grows = (4 * bytes.len()).clamp(*GROWTH.start(), *GROWTH.end());
        loop {
            let start = out.len();
            // One byte more than it may be tells that it is too long.
            let space = grows.min((max + 1).saturating_sub(start));
            out.resize(start + space, 0);
            let before = (self.inflate.total_in(), self.inflate.total_out());
            let done = (self.inflate).decompress(bytes, &mut out[start..], InflateFlush::SyncFlush);
            let read = (self.inflate.total_in() - before.0) as usize;
            let wrote = (self.inflate.total_out() - before.1) as usize;
            out.truncate(start + wrote);
            bytes = &bytes[read..];
            if out.len() > max {
                return Err(too_big(max));
            }
            match done {
                Ok(Status::StreamEnd) => {
                    self.reset();
                    self.is_final = bytes.is_empty();
                    return Ok(bytes);
                }
                Ok(_) if wrote == space => {}
                Ok(_) if bytes.is_empty() => return Ok(bytes),
                Ok(_) if read > 0 || wrote > 0 => {}
                Ok(_) | Err(_) => return Err(Broken::BadDeflate),
            }
        }
    }
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater").finish_non_exhaustive()
    }
}

/// Restores the messages that one connection receives.
#[derive(Debug)]
pub struct Inflation {
    /// Whether messages refer to those before them.
    keeps: bool,
    /// Its own if it keeps; else it has one during a message.
    inflater: Option<Box<Inflater>>,
    /// The compressed messages received since the last call of [`Self::take_counts`].
    counts: Packed,
}

/// Compressed messages and their bytes, without the headers of frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Packed {
    /// The number of messages.
    pub messages: u64,
    /// Their bytes before they were compressed.
    pub plain: u64,
    /// Their bytes on the wire.
    pub wire: u64,
}

impl Inflation {
    /// `keeps` says whether messages may refer to those before them.
    pub fn new(keeps: bool) -> Self {
        Self {
            keeps,
            inflater: None,
            counts: Packed::default(),
        }
    }

    /// Begins a message: with its own inflater, or with that of the thread.
    pub(super) fn begin(&mut self, room: &mut Room) {
        if self.inflater.is_none() {
            let spare = match self.keeps {
                true => None,
                false => room.inflater.take(),
            };
            self.inflater = Some(spare.unwrap_or_default());
        }
    }

    /// Appends what these bytes of the message stand for.
    pub(super) fn add(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<u8>,
        max: usize,
    ) -> Result<(), Broken> {
        self.counts.wire += bytes.len() as u64;
        match &mut self.inflater {
            Some(inflater) => inflater.add(bytes, out, max),
            None => Err(Broken::BadDeflate),
        }
    }

    /// Ends the message.
    pub(super) fn finish(
        &mut self,
        out: &mut Vec<u8>,
        max: usize,
        room: &mut Room,
    ) -> Result<(), Broken> {
        let Some(inflater) = &mut self.inflater else {
            return Err(Broken::BadDeflate);
        };
        inflater.finish(out, max)?;
        self.counts.messages += 1;
        self.counts.plain += out.len() as u64;
        if !self.keeps
            && let Some(mut inflater) = self.inflater.take()
        {
            inflater.reset();
            room.inflater = Some(inflater);
        }
        Ok(())
    }

    /// Returns the messages received since the last call.
    pub fn take_counts(&mut self) -> Packed {
        std::mem::take(&mut self.counts)
    }
}

/// Compresses messages. Takes 320 KiB.
pub struct Deflater(Deflate);

impl Deflater {
    /// `level` is 1 to 9; `bits` is the logarithm of the window, 9 to 15.
    pub fn new(level: u8, bits: u8) -> Self {
        debug_assert!((1..=9).contains(&level) && (9..=15).contains(&bits));
        Self(Deflate::new(level.into(), false, bits))
    }

    /// Forgets all messages before.
    pub fn reset(&mut self) {
        self.0.reset();
    }

    /// Replaces the content of `out` by a compressed message.
    pub fn message(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        out.clear();
        self.flushed(plain, out);
        if out.is_empty() {
            // RFC 7692 section 7.2.3.6.
            return out.push(0x00);
        }
        debug_assert!(out.ends_with(&TAIL));
        out.truncate(out.len() - TAIL.len());
    }

    /// Appends compressed bytes, which end with [`TAIL`]; nothing for no bytes.
    pub(super) fn flushed(&mut self, mut plain: &[u8], out: &mut Vec<u8>) {
        if plain.is_empty() {
            return;
        }
        loop {
            let start = out.len();
            let space = plain.len() + plain.len() / 1000 + 64;
            out.resize(start + space, 0);
            let before = (self.0.total_in(), self.0.total_out());
            let done = (self.0).compress(plain, &mut out[start..], DeflateFlush::SyncFlush);
            debug_assert!(done.is_ok(), "the state is valid, and so are all bytes");
            let wrote = (self.0.total_out() - before.1) as usize;
            plain = &plain[(self.0.total_in() - before.0) as usize..];
            out.truncate(start + wrote);
            if wrote < space {
                return;
            }
        }
    }
}

impl std::fmt::Debug for Deflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deflater").finish_non_exhaustive()
    }
}

/// Returns how a message is longer than it may be.
fn too_big(max: usize) -> Broken {
    Broken::TooBig {
        bytes: max as u64 + 1,
        max,
    }
}

/// Asserts that any bytes are restored or refused, to the same end however they are cut, and to no more than may be;
/// `cut` is at least 1.
#[cfg(any(test, fuzzing))]
pub(crate) fn assert_bounded(bytes: &[u8], cut: usize) {
    const MAX: usize = 5_000;
    let restored = |cut: usize| {
        let (mut inflater, mut out) = (Inflater::default(), Vec::new());
        let mut parts = bytes.chunks(cut);
        let done = parts.try_for_each(|part| inflater.add(part, &mut out, MAX));
        let done = done.and_then(|()| inflater.finish(&mut out, MAX));
        done.ok().map(|()| out)
    };
    let whole = restored(bytes.len().max(1));
    assert!(whole.as_ref().is_none_or(|out| out.len() <= MAX));
    assert_eq!(whole, restored(cut));
}

#[cfg(test)]
mod tests {
    use super::*;
    use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};
    use proptest::prelude::*;

    /// Restores one message by other code.
    pub(crate) fn theirs(bytes: &[u8]) -> Vec<u8> {
        let whole = [bytes, &TAIL].concat();
        let mut out = vec![0; 8 << 20];
        let mut state = DecompressorOxide::new();
        let flags = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF
            | inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
        let (status, read, wrote) = decompress(&mut state, &whole, &mut out, 0, flags);
        assert_eq!(read, whole.len(), "{status:?}");
        out.truncate(wrote);
        out
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let words = prop::collection::vec(
            prop::sample::select(vec!["name", "{\"id\":", "12", "αβγ", ",", "}"]),
            0..400,
        );
        prop_oneof![
            words.prop_map(|words| words.concat().into_bytes()),
            prop::collection::vec(any::<u8>(), 0..3000),
        ]
    }

    fn restored(
        inflater: &mut Inflater,
        bytes: &[u8],
        cut: usize,
        max: usize,
    ) -> Result<Vec<u8>, Broken> {
        let mut out = Vec::new();
        for part in bytes.chunks(cut) {
            inflater.add(part, &mut out, max)?;
        }
        inflater.finish(&mut out, max)?;
        Ok(out)
    }

    proptest! {
        #[test]
        fn messages_come_back_however_they_are_cut(
            messages in prop::collection::vec(text(), 1..6), level in 1u8..=9, bits in 9u8..=15,
            cut in 1usize..5000, keeps in any::<bool>(),
        ) {
            let mut deflater = Deflater::new(level, bits);
            let mut inflater = Inflater::default();
            let mut out = Vec::new();
            for plain in &messages {
                if !keeps {
                    deflater.reset();
                    inflater.reset();
                }
                deflater.message(plain, &mut out);
                if !keeps {
                    prop_assert_eq!(&theirs(&out), plain);
                }
                let back = restored(&mut inflater, &out, cut, plain.len());
                prop_assert_eq!(back.as_ref(), Ok(plain));
                if let Some(less) = plain.len().checked_sub(1) && !keeps {
                    let cut_off = restored(&mut Inflater::default(), &out, cut, less);
                    prop_assert_eq!(cut_off, Err(too_big(less)));
                }
            }
        }
    }

    #[test]
    fn the_examples_of_the_standard_are_restored() {
        // RFC 7692 section 7.2.3.
        let hello: [(&[u8], &[u8]); 5] = [
            (&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], b"Hello"),
            (&[0xf2, 0x00, 0x11, 0x00, 0x00], b"Hello"),
            (
                &[
                    0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00,
                ],
                b"Hello",
            ),
            (&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00], b"Hello"),
            (
                &[
                    0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00,
                ],
                b"Hello",
            ),
        ];
        let mut inflater = Inflater::default();
        for (bytes, plain) in hello {
            for cut in 1..bytes.len() + 1 {
                let out = restored(&mut inflater, bytes, cut, 100);
                if bytes[1] != 0x00 || bytes[0] == 0x00 {
                    assert_eq!(out.as_deref(), Ok(plain), "{bytes:?}");
                }
            }
        }
        // A final block without the empty one behind it, which some send.
        assert_eq!(
            restored(
                &mut inflater,
                &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
                100,
                100
            )
            .as_deref(),
            Ok(&b"Hello"[..])
        );
        assert_eq!(
            restored(&mut inflater, hello[0].0, 100, 100).as_deref(),
            Ok(&b"Hello"[..])
        );
        assert_eq!(restored(&mut inflater, &[0x00], 100, 0), Ok(Vec::new()));
    }

    #[test]
    fn a_bomb_is_not_unfolded() {
        let mut deflater = Deflater::new(9, 15);
        let mut bomb = Vec::new();
        deflater.message(&vec![0; 16 << 20], &mut bomb);
        assert!(bomb.len() < 17_000, "{}", bomb.len());
        let mut out = Vec::new();
        let mut inflater = Inflater::default();
        assert_eq!(
            inflater.add(&bomb, &mut out, 1 << 20),
            Err(too_big(1 << 20))
        );
        assert!(out.capacity() <= 2 << 20);
    }

    #[test]
    fn what_is_no_deflate_data_is_refused() {
        let mut inflater = Inflater::default();
        assert_eq!(
            restored(&mut inflater, &[0x06, 0xff], 9, 100),
            Err(Broken::BadDeflate)
        );
    }
}

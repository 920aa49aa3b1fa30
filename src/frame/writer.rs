//! Encodes frames to the bytes to be written: masked, one after the other (RFC 6455 section 5.2).

use rand::Rng as _;
use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::SeedableRng as _;

use super::Frame;
use super::header::{Header, Opcode};
use super::mask::mask;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
/// The largest buffer that a connection keeps once all is written, in bytes.
const KEPT: usize = 2048;

/// The bytes that a connection has still to write.
#[derive(Debug)]
pub struct Writer {
    bytes: Vec<u8>,
    written: usize,
    keys: SplitMix64,
}

impl Writer {
    /// Makes an empty writer. Its masking keys are derived from `seed`, which should be unpredictable. Section 5.3 asks
    /// for a strong source of randomness, because scripts in a browser can choose what it sends (section 10.3). Here no
    /// such script runs, so a small generator is enough.
    pub fn new(seed: u64) -> Self {
        Self {
            bytes: Vec::new(),
            written: 0,
            keys: SplitMix64::seed_from_u64(seed),
        }
    }

    /// Adds a frame.
    #[inline]
    pub fn add(&mut self, frame: Frame<'_>) {
        let key = self.keys.next_u32().to_ne_bytes();
        let mut close = Vec::new();
        let (opcode, payload) = match frame {
            Frame::Text(bytes) => (Opcode::Text, bytes),
            Frame::Binary(bytes) => (Opcode::Binary, bytes),
            Frame::Ping(bytes) => (Opcode::Ping, bytes),
            Frame::Pong(bytes) => (Opcode::Pong, bytes),
            Frame::Close { code, reason } => {
                if let Some(code) = code {
                    close.extend(code.to_be_bytes());
                    close.extend(reason.as_bytes());
                }
                (Opcode::Close, &close[..])
            }
        };
        put(&mut self.bytes, true, opcode as u8, key, payload);
    }

    /// Adds a compressed message: text, or binary.
    pub fn add_packed(&mut self, is_text: bool, packed: &[u8]) {
        let key = self.keys.next_u32().to_ne_bytes();
        let opcode = if is_text {
            Opcode::Text
        } else {
            Opcode::Binary
        };
        put(
            &mut self.bytes,
            true,
            Header::PACKED | opcode as u8,
            key,
            packed,
        );
    }

    /// Appends bytes as they are, without a frame.
    pub fn add_raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the bytes to be written next.
    pub fn unwritten(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    /// Records that this many of them were written.
    pub fn wrote(&mut self, bytes: usize) {
        self.written += bytes;
        debug_assert!(self.written <= self.bytes.len());
        if self.written == self.bytes.len() {
            self.clear();
        }
    }

    /// Drops the bytes that are not written.
    pub fn clear(&mut self) {
        self.written = 0;
        if self.bytes.capacity() > KEPT {
            self.bytes = Vec::new();
        } else {
            self.bytes.clear();
        }
    }
}

/// Appends one frame of a client, even one that must not be sent. `opcode` may have reserved bits with it.
#[inline]
pub fn put(out: &mut Vec<u8>, fin: bool, opcode: u8, key: [u8; 4], payload: &[u8]) {
    let first = if fin { FIN | opcode } else { opcode };
    let [a, b, c, d] = key;
    out.reserve(14 + payload.len());
    match payload.len() {
        short @ 0..126 => out.extend_from_slice(&[first, MASKED | short as u8, a, b, c, d]),
        long @ 126..65_536 => {
            let [high, low] = (long as u16).to_be_bytes();
            out.extend_from_slice(&[first, MASKED | 126, high, low, a, b, c, d]);
        }
        longer => {
            out.extend_from_slice(&[first, MASKED | 127]);
            out.extend_from_slice(&(longer as u64).to_be_bytes());
            out.extend_from_slice(&key);
        }
    }
    let begins = out.len();
    out.extend_from_slice(payload);
    mask(&mut out[begins..], key);
}

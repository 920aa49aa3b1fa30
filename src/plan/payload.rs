//! What a message looks like on the wire: a stamp that names it, and a filler.

use bytes::{BufMut, BytesMut};

use crate::scenario::{Message, Payload};

/// The length of a [`Stamp`] in bytes.
pub const STAMP_LEN: usize = 48;

/// Version 1: `w1`, then in hexadecimal run (8), cohort (2), connection (8), message (2), sequence (10) and
/// intended time in nanoseconds (16).
const VERSION: [u8; 2] = *b"w1";

/// Names one message of one run. It is text, so it passes any server that passes text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The run.
    pub run: u32,
    /// The index of the cohort.
    pub cohort: u8,
    /// The connection that sent it.
    pub connection: u32,
    /// The index of the message.
    pub message: u8,
    /// Counted from 0 on each connection and message; below 2^40.
    pub sequence: u64,
    /// When it was due, in nanoseconds since the first dial.
    pub intended: u64,
}

impl Stamp {
    /// Writes the 48 bytes.
    pub fn encode(&self) -> [u8; STAMP_LEN] {
        let mut out = [0; STAMP_LEN];
        out[..2].copy_from_slice(&VERSION);
        hex(&mut out[2..10], u64::from(self.run));
        hex(&mut out[10..12], u64::from(self.cohort));
        hex(&mut out[12..20], u64::from(self.connection));
        hex(&mut out[20..22], u64::from(self.message));
        hex(&mut out[22..32], self.sequence);
        hex(&mut out[32..], self.intended);
        out
    }

    /// Reads what [`Self::encode`] wrote, from the beginning of a payload. `None` for anything else: each stamp
    /// has one spelling, so that equal stamps are equal bytes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..STAMP_LEN)?;
        if bytes[..2] != VERSION {
            return None;
        }
        Some(Self {
            run: unhex(&bytes[2..10])? as u32,
            cohort: unhex(&bytes[10..12])? as u8,
            connection: unhex(&bytes[12..20])? as u32,
            message: unhex(&bytes[20..22])? as u8,
            sequence: unhex(&bytes[22..32])?,
            intended: unhex(&bytes[32..])?,
        })
    }
}

fn hex(out: &mut [u8], value: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut rest = value;
    for place in out.iter_mut().rev() {
        *place = DIGITS[(rest & 15) as usize];
        rest >>= 4;
    }
}

fn unhex(digits: &[u8]) -> Option<u64> {
    let mut value = 0;
    for digit in digits {
        let nibble = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        value = value << 4 | u64::from(nibble);
    }
    Some(value)
}

/// A message's bytes, but for its stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Template {
    /// A stamp, then this.
    Stamped {
        /// What follows the stamp; may be empty.
        filler: Vec<u8>,
    },
    /// The same bytes each time; answers are matched by order.
    Fixed(Vec<u8>),
}

impl Template {
    /// The template of a message.
    pub fn new(message: &Message) -> Self {
        match &message.payload {
            Payload::Size(size) if size.as_usize() >= STAMP_LEN => Self::Stamped {
                filler: filler(size.as_usize() - STAMP_LEN),
            },
            Payload::Size(size) => Self::Fixed(filler(size.as_usize())),
            Payload::Fixed(bytes) => Self::Fixed(bytes.clone()),
        }
    }

    /// Appends the message's bytes.
    pub fn write(&self, stamp: impl FnOnce() -> Stamp, out: &mut BytesMut) {
        match self {
            Self::Stamped { filler } => {
                out.reserve(STAMP_LEN + filler.len());
                out.put_slice(&stamp().encode());
                out.put_slice(filler);
            }
            Self::Fixed(bytes) => {
                out.reserve(bytes.len());
                out.put_slice(bytes);
            }
        }
    }
}

/// Printable, and not all alike, so that a server that mixes bytes up is noticed.
fn filler(length: usize) -> Vec<u8> {
    const TEXT: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ.-";
    TEXT.iter().copied().cycle().take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stamps() -> impl Strategy<Value = Stamp> {
        let names = (any::<u32>(), any::<u8>(), any::<u32>(), any::<u8>());
        (names, 0u64..1 << 40, any::<u64>()).prop_map(|(names, sequence, intended)| Stamp {
            run: names.0,
            cohort: names.1,
            connection: names.2,
            message: names.3,
            sequence,
            intended,
        })
    }

    proptest! {
        #[test]
        fn a_stamp_round_trips_and_is_text(stamp in stamps()) {
            let bytes = stamp.encode();
            prop_assert!(bytes.is_ascii());
            prop_assert_eq!(Stamp::decode(&bytes), Some(stamp));
        }

        #[test]
        fn one_changed_byte_is_another_stamp_or_none(stamp in stamps(), place in 0..STAMP_LEN, byte in any::<u8>()) {
            let mut bytes = stamp.encode();
            prop_assume!(bytes[place] != byte);
            bytes[place] = byte;
            prop_assert_ne!(Stamp::decode(&bytes), Some(stamp));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = Stamp::decode(&bytes);
        }
    }
}

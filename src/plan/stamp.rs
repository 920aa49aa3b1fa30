//! The stamp that identifies a message, and the payload that identifies a ping. Messages that are published to a topic
//! have a stamp of another version: see `topic_stamp.rs`.

use memchr::memmem;

pub use crate::scenario::STAMP_LEN;
use crate::units::Timestamp;

/// Version 1: `w1`, then in hexadecimal run (8 digits), cohort (2), connection (8), message (2), sequence (10) and
/// intended time in nanoseconds (16).
const VERSION: [u8; 2] = *b"w1";

/// Identifies one message of one run. It is text, so any server that forwards text forwards it.
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
    /// The sequence number, from 0 for each connection and message; below 2^40.
    pub sequence: u64,
    /// When it was due.
    pub intended: Timestamp,
}

impl Stamp {
    /// Writes the 48 bytes.
    pub fn encode(&self) -> [u8; STAMP_LEN] {
        let series = Series::new(self.run, self.cohort, self.connection, self.message);
        series.stamp(self.sequence, self.intended)
    }

    /// Reads what [`Self::encode`] wrote, from the start of a payload. `None` for anything else: each stamp has one
    /// encoding, so equal stamps are equal bytes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; STAMP_LEN] = bytes.first_chunk()?;
        if bytes[..2] != VERSION {
            return None;
        }
        let wide = |at: usize| unhex(*bytes[at..].first_chunk()?);
        let byte = |at: usize| {
            let mut digits = [b'0'; 8];
            digits[6..].copy_from_slice(&bytes[at..at + 2]);
            unhex(digits)
        };
        let (run, cohort) = (wide(2)?, byte(10)? as u8);
        let (connection, message) = (wide(12)?, byte(20)? as u8);
        let series = Series::new(run, cohort, connection, message);
        let (sequence, intended) = series.read(bytes)?;
        Some(Self {
            run,
            cohort,
            connection,
            message,
            sequence,
            intended,
        })
    }
}

/// Finds the stamps of one run in received bytes.
#[derive(Debug, Clone)]
pub struct StampFinder(memmem::Finder<'static>);

impl StampFinder {
    /// Makes a finder for the stamps of this run.
    pub fn new(run: u32) -> Self {
        let mut start = [0; 10];
        start[..2].copy_from_slice(&VERSION);
        start[2..].copy_from_slice(&hex(run));
        Self(memmem::Finder::new(&start).into_owned())
    }

    /// Returns the positions at which stamps of the run may begin, in order.
    pub fn find<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
        self.0.find_iter(bytes)
    }
}

/// The common prefix of all stamps of one message of one connection: made once, so that each stamp costs little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Series([u8; SERIES_LEN]);

const SERIES_LEN: usize = 22;
/// The first two digits of a sequence number below 2^32.
const ZERO: [u8; 2] = *b"00";

impl Series {
    /// Makes the prefix; the arguments are those of a [`Stamp`].
    pub fn new(run: u32, cohort: u8, connection: u32, message: u8) -> Self {
        let mut out = [0; SERIES_LEN];
        out[..2].copy_from_slice(&VERSION);
        out[2..10].copy_from_slice(&hex(run));
        out[10..12].copy_from_slice(&hex(cohort.into())[6..]);
        out[12..20].copy_from_slice(&hex(connection));
        out[20..].copy_from_slice(&hex(message.into())[6..]);
        Self(out)
    }

    /// Writes the 48 bytes of one stamp.
    #[inline]
    pub fn stamp(&self, sequence: u64, intended: Timestamp) -> [u8; STAMP_LEN] {
        let intended = intended.as_nanos();
        let mut out = [0; STAMP_LEN];
        out[..SERIES_LEN].copy_from_slice(&self.0);
        // Hardly any connection sends more than 2^32 messages.
        let high = match sequence >> 32 {
            0 => ZERO,
            high => [hex(high as u32)[6], hex(high as u32)[7]],
        };
        out[22..24].copy_from_slice(&high);
        out[24..32].copy_from_slice(&hex(sequence as u32));
        out[32..40].copy_from_slice(&hex((intended >> 32) as u32));
        out[40..].copy_from_slice(&hex(intended as u32));
        out
    }

    /// Reads the sequence number and the intended time of a stamp at the start of a payload; `None` if there is no
    /// stamp of this series.
    #[inline(always)]
    pub fn read(&self, bytes: &[u8]) -> Option<(u64, Timestamp)> {
        let bytes: &[u8; STAMP_LEN] = bytes.first_chunk()?;
        if bytes[..SERIES_LEN] != self.0 {
            return None;
        }
        let [.., a, b, c, d] = bytes.as_chunks::<8>().0 else {
            return None;
        };
        let high = match [a[6], a[7]] {
            ZERO => 0,
            [a, b] => unhex([b'0', b'0', b'0', b'0', b'0', b'0', a, b])?,
        };
        let [low, first, second] = [b, c, d].map(|digits| nibbles(*digits));
        // One question for all digits.
        if low.1 | first.1 | second.1 != 0 {
            return None;
        }
        let wide = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
        let intended = wide(packed(first.0), packed(second.0));
        let sequence = wide(high, packed(low.0));
        Some((sequence, Timestamp::from_nanos(intended)))
    }
}

/// Identifies one ping of one run in its payload: `wsb`, then both numbers in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PingName {
    /// The run.
    pub run: u32,
    /// The sequence number, from 0 for each connection.
    pub sequence: u32,
}

impl PingName {
    /// Writes the 19 bytes.
    pub fn encode(self) -> [u8; 19] {
        let mut out = *b"wsb................";
        out[3..11].copy_from_slice(&hex(self.run));
        out[11..].copy_from_slice(&hex(self.sequence));
        out
    }

    /// Reads what [`Self::encode`] wrote; `None` for anything else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let digits = bytes.strip_prefix(b"wsb")?;
        let (run, sequence) = digits.split_first_chunk()?;
        Some(Self {
            run: unhex(*run)?,
            sequence: unhex(sequence.try_into().ok()?)?,
        })
    }
}

// The functions below convert eight digits at once, one in each byte of a word, because they run for every message.

/// Masks for the low four bits of each byte, and for the lowest bit.
const NIBBLES: u64 = 0x0F0F_0F0F_0F0F_0F0F;
const ONES: u64 = 0x0101_0101_0101_0101;

/// Returns eight hexadecimal digits, the highest first.
pub(super) fn hex(value: u32) -> [u8; 8] {
    let mut nibbles = u64::from(value);
    nibbles = (nibbles | nibbles << 16) & 0x0000_FFFF_0000_FFFF;
    nibbles = (nibbles | nibbles << 8) & 0x00FF_00FF_00FF_00FF;
    nibbles = (nibbles | nibbles << 4) & NIBBLES;
    ascii(nibbles).to_be_bytes()
}

/// Returns the digit for each byte; each byte is below 16.
fn ascii(nibbles: u64) -> u64 {
    // Adding 6 to values over 9 carries into the fifth bit.
    let letters = (nibbles + 6 * ONES) >> 4 & ONES;
    nibbles + u64::from(b'0') * ONES + letters * u64::from(b'a' - b'0' - 10)
}

/// Reads what [`hex`] wrote; `None` for anything else.
#[inline]
pub(super) fn unhex(digits: [u8; 8]) -> Option<u32> {
    let (nibbles, wrong) = nibbles(digits);
    (wrong == 0).then(|| packed(nibbles))
}

/// Returns the value of each digit, one in each byte. The second number is zero unless there is another byte among them.
#[inline]
fn nibbles(digits: [u8; 8]) -> (u64, u64) {
    let bytes = u64::from_be_bytes(digits);
    // Letters have the seventh bit set.
    let letters = bytes >> 6 & ONES;
    let nibbles = ((bytes & NIBBLES) + 9 * letters) & NIBBLES;
    (nibbles, ascii(nibbles) ^ bytes)
}

/// Returns the number that these digits are of.
#[inline]
fn packed(nibbles: u64) -> u32 {
    let mut value = (nibbles | nibbles >> 4) & 0x00FF_00FF_00FF_00FF;
    value = (value | value >> 8) & 0x0000_FFFF_0000_FFFF;
    (value | value >> 16) as u32
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
            intended: Timestamp::from_nanos(intended),
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
            let _ = PingName::decode(&bytes);
        }

        #[test]
        fn digits_are_those_of_the_standard_library(value in any::<u32>()) {
            prop_assert_eq!(hex(value).to_vec(), format!("{value:08x}").into_bytes());
            prop_assert_eq!(unhex(hex(value)), Some(value));
        }

        #[test]
        fn a_ping_keeps_its_name_and_no_other_bytes_have_it(
            run in any::<u32>(), sequence in any::<u32>(), place in 0usize..19, byte in any::<u8>(),
        ) {
            let name = PingName { run, sequence };
            let mut bytes = name.encode();
            prop_assert_eq!(PingName::decode(&bytes), Some(name));
            prop_assert_eq!(PingName::decode(&[&bytes[..], b"0"].concat()), None);
            prop_assume!(bytes[place] != byte);
            bytes[place] = byte;
            prop_assert_ne!(PingName::decode(&bytes), Some(name));
        }
    }
}

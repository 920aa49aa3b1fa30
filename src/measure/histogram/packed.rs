//! Histograms as bytes and back: V2-deflate HdrHistograms, beside which the exact numbers stand that this form rounds.

use std::io::Read as _;

use flate2::read::ZlibDecoder;
use hdrhistogram::serialization::{Deserializer as Reader, Serializer as _, V2DeflateSerializer};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::encoding::HistogramError;
use super::{CEILING_NS, DIGITS, Histogram, RESOLUTION_NS, hdr};
use crate::measure::bytes::Bytes;

/// What stands before the deflated bytes: a cookie and their length.
const OUTER: usize = 8;
/// The cookie of the V2 format in its deflated form, as every HdrHistogram writes it.
const COOKIE: [u8; 4] = 0x1c84_9314_u32.to_be_bytes();
/// What stands before the counts: cookie, length, offset, digits, the lowest and the highest value, a ratio.
const INNER: usize = 40;
/// The most bytes of the counts, which are at most nine for each bucket.
const MOST_COUNTS: u64 = 512 << 10;
/// The highest value that buckets which grew to the ceiling can hold.
const HIGHEST: u64 = 2 * CEILING_NS.next_power_of_two();
/// The most times of a histogram that comes from elsewhere: so many that the sums of any run fit.
const MOST_TIMES: u64 = 1 << 40;

impl Histogram {
    /// Encodes the buckets as a V2-deflate HdrHistogram. Equal histograms give equal bytes: buckets that once held longer
    /// times are not encoded with the reach that they had then.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&hdr(&self.recorded()), &mut bytes)
            .expect("writing to a vector does not fail");
        bytes
    }

    /// Decodes what [`Self::to_bytes`] wrote, of `most` times. The exact sum, minimum and maximum are computed from the buckets, until
    /// [`Self::with_exact`] sets them.
    pub(super) fn from_bytes(bytes: &[u8], most: u64) -> Result<Self, HistogramError> {
        let buckets = decode(bytes)?;
        if buckets.len() > most {
            return Err(HistogramError::Contradiction);
        }
        let mut histogram = Self::new();
        for step in buckets.iter_recorded() {
            let value = step.value_iterated_to().min(CEILING_NS);
            let count = step.count_at_value();
            histogram.put(value, count);
            histogram.sum += u128::from(value) * u128::from(count);
            histogram.min = histogram.min.min(value);
            histogram.max = histogram.max.max(value);
        }
        Ok(histogram)
    }
}

/// Decodes buckets. The format lets a few bytes ask for gigabytes, so it is unpacked only as far as ours can reach, and
/// its sizes are looked at before they are believed.
fn decode(bytes: &[u8]) -> Result<hdrhistogram::Histogram<u64>, HistogramError> {
    let (outer, packed) = (bytes.split_at_checked(OUTER)).ok_or(HistogramError::Contradiction)?;
    let length = u32::try_from(packed.len()).map(u32::to_be_bytes);
    if outer[..4] != COOKIE || length.is_ok_and(|length| outer[4..] != length) {
        return Err(HistogramError::Contradiction);
    }
    let mut plain = Vec::new();
    ZlibDecoder::new(packed)
        .take(INNER as u64 + MOST_COUNTS)
        .read_to_end(&mut plain)
        .map_err(|error| HistogramError::Format(error.into()))?;
    let word = |at: usize| {
        let word = plain.get(at..)?.first_chunk()?;
        Some(u32::from_be_bytes(*word))
    };
    let long = |at: usize| {
        let long = plain.get(at..)?.first_chunk()?;
        Some(u64::from_be_bytes(*long))
    };
    let counts = plain.len().saturating_sub(INNER);
    let is_ours = word(4).is_some_and(|length| length as usize == counts)
        && word(12) == Some(DIGITS.into())
        && long(16) == Some(RESOLUTION_NS)
        && long(24).is_some_and(|highest| highest <= HIGHEST);
    if !is_ours {
        return Err(HistogramError::Contradiction);
    }
    (Reader::new().deserialize(&mut plain.as_slice())).map_err(HistogramError::Format)
}

/// A histogram as it travels.
#[derive(Serialize, Deserialize)]
struct Packed {
    count: u64,
    /// Its upper and its lower half.
    sum: [u64; 2],
    min: Option<u64>,
    max: Option<u64>,
    clipped: u64,
    hdr: Bytes,
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let packed = Packed {
            count: self.count(),
            sum: [(self.sum >> 64) as u64, self.sum as u64],
            min: self.min(),
            max: self.max(),
            clipped: self.clipped,
            hdr: Bytes(match self.is_empty() {
                true => Vec::new(),
                false => self.to_bytes(),
            }),
        };
        packed.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let packed = Packed::deserialize(deserializer)?;
        let [high, low] = packed.sum;
        let sum = u128::from(high) << 64 | u128::from(low);
        let buckets = match packed.hdr.0.is_empty() {
            true => Ok(Self::new()),
            false => Self::from_bytes(&packed.hdr.0, MOST_TIMES),
        };
        (buckets.map_err(D::Error::custom)?)
            .with_exact(sum, packed.min, packed.max, packed.clipped)
            .filter(|histogram| histogram.count() == packed.count)
            .ok_or_else(|| D::Error::custom(HistogramError::Contradiction))
    }
}

//! Histograms as text and back: V2-deflate HdrHistograms in base64, with the exact numbers that this form rounds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::serialization::{Deserializer as Reader, Serializer as _, V2DeflateSerializer};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Buckets, CEILING_NS, Histogram, filled};

/// A stored histogram that could not be read. Fits after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum HistogramError {
    /// The text is not base64.
    #[error("decode a histogram from base64")]
    Base64(#[from] base64::DecodeError),
    /// The text is base64, but not a V2-deflate histogram.
    #[error("decode a histogram: {0:?}")]
    Format(hdrhistogram::serialization::DeserializeError),
}

impl Histogram {
    /// Encodes the buckets as a V2-deflate HdrHistogram, in base64. Equal histograms give equal texts: buckets that
    /// once held longer times are not encoded with the reach that they had then.
    pub fn to_base64(&self) -> String {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&filled(&self.recorded()), &mut bytes)
            .expect("writing to a vector does not fail");
        BASE64.encode(bytes)
    }

    /// Decodes what [`Self::to_base64`] wrote. The exact sum, minimum and maximum are not part of that format: they are
    /// computed from the buckets, until [`Self::with_exact`] sets them.
    ///
    /// # Errors
    /// If the text is not base64, or not a histogram.
    pub fn from_base64(text: &str) -> Result<Self, HistogramError> {
        let bytes = BASE64.decode(text)?;
        let buckets: Buckets = Reader::new()
            .deserialize(&mut bytes.as_slice())
            .map_err(HistogramError::Format)?;
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

/// The stored and transmitted form: the buckets in V2-deflate form, and the exact numbers that this form rounds.
#[derive(Serialize, Deserialize)]
struct Stored {
    count: u64,
    sum: u128,
    /// `None` if the histogram is empty.
    min: Option<u64>,
    max: Option<u64>,
    clipped: u64,
    /// Left out if the histogram is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hdr: Option<String>,
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stored = Stored {
            count: self.count(),
            sum: self.sum,
            min: self.min(),
            max: self.max(),
            clipped: self.clipped,
            hdr: (!self.is_empty()).then(|| self.to_base64()),
        };
        stored.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        let buckets = stored.hdr.as_deref().map(Self::from_base64).transpose();
        let buckets = buckets.map_err(D::Error::custom)?.unwrap_or_default();
        buckets
            .with_exact(stored.sum, stored.min, stored.max, stored.clipped)
            .filter(|histogram| histogram.count() == stored.count)
            .ok_or_else(|| {
                D::Error::custom("a histogram contradicts its count, minimum or maximum")
            })
    }
}

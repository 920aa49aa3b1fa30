//! Histograms as text and back: V2-deflate HdrHistograms in base64, with the exact numbers that this form rounds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use super::Histogram;

/// A stored histogram that could not be read. Fits after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum HistogramError {
    /// The text is not base64.
    #[error("decode a histogram from base64")]
    Base64(#[from] base64::DecodeError),
    /// The text is base64, but not a V2-deflate histogram.
    #[error("decode a histogram: {0:?}")]
    Format(hdrhistogram::serialization::DeserializeError),
    /// The numbers beside the text are not those of its buckets.
    #[error("decode a histogram that contradicts its count, minimum or maximum")]
    Contradiction,
}

impl Histogram {
    /// Encodes the buckets as a V2-deflate HdrHistogram, in base64. Equal histograms give equal texts.
    pub fn to_base64(&self) -> String {
        BASE64.encode(self.to_bytes())
    }

    /// Decodes what [`Self::to_base64`] wrote. The exact sum, minimum and maximum are not part of that format: they are
    /// computed from the buckets, until [`Self::with_exact`] sets them.
    ///
    /// # Errors
    /// If the text is not base64, or not a histogram.
    pub fn from_base64(text: &str) -> Result<Self, HistogramError> {
        Self::from_bytes(&BASE64.decode(text)?, u64::MAX)
    }
}

/// A histogram in its stored form: the buckets as V2-deflate text, and the exact numbers that this form
/// rounds, in nanoseconds. Takes as much memory as its text, where a [`Histogram`] takes up to 220 KiB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encoded {
    count: u64,
    sum: u128,
    /// `None` if the histogram is empty.
    min: Option<u64>,
    max: Option<u64>,
    #[serde(default, skip_serializing_if = "is_zero")]
    clipped: u64,
    /// Left out if the histogram is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hdr: Option<Box<str>>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Encoded {
    /// The number of times.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The largest time in nanoseconds; `None` if it is empty.
    pub fn max(&self) -> Option<u64> {
        self.max
    }

    /// The buckets as a V2-deflate HdrHistogram in base64; `None` if it is empty.
    pub fn text(&self) -> Option<&str> {
        self.hdr.as_deref()
    }

    /// The memory that it takes, in bytes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.hdr.as_deref().map_or(0, str::len)
    }

    /// The histogram.
    ///
    /// # Errors
    /// If the text is no histogram, or the numbers beside it contradict it. One that was made from a histogram has none.
    pub fn decode(&self) -> Result<Histogram, HistogramError> {
        let buckets = self
            .hdr
            .as_deref()
            .map(Histogram::from_base64)
            .transpose()?;
        (buckets.unwrap_or_default())
            .with_exact(self.sum, self.min, self.max, self.clipped)
            .filter(|histogram| histogram.count() == self.count)
            .ok_or(HistogramError::Contradiction)
    }
}

impl From<&Histogram> for Encoded {
    fn from(times: &Histogram) -> Self {
        Self {
            count: times.count(),
            sum: times.sum,
            min: times.min(),
            max: times.max(),
            clipped: times.clipped,
            hdr: (!times.is_empty()).then(|| times.to_base64().into()),
        }
    }
}

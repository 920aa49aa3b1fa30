//! A distribution of times: HDR buckets, and the exact count, sum, minimum and maximum beside them.
//! The only file that knows hdrhistogram.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

/// Values are told apart to three significant digits, or to this many nanoseconds, whichever is coarser.
const RESOLUTION_NS: u64 = 64;
/// Longer times are counted here, and as clipped; minimum, maximum and sum stay exact.
const CEILING_NS: u64 = 3_600_000_000_000;
const DIGITS: u8 = 3;
/// How far a new one reaches; it grows when a longer time comes. Most never do, and all of its memory is gone through
/// when it is merged and cleared, once a second.
const REACH_NS: u64 = 4_000_000;

/// A stored histogram that could not be read. Fits after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum HistogramError {
    /// Not base64.
    #[error("decode a histogram from base64")]
    Base64(#[from] base64::DecodeError),
    /// Base64, but not a V2-deflate histogram.
    #[error("decode a histogram: {0:?}")]
    Format(hdrhistogram::serialization::DeserializeError),
}

/// A distribution of nanoseconds between 0 and an hour, with a relative error of at most 0.1 %.
///
/// All histograms have the same buckets as far as they reach, so that any two can be merged, and merging is exact.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    buckets: hdrhistogram::Histogram<u64>,
    sum: u128,
    min: u64,
    max: u64,
    clipped: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// An empty one. Takes 56 KiB, and up to 220 KiB with an hour in it, so make it when there is something to put in.
    pub fn new() -> Self {
        let mut buckets = hdrhistogram::Histogram::new_with_bounds(RESOLUTION_NS, REACH_NS, DIGITS)
            .expect("the bounds are constants that hdrhistogram takes");
        buckets.auto(true);
        Self {
            buckets,
            sum: 0,
            min: u64::MAX,
            max: 0,
            clipped: 0,
        }
    }

    /// Adds one time, in nanoseconds.
    pub fn record(&mut self, ns: u64) {
        self.put(ns, 1);
        self.sum += u128::from(ns);
        self.min = self.min.min(ns);
        self.max = self.max.max(ns);
        self.clipped += u64::from(ns > CEILING_NS);
    }

    fn put(&mut self, ns: u64, count: u64) {
        self.buckets
            .record_n(ns.min(CEILING_NS), count)
            .expect("it grows to the ceiling");
    }

    /// Adds all that `other` holds. Exact, and the order does not matter.
    pub fn merge(&mut self, other: &Self) {
        self.buckets
            .add(&other.buckets)
            .expect("all histograms have the same buckets, and grow");
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.clipped += other.clipped;
    }

    /// Forgets everything and keeps the memory, but for that of a reach that nothing asked for since the last time: one
    /// bad second shall not cost memory for the rest of a run.
    pub fn clear(&mut self) {
        if self.max <= REACH_NS && self.buckets.high() > REACH_NS {
            *self = Self::new();
            return;
        }
        self.buckets.reset();
        self.sum = 0;
        self.min = u64::MAX;
        self.max = 0;
        self.clipped = 0;
    }

    /// How many times were added.
    pub fn count(&self) -> u64 {
        self.buckets.len()
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// How many were longer than an hour, and so are only bounds in the percentiles.
    pub fn clipped(&self) -> u64 {
        self.clipped
    }

    /// The exact sum in nanoseconds.
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// The exact smallest time in nanoseconds; `None` when empty.
    pub fn min(&self) -> Option<u64> {
        (!self.is_empty()).then_some(self.min)
    }

    /// The exact largest time in nanoseconds; `None` when empty.
    pub fn max(&self) -> Option<u64> {
        (!self.is_empty()).then_some(self.max)
    }

    /// The exact mean in nanoseconds; `None` when empty.
    pub fn mean(&self) -> Option<f64> {
        (!self.is_empty()).then(|| self.sum as f64 / self.count() as f64)
    }

    /// The time in nanoseconds that `percent` of all times do not exceed, within the stated precision
    /// and never outside of the exact minimum and maximum; `None` when empty.
    pub fn percentile(&self, percent: f64) -> Option<u64> {
        (!self.is_empty()).then(|| {
            self.buckets
                .value_at_quantile(percent / 100.0)
                .clamp(self.min, self.max)
        })
    }

    /// The whole distribution for a plot: `(quantile, nanoseconds, how many so far)`, in steps that get
    /// finer towards the end.
    pub fn quantiles(&self) -> Vec<(f64, u64, u64)> {
        let mut seen = 0;
        self.buckets
            .iter_quantiles(5)
            .map(|step| {
                seen += step.count_since_last_iteration();
                let value = step.value_iterated_to().clamp(self.min, self.max);
                (step.quantile(), value, seen)
            })
            .collect()
    }

    /// The buckets as the V2-deflate form of HdrHistogram, in base64.
    pub fn to_base64(&self) -> String {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&self.buckets, &mut bytes)
            .expect("writing to a vector does not fail");
        BASE64.encode(bytes)
    }

    /// Reads what [`Self::to_base64`] wrote. The exact sum, minimum and maximum are not part of that form:
    /// they stand beside it in `run.json`, and here they come from the buckets.
    ///
    /// # Errors
    /// When the text is not base64, or not a histogram.
    pub fn from_base64(text: &str) -> Result<Self, HistogramError> {
        let bytes = BASE64.decode(text)?;
        let buckets: hdrhistogram::Histogram<u64> = Deserializer::new()
            .deserialize(&mut bytes.as_slice())
            .map_err(HistogramError::Format)?;
        let mut histogram = Self::new();
        for step in buckets.iter_recorded() {
            let value = step.value_iterated_to();
            let count = step.count_at_value();
            histogram.put(value, count);
            histogram.sum += u128::from(value) * u128::from(count);
            histogram.min = histogram.min.min(value);
            histogram.max = histogram.max.max(value);
        }
        Ok(histogram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_one_knows_nothing() {
        let empty = Histogram::new();
        assert_eq!(empty.percentile(99.0), None);
        assert_eq!(empty.min(), None);
        assert_eq!(empty.max(), None);
        assert_eq!(empty.mean(), None);
        assert!(empty.quantiles().iter().all(|step| step.2 == 0));
    }

    #[test]
    fn longer_than_an_hour_is_clipped_and_said() {
        let mut histogram = Histogram::new();
        histogram.record(CEILING_NS * 3);
        assert_eq!(histogram.clipped(), 1);
        assert_eq!(histogram.max(), Some(CEILING_NS * 3));
        assert_eq!(histogram.count(), 1);
    }

    #[test]
    fn one_bad_second_costs_no_memory_for_ever() {
        let new = Histogram::new().buckets.distinct_values();
        let mut histogram = filled(&[1, CEILING_NS]);
        let grown = histogram.buckets.distinct_values();
        assert!(grown > 3 * new);
        // The next second may be as bad: only one that was not gives it back.
        histogram.clear();
        assert_eq!(histogram.buckets.distinct_values(), grown);
        histogram.record(REACH_NS);
        histogram.clear();
        assert_eq!(histogram.buckets.distinct_values(), new);
        assert_eq!(histogram, Histogram::new());
    }

    fn filled(times: &[u64]) -> Histogram {
        let mut histogram = Histogram::new();
        times.iter().for_each(|ns| histogram.record(*ns));
        histogram
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn merging_is_recording_together(
            a in prop::collection::vec(0u64..10_000_000_000, 0..50),
            b in prop::collection::vec(0u64..10_000_000_000, 0..50),
        ) {
            let mut ab = filled(&a);
            ab.merge(&filled(&b));
            let mut ba = filled(&b);
            ba.merge(&filled(&a));
            let together = filled(&[a, b].concat());
            prop_assert_eq!(&ab, &together);
            prop_assert_eq!(&ba, &together);
        }

        #[test]
        fn percentiles_are_those_of_the_sorted_list(
            mut times in prop::collection::vec(0u64..60_000_000_000, 1..300),
            percent in 0.1f64..100.0,
        ) {
            let histogram = filled(&times);
            times.sort_unstable();
            let rank = ((percent / 100.0 * times.len() as f64).ceil() as usize).clamp(1, times.len());
            let exact = times[rank - 1] as f64;
            let found = histogram.percentile(percent).unwrap() as f64;
            prop_assert!((found - exact).abs() <= (exact * 0.001).max(RESOLUTION_NS as f64), "{found} is not {exact}");
        }

        #[test]
        fn base64_keeps_the_buckets(times in prop::collection::vec(0u64..10_000_000_000, 0..50)) {
            let histogram = filled(&times);
            let again = Histogram::from_base64(&histogram.to_base64()).unwrap();
            prop_assert_eq!(&again.buckets, &histogram.buckets);
            prop_assert_eq!(again.count(), histogram.count());
        }
    }
}

//! A distribution of times: HDR buckets, plus the exact count, sum, minimum and maximum.
//! Nothing outside of this module uses hdrhistogram, which writes and reads the formats of such buckets.

mod buckets;
mod encoding;
mod packed;

use self::buckets::{Buckets, longest};
pub use self::encoding::{Encoded, HistogramError};

/// Values are distinguished to three significant digits, or to this many nanoseconds, whichever is coarser.
const RESOLUTION_NS: u64 = 64;
/// Longer times are recorded as this value and counted as clipped; minimum, maximum and sum stay exact.
const CEILING_NS: u64 = 3_600_000_000_000;
const DIGITS: u8 = 3;
/// The largest time that new buckets can hold; they grow when a longer time comes. Small buckets save time: all of
/// their memory is read when they are merged and cleared, once a second, and most never need to grow.
const REACH_NS: u64 = 4_000_000;
/// The most times that are kept as a list. More are put into buckets, whose memory does not depend on the count.
const LISTED: usize = 64;

/// A distribution of nanoseconds between 0 and an hour, with a relative error of at most 0.1 %.
///
/// All histograms have the same bucket limits, so that any two can be merged, and merging is exact.
///
/// A new histogram takes no memory. Up to 64 times take up to 1 KiB. More take 56 KiB, and up to 220 KiB if a time of
/// an hour is among them.
#[derive(Debug, Clone)]
pub struct Histogram {
    times: Times,
    sum: u128,
    min: u64,
    max: u64,
    clipped: u64,
}

/// The recorded times. Both forms give the same numbers.
#[derive(Debug, Clone)]
enum Times {
    /// Times up to the ceiling with their counts, in any order; a time may occur more than once.
    List(Vec<(u64, u64)>),
    Buckets(Buckets),
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

/// Compares the recorded times, not the form in which they are held.
impl PartialEq for Histogram {
    fn eq(&self, other: &Self) -> bool {
        let exact = |one: &Self| (one.sum, one.min, one.max, one.clipped);
        exact(self) == exact(other) && self.recorded() == other.recorded()
    }
}

impl Histogram {
    /// Creates an empty histogram.
    pub const fn new() -> Self {
        Self {
            times: Times::List(Vec::new()),
            sum: 0,
            min: u64::MAX,
            max: 0,
            clipped: 0,
        }
    }

    /// Adds one time, in nanoseconds.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        match &mut self.times {
            Times::Buckets(buckets) => buckets.put(ns.min(CEILING_NS), 1),
            Times::List(_) => self.put_listed(ns.min(CEILING_NS), 1),
        }
        self.sum += u128::from(ns);
        self.min = self.min.min(ns);
        self.max = self.max.max(ns);
        self.clipped += u64::from(ns > CEILING_NS);
    }

    fn put(&mut self, ns: u64, count: u64) {
        match &mut self.times {
            Times::Buckets(buckets) => buckets.put(ns, count),
            Times::List(_) => self.put_listed(ns, count),
        }
    }

    /// Not inlined, to keep it off the hot path of a message on a busy connection.
    #[cold]
    #[inline(never)]
    fn put_listed(&mut self, ns: u64, count: u64) {
        match &mut self.times {
            Times::List(list) if list.len() < LISTED => list.push((ns, count)),
            _ => self.make_buckets().put(ns, count),
        }
    }

    /// Moves the listed times into buckets.
    fn make_buckets(&mut self) -> &mut Buckets {
        if let Times::List(list) = &self.times {
            let mut all = Buckets::new();
            list.iter().for_each(|(ns, count)| all.put(*ns, *count));
            self.times = Times::Buckets(all);
        }
        match &mut self.times {
            Times::Buckets(buckets) => buckets,
            Times::List(_) => unreachable!("it was just replaced"),
        }
    }

    /// Adds everything in `other`. Exact, in any order.
    pub fn merge(&mut self, other: &Self) {
        match (&mut self.times, &other.times) {
            (Times::Buckets(mine), Times::Buckets(theirs)) => mine.add(theirs),
            (Times::List(mine), Times::Buckets(theirs)) => {
                let mine = std::mem::take(mine);
                self.times = Times::Buckets(theirs.clone());
                mine.iter().for_each(|(ns, count)| self.put(*ns, *count));
            }
            (_, Times::List(theirs)) => {
                theirs.iter().for_each(|(ns, count)| self.put(*ns, *count));
            }
        }
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.clipped += other.clipped;
    }

    /// Removes all times. Keeps memory only if the next second needs it when it is like the last one: frees buckets
    /// that held few times, and shrinks buckets that were larger than needed.
    pub fn clear(&mut self) {
        match &mut self.times {
            Times::List(list) => list.clear(),
            Times::Buckets(buckets) if buckets.total() <= LISTED as u64 => {
                self.times = Times::List(Vec::new());
            }
            Times::Buckets(buckets) if self.max <= REACH_NS => buckets.reset(),
            Times::Buckets(buckets) => buckets.clear(),
        }
        self.sum = 0;
        self.min = u64::MAX;
        self.max = 0;
        self.clipped = 0;
    }

    /// Returns the same histogram in as little memory as possible, for data that is kept and seldom changed.
    pub fn packed(mut self) -> Self {
        let times = self.recorded();
        let is_smaller = match &self.times {
            Times::List(_) => true,
            Times::Buckets(buckets) => times.len() * 2 < buckets.len(),
        };
        if is_smaller {
            self.times = Times::List(times);
        }
        self
    }

    /// The largest time of each bucket that is not empty, in nanoseconds, and the bucket's count, in ascending order.
    pub fn recorded(&self) -> Vec<(u64, u64)> {
        let list = match &self.times {
            Times::Buckets(buckets) => return buckets.recorded().collect(),
            Times::List(list) => list,
        };
        let mut times: Vec<(u64, u64)> = (list.iter())
            .map(|(ns, count)| (longest(*ns), *count))
            .collect();
        times.sort_unstable();
        times.dedup_by(|next, kept| {
            let is_same = next.0 == kept.0;
            kept.1 += if is_same { next.1 } else { 0 };
            is_same
        });
        times.shrink_to_fit();
        times
    }

    /// Sets the exact numbers in nanoseconds, which buckets round; `None` if they contradict the buckets. For what
    /// [`Self::from_base64`] decoded.
    pub fn with_exact(
        self,
        sum: u128,
        min: Option<u64>,
        max: Option<u64>,
        clipped: u64,
    ) -> Option<Self> {
        if self.is_empty() {
            let is_empty = (sum, min, max, clipped) == (0, None, None, 0);
            return is_empty.then_some(self);
        }
        let (min, max) = (min?, max?);
        let bucket = |ns: u64| longest(ns.min(CEILING_NS));
        let fits = bucket(min) == bucket(self.min) && bucket(max) == bucket(self.max);
        let is_ordered = min <= max && clipped <= self.count();
        let count = u128::from(self.count());
        let between = count * u128::from(min)..=count * u128::from(max);
        (fits && is_ordered && between.contains(&sum)).then_some(Self {
            sum,
            min,
            max,
            clipped,
            ..self
        })
    }

    /// The number of times that were added.
    pub fn count(&self) -> u64 {
        match &self.times {
            Times::List(list) => list.iter().map(|(_, count)| count).sum(),
            Times::Buckets(buckets) => buckets.total(),
        }
    }

    /// Whether no time was added.
    pub fn is_empty(&self) -> bool {
        match &self.times {
            Times::List(list) => list.is_empty(),
            Times::Buckets(buckets) => buckets.total() == 0,
        }
    }

    /// How many times were longer than an hour; percentiles count them as one hour.
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

    /// The time in nanoseconds that `percent` % of all times do not exceed, within the stated precision
    /// and never outside of the exact minimum and maximum; `None` when empty.
    pub fn percentile(&self, percent: f64) -> Option<u64> {
        (!self.is_empty()).then(|| self.at(percent / 100.0).clamp(self.min, self.max))
    }

    /// The end of the bucket that contains this quantile.
    fn at(&self, quantile: f64) -> u64 {
        let rank = (quantile.min(1.0) * self.count() as f64).ceil() as u64;
        let mut seen = 0;
        let mut reached = |(_, count): &(u64, u64)| {
            seen += count;
            seen >= rank.max(1)
        };
        let found = match &self.times {
            Times::Buckets(buckets) => buckets.recorded().find(reached),
            Times::List(list) => {
                let mut sorted = list.clone();
                sorted.sort_unstable();
                let found = sorted.into_iter().find(&mut reached);
                found.map(|(ns, count)| (longest(ns), count))
            }
        };
        found.map_or(self.max, |(end, _)| end)
    }

    /// How many times lie up to each of these limits in nanoseconds and above the one before, within the stated
    /// precision; at the end, how many lie above all of them. The limits ascend.
    pub fn parted(&self, limits: &[u64]) -> Vec<u64> {
        let ends = limits.iter().map(|limit| longest(*limit));
        let ends: Vec<u64> = ends.collect();
        let mut counts = vec![0; limits.len() + 1];
        for (ns, count) in self.recorded() {
            counts[ends.partition_point(|end| *end < ns)] += count;
        }
        counts
    }

    /// How many times were this long or longer, and their sum in nanoseconds, within the stated precision.
    pub fn at_least(&self, ns: u64) -> (u64, u64) {
        let long = self.recorded().into_iter().filter(|(time, _)| *time >= ns);
        long.fold((0, 0), |(count, sum), (time, times)| {
            (
                count + times,
                sum.saturating_add(time.saturating_mul(times)),
            )
        })
    }

    /// The whole distribution for a plot: `(quantile, nanoseconds, cumulative count)`, in steps that get
    /// finer towards the end.
    pub fn quantiles(&self) -> Vec<(f64, u64, u64)> {
        let mut seen = 0;
        hdr(&self.recorded())
            .iter_quantiles(5)
            .map(|step| {
                seen += step.count_since_last_iteration();
                let value = step.value_iterated_to().clamp(self.min, self.max);
                (step.quantile(), value, seen)
            })
            .collect()
    }
}

/// The same times in the form of the library.
fn hdr(times: &[(u64, u64)]) -> hdrhistogram::Histogram<u64> {
    let mut all = hdrhistogram::Histogram::new_with_bounds(RESOLUTION_NS, REACH_NS, DIGITS)
        .expect("the bounds are constants that hdrhistogram takes");
    all.auto(true);
    for (ns, count) in times {
        all.record_n(*ns, *count).expect("they grow to the ceiling");
    }
    all
}

#[cfg(test)]
mod tests;

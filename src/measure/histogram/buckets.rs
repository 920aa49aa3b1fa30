//! Counts of times in buckets: recording one is a shift and an addition, because it happens several times for every message.
//! The buckets are those of an HdrHistogram, whose formats have them.

use super::{DIGITS, REACH_NS, RESOLUTION_NS};

/// The bits of a time that its bucket does not tell apart, in the shortest octave.
const UNIT: u32 = RESOLUTION_NS.ilog2();
/// The bits that it tells apart: so many steps make a relative error of less than a thousandth.
const STEPS: u32 = 10;
/// The first octave ends here, in nanoseconds. It has twice as many buckets as each of the next, which end at twice the
/// time of the one before.
const FIRST: u64 = 1 << (UNIT + STEPS + 1);

const _: () = assert!(RESOLUTION_NS.is_power_of_two() && 1 << STEPS >= 10_u32.pow(DIGITS as u32));

/// How many times there are in each bucket.
#[derive(Debug, Clone)]
pub(super) struct Buckets {
    /// Whole octaves, from zero on.
    counts: Vec<u64>,
    total: u64,
}

impl Buckets {
    /// Makes empty buckets for times of an ordinary length; they grow when a longer one comes.
    pub(super) fn new() -> Self {
        Self {
            counts: vec![0; octaves(place(REACH_NS))],
            total: 0,
        }
    }

    /// Adds a time so often, which is not longer than the ceiling.
    #[inline]
    pub(super) fn put(&mut self, ns: u64, times: u64) {
        let place = place(ns);
        if place >= self.counts.len() {
            self.grow(octaves(place));
        }
        self.counts[place] += times;
        self.total += times;
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, buckets: usize) {
        self.counts.resize(buckets, 0);
    }

    /// Adds all counts of `other`.
    pub(super) fn add(&mut self, other: &Self) {
        if other.counts.len() > self.counts.len() {
            self.grow(other.counts.len());
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
    }

    /// Sets all counts to zero, and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.counts.fill(0);
        self.total = 0;
    }

    /// The same, and frees what was needed for longer times than ordinary ones.
    pub(super) fn reset(&mut self) {
        let ordinary = octaves(place(REACH_NS));
        if self.counts.len() > ordinary {
            self.counts = vec![0; ordinary];
        }
        self.clear();
    }

    /// Returns how many times were added.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Returns how many buckets there are, empty ones included.
    pub(super) fn len(&self) -> usize {
        self.counts.len()
    }

    /// Returns the longest time of each bucket that is not empty, and its count, in ascending order.
    pub(super) fn recorded(&self) -> impl Iterator<Item = (u64, u64)> {
        let counts = self.counts.iter().enumerate();
        let counts = counts.filter(|(_, count)| **count > 0);
        counts.map(|(place, count)| (end(place), *count))
    }
}

/// The longest time in the bucket of this one.
pub(super) fn longest(ns: u64) -> u64 {
    end(place(ns))
}

/// The bucket of a time.
#[inline]
fn place(ns: u64) -> usize {
    let octave = (ns | (FIRST - 1)).ilog2() - (UNIT + STEPS);
    (u64::from(octave << STEPS) + (ns >> (octave + UNIT))) as usize
}

/// The longest time in a bucket.
fn end(place: usize) -> u64 {
    let octave = (place >> STEPS).saturating_sub(1);
    let step = place - (octave << STEPS);
    ((step as u64 + 1) << (octave as u32 + UNIT)) - 1
}

/// How many buckets there are up to the end of the octave of this one.
fn octaves(place: usize) -> usize {
    ((place >> STEPS) + 1) << STEPS
}

#[cfg(test)]
mod tests {
    use super::super::{CEILING_NS, hdr};
    use super::*;
    use proptest::prelude::*;

    /// Times of every length alike.
    fn times() -> impl Strategy<Value = u64> {
        (0..=CEILING_NS.ilog2(), any::<u64>())
            .prop_map(|(bits, ns)| (ns >> (63 - bits)).min(CEILING_NS))
    }

    proptest! {
        /// Asks the library whose formats are read and written.
        #[test]
        fn a_time_has_the_bucket_of_an_hdr_histogram(ns in times()) {
            let ruler = hdr(&[]);
            prop_assert_eq!(longest(ns), ruler.highest_equivalent(ns));
            let mut buckets = Buckets::new();
            buckets.put(ns, 3);
            prop_assert_eq!(buckets.recorded().collect::<Vec<_>>(), [(longest(ns), 3)]);
        }

        #[test]
        fn buckets_lie_side_by_side(place in 0..place(CEILING_NS)) {
            prop_assert_eq!(super::place(end(place)), place);
            prop_assert_eq!(super::place(end(place) + 1), place + 1);
        }
    }
}

//! Tests histograms: memory, exactness, merging, encoding.

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
fn long_times_are_counted_and_summed() {
    let mut histogram = Histogram::new();
    for ns in [1_000, 2_000_000, 3_000_000] {
        histogram.record(ns);
    }
    let (count, sum) = histogram.at_least(1_000_000);
    assert_eq!(count, 2);
    assert!(sum.abs_diff(5_000_000) < 10_000, "{sum}");
    assert_eq!(histogram.at_least(4_000_000), (0, 0));
}

#[test]
fn longer_than_an_hour_is_clipped_and_said() {
    let mut histogram = Histogram::new();
    histogram.record(CEILING_NS * 3);
    assert_eq!(histogram.clipped(), 1);
    assert_eq!(histogram.max(), Some(CEILING_NS * 3));
    assert_eq!(histogram.count(), 1);
}

/// The number of buckets that memory is allocated for.
fn memory(histogram: &Histogram) -> usize {
    match &histogram.times {
        Times::List(_) => 0,
        Times::Buckets(buckets) => buckets.len(),
    }
}

#[test]
fn few_times_take_no_buckets() {
    let mut histogram = Histogram::new();
    for ns in 0..LISTED as u64 {
        histogram.record(ns * 1_000);
    }
    assert_eq!(memory(&histogram), 0);
    histogram.record(1);
    assert!(memory(&histogram) > 0);
    // The next second may be as busy, so the memory is freed only after a second that was not.
    histogram.clear();
    assert!(memory(&histogram) > 0);
    histogram.record(1);
    histogram.clear();
    assert_eq!(memory(&histogram), 0);
}

#[test]
fn one_bad_second_costs_no_memory_for_ever() {
    let busy = [1_000; LISTED + 1];
    let new = memory(&recorded(&busy));
    let mut histogram = recorded(&busy);
    histogram.record(CEILING_NS);
    let grown = memory(&histogram);
    assert!(grown > 3 * new);
    histogram.clear();
    assert_eq!(memory(&histogram), grown);
    histogram.merge(&recorded(&busy));
    histogram.clear();
    assert_eq!(memory(&histogram), new);
    assert_eq!(histogram, Histogram::new());
}

fn recorded(times: &[u64]) -> Histogram {
    let mut histogram = Histogram::new();
    times.iter().for_each(|ns| histogram.record(*ns));
    histogram
}

/// Generates few enough times for a list, and more.
fn many() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(0u64..10_000_000_000, 0..2 * LISTED)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn merging_is_recording_together(
        a in many(),
        b in many(),
    ) {
        let mut ab = recorded(&a);
        ab.merge(&recorded(&b));
        let mut ba = recorded(&b);
        ba.merge(&recorded(&a));
        let together = recorded(&[a, b].concat());
        prop_assert_eq!(&ab, &together);
        prop_assert_eq!(&ba, &together);
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_list(
        mut times in prop::collection::vec(0u64..60_000_000_000, 1..300),
        percent in 0.1f64..100.0,
    ) {
        let histogram = recorded(&times);
        times.sort_unstable();
        let rank = ((percent / 100.0 * times.len() as f64).ceil() as usize).clamp(1, times.len());
        let exact = times[rank - 1] as f64;
        let found = histogram.percentile(percent).unwrap() as f64;
        prop_assert!((found - exact).abs() <= (exact * 0.001).max(RESOLUTION_NS as f64), "{found} is not {exact}");
    }

    #[test]
    fn base64_keeps_the_buckets(times in many()) {
        let histogram = recorded(&times);
        let again = Histogram::from_base64(&histogram.to_base64()).unwrap();
        prop_assert_eq!(again.recorded(), histogram.recorded());
        prop_assert_eq!(again.count(), histogram.count());
    }

    /// Checks all three forms: list, buckets, packed.
    #[test]
    fn how_it_is_held_makes_no_difference(times in many(), percent in 0.0f64..=100.0) {
        let list = recorded(&times);
        let mut buckets = list.clone();
        buckets.make_buckets();
        for other in [&buckets, &list.clone().packed(), &buckets.clone().packed()] {
            prop_assert_eq!(&list, other);
            prop_assert_eq!(list.count(), other.count());
            prop_assert_eq!(list.percentile(percent), other.percentile(percent));
            prop_assert_eq!(list.quantiles(), other.quantiles());
            prop_assert_eq!(list.to_base64(), other.to_base64());
            let mut merged = other.clone();
            merged.merge(&list);
            prop_assert_eq!(merged, recorded(&[times.clone(), times.clone()].concat()));
        }
    }
}

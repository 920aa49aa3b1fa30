//! A course of times as one line of text.

/// One letter for each time in nanoseconds, as high as its logarithm is between those of the least and the greatest; a
/// space where there is none. Empty if there are fewer than two.
pub(super) fn sparkline(times: &[Option<u64>]) -> String {
    let seen = || times.iter().flatten().map(|ns| (*ns).max(1) as f64);
    if seen().count() < 2 {
        return String::new();
    }
    let low = seen().fold(f64::INFINITY, f64::min).ln();
    let high = seen().fold(0.0, f64::max).ln();
    let bar = |ns: &u64| {
        let share = ((*ns).max(1) as f64).ln() - low;
        let share = share / (high - low).max(f64::MIN_POSITIVE);
        ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'][(share * 7.0).round() as usize]
    };
    times
        .iter()
        .map(|ns| ns.as_ref().map_or(' ', bar))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_follow_the_logarithm() {
        let times = [Some(100), Some(1_000), None, Some(10_000), Some(0)];
        assert_eq!(sparkline(&times), "▅▆ █▁");
        assert_eq!(sparkline(&[Some(7), Some(7)]), "▁▁");
        assert_eq!(sparkline(&[Some(7), None]), "");
    }
}

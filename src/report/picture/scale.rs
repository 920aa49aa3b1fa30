//! From values to pixels, and which values deserve a mark on the axis. Every scale is monotone, and no value leaves it.

/// Maps a range of values to a range of pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    shape: Shape,
    /// The values at its two ends; as logarithms on a logarithmic scale.
    domain: (f64, f64),
    /// The pixels at its two ends.
    range: (f64, f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Linear,
    Log,
}

impl Scale {
    /// Equal differences get equal room. The domain must be finite.
    pub(super) fn linear(domain: (f64, f64), range: (f64, f64)) -> Self {
        Self {
            shape: Shape::Linear,
            domain,
            range,
        }
    }

    /// Equal ratios get equal room. The domain must be finite and above zero.
    pub(super) fn log((from, to): (f64, f64), range: (f64, f64)) -> Self {
        let domain = (from.log10(), to.log10());
        Self {
            shape: Shape::Log,
            domain,
            range,
        }
    }

    /// The pixel of a value; beyond the ends it is that of the end, so that zero is the lower end of a logarithmic
    /// scale. What is no number is at the lower end, too.
    pub(super) fn at(&self, value: f64) -> f64 {
        let value = match self.shape {
            Shape::Linear => value,
            Shape::Log => value.max(f64::MIN_POSITIVE).log10(),
        };
        let share = (value - self.domain.0) / (self.domain.1 - self.domain.0);
        // Not `clamp`: what is no number goes to the lower end.
        let share = if share > 0.0 { share.min(1.0) } else { 0.0 };
        self.range.0 + share * (self.range.1 - self.range.0)
    }

    /// The pixels at its two ends.
    pub(super) fn range(&self) -> (f64, f64) {
        self.range
    }
}

/// The largest of 1, 2, 5, 10, 20, 50 … that is not above the value, which must be above zero.
fn step_below(value: f64) -> f64 {
    let decade = 10f64.powi(value.log10().floor() as i32 - 1);
    let steps = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0];
    let fits = steps.iter().rev().map(|step| step * decade);
    let mut below = fits.filter(|step| *step <= value * (1.0 + 1e-9));
    below.next().unwrap_or(decade)
}

/// The next of 1, 2, 5, 10 … above a step.
fn step_after(step: f64) -> f64 {
    step_below(step * 2.6)
}

/// The least and the greatest value of any logarithmic axis.
const LEAST: f64 = 1e-6;
const MOST: f64 = 1e21;

/// The ends of a logarithmic axis: the step at or below the least value above zero, and that at or above the greatest.
/// They are at least a decade apart where `least` and `most` are (nearly) equal, so that a flat line has room.
/// Values that are not above zero are left out; without any the axis is 1 to 10.
pub(super) fn log_ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let positive = values.filter(|value| *value > 0.0 && value.is_finite());
    let positive = positive.map(|value| value.clamp(LEAST, MOST));
    let ends = positive.fold(None, |ends: Option<(f64, f64)>, value| match ends {
        None => Some((value, value)),
        Some((least, most)) => Some((least.min(value), most.max(value))),
    });
    let Some((least, most)) = ends else {
        return (1.0, 10.0);
    };
    let (mut from, mut to) = (step_below(least), step_below(most));
    while to < most * (1.0 - 1e-9) {
        to = step_after(to);
    }
    while to / from < 9.9 {
        to = step_after(to);
        if to / from < 9.9 {
            from = step_below(from * 0.99);
        }
    }
    (from, to)
}

/// The marks of an upright logarithmic axis: its 1-2-5 steps where these are at most seven, else its decades, and of
/// these only as many as seven at equal distances.
pub(super) fn log_ticks(ends: (f64, f64)) -> Vec<f64> {
    log_ticks_at_most(7, ends)
}

/// The same with another number than seven, for an axis with more room.
pub(super) fn log_ticks_at_most(most: usize, (from, to): (f64, f64)) -> Vec<f64> {
    let first = (from.log10() - 1e-9).ceil() as i32;
    let last = (to.log10() + 1e-9).floor() as i32;
    let inside = |value: &f64| *value >= from * (1.0 - 1e-9) && *value <= to * (1.0 + 1e-9);
    let steps = (first - 1..=last).flat_map(|e| [1.0, 2.0, 5.0].map(|step| step * 10f64.powi(e)));
    let steps: Vec<f64> = steps.filter(inside).collect();
    if steps.len() <= most {
        return steps;
    }
    let decades = (last - first + 1).max(1) as usize;
    let every = decades.div_ceil(most);
    (first..=last)
        .step_by(every)
        .map(|e| 10f64.powi(e))
        .collect()
}

/// How the steps of a linear axis are rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    /// 1, 2, 2.5, 5, 10 …
    Decimal,
    /// The same without fractions: there is no half of a connection.
    Whole,
    /// Powers of two, for bytes.
    Binary,
}

/// The marks of a linear axis from zero to the first step at or above `most`: two to five of them, zero among them.
pub(super) fn linear_ticks(most: f64, rounding: Rounding) -> Vec<f64> {
    const INTERVALS: f64 = 4.0;
    let most = if most > 0.0 { most.min(1e300) } else { 1.0 };
    let step = match rounding {
        Rounding::Binary => 2f64.powi((most / INTERVALS).log2().ceil().max(0.0) as i32),
        _ => {
            let decade = 10f64.powi((most / INTERVALS).log10().floor() as i32);
            let mut steps = [1.0, 2.0, 2.5, 5.0, 10.0]
                .map(|step| step * decade)
                .into_iter();
            let fits = |step: &f64| {
                let whole = rounding == Rounding::Decimal || (*step >= 1.0 && step.fract() == 0.0);
                whole && step * INTERVALS >= most * (1.0 - 1e-9)
            };
            steps.find(fits).unwrap_or_else(|| (10.0 * decade).max(1.0))
        }
    };
    let intervals = (most / step - 1e-9).ceil().max(1.0) as u32;
    (0..=intervals).map(|i| f64::from(i) * step).collect()
}

/// Seconds between marks of the axis of a run.
const STEPS_OF_TIME: [f64; 19] = [
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0,
    7_200.0, 14_400.0, 43_200.0, 86_400.0,
];

/// The marks of the axis of a run, in seconds: at most twelve, inside of it.
pub(super) fn time_ticks((from, to): (f64, f64)) -> Vec<f64> {
    const MOST: f64 = 11.0;
    let fits = STEPS_OF_TIME
        .into_iter()
        .find(|step| (to - from) / step <= MOST);
    let step = fits.unwrap_or_else(|| {
        let days = (to - from) / MOST / 86_400.0;
        86_400.0 * 2f64.powi(days.log2().ceil() as i32)
    });
    multiples(step, (from, to))
}

/// Round marks inside of a span that need not begin at zero: steps of 1-2-5, at most `most` intervals.
pub(super) fn span_ticks((from, to): (f64, f64), most: f64) -> Vec<f64> {
    let least = (to - from) / most;
    let mut step = step_below(least);
    while step < least * (1.0 - 1e-9) {
        step = step_after(step);
    }
    multiples(step, (from, to))
}

/// The multiples of a step inside of a span; no more than a picture holds.
fn multiples(step: f64, (from, to): (f64, f64)) -> Vec<f64> {
    let first = (from / step - 1e-9).ceil();
    let multiples = (0..64).map(|i| (first + f64::from(i)) * step);
    multiples
        .take_while(|value| *value <= to + step * 1e-9)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_the_steps_around_the_values() {
        let ends = |values: &[f64]| log_ends(values.iter().copied());
        let near = |(a, b): (f64, f64), (c, d): (f64, f64)| {
            (a / c - 1.0).abs() < 1e-6 && (b / d - 1.0).abs() < 1e-6
        };
        assert!(near(ends(&[46_000.0, 786e6]), (20_000.0, 1e9)));
        assert!(near(ends(&[0.0, 1_000.0, 99_000.0]), (1_000.0, 100_000.0)));
        assert!(near(ends(&[]), (1.0, 10.0)));
        let (from, to) = ends(&[50.0]);
        assert!(from < 50.0 && to > 50.0 && to / from >= 9.9, "{from} {to}");
    }

    #[test]
    fn few_marks_on_a_logarithmic_axis() {
        assert_eq!(
            log_ticks((1.0, 100.0)),
            [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]
        );
        assert_eq!(log_ticks((20.0, 10_000.0)), [100.0, 1_000.0, 10_000.0]);
        assert!(log_ticks((1.0, 1e19)).len() <= 7);
    }

    #[test]
    fn a_linear_axis_begins_at_zero() {
        assert_eq!(
            linear_ticks(616.0, Rounding::Whole),
            [0.0, 200.0, 400.0, 600.0, 800.0]
        );
        assert_eq!(
            linear_ticks(8_019.0, Rounding::Decimal),
            [0.0, 2_500.0, 5_000.0, 7_500.0, 10_000.0]
        );
        assert_eq!(linear_ticks(1.0, Rounding::Whole), [0.0, 1.0]);
        assert_eq!(linear_ticks(0.0, Rounding::Whole), [0.0, 1.0]);
        assert_eq!(
            linear_ticks(3.0 * 1024.0, Rounding::Binary),
            [0.0, 1024.0, 2048.0, 3072.0]
        );
    }

    #[test]
    fn the_axis_of_a_run_has_at_most_twelve_marks() {
        assert_eq!(time_ticks((0.0, 26.0)), [0.0, 5.0, 10.0, 15.0, 20.0, 25.0]);
        assert_eq!(time_ticks((0.0, 720.0)).len(), 7);
        for seconds in 1..200_000 {
            assert!(
                time_ticks((0.0, f64::from(seconds))).len() <= 12,
                "{seconds} s"
            );
        }
    }

    #[test]
    fn a_span_has_round_marks_inside() {
        assert_eq!(span_ticks((0.86e9, 2.76e9), 5.0), [1e9, 1.5e9, 2e9, 2.5e9]);
    }
}

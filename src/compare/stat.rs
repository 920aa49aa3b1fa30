//! How far two versions differ, and how far that may be off: intervals by Student's t.

use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};

/// How sure each end of an interval is: the truth lies beyond it one time in a hundred.
pub const CONFIDENCE: f64 = 0.99;

/// The fewest sessions of the past that decide.
pub const FEWEST_SESSIONS: usize = 5;

/// The fewest pairs that decide.
pub const FEWEST_PAIRS: usize = 4;

/// The difference of two versions, with how far it may be off. Of logarithms, where values are compared as ratios.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The new value less that of the past.
    pub by: f64,
    /// Half of the width of the interval around it. Not negative.
    pub half: f64,
}

impl Difference {
    /// The lower end of the interval.
    pub fn lo(self) -> f64 {
        self.by - self.half
    }

    /// The upper end of the interval.
    pub fn hi(self) -> f64 {
        self.by + self.half
    }

    /// The smallest difference that could have been seen: what is smaller is hidden by the noise.
    pub fn visible(self) -> f64 {
        2.0 * self.half
    }
}

/// The difference of the mean of new sessions, mostly one, from those of the past. How far sessions differ is taken from
/// the past alone. `None` with fewer than two sessions of the past, whose spread is unknown, and with none that is new.
pub fn from_history(base: &[f64], new: &[f64]) -> Option<Difference> {
    if base.len() < 2 || new.is_empty() {
        return None;
    }
    let (past, here) = (base.len() as f64, new.len() as f64);
    let t = t_quantile(CONFIDENCE, base.len() as u32 - 1);
    Some(Difference {
        by: mean(new) - mean(base),
        half: t * deviation(base) * (1.0 / here + 1.0 / past).sqrt(),
    })
}

/// The mean of the differences of pairs, each of which was measured side by side. `None` with fewer than two.
pub fn from_pairs(differences: &[f64]) -> Option<Difference> {
    if differences.len() < 2 {
        return None;
    }
    let t = t_quantile(CONFIDENCE, differences.len() as u32 - 1);
    Some(Difference {
        by: mean(differences),
        half: t * deviation(differences) / (differences.len() as f64).sqrt(),
    })
}

/// The arithmetic mean; not a number where there is no value.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The value in the middle, or the mean of the two there; `None` where there is no value.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    Some(match sorted.len() % 2 {
        0 => f64::midpoint(sorted[sorted.len() / 2 - 1], upper),
        _ => upper,
    })
}

/// The standard deviation of which these are a sample; needs two values.
pub(super) fn deviation(values: &[f64]) -> f64 {
    let middle = mean(values);
    let squares = values.iter().map(|value| (value - middle).powi(2));
    (squares.sum::<f64>() / (values.len() as f64 - 1.0)).sqrt()
}

/// The value below which a `t` of so many degrees of freedom lies with probability `p`, from 0.5 up to, but not with, 1.
/// At least one degree.
///
/// Finds it by bisection in the distribution, which is a finite sum for whole degrees of freedom: Abramowitz and Stegun,
/// *Handbook of Mathematical Functions*, 26.7.3 and 26.7.4.
pub fn t_quantile(p: f64, degrees: u32) -> f64 {
    let wanted = 2.0 * p - 1.0;
    let (mut lo, mut hi) = (0.0, FRAC_PI_2);
    for _ in 0..64 {
        let middle = f64::midpoint(lo, hi);
        match within(middle, degrees) < wanted {
            true => lo = middle,
            false => hi = middle,
        }
    }
    f64::from(degrees).sqrt() * lo.tan()
}

/// The probability that `|t|` is at most `√degrees · tan(angle)`.
fn within(angle: f64, degrees: u32) -> f64 {
    let (sin, cos) = angle.sin_cos();
    let is_odd = degrees % 2 == 1;
    // Terms are powers of the cosine: from 1 on for odd degrees, from 0 on for even ones, in steps of 2.
    let mut term = if is_odd { cos } else { 1.0 };
    let mut power = u32::from(is_odd);
    let mut sum = 0.0;
    while power + 2 <= degrees {
        sum += term;
        let next = f64::from(power + 1) / f64::from(power + 2);
        term *= next * cos * cos;
        power += 2;
    }
    match is_odd {
        true => FRAC_2_PI * (angle + sin * sum),
        false => sin * sum,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Degrees of freedom, and the quantiles of 0.95, 0.975, 0.99, 0.995: NIST/SEMATECH e-Handbook of Statistical
    /// Methods, 1.3.6.7.2.
    const TABLE: [(u32, [f64; 4]); 14] = [
        (1, [6.314, 12.706, 31.821, 63.657]),
        (2, [2.920, 4.303, 6.965, 9.925]),
        (3, [2.353, 3.182, 4.541, 5.841]),
        (4, [2.132, 2.776, 3.747, 4.604]),
        (5, [2.015, 2.571, 3.365, 4.032]),
        (6, [1.943, 2.447, 3.143, 3.707]),
        (7, [1.895, 2.365, 2.998, 3.499]),
        (8, [1.860, 2.306, 2.896, 3.355]),
        (9, [1.833, 2.262, 2.821, 3.250]),
        (10, [1.812, 2.228, 2.764, 3.169]),
        (15, [1.753, 2.131, 2.602, 2.947]),
        (19, [1.729, 2.093, 2.539, 2.861]),
        (30, [1.697, 2.042, 2.457, 2.750]),
        (100, [1.660, 1.984, 2.364, 2.626]),
    ];

    #[test]
    fn quantiles_are_those_of_the_table() {
        for (degrees, row) in TABLE {
            for (p, wanted) in [0.95, 0.975, 0.99, 0.995].into_iter().zip(row) {
                let found = t_quantile(p, degrees);
                assert!((found - wanted).abs() < 6e-4, "t({p}, {degrees}) = {found}");
            }
        }
        assert!(t_quantile(0.5, 7).abs() < 1e-12);
        assert!(
            (t_quantile(0.99, 100_000) - 2.326_348).abs() < 1e-4,
            "as the normal"
        );
    }

    #[test]
    fn an_interval_is_what_the_formulas_say() {
        // The mean is 3, the deviation √2.5.
        let past = from_history(&[1.0, 2.0, 3.0, 4.0, 5.0], &[4.0]).unwrap();
        assert_eq!(past.by, 1.0);
        let half = t_quantile(0.99, 4) * 2.5f64.sqrt() * 1.2f64.sqrt();
        assert!((past.half - half).abs() < 1e-12, "{past:?}");
        assert_eq!(past.visible(), 2.0 * past.half);

        let pairs = from_pairs(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert_eq!(pairs.by, 3.0);
        let half = t_quantile(0.99, 4) * 0.5f64.sqrt();
        assert!((pairs.half - half).abs() < 1e-12, "{pairs:?}");
    }

    #[test]
    fn without_a_spread_there_is_no_interval() {
        assert_eq!(from_history(&[1.0], &[1.0]), None);
        assert_eq!(from_history(&[1.0, 2.0], &[]), None);
        assert_eq!(from_pairs(&[1.0]), None);
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0]), Some(2.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
    }

    proptest! {
        #[test]
        fn quantiles_grow_with_confidence_and_shrink_with_degrees(p in 0.51..0.998, degrees in 1u32..200) {
            prop_assert!(t_quantile(p + 0.001, degrees) > t_quantile(p, degrees));
            prop_assert!(t_quantile(p, degrees + 1) < t_quantile(p, degrees));
        }

        /// What all sessions have in common, such as another unit, changes no difference.
        #[test]
        fn a_common_factor_changes_nothing(
            base in prop::collection::vec(0.1f64..10.0, 2..12),
            new in 0.1f64..10.0,
            factor in 0.1f64..10.0,
        ) {
            let ln = |factor: f64| -> Vec<f64> { base.iter().map(|one| (one * factor).ln()).collect() };
            let one = from_history(&ln(1.0), &[new.ln()]).unwrap();
            let other = from_history(&ln(factor), &[(new * factor).ln()]).unwrap();
            prop_assert!((one.by - other.by).abs() < 1e-9 && (one.half - other.half).abs() < 1e-9);
            prop_assert!(one.lo() <= one.by && one.by <= one.hi());
        }
    }
}

//! The range of a search, and how many probes it takes.

/// The most probes of a search, whatever they say.
pub const MAX_PROBES: usize = 40;

/// The range of a search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    from: u64,
    to: u64,
    precision: f64,
}

/// A range that cannot be searched. Fits after "failed to".
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// It begins at nothing.
    #[error("search from 0: there is nothing to probe\nhint: write `--from 1`, or more")]
    Zero,
    /// It is empty.
    #[error(
        "search from {from} to {to}: there is nothing between\nhint: write a `--to` that is not below `--from`"
    )]
    Empty {
        /// Its beginning.
        from: u64,
        /// Its end.
        to: u64,
    },
    /// The most that is asked for can never be found.
    #[error("search for at least {least}: the search ends at {to}\nhint: write a higher `--to`")]
    Beyond {
        /// What is asked for.
        least: u64,
        /// The end of the range.
        to: u64,
    },
}

impl Plan {
    /// Finer than that, the noise of a machine decides.
    pub const FINEST: f64 = 0.01;
    /// Coarser than that, a search says no more than its doublings.
    pub const COARSEST: f64 = 1.0;
    /// Values above are those of no machine.
    pub const HIGHEST: u64 = 10_000_000;

    /// A range from `from` to `to`, both included; the end is at most [`Plan::HIGHEST`], and `precision` from
    /// [`Plan::FINEST`] to [`Plan::COARSEST`].
    ///
    /// # Errors
    /// The range is empty, or `least`, which the result is to reach, lies above it.
    pub fn new(from: u64, to: u64, precision: f64, least: Option<u64>) -> Result<Self, PlanError> {
        let to = to.min(Self::HIGHEST);
        match least {
            _ if from == 0 => Err(PlanError::Zero),
            _ if from > to => Err(PlanError::Empty { from, to }),
            Some(least) if least > to => Err(PlanError::Beyond { least, to }),
            _ => Ok(Self {
                from,
                to,
                precision: precision.clamp(Self::FINEST, Self::COARSEST),
            }),
        }
    }

    /// The first value.
    pub fn from(&self) -> u64 {
        self.from
    }

    /// The last value; none above is probed.
    pub fn to(&self) -> u64 {
        self.to
    }

    /// About how many probes it takes where each value clearly holds or clearly breaks.
    pub fn expected(&self) -> usize {
        let mut doublings = 1;
        let mut value = self.from;
        while value < self.to {
            value = self.doubled(value);
            doublings += 1;
        }
        let bisections = (2f64.ln() / (1.0 + self.precision).ln()).log2().ceil();
        // One more confirms what held.
        (doublings + bisections.max(0.0) as usize + 1).min(MAX_PROBES)
    }

    /// Twice a value, but not above the end.
    pub(super) fn doubled(&self, value: u64) -> u64 {
        value.saturating_mul(2).min(self.to)
    }

    /// The value to try between one that held and one that did not: the roundest near their geometric middle. `None` if
    /// they are as close as was asked for, or nothing lies between.
    pub(super) fn between(&self, lo: u64, hi: u64) -> Option<u64> {
        let ratio = hi as f64 / lo as f64;
        if hi <= lo.saturating_add(1) || ratio <= 1.0 + self.precision {
            return None;
        }
        let middle = (lo as f64 * hi as f64).sqrt();
        (2..=20)
            .map(|digits| rounded(middle, digits))
            .find(|value| lo < *value && *value < hi)
            .or(Some(lo + (hi - lo) / 2))
    }
}

/// A value with so many significant digits.
fn rounded(value: f64, digits: i32) -> u64 {
    let magnitude = value.log10().floor() as i32;
    let unit = 10f64.powi((magnitude + 1 - digits).max(0));
    ((value / unit).round() * unit) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_as_round_as_the_precision_allows() {
        let plan = Plan::new(1, 100_000, 0.05, None).unwrap();
        assert_eq!(plan.between(6_400, 12_800), Some(9_100));
        assert_eq!(plan.between(100, 110), Some(105));
        assert_eq!(plan.between(100, 105), None, "it is close enough");
        assert_eq!(plan.between(1, 2), None, "nothing lies between");
        assert_eq!(plan.between(2, 4), Some(3));
    }

    #[test]
    fn a_range_has_a_beginning_and_an_end() {
        assert_eq!(Plan::new(0, 5, 0.05, None), Err(PlanError::Zero));
        assert_eq!(
            Plan::new(9, 5, 0.05, None),
            Err(PlanError::Empty { from: 9, to: 5 })
        );
        assert_eq!(
            Plan::new(1, 5, 0.05, Some(6)),
            Err(PlanError::Beyond { least: 6, to: 5 })
        );
        // 100, 200 … 12,800, 20,000 are nine; four halve a doubling to 5 %; one confirms.
        let plan = Plan::new(100, 20_000, 0.05, None).unwrap();
        assert_eq!(plan.expected(), 14);
    }
}

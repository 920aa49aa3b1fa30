//! How often the kernel kept this process from running.

/// What the kernel has counted for a group with a limit of processor time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttled {
    /// Periods of the limit in which something ran.
    pub periods: u64,
    /// Those in which it was used up.
    pub throttled: u64,
}

impl Throttled {
    /// What was counted since an earlier reading.
    pub fn since(self, before: Self) -> Self {
        Self {
            periods: self.periods.saturating_sub(before.periods),
            throttled: self.throttled.saturating_sub(before.throttled),
        }
    }
}

//! How often the kernel throttled this process.

/// The kernel's counters of a control group with a limit of processor time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttled {
    /// The periods of the limit in which a process of the group ran.
    pub periods: u64,
    /// The periods in which the limit was reached.
    pub throttled: u64,
}

impl Throttled {
    /// The difference to an earlier reading.
    pub fn since(self, before: Self) -> Self {
        Self {
            periods: self.periods.saturating_sub(before.periods),
            throttled: self.throttled.saturating_sub(before.throttled),
        }
    }
}

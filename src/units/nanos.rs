//! Points and lengths of time within a run, in nanoseconds. Two types, so that the compiler tells them apart.
//! Each is a bare `u64`: they are computed with several times for each message.

use std::ops::{Add, AddAssign, Div, Mul};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// A point in time: nanoseconds since the origin of its clock, which is the first dial of a run, the start of the relay
/// on the path, and the open of a connection of the probe. Serialises as that number.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[repr(transparent)]
pub struct Timestamp(u64);

/// A length of time in nanoseconds. Serialises as that number.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[repr(transparent)]
pub struct Nanos(pub u64);

impl Timestamp {
    /// The origin itself.
    pub const ORIGIN: Self = Self(0);

    /// Later than all times: what is due then is not due at all.
    pub const NEVER: Self = Self(u64::MAX);

    /// The time this many nanoseconds after the origin.
    #[inline]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The time of an instant on the clock that began at `origin`; the origin itself for an earlier instant.
    #[inline]
    pub fn of(instant: Instant, origin: Instant) -> Self {
        Self::ORIGIN + instant.saturating_duration_since(origin).into()
    }

    /// The nanoseconds since the origin.
    #[inline]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The seconds since the origin.
    #[inline]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The length from `earlier` to this time; zero if `earlier` is later.
    #[inline]
    pub const fn saturating_since(self, earlier: Self) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }

    /// The length from `earlier` to this time; `None` if `earlier` is later.
    #[inline]
    pub fn checked_since(self, earlier: Self) -> Option<Nanos> {
        self.0.checked_sub(earlier.0).map(Nanos)
    }

    /// The length between both times, whichever is earlier.
    #[inline]
    pub const fn abs_diff(self, other: Self) -> Nanos {
        Nanos(self.0.abs_diff(other.0))
    }

    /// The time this much later, [`Self::NEVER`] at most.
    #[inline]
    pub const fn saturating_add(self, nanos: Nanos) -> Self {
        Self(self.0.saturating_add(nanos.0))
    }

    /// The time this much earlier, [`Self::ORIGIN`] at least.
    #[inline]
    pub const fn saturating_sub(self, nanos: Nanos) -> Self {
        Self(self.0.saturating_sub(nanos.0))
    }
}

impl Add<Nanos> for Timestamp {
    type Output = Self;

    #[inline]
    fn add(self, nanos: Nanos) -> Self {
        Self(self.0 + nanos.0)
    }
}

impl Nanos {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// Five centuries: no limit.
    pub const MAX: Self = Self(u64::MAX);

    /// A length of this many milliseconds.
    #[inline]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000_000)
    }

    /// A length of this many seconds.
    #[inline]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds * 1_000_000_000)
    }

    /// The number of seconds.
    #[inline]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The sum, limited to five centuries.
    #[inline]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference; zero if `other` is longer.
    #[inline]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// This length several times, limited to five centuries.
    #[inline]
    pub const fn saturating_mul(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }

    /// A part or a multiple of this length, in whole nanoseconds; zero if `factor` is negative.
    #[inline]
    pub fn mul_f64(self, factor: f64) -> Self {
        Self((self.0 as f64 * factor) as u64)
    }
}

/// Limited to five centuries.
impl From<Duration> for Nanos {
    #[inline]
    fn from(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Nanos> for Duration {
    #[inline]
    fn from(nanos: Nanos) -> Self {
        Self::from_nanos(nanos.0)
    }
}

impl Add for Nanos {
    type Output = Self;

    #[inline]
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Nanos {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Mul<u64> for Nanos {
    type Output = Self;

    #[inline]
    fn mul(self, times: u64) -> Self {
        Self(self.0 * times)
    }
}

impl Mul<Nanos> for u64 {
    type Output = Nanos;

    #[inline]
    fn mul(self, nanos: Nanos) -> Nanos {
        nanos * self
    }
}

impl Div<u64> for Nanos {
    type Output = Self;

    #[inline]
    fn div(self, parts: u64) -> Self {
        Self(self.0 / parts)
    }
}

/// How many times the other length fits into this one.
impl Div for Nanos {
    type Output = u64;

    #[inline]
    fn div(self, other: Self) -> u64 {
        self.0 / other.0
    }
}

/// The time this long after the origin.
#[cfg(test)]
pub(crate) const fn after(nanos: Nanos) -> Timestamp {
    Timestamp(nanos.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Nanos = Nanos::from_millis(1);

    #[test]
    fn points_and_lengths_keep_within_their_limits() {
        let time = Timestamp::ORIGIN + 5 * MS;
        assert_eq!(time.saturating_since(Timestamp::ORIGIN + 2 * MS), 3 * MS);
        assert_eq!(Timestamp::ORIGIN.saturating_since(time), Nanos::ZERO);
        assert_eq!(Timestamp::ORIGIN.checked_since(time), None);
        assert_eq!(time.saturating_sub(6 * MS), Timestamp::ORIGIN);
        assert_eq!(Timestamp::NEVER.saturating_add(MS), Timestamp::NEVER);
        assert_eq!(7 * MS / (2 * MS), 3);
        assert_eq!(MS.mul_f64(0.5), Nanos(500_000));
        assert_eq!(MS.mul_f64(-1.0), Nanos::ZERO);
    }

    #[test]
    fn a_length_is_a_duration_and_back() {
        assert_eq!(Duration::from(MS), Duration::from_millis(1));
        assert_eq!(Nanos::from(Duration::from_millis(1)), MS);
        assert_eq!(Nanos::from(Duration::MAX), Nanos(u64::MAX));
    }

    #[test]
    fn both_serialise_as_bare_numbers() {
        let pair = (Some(Timestamp::from_nanos(7)), MS);
        let text = serde_json::to_string(&pair).unwrap();
        assert_eq!(text, "[7,1000000]");
        assert_eq!(
            serde_json::from_str::<(Option<Timestamp>, Nanos)>(&text).unwrap(),
            pair
        );
    }
}

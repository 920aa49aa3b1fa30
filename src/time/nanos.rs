//! The unit of all times within a run.

/// Nanoseconds since the first dial.
pub type Nanos = u64;

/// Converts a duration to nanoseconds; one of more than five centuries is limited to `Nanos::MAX`.
pub fn nanos(duration: std::time::Duration) -> Nanos {
    Nanos::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX)
}

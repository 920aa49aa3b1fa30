//! The unit of all times inside of a run.

/// Nanoseconds since the first dial.
pub type Nanos = u64;

/// A duration in nanoseconds; one of more than five centuries is cut there.
pub fn nanos(duration: std::time::Duration) -> Nanos {
    Nanos::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX)
}

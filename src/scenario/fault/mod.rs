//! Deliberate faults of the clients, the path and the target. Each has a file with the keys that are read, the
//! defaults, what is refused, and how the fault is shown.

mod clash;
mod client;
mod client_table;

use std::fmt::{self, Formatter};
use std::time::Duration;

pub(super) use clash::with_cohort;
pub use client::{Activity, Fault, FaultKind, Illegal, Sweep};
pub(super) use client_table::{FaultTable, faults};

use crate::units::format_duration;

/// Writes ` for 3s`, or nothing without a duration.
pub(super) fn shown_for(f: &mut Formatter<'_>, lasts: Option<Duration>) -> fmt::Result {
    lasts.map_or(Ok(()), |lasts| write!(f, " for {}", format_duration(lasts)))
}

/// Writes ` after 5s`, or nothing for a fault that starts at the beginning.
pub(super) fn shown_after(f: &mut Formatter<'_>, after: Option<Duration>) -> fmt::Result {
    match after {
        Some(after) if !after.is_zero() => write!(f, " after {}", format_duration(after)),
        _ => Ok(()),
    }
}

/// Joins words as in `1000 or 1001`.
pub(super) fn alternatives(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(" or ")
}

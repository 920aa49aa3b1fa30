//! What goes wrong on purpose: at the clients, on the path, and at the target. One file for each, with the keys that are
//! read, the defaults, what is refused, and how it is shown.

mod clash;
mod client;
mod client_table;

use std::fmt::{self, Formatter};
use std::time::Duration;

pub(super) use clash::with_cohort;
pub use client::{Activity, Fault, FaultKind, Illegal, Sweep};
pub(super) use client_table::{FaultTable, faults};

use crate::units::format_duration;

/// ` for 3s`.
pub(super) fn shown_for(f: &mut Formatter<'_>, lasts: Option<Duration>) -> fmt::Result {
    lasts.map_or(Ok(()), |lasts| write!(f, " for {}", format_duration(lasts)))
}

/// ` after 5s`; nothing at the beginning.
pub(super) fn shown_after(f: &mut Formatter<'_>, after: Option<Duration>) -> fmt::Result {
    match after {
        Some(after) if !after.is_zero() => write!(f, " after {}", format_duration(after)),
        _ => Ok(()),
    }
}

/// `1000 or 1001`.
pub(super) fn alternatives(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(" or ")
}

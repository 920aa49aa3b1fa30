//! Deliberate faults of the clients, the path and the target. Each has a file with the keys that are read, the
//! defaults, what is refused, and how the fault is shown.

mod client;
mod cohort;
mod frames;
mod path;
mod sweep;
mod target;

use std::fmt::{self, Formatter};
use std::time::Duration;

pub(super) use client::FaultTable;
pub use client::{Fault, FaultKind};
pub(super) use cohort::{faults, with_cohort};
pub use frames::{Activity, Illegal};
pub use path::{Direction, Path, PathFault, PathFaultKind};
pub(super) use path::{PathTable, resolve as path};
pub use sweep::Sweep;
pub use target::{Signal, TargetFault};
pub(super) use target::{TargetFaultTable, resolve as target_faults};

use super::reading::{Check, Place};
use super::section::{Load, Shape, long_enough};
use crate::units::format_duration;

/// The part of the run in which faults must happen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    /// The warm-up, for connections that are there before measuring starts.
    before: Duration,
    /// The measured time.
    length: Duration,
}

impl Measured {
    /// The measured part of a run with this load.
    pub(super) fn of(load: &Load) -> Self {
        let (before, length) = match &load.shape {
            Shape::Steady {
                warm_up, duration, ..
            } => (*warm_up, duration.foreseen()),
            Shape::Arrivals { duration, .. } => (Duration::ZERO, *duration),
            Shape::Stages(stages) => {
                let length = stages.iter().map(|stage| stage.duration).sum();
                (Duration::ZERO, length)
            }
        };
        Self { before, length }
    }

    /// Notes a fault that would happen after the end of the run. `needed` counts from the start of measuring.
    fn must_hold(self, check: &mut Check<'_>, key: &str, place: &Place, needed: Duration) {
        if needed > self.length {
            let what = format_args!(
                "needs {} of measuring, and the run measures for {}",
                format_duration(needed),
                format_duration(self.length)
            );
            check.problem(key, place, what, long_enough(needed));
        }
    }

    /// The same for a fault of a client, whose time counts from the 101.
    fn must_hold_after_opening(
        self,
        check: &mut Check<'_>,
        key: &str,
        place: &Place,
        after: Duration,
    ) {
        self.must_hold(check, key, place, after.saturating_sub(self.before));
    }
}

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

//! Contracts: what a server promised about a cohort, judged by the records of its connections.
//! One file for each family of promises; the rules are those of `docs/measurement.md`.

mod bound;
mod case;
mod close;
mod closed;
mod decision;
mod ends;
#[cfg(test)]
mod fixture;
mod judge;
mod pings;
mod pongs;
mod reaping;
mod resources;
mod result;
mod stall;
mod storm;
mod sweep;
mod tcp_end;
#[cfg(test)]
mod tests;
mod window;

pub(super) use bound::lag_limits;
pub use ends::{ActivityResult, CohortEnds, activities, cohort_ends};
#[cfg(test)]
pub(super) use fixture::{pinged, record};
pub(super) use judge::{judge, pings_sent_late, pongs_shifted};
pub use result::{Bounds, ContractResult, Evidence, Judged, Occurred, Times};

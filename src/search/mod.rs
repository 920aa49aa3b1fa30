//! The search for the most that still holds the gates: what to try next, and what was found. Knows neither a clock nor a
//! socket: it is told how each probe ended.

mod found;
mod next;
mod outcome;
mod plan;

pub use found::{Bound, End, Found, cost, knee};
pub use next::{Probe, Step, next, so_far};
pub use outcome::{Evidence, Outcome};
pub use plan::{MAX_PROBES, Plan, PlanError};

//! Gates: conditions such as `p99(latency.echo) < 50ms`.
//! Grammar, checks against the catalogue of metrics, and the way back to text.

mod check;
mod display;
mod grammar;
mod names;
mod stat;
mod value;

pub(super) use check::read;
pub(super) use names::{Group, Names};

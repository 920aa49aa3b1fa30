//! Gates: conditions such as `p99(latency.echo) < 50ms`.
//! Grammar, checks against the catalogue of metrics, and the way back to text.

mod check;
mod display;
mod grammar;
mod stat;
mod value;

pub(super) use check::{Group, Names, read};

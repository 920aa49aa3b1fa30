//! Gates: conditions such as `p99(latency.echo) < 50ms`.
//! The grammar, the checks against the catalogue of metrics, and the conversion back to text.

mod check;
mod display;
mod grammar;
mod names;
mod stat;
mod value;

pub(super) use check::read;
pub(super) use names::{Group, Names};

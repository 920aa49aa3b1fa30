//! What a bad client does, and when: pure, as `heart.rs` and `exchange.rs` are. Is told the time and what came; says
//! what to do next.

mod raw;
mod schedule;
#[cfg(test)]
mod tests;

pub(super) use schedule::{FaultAction, Faults};

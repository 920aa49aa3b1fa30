//! What a bad client does, and when: pure, as `heart.rs` and `exchange.rs` are. Is told the time and what came; says
//! what to do next.

mod deeds;
mod raw;
#[cfg(test)]
mod tests;

pub(super) use deeds::{Faults, Step};

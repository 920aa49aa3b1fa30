//! The relay of `[path]`: sits between wsbench's connections and the target, and does to them what a bad network does.
//!
//! ```text
//! relay ─ service (its thread: listeners, dials) ─ connection (two legs) ─ pipe (one direction: delay, throttle)
//!                                                       ├ schedule: what happens now, and what strikes (pure)
//!                                                       └ middle: where a frame is cut (pure)
//! ```
//!
//! It moves bytes, not packets: the kernel still acknowledges the bytes that a fault holds back. So it acts like a
//! frozen or failing proxy; for a path that loses packets too, there is the client fault `vanish`.

mod accept;
mod connection;
mod counts;
mod handle;
mod middle;
mod passage;
mod pipe;
mod schedule;
mod service;
#[cfg(test)]
mod tests;

pub use counts::{Passage, PathIncident, RelayLog};
pub use handle::{Relay, RelayError};

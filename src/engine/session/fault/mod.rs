//! The schedule of a client's faults. Pure: is told the time and what came, and returns the next action.

mod raw;
mod schedule;
#[cfg(test)]
mod tests;

pub(super) use schedule::{FaultAction, Faults};

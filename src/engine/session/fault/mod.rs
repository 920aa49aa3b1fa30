//! The schedule of a client's faults. Pure: takes the time and what came as arguments, and returns the next action.

mod raw;
mod schedule;
#[cfg(test)]
mod tests;

pub(super) use schedule::{FaultAction, Faults};

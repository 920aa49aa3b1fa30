//! Time: clocks, timers, and the queue of deadlines in which everything that waits for a time waits. Tests replace the
//! clock.

mod clock;
mod deadline;
mod driver;
mod looks;
mod timer;
mod wall;

#[cfg(test)]
pub(crate) use clock::Manual;
pub(crate) use clock::{Clock, Monotonic};
pub(crate) use deadline::{Deadlines, OwnedSlot, SlotId};
pub(crate) use driver::{Driver, Owner};
pub(crate) use looks::Looks;
pub use timer::PRECISE;
pub(crate) use wall::{is_the_kernels, monotonic, unix_seconds};

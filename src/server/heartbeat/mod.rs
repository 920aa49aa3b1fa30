//! The heartbeat of the built-in server: pings each client on a schedule of its own, and gives up who does not answer.
//! What it does wrong where it is told to stands in one table, [`policy`].

mod heart;
mod kernel;
mod policy;

pub(super) use heart::{Heart, Seen};
pub(super) use kernel::{has_arrived, is_stuck};
pub(super) use policy::{Ends, slow_handler};

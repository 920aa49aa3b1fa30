//! The heartbeat of the built-in server: pings each client on its own schedule, and gives up clients that do not
//! answer.
//! The table [`policy`] lists what each defect makes it do wrong.

mod heart;
mod kernel;
mod policy;

pub(super) use heart::{ClientState, Heart};
pub(super) use kernel::{has_arrived, is_stuck};
pub(super) use policy::{Ends, slow_handler};

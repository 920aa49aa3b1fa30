//! The target's side on Linux: signals and process groups, `/proc`, netlink, namespaces.

mod agenda;
mod allowance;
mod diag;
mod faults;
mod guard;
mod ledger;
mod namespace;
mod netlink;
mod process;
mod reach;
mod sockets;
mod tail;
mod tree;
mod usage;
mod waiting;

pub use allowance::{allowed_cores, throttled};
pub use faults::Faults;
pub use namespace::{administers_network, enter};
pub use process::TargetProcess;
pub use sockets::Watch;
pub use usage::usage;
pub use waiting::time_waits;

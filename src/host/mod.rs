//! The target's side, as far as it is on this machine: its process, its sockets, its resources.
//! Linux only: elsewhere the same functions refuse, before the run.

#[cfg(target_os = "linux")]
mod diag;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
mod error;
#[cfg(target_os = "linux")]
mod faults;
#[cfg(target_os = "linux")]
mod group;
#[cfg(target_os = "linux")]
mod guard;
mod happened;
#[cfg(target_os = "linux")]
mod ledger;
#[cfg(target_os = "linux")]
mod namespace;
#[cfg(target_os = "linux")]
mod netlink;
#[cfg(target_os = "linux")]
mod process;
mod schedule;
#[cfg(target_os = "linux")]
mod sockets;
#[cfg(target_os = "linux")]
mod tail;
#[cfg(target_os = "linux")]
mod tree;
#[cfg(target_os = "linux")]
mod usage;

pub use error::{HostError, NamespaceError};
pub use happened::{Happened, Incidents};
pub use schedule::{Planned, fault_times};

#[cfg(target_os = "linux")]
pub use {
    faults::Faults,
    namespace::{administers_network, enter},
    process::TargetProcess,
    sockets::Watch,
    usage::usage,
};

#[cfg(not(target_os = "linux"))]
pub use elsewhere::{Faults, TargetProcess, Watch, administers_network, enter, usage};

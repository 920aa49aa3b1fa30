//! The target's side on this machine: its process, its sockets, its resources.
//! Only for Linux: on other systems the same functions return an error before the run.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
mod error;
mod happened;
#[cfg(target_os = "linux")]
mod linux;
mod schedule;
mod throttled;

pub use error::{HostError, NamespaceError};
pub use happened::{Happened, Incidents};
pub use schedule::{Planned, fault_times};
pub use throttled::Throttled;

#[cfg(not(target_os = "linux"))]
pub use elsewhere::{
    Faults, TargetProcess, Watch, administers_network, allowed_cores, enter, throttled, time_waits,
    usage,
};
#[cfg(target_os = "linux")]
pub use linux::{
    Faults, TargetProcess, Watch, administers_network, allowed_cores, enter, throttled, time_waits,
    usage,
};

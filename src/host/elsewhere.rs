//! The functions of this module on other systems than Linux: each returns an error before the run.

use std::convert::Infallible;
use std::time::Instant;

use super::error::{HostError, NamespaceError};
use super::happened::Incidents;
use super::throttled::Throttled;
use crate::measure::{Sockets, Usage};
use crate::scenario::{Process, Servers, TargetFault};

/// The number of cores that this process may use at once: unknown on this system.
pub fn allowed_cores() -> Option<f64> {
    None
}

/// How often the kernel throttled this process: unknown on this system.
pub fn throttled() -> Option<Throttled> {
    None
}

/// The target's process: never exists on this system.
#[derive(Debug)]
pub struct TargetProcess(Infallible);

impl TargetProcess {
    /// The process that the scenario gives; `None` where it gives none.
    ///
    /// # Errors
    /// Always, if the scenario gives one.
    pub fn of(
        process: &Process,
        _servers: &Servers,
        _gives_up: &dyn Fn() -> bool,
    ) -> Result<Option<Self>, HostError> {
        match process {
            Process::Unknown => Ok(None),
            Process::Command(_) => unsupported("start `target.command`"),
            Process::Pid(_) => unsupported("reach the process of `target.pid`"),
        }
    }

    /// Attaches to a process that runs already.
    ///
    /// # Errors
    /// Always.
    pub fn attach(_pid: u32) -> Result<Self, HostError> {
        unsupported("reach the target's process")
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        match self.0 {}
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&self) -> Option<String> {
        match self.0 {}
    }

    /// The last lines of its output.
    pub fn last_lines(&self) -> Vec<String> {
        match self.0 {}
    }
}

/// The faults of the target: never exist on this system.
#[derive(Debug)]
pub struct Faults(Infallible);

impl Faults {
    /// Prepares these faults.
    ///
    /// # Errors
    /// Always.
    pub fn start(process: &TargetProcess, _faults: &[TargetFault]) -> Result<Self, HostError> {
        match process.0 {}
    }

    /// Sets the time at which measuring starts.
    pub fn measuring(&self, _from: Instant) {
        match self.0 {}
    }

    /// Stops, and returns what happened.
    pub fn stop(self) -> Incidents {
        match self.0 {}
    }
}

/// A watch over the server's sockets: never exists on this system.
#[derive(Debug)]
pub struct Watch(Infallible);

impl Watch {
    /// Watches the sockets with this local port.
    ///
    /// # Errors
    /// Always.
    pub fn start(_port: u16) -> Result<Self, HostError> {
        unsupported("watch the server's sockets")
    }

    /// Stops, and returns what happened to the sockets.
    pub fn stop(self, _origin: Instant) -> Option<Sockets> {
        match self.0 {}
    }
}

/// The resources that a process uses.
///
/// # Errors
/// Always.
pub fn usage(_pid: u32) -> Result<Usage, HostError> {
    unsupported("read what the target uses")
}

/// The number of connections in TIME_WAIT: unknown on this system.
pub fn time_waits() -> Option<u64> {
    None
}

/// Whether this process may administer its network.
pub fn administers_network() -> bool {
    false
}

/// Moves this process into a new network namespace.
///
/// # Errors
/// Always.
pub fn enter() -> Result<(), NamespaceError> {
    Err(NamespaceError::Forbidden {
        why: "there are none".to_owned(),
    })
}

fn unsupported<T>(doing: &'static str) -> Result<T, HostError> {
    Err(HostError::Unsupported { doing })
}

//! A route to the target over the relay of `[path]`: where clients connect, and which addresses the relay passed by.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::measure::Fallbacks;
use crate::metric::Cause;

/// The addresses that some dials passed by, because they accepted no connection and were followed by another one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PassedBy {
    /// The number of these dials.
    pub dials: u64,
    /// The addresses.
    pub addresses: Fallbacks,
}

impl PassedBy {
    /// Adds what one dial passed by; may be empty.
    pub(crate) fn add(&mut self, passed: &[(SocketAddr, Cause)]) {
        self.dials += u64::from(!passed.is_empty());
        for (address, cause) in passed {
            self.addresses.add(&address.to_string(), 1, cause.name());
        }
    }
}

/// The route of one cohort, shared by the relay and by the clients of the cohort.
#[derive(Debug, Clone)]
pub struct Route {
    /// The address to connect to instead of the target.
    pub address: SocketAddr,
    /// The addresses of the target that the relay passed by.
    passed: Arc<Mutex<PassedBy>>,
}

impl Route {
    /// Makes a route over the relay that listens at this address.
    pub fn over(address: SocketAddr) -> Self {
        Self {
            address,
            passed: Arc::default(),
        }
    }

    /// Adds the addresses of the target that one dial of the relay passed by.
    pub(crate) fn add_passed(&self, passed: &[(SocketAddr, Cause)]) {
        self.passed().add(passed);
    }

    /// Returns what was added since the last call.
    pub(crate) fn take_passed(&self) -> PassedBy {
        std::mem::take(&mut *self.passed())
    }

    fn passed(&self) -> MutexGuard<'_, PassedBy> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

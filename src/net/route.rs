//! A route to the target over the relay of `[path]`: where clients connect, and which addresses the relay passed by.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::metric::Cause;

/// The route of one cohort, shared by the relay and by the clients of the cohort.
#[derive(Debug, Clone)]
pub struct Route {
    /// The address to connect to instead of the target.
    pub address: SocketAddr,
    /// How often the relay passed by an address of the target, and why. At most one entry for each address of the
    /// target's name and each cause.
    passed: Arc<Mutex<BTreeMap<(SocketAddr, Cause), u64>>>,
}

impl Route {
    /// Makes a route over the relay that listens at this address.
    pub fn over(address: SocketAddr) -> Self {
        Self {
            address,
            passed: Arc::default(),
        }
    }

    /// Adds the addresses of the target that accepted no connection, so that the relay tried the next one.
    pub(crate) fn add_passed(&self, passed: &[(SocketAddr, Cause)]) {
        let mut known = self.passed();
        (passed.iter()).for_each(|one| *known.entry(*one).or_default() += 1);
    }

    /// Returns the addresses that were added since the last call: each with its cause, and how often.
    pub(crate) fn take_passed(&self) -> BTreeMap<(SocketAddr, Cause), u64> {
        std::mem::take(&mut *self.passed())
    }

    fn passed(&self) -> MutexGuard<'_, BTreeMap<(SocketAddr, Cause), u64>> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

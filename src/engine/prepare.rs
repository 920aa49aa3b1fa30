//! Everything that can fail before the first connection does so here.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::dial::Dialer;
use super::error::EngineError;
use super::observer::{Finished, Observer};
use super::preflight::{Limits, can_vanish, check_families, check_faults, make_room};
use super::supervisor::{self, Launch};
use crate::net::{TlsError, tls_config};
use crate::plan::{Budget, Nanos, Plan};
use crate::scenario::WsUrl;
use crate::time::{Clock as _, Monotonic};

/// A run that may begin.
pub struct Prepared {
    launch: Launch,
}

impl Prepared {
    /// Checks a plan against this machine, for a target at this address. `workers` threads, or as many as there
    /// are cores. A name that cannot be resolved is no error here: every dial will fail for it, and be counted.
    ///
    /// `routes` are, by cohort, where its connections go instead, with the handshake they would have had; a cohort
    /// without one goes to the target.
    ///
    /// # Errors
    /// When limits are too low, certificates are missing, or a client shall vanish and may not.
    pub fn new(
        plan: Plan,
        url: &WsUrl,
        routes: &[Option<SocketAddr>],
        workers: Option<usize>,
    ) -> Result<Self, EngineError> {
        check_faults(&plan.scenario.cohorts, can_vanish)?;
        let target = &plan.scenario.target;
        let (addresses, dns) = resolve(url);
        let known = addresses.as_deref().unwrap_or_default();
        check_families(known, &target.source_addresses)?;
        let relays: Vec<SocketAddr> = routes.iter().copied().flatten().collect();
        check_families(&relays, &target.source_addresses)?;
        let workers = workers.unwrap_or_else(cores);
        let budget = Budget::new(&plan.scenario, workers);
        Limits::of_this_machine().check(&budget, known.len())?;
        make_room(budget.descriptors);
        let tls = url.secure.then(|| tls_config(&target.trust)).transpose()?;
        let dialer =
            Dialer::new(url, target, addresses, routes.to_vec(), tls).map_err(TlsError::Setup)?;
        let most = usize::try_from(budget.open_at_once).unwrap_or(usize::MAX);
        Ok(Self {
            launch: Launch {
                workers: workers.clamp(1, most.max(1)),
                plan: Arc::new(plan),
                dialer: Arc::new(dialer),
                dns,
            },
        })
    }

    /// How many workers there will be.
    pub fn workers(&self) -> usize {
        self.launch.workers
    }

    /// Runs it. `observer` is told when measuring starts, sees every second, and may end the run; `interrupt` yields
    /// once for each signal.
    ///
    /// # Errors
    /// When a worker fails, or on the second signal.
    pub fn run(
        self,
        interrupt: mpsc::Receiver<()>,
        observer: &mut dyn Observer,
    ) -> Result<Finished, EngineError> {
        supervisor::run(self.launch, interrupt, observer)
    }
}

/// How many workers a run has, unless it is told otherwise.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The target's addresses or why there are none, and how long the look-up of its name took.
fn resolve(url: &WsUrl) -> (Result<Vec<SocketAddr>, String>, Option<Nanos>) {
    if let Ok(address) = url.host.parse() {
        return (Ok(vec![SocketAddr::new(address, url.port)]), None);
    }
    let clock = Monotonic::start();
    let found = (url.host.as_str(), url.port).to_socket_addrs();
    let took = Some(clock.now());
    let addresses: Vec<SocketAddr> = match found {
        Ok(addresses) => addresses.collect(),
        Err(error) => return (Err(format!("{}: {error}", url.host)), took),
    };
    // A name with addresses of both families is dialled by the family that the system prefers.
    let first_is_v4 = addresses.first().map(SocketAddr::is_ipv4);
    let preferred = (addresses.into_iter())
        .filter(|address| Some(address.is_ipv4()) == first_is_v4)
        .collect();
    (Ok(preferred), took)
}

//! Does everything that can fail before the first connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, watch};
use tracing::info;

use super::crew::Orders;
use super::dial::Dialer;
use super::error::EngineError;
use super::fanout::Fanout;
use super::observer::{Finished, Observer};
use super::once;
use super::preflight::{
    LimitError, Limits, check_devices, check_families, check_faults, check_sources,
};
use super::supervisor::{self, Begin, Launch};
use crate::net::{Resolvers, Route, can_vanish};
use crate::plan::{Budget, Plan, Share};
use crate::scenario::Servers;
use crate::sys;

/// A run that is ready to start.
pub struct Prepared {
    launch: Launch,
}

impl Prepared {
    /// Checks a plan against this machine, for a target with these servers and this share of all workers. `names` has looked up the
    /// names of all servers. A name that cannot be resolved is no error here: every dial will fail because of it, and be
    /// counted.
    ///
    /// `routes` are, by cohort, the routes to the target, with an unchanged handshake. A cohort without a route connects
    /// to the target directly.
    ///
    /// # Errors
    /// When limits are too low, certificates are missing, a request that is sent once for all
    /// clients is not answered as it should be, a source address does not belong to this machine, or a client
    /// shall vanish and this process has no permission for that.
    pub fn new(
        mut plan: Plan,
        servers: &Servers,
        names: &Arc<Resolvers>,
        routes: &[Option<Route>],
        share: Share,
    ) -> Result<Self, EngineError> {
        check_faults(&plan.scenario.cohorts, can_vanish)?;
        let target = &plan.scenario.target;
        for access in plan.scenario.accesses() {
            check_sources(&access.sources)?;
        }
        check_devices(&plan.scenario)?;
        let found = servers
            .urls()
            .filter_map(|url| names.server(&url.origin(), &target.access));
        let mut fewest = None;
        for resolver in found {
            let known = resolver.known().addresses;
            match &known {
                Ok(addresses) => {
                    let shown: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
                    info!(addresses = shown.join(", "), "looked up the target");
                }
                Err(error) => info!(%error, "failed to look up the target"),
            }
            let known = known.as_deref().unwrap_or_default();
            check_families(known, &target.access.sources)?;
            fewest = Some(fewest.map_or(known.len(), |fewest: usize| fewest.min(known.len())));
        }
        let budget = Budget::of_share(&plan.scenario, share);
        Limits::of_this_machine().check(&budget, fewest.unwrap_or(1))?;
        sys::make_room(budget.descriptors);
        check_lanes(&plan, share.all())?;
        let dialer = Dialer::new(
            servers,
            target,
            &plan.scenario.cohorts,
            names,
            routes.to_vec(),
        )?;
        once::ask(&mut plan, &dialer)?;
        let most = usize::try_from(budget.open_at_once).unwrap_or(usize::MAX);
        Ok(Self {
            launch: Launch {
                share: share.at_most(most.max(1)),
                begin: Begin::Ready,
                plan: Arc::new(plan),
                dialer: Arc::new(dialer),
            },
        })
    }

    /// The number of workers.
    pub fn workers(&self) -> usize {
        self.launch.share.workers()
    }

    /// The same, with a time of the first dial that has come: it is the origin of all times, and measuring begins when
    /// the ramp-up and the warm-up after it are over, whatever is open by then.
    #[must_use]
    pub fn begun_at(mut self, origin: Instant) -> Self {
        self.launch.begin = Begin::At(origin);
        self
    }

    /// The same, where these orders say when measuring begins and the load ends.
    #[must_use]
    pub fn led_from(mut self, origin: Instant, orders: watch::Receiver<Orders>) -> Self {
        self.launch.begin = Begin::Led(origin, orders);
        self
    }

    /// Runs the plan. `observer` receives the start of measuring and every second, and may end the run; `interrupt`
    /// yields once for each signal.
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

/// Refuses more workers than the stamps of published messages tell apart.
fn check_lanes(plan: &Plan, workers: usize) -> Result<(), LimitError> {
    let limit = Fanout::MAX_LANES;
    match workers > limit && !plan.topics.is_silent() {
        true => Err(LimitError::Lanes { workers, limit }),
        false => Ok(()),
    }
}

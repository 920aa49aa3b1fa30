//! The handle of the relay: starts it, tells it when measuring starts, and stops it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::counts::{PathIncident, RelayLog};
use super::schedule::{Origins, Schedule, incident, incident_kind};
use super::service::{self, Led, Orders, Setup, ThreadResult};
use crate::net::{self, PassedBy, Route, TcpDialer};
use crate::scenario::{Path, PathFault};
use crate::time::{Clock as _, Monotonic};
use crate::units::Timestamp;

/// Why the relay of `[path]` does not work. Fits after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The relay cannot listen for a cohort.
    #[error("listen for the cohort `{cohort}` on the `path`: {source}")]
    Listen {
        /// The name of the cohort.
        cohort: String,
        /// The error of the system.
        source: io::Error,
    },
    /// The relay's thread could not be started, or failed.
    #[error("run the relay of `path`: {0}")]
    Run(#[from] io::Error),
}

/// A running relay, on a thread of its own. Dropping it stops it too.
#[derive(Debug)]
pub struct Relay {
    clock: Monotonic,
    faults: Vec<PathFault>,
    /// For each cohort, the route of its clients.
    routes: Vec<Option<Route>>,
    orders: watch::Sender<Orders>,
    thread: Option<JoinHandle<io::Result<ThreadResult>>>,
}

impl Relay {
    /// Listens on a port of 127.0.0.1 for each cohort that uses the path, and passes its connections on to what `first_hop`
    /// dials for it: the target, or the proxy on the way there. Dials as clients do without a path: from its source
    /// addresses, to the first address that accepts. A dial takes at most `connect_timeout` and one second. `cohorts` are all names, in the order of the
    /// scenario. The same seed gives the same jitter to the connections in their order of arrival.
    ///
    /// # Errors
    /// The relay cannot listen on a port, or its thread cannot be started.
    pub fn start(
        path: &Path,
        cohorts: &[String],
        first_hop: impl Fn(usize) -> TcpDialer,
        connect_timeout: Duration,
        seed: u64,
    ) -> Result<Self, RelayError> {
        let mut routes = vec![None; cohorts.len()];
        let mut listeners = Vec::new();
        for (place, cohort) in cohorts.iter().enumerate() {
            if path.leads(cohort) {
                let (listener, address) = listen().map_err(|source| RelayError::Listen {
                    cohort: cohort.clone(),
                    source,
                })?;
                let route = Route::over(address);
                routes[place] = Some(route.clone());
                let led = Led {
                    cohort: place,
                    route,
                    first_hop: first_hop(place),
                    schedule: Schedule::new(path, cohort),
                };
                listeners.push((listener, led));
            }
        }
        let clock = Monotonic::start();
        let (orders, received) = watch::channel(Orders::default());
        let setup = Setup {
            clock,
            listeners,
            connect_timeout,
            seed,
            orders: received,
        };
        let (ready, is_ready) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("wsbench-relay".to_owned())
            .spawn(move || service::run(setup, &ready))?;
        let mut relay = Self {
            clock,
            faults: path.faults.clone(),
            routes,
            orders,
            thread: Some(thread),
        };
        if is_ready.recv().is_err() {
            relay.join()?;
        }
        Ok(relay)
    }

    /// For each cohort, the route of its clients; `None` if they connect directly to the target.
    pub fn routes(&self) -> &[Option<Route>] {
        &self.routes
    }

    /// Sets the time at which measuring starts, from which faults with `after` count. May be called before or after
    /// connections come.
    pub fn measuring(&self, from: Instant) {
        self.orders
            .send_modify(|orders| orders.measuring = Some(from));
    }

    /// Whether its thread has failed, so that nothing passes any more; [`Self::stop`] returns the reason.
    pub fn has_failed(&self) -> bool {
        (self.thread.as_ref()).is_some_and(JoinHandle::is_finished)
    }

    /// Ends all connections, and returns what the relay did.
    ///
    /// # Errors
    /// The relay's thread had failed before.
    pub fn stop(mut self) -> Result<RelayLog, RelayError> {
        let stopped = self.clock.now();
        let ThreadResult { origins, mut log } = self.join()?;
        log.incidents = self.incidents(origins, stopped);
        log.passed = self.passed().collect();
        Ok(log)
    }

    fn passed(&self) -> impl Iterator<Item = (usize, PassedBy)> {
        let routes = self.routes.iter().enumerate();
        let passed =
            routes.filter_map(|(cohort, route)| Some((cohort, route.as_ref()?.take_passed())));
        passed.filter(|(_, passed)| passed.dials > 0)
    }

    fn incidents(&self, origins: Origins, stopped: Timestamp) -> Vec<PathIncident> {
        let at = |time: Timestamp| self.clock.instant(time);
        let befall = self.faults.iter().filter(|fault| !fault.is_lasting());
        let begun = befall.filter_map(|fault| {
            let (began, ended) = incident(fault, origins, stopped)?;
            Some(PathIncident {
                kind: incident_kind(fault.kind),
                cohorts: fault.cohorts.clone(),
                began: at(began),
                ended: ended.map(at),
            })
        });
        let mut begun: Vec<_> = begun.collect();
        begun.sort_by_key(|incident| incident.began);
        begun
    }

    /// Tells the thread to stop and waits for it.
    fn join(&mut self) -> io::Result<ThreadResult> {
        self.orders.send_modify(|orders| orders.stop = true);
        let thread = self
            .thread
            .take()
            .expect("it is joined once: `stop` takes the relay");
        match thread.join() {
            Ok(outcome) => outcome,
            Err(_) => Err(io::Error::other("it panicked")),
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.orders.send_modify(|orders| orders.stop = true);
        if let Some(thread) = self.thread.take() {
            // Ignores a panic of the thread: its message has been printed already.
            let _ = thread.join();
        }
    }
}

fn listen() -> io::Result<(TcpListener, SocketAddr)> {
    let listener = net::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

//! The relay as others see it: started, told when measuring starts, stopped.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::watch;

use super::counts::{PathIncident, RelayLog};
use super::schedule::{Origins, Schedule, incident};
use super::service::{self, Finished, Orders, Setup};
use crate::scenario::{Path, PathFault};

/// The cohorts of a storm come at once.
const BACKLOG: i32 = 4096;

/// Why the relay of `[path]` does not work. Fits after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// No listener for a cohort.
    #[error("listen for the cohort `{cohort}` on the `path`: {source}")]
    Listen {
        /// Its name.
        cohort: String,
        /// What the system said.
        source: io::Error,
    },
    /// Its thread could not be started or went down.
    #[error("run the relay of `path`: {0}")]
    Run(#[from] io::Error),
}

/// A running relay, on a thread of its own. Dropping it stops it too.
#[derive(Debug)]
pub struct Relay {
    origin: Instant,
    faults: Vec<PathFault>,
    /// For each cohort: where its clients connect to.
    routes: Vec<Option<SocketAddr>>,
    orders: watch::Sender<Orders>,
    thread: Option<JoinHandle<io::Result<Finished>>>,
}

impl Relay {
    /// Listens on a port of 127.0.0.1 for each cohort that the path leads, and passes what comes on to the target's
    /// addresses, used in turn. `cohorts` are all names, in the order of the scenario. The same seed draws the same
    /// jitter for the connections in the order in which they come.
    ///
    /// # Errors
    /// A port cannot be listened on, or the thread not be started.
    pub fn start(
        path: &Path,
        cohorts: &[String],
        target: &[SocketAddr],
        seed: u64,
    ) -> Result<Self, RelayError> {
        let mut addresses = vec![None; cohorts.len()];
        let mut routes = Vec::new();
        for (place, cohort) in cohorts.iter().enumerate() {
            if path.leads(cohort) {
                let (listener, address) = listen().map_err(|source| RelayError::Listen {
                    cohort: cohort.clone(),
                    source,
                })?;
                addresses[place] = Some(address);
                routes.push((place, listener, Schedule::new(path, cohort)));
            }
        }
        let origin = Instant::now();
        let (orders, received) = watch::channel(Orders::default());
        let setup = Setup {
            origin,
            routes,
            targets: target.to_vec(),
            seed,
            orders: received,
        };
        let (ready, is_ready) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("wsbench-relay".to_owned())
            .spawn(move || service::run(setup, &ready))?;
        let mut relay = Self {
            origin,
            faults: path.faults.clone(),
            routes: addresses,
            orders,
            thread: Some(thread),
        };
        if is_ready.recv().is_err() {
            relay.join()?;
        }
        Ok(relay)
    }

    /// Where the clients of the cohort at this place connect to; `None`: straight to the target.
    pub fn route(&self, cohort: usize) -> Option<SocketAddr> {
        self.routes.get(cohort).copied().flatten()
    }

    /// Measuring started, or will start, at this time: faults with `after` count from then. May be told before or after
    /// connections come.
    pub fn measuring(&self, from: Instant) {
        self.orders
            .send_modify(|orders| orders.measuring = Some(from));
    }

    /// Ends all connections, and says what it did.
    ///
    /// # Errors
    /// It went down before.
    pub fn stop(mut self) -> Result<RelayLog, RelayError> {
        let stopped = self.since_start(Instant::now());
        let Finished { origins, mut log } = self.join()?;
        log.incidents = self.incidents(origins, stopped);
        Ok(log)
    }

    fn incidents(&self, origins: Origins, stopped: u64) -> Vec<PathIncident> {
        let at = |ns| self.origin + Duration::from_nanos(ns);
        let befall = self.faults.iter().filter(|fault| !fault.is_lasting());
        let begun = befall.filter_map(|fault| {
            let (began, ended) = incident(fault, origins, stopped)?;
            Some(PathIncident {
                kind: fault.kind.key(),
                cohorts: fault.cohorts.clone(),
                began: at(began),
                ended: ended.map(at),
            })
        });
        let mut begun: Vec<_> = begun.collect();
        begun.sort_by_key(|incident| incident.began);
        begun
    }

    fn since_start(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.origin).as_nanos() as u64
    }

    /// Tells the thread to stop and waits for it.
    fn join(&mut self) -> io::Result<Finished> {
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
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from(socket);
    let address = listener.local_addr()?;
    Ok((listener, address))
}

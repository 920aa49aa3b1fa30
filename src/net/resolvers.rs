//! The names of a run: which have to be looked up, and what was found.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::resolver::{ResolveError, Resolver, in_order, resolve};
use crate::scenario::{Access, Addresses, Family, Scenario, Servers, WebOrigin, WsUrl};

/// What is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lookup {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The addresses that stand for it; `None`: it is looked up.
    pub(crate) pinned: Option<Vec<IpAddr>>,
    pub(crate) family: Family,
    /// How often it is looked up again, beside when no address accepts a connection.
    pub(crate) every: Option<Duration>,
}

impl Lookup {
    fn new(host: &str, port: u16, addresses: &Addresses) -> Self {
        Self {
            host: host.to_owned(),
            port,
            pinned: addresses.pinned(host).map(<[IpAddr]>::to_vec),
            family: addresses.family,
            every: addresses.every,
        }
    }

    /// Whether the system is asked for it: it is a name, and no addresses stand for it.
    pub(crate) fn is_looked_up(&self) -> bool {
        self.pinned.is_none() && self.host.parse::<IpAddr>().is_err()
    }

    /// Its addresses, at least one. Blocks for at most `within`, and no longer than until `gives_up` says so.
    pub(super) fn find(
        &self,
        within: Duration,
        gives_up: &dyn Fn() -> bool,
    ) -> Result<Vec<SocketAddr>, ResolveError> {
        let found = match &self.pinned {
            Some(pinned) => pinned
                .iter()
                .map(|ip| SocketAddr::new(*ip, self.port))
                .collect(),
            None => resolve(&self.host, self.port, within, gives_up)?,
        };
        let is_wanted = |address: &SocketAddr| self.family.has(address.ip());
        let wanted: Vec<SocketAddr> = in_order(found).into_iter().filter(is_wanted).collect();
        match wanted.is_empty() {
            false => Ok(wanted),
            true => Err(ResolveError::Failed {
                host: self.host.clone(),
                why: format!("it has no {}", self.family.word()),
            }),
        }
    }
}

/// The names of all servers and proxies of a run.
#[derive(Debug)]
pub struct Resolvers {
    within: Duration,
    known: Mutex<Vec<(Lookup, Arc<Resolver>)>>,
}

impl Resolvers {
    /// Looks up all names that the clients of a scenario dial, side by side. Blocks for `connect_timeout` at most. `servers` are
    /// those of the target.
    pub fn of(scenario: &Scenario, servers: &Servers) -> Self {
        let mut wanted: Vec<Lookup> = Vec::new();
        for cohort in &scenario.cohorts {
            let dialled = cohort.servers.as_ref().unwrap_or(servers).urls();
            for origin in cohort.other_servers().chain(dialled.map(WsUrl::origin)) {
                let (first, behind) = needed(&origin, &cohort.access);
                for lookup in first.into_iter().chain(behind) {
                    if !wanted.contains(&lookup) {
                        wanted.push(lookup);
                    }
                }
            }
        }
        Self::looked_up(wanted, scenario.target.connect_timeout)
    }

    /// Looks up the names on the way to one server. Blocks for `within` at most.
    pub(crate) fn of_one(origin: &WebOrigin, access: &Access, within: Duration) -> Self {
        let (first, behind) = needed(origin, access);
        Self::looked_up(first.into_iter().chain(behind).collect(), within)
    }

    fn looked_up(wanted: Vec<Lookup>, within: Duration) -> Self {
        let known = thread::scope(|scope| {
            let look_up = |lookup: Lookup| {
                scope.spawn(move || (lookup.clone(), Resolver::new(&lookup, within)))
            };
            let threads: Vec<_> = wanted.into_iter().map(look_up).collect();
            let found = threads.into_iter().filter_map(|thread| thread.join().ok());
            found.collect()
        });
        Self {
            within,
            known: Mutex::new(known),
        }
    }

    /// Knows no name yet: each is looked up by the first dial, for `within` at most.
    pub(crate) fn new(within: Duration) -> Self {
        Self {
            within,
            known: Mutex::default(),
        }
    }

    /// What there is to know of a name. One that was not looked up yet is looked up by its first dial.
    pub(crate) fn get(&self, lookup: &Lookup) -> Arc<Resolver> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, resolver)) = known.iter().find(|(other, _)| other == lookup) {
            return resolver.clone();
        }
        let resolver = Resolver::later(lookup, self.within);
        known.push((lookup.clone(), resolver.clone()));
        resolver
    }

    /// Makes a server have the addresses of this resolver.
    pub fn put(&self, origin: &WebOrigin, access: &Access, resolver: Arc<Resolver>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, _) = needed(origin, access);
        known.extend(first.map(|lookup| (lookup, resolver)));
    }

    /// The name of a server that is dialled; `None` for a Unix socket.
    pub fn server(&self, origin: &WebOrigin, access: &Access) -> Option<Arc<Resolver>> {
        let (first, _) = needed(origin, access);
        first.map(|lookup| self.get(&lookup))
    }
}

/// What has to be looked up on the way to a server: the name that is dialled, and that of a server behind a proxy where the
/// proxy does not look it up itself.
pub(super) fn needed(origin: &WebOrigin, access: &Access) -> (Option<Lookup>, Option<Lookup>) {
    let (first, behind) = access.hosts(origin);
    let lookup = |(host, port): (&str, u16)| Lookup::new(host, port, &access.addresses);
    (first.map(lookup), behind.map(lookup))
}

/// Looks names up again as often as `resolve_every` says, on a thread of its own. Dropping it ends the thread.
#[derive(Debug)]
pub struct LooksUpAgain {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<thread::JoinHandle<()>>,
    names: Arc<Resolvers>,
}

impl LooksUpAgain {
    /// Starts it; `None` where no name is looked up again.
    ///
    /// # Errors
    /// When the system starts no thread.
    pub fn start(names: &Arc<Resolvers>) -> io::Result<Option<Self>> {
        let due: Vec<(Arc<Resolver>, Duration)> = {
            let known = names.known.lock().unwrap_or_else(PoisonError::into_inner);
            let again = known.iter().filter(|(lookup, _)| lookup.is_looked_up());
            let again =
                again.filter_map(|(lookup, resolver)| Some((resolver.clone(), lookup.every?)));
            again.collect()
        };
        if due.is_empty() {
            return Ok(None);
        }
        let stop: Arc<(Mutex<bool>, Condvar)> = Arc::default();
        let stopped = stop.clone();
        let thread = thread::Builder::new().name("look-ups".to_owned());
        let thread = thread.spawn(move || look_up_again(&due, &stopped))?;
        Ok(Some(Self {
            stop,
            thread: Some(thread),
            names: names.clone(),
        }))
    }

    /// Ends it. Returns how many look-ups failed and the error of the last one, if any did.
    pub fn end(self) -> Option<(u64, String)> {
        let names = self.names.clone();
        drop(self);
        let known = names.known.lock().unwrap_or_else(PoisonError::into_inner);
        let failed: Vec<(u64, String)> =
            known.iter().filter_map(|(_, name)| name.failed()).collect();
        let count = failed.iter().map(|(count, _)| count).sum();
        failed.into_iter().next().map(|(_, why)| (count, why))
    }
}

impl Drop for LooksUpAgain {
    fn drop(&mut self) {
        let (is_stopped, changed) = &*self.stop;
        *is_stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn look_up_again(all: &[(Arc<Resolver>, Duration)], stop: &(Mutex<bool>, Condvar)) {
    let begun = Instant::now();
    let mut due: Vec<Instant> = all.iter().map(|(_, every)| begun + *every).collect();
    let is_stopped = || *stop.0.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let Some(next) = (0..due.len()).min_by_key(|place| due[*place]) else {
            return;
        };
        {
            let stopped = stop.0.lock().unwrap_or_else(PoisonError::into_inner);
            let left = due[next].saturating_duration_since(Instant::now());
            let waited = stop
                .1
                .wait_timeout_while(stopped, left, |stopped| !*stopped);
            if *waited.unwrap_or_else(PoisonError::into_inner).0 {
                return;
            }
        }
        let (resolver, every) = &all[next];
        resolver.look_up(&is_stopped);
        // One that takes longer than the time between two skips those in between.
        due[next] = (due[next] + *every).max(Instant::now());
    }
}

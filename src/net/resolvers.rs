//! The names of a run: which have to be looked up, and what was found.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::resolver::Resolver;
use crate::scenario::{Access, ProxyKind, Scenario, Servers, WebOrigin, WsUrl};

/// What is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lookup {
    pub(crate) host: String,
    pub(crate) port: u16,
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
        let within = scenario.target.connect_timeout;
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

    /// Knows no name yet: each is looked up when it is asked for, for `within` at most.
    pub(crate) fn new(within: Duration) -> Self {
        Self {
            within,
            known: Mutex::default(),
        }
    }

    /// What there is to know of a name. Blocks where it was not looked up yet.
    pub(crate) fn get(&self, lookup: &Lookup) -> Arc<Resolver> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, resolver)) = known.iter().find(|(other, _)| other == lookup) {
            return resolver.clone();
        }
        let resolver = Resolver::new(lookup, self.within);
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
    let server = || Lookup {
        host: origin.host.clone(),
        port: origin.port,
    };
    match &access.proxy {
        _ if origin.unix.is_some() => (None, None),
        None => (Some(server()), None),
        Some(proxy) => {
            let first = Lookup {
                host: proxy.host.clone(),
                port: proxy.port,
            };
            let is_ours = proxy.kind == ProxyKind::Socks5;
            (Some(first), is_ours.then(server))
        }
    }
}

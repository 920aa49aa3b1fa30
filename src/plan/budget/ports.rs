//! The local ports that a plan needs.

use std::collections::BTreeMap;

use crate::scenario::{Cohort, HttpVersion, Scenario, WsUrl};

/// The local ports that are needed.
pub(super) struct Ports {
    /// How many on all source addresses together.
    pub(super) needed: u64,
    /// The proxy that they are for; `None`: a server.
    pub(super) proxy: Option<String>,
}

/// Returns the local ports that connections to the most dialled server or proxy need at once. Each pair of a source and a
/// destination has ports of its own, and a Unix socket needs none.
pub(super) fn ports(scenario: &Scenario, open_at_once: u64, workers: u64) -> Ports {
    let mut needed: BTreeMap<Destination, u64> = BTreeMap::new();
    for cohort in &scenario.cohorts {
        let connections = u64::from(cohort.connections).min(open_at_once);
        let servers = cohort.dialled(&scenario.target.url);
        let Some(servers) = servers else {
            *needed.entry(destination(cohort, None)).or_default() += connections;
            continue;
        };
        let all: u64 = servers.iter().map(|server| u64::from(server.weight)).sum();
        for server in servers.iter().filter(|server| server.url.unix.is_none()) {
            let share = (connections * u64::from(server.weight)).div_ceil(all.max(1));
            let share = match cohort.access.http {
                HttpVersion::One => share,
                HttpVersion::Two(sharing) => sharing.carriers(share, workers),
            };
            *needed
                .entry(destination(cohort, Some(&server.url)))
                .or_default() += share;
        }
    }
    let most = needed.into_iter().max_by_key(|(_, needed)| *needed);
    let (destination, needed) = most.unwrap_or((Destination::Server(String::new()), 0));
    Ports {
        needed: needed.min(open_at_once),
        proxy: match destination {
            Destination::Proxy(proxy) => Some(proxy),
            Destination::Server(_) => None,
        },
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Destination {
    /// The address, without credentials.
    Proxy(String),
    /// The host and the port; empty for the built-in server.
    Server(String),
}

/// What is dialled; `server` is `None` for the built-in one.
fn destination(cohort: &Cohort, server: Option<&WsUrl>) -> Destination {
    match (&cohort.access.proxy, server) {
        (Some(proxy), _) => Destination::Proxy(proxy.shown()),
        (None, Some(url)) => Destination::Server(format!("{}:{}", url.host, url.port)),
        (None, None) => Destination::Server(String::new()),
    }
}

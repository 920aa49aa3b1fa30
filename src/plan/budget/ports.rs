//! The local ports that a plan needs.

use std::collections::BTreeMap;

use crate::scenario::{Cohort, Scenario, WsUrl};

/// Returns the local ports that connections to the most dialled server or proxy need at once. Each pair of a source and a
/// destination has ports of its own, and a Unix socket needs none.
pub(super) fn ports(scenario: &Scenario, open_at_once: u64) -> u64 {
    let mut needed: BTreeMap<String, u64> = BTreeMap::new();
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
            *needed
                .entry(destination(cohort, Some(&server.url)))
                .or_default() += share;
        }
    }
    needed.into_values().max().unwrap_or(0).min(open_at_once)
}

/// What is dialled: the proxy, the server, or the built-in server.
fn destination(cohort: &Cohort, server: Option<&WsUrl>) -> String {
    match (&cohort.access.proxy, server) {
        (Some(proxy), _) => proxy.shown(),
        (None, Some(url)) => format!("{}:{}", url.host, url.port),
        (None, None) => String::new(),
    }
}

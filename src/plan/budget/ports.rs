//! The local ports that a plan needs.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::scenario::{Cohort, HttpVersion, Scenario, WsUrl};

/// The local ports that are needed.
pub(super) struct Ports {
    /// How many on each source address.
    pub(super) needed: u64,
    /// The proxy that they are for; `None`: a server.
    pub(super) proxy: Option<String>,
}

/// Returns the local ports that connections to the most dialled server or proxy need at once. Each pair of a source and a
/// destination has ports of its own, and a Unix socket needs none.
pub(super) fn ports(scenario: &Scenario, open_at_once: u64, workers: u64) -> Ports {
    let mut needed: BTreeMap<(Destination, Option<IpAddr>), u64> = BTreeMap::new();
    let mut take = |cohort: &Cohort, destination: Destination, connections: u64| {
        let sources = &cohort.access.sources;
        let each = connections.div_ceil(sources.len().max(1) as u64);
        let system = sources.is_empty().then_some(None);
        for source in sources.iter().copied().map(Some).chain(system) {
            *needed.entry((destination.clone(), source)).or_default() += each;
        }
    };
    for cohort in &scenario.cohorts {
        let connections = u64::from(cohort.connections).min(open_at_once);
        let servers = cohort.dialled(&scenario.target.url);
        let Some(servers) = servers else {
            take(cohort, destination(cohort, None), connections);
            continue;
        };
        let all: u64 = servers.iter().map(|server| u64::from(server.weight)).sum();
        for server in servers.iter().filter(|server| server.url.unix.is_none()) {
            let share = (connections * u64::from(server.weight)).div_ceil(all.max(1));
            let share = match cohort.access.http {
                HttpVersion::One => share,
                HttpVersion::Two(sharing) => sharing.carriers(share, workers),
            };
            take(cohort, destination(cohort, Some(&server.url)), share);
        }
    }
    let most = needed.into_iter().max_by_key(|(_, needed)| *needed);
    let none = (Destination::Server(String::new()), None);
    let ((destination, _), needed) = most.unwrap_or((none, 0));
    Ports {
        needed: needed.min(open_at_once),
        proxy: match destination {
            Destination::Proxy(proxy) => Some(proxy),
            Destination::Server(_) => None,
        },
    }
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
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

#[cfg(test)]
mod tests {
    use crate::plan::budget::Budget;
    use crate::plan::budget::tests::with_files;

    #[test]
    fn ports_are_those_of_the_server_with_the_most_connections() {
        let ports = |url: &str, load: &str| {
            Budget::new(&with_files(&format!("target.url = {url}\n{load}"), &[]), 1).ports
        };
        let hundred = "load.connections = 100";
        let both = "[\"ws://a/\", { url = \"ws://b/\", weight = 3 }]";
        let mixed = "[\"ws://a/\", \"ws+unix:/a.sock:/\"]";
        assert_eq!(ports("\"ws://a/\"", hundred), 100);
        assert_eq!(ports(both, hundred), 75);
        assert_eq!(ports(mixed, hundred), 50);
        assert_eq!(ports("\"ws+unix:/a.sock\"", hundred), 0);
        let sources = format!("{hundred}\ntarget.source_addresses = [\"127.0.0.1-127.0.0.2\"]");
        assert_eq!(ports("\"ws://a/\"", &sources), 50);
        // However many servers there are behind it.
        let proxied = format!("{hundred}\ntarget.proxy = \"http://p:3128\"");
        assert_eq!(ports(both, &proxied), 100);
        let own = format!("{hundred}\n[[cohort]]\nname = \"a\"\nconnections = 60\ntarget.source_addresses = [\"127.0.0.1-127.0.0.3\"]\n[[cohort]]\nname = \"b\"\nconnections = 40\ntarget.source_addresses = [\"127.0.0.3-127.0.0.4\"]").replace(hundred, "");
        assert_eq!(ports("\"ws://a/\"", &own), 40);
        let other = "[[cohort]]\nname = \"a\"\nconnections = 10\n[[cohort]]\nname = \"b\"\nconnections = 4\ntarget.url = \"ws://b/\"";
        assert_eq!(ports("\"ws://a/\"", other), 10);
    }
}

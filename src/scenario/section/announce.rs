//! `[target.proxy_protocol]`: what a load balancer tells the servers behind it of their clients (the PROXY protocol of
//! haproxy.org).

use std::net::IpAddr;

use super::network::{network, range};
use crate::scenario::reading::{At, Key, OneOrMany, Section, Switch, Switched, Whole, keys};

/// The most addresses that are claimed.
const MAX_CLAIMED: usize = 1 << 16;
const HINT: &str =
    "write \"203.0.113.0/24\", \"10.0.0.1-10.0.0.9\", or \"real\" for our own address";

/// What is said of the client before anything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announce {
    /// The version of the protocol.
    pub version: AnnounceVersion,
    /// The addresses that are claimed: connection i has the i-th, in turn. If it is empty, each has its real one.
    pub claimed: Vec<IpAddr>,
}

impl Announce {
    /// The address that the TCP connection with this number claims; `None`: its own.
    pub(crate) fn claim(&self, number: u32) -> Option<IpAddr> {
        let place = (number as usize).checked_rem(self.claimed.len())?;
        Some(self.claimed[place])
    }
}

/// The version of the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnnounceVersion {
    /// A line of text.
    One,
    /// Bytes.
    Two,
}

keys! {
    /// What a load balancer tells the servers behind it of their clients.
    #[serde(expecting = "a table")]
    AnnounceTable = "ProxyProtocol" {
        /// The version of the PROXY protocol: 1 is a line of text, 2 has bytes.
        version: Whole<1, 2> = Whole(2),
        /// The addresses that clients claim to have, in turn: networks, ranges and addresses. "real": their own.
        source: OneOrMany<String>,
    }
}

impl Switched for AnnounceTable {
    const OFF: &'static str = "off";
    const EXPECTING: &'static str =
        "\"off\" or a table such as { version = 2, source = \"203.0.113.0/24\" }";
}

/// Resolves it; `None` if it is not asked for.
pub(super) fn resolve(
    section: &mut Section<'_, '_>,
    given: &Key<Switch<AnnounceTable>>,
) -> Option<Announce> {
    const KEY: &str = "source";
    let At { value: keys, place } = &Switch::on(given)?;
    let path = &section.key("proxy_protocol");
    let section = &mut Section {
        check: &mut *section.check,
        path,
        place,
    };
    let version = match keys.version().0 {
        1 => AnnounceVersion::One,
        _ => AnnounceVersion::Two,
    };
    let given = keys.source.as_ref().map_or(vec![], OneOrMany::each);
    if given.is_empty() {
        section.missing(&[KEY], HINT);
    }
    let mut claimed = Vec::new();
    for (place, text) in &given {
        let most = MAX_CLAIMED + 1;
        match network(text, most).or_else(|| range(text, most)) {
            Some(addresses) => claimed.extend(addresses),
            None if *text == "real" && given.len() == 1 => {}
            None => {
                let what = "has an entry that is no address, range or network";
                section.wrong_at(KEY, place, what, HINT);
            }
        }
    }
    if claimed.len() > MAX_CLAIMED {
        let what = format_args!("comes to more than {MAX_CLAIMED} addresses");
        section.wrong(KEY, &keys.source, what, "write a smaller network");
    }
    Some(Announce { version, claimed })
}

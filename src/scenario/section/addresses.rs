//! Which of the addresses of a name clients dial, where these come from, and over which network device.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::access::AccessTable;
use crate::scenario::reading::{At, Given as _, OneOrMany, Section, words};

/// The most addresses that one name is given.
const MAX_PINNED: usize = 256;
/// The least time between two look-ups of a name.
const LEAST_EVERY: Duration = Duration::from_secs(1);
/// The longest name of a network device, in bytes (netdevice(7)).
const MAX_DEVICE: usize = 15;
/// What removes the device of `[target]` in a cohort.
const NO_DEVICE: &str = "off";

/// Which addresses clients dial.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Which of several they begin with.
    pub order: AddressOrder,
    /// The only family that they dial.
    pub family: Family,
    /// Names that are not looked up, in small letters, each with its addresses; at least one.
    pub pinned: BTreeMap<String, Vec<IpAddr>>,
    /// How often names are looked up again; `None`: when no address accepts a connection. At least a second.
    pub every: Option<Duration>,
    /// The network device that they dial over; `None`: as the system's routes say.
    pub device: Option<String>,
}

impl Addresses {
    /// The addresses that stand for a name; `None`: it is looked up.
    pub fn pinned(&self, host: &str) -> Option<&[IpAddr]> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.pinned.get(&host).map(Vec::as_slice)
    }

    /// Whether the system is asked for a host: it is a name, and no addresses stand for it.
    pub(crate) fn are_looked_up(&self, host: &str) -> bool {
        host.parse::<IpAddr>().is_err() && self.pinned(host).is_none()
    }
}

words! {
    /// Which of several addresses of a name a client dials first.
    #[derive(Default)]
    pub enum AddressOrder {
        /// Another one for each client, in turn.
        #[default]
        Spread,
        /// The first one, always.
        First,
    }
}

words! {
    /// Which addresses are dialled.
    #[derive(Default)]
    pub enum Family {
        /// Those of both families: the one of the first address, then the other.
        #[default]
        Any,
        /// Those of IPv4.
        Ipv4,
        /// Those of IPv6.
        Ipv6,
    }
}

impl Family {
    /// That of an address.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }

    /// Whether an address is of it.
    pub fn has(self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Ipv4 => address.is_ipv4(),
            Self::Ipv6 => address.is_ipv6(),
        }
    }

    /// What an address is called: "address", "IPv4 address" or "IPv6 address".
    pub fn word(self) -> &'static str {
        match self {
            Self::Any => "address",
            Self::Ipv4 => "IPv4 address",
            Self::Ipv6 => "IPv6 address",
        }
    }
}

/// Names, each with an address or several.
pub(in crate::scenario) type PinnedGiven = BTreeMap<String, At<OneOrMany<String>>>;

impl AccessTable {
    /// Resolves what it says of addresses over what `[target]` says, key by key.
    pub(super) fn addresses_over(
        &self,
        section: &mut Section<'_, '_>,
        base: &Addresses,
    ) -> Addresses {
        let family = self.family.value_or(base.family);
        let mut pinned = base.pinned.clone();
        for (host, given) in self.resolve.iter().flat_map(|at| &at.value) {
            if let Some(addresses) = pin(section, host, given, family) {
                pinned.insert(host.trim_end_matches('.').to_ascii_lowercase(), addresses);
            }
        }
        let every: Option<Duration> = self.resolve_every.value();
        let is_too_often = |every: &Duration| !every.is_zero() && *every < LEAST_EVERY;
        if every.as_ref().is_some_and(is_too_often) {
            let what = "is shorter than a second";
            let hint = "write a longer time; \"0s\": only when no address accepts a connection";
            section.wrong("resolve_every", &self.resolve_every, what, hint);
        }
        let device = match &self.device {
            None => base.device.clone(),
            Some(at) if at.value == NO_DEVICE => None,
            Some(at) => device(section, at),
        };
        Addresses {
            order: self.addresses.value_or(base.order),
            family,
            pinned,
            every: match every {
                Some(every) => Some(every).filter(|every| !every.is_zero()),
                None => base.every,
            },
            device,
        }
    }
}

/// The addresses of one name.
fn pin(
    section: &mut Section<'_, '_>,
    host: &str,
    given: &At<OneOrMany<String>>,
    family: Family,
) -> Option<Vec<IpAddr>> {
    let key = format!("resolve.{host}");
    if host.parse::<IpAddr>().is_ok() || host.is_empty() {
        let what = "is given addresses, and is no name";
        let hint = "write `resolve = { \"chat.example.org\" = [\"10.0.0.7\"] }`";
        section.wrong_at(&key, &given.place, what, hint);
        return None;
    }
    let mut addresses = Vec::new();
    for (place, text) in OneOrMany::each(given) {
        let Ok(address) = text.parse::<IpAddr>() else {
            let what = "has an entry that is no IP address";
            let hint = "write it like \"10.0.0.7\" or \"::1\"; the port stays that of the url";
            section.wrong_at(&key, place, what, hint);
            return None;
        };
        addresses.push(address);
    }
    if addresses.len() > MAX_PINNED {
        let what = format_args!("has more than {MAX_PINNED} addresses");
        section.wrong_at(&key, &given.place, what, None);
    }
    if !addresses.iter().any(|address| family.has(*address)) {
        let what = format_args!("has no {}", family.word());
        let hint = match family {
            Family::Any => "write one at least, or leave the name out",
            _ => "add one, or leave out `family`",
        };
        section.wrong_at(&key, &given.place, what, hint);
        return None;
    }
    Some(addresses)
}

/// The name of a network device.
fn device(section: &mut Section<'_, '_>, given: &At<String>) -> Option<String> {
    let name = section.expand("device", given)?;
    let is_name = |c: char| c.is_ascii_graphic() && c != '/';
    if name.is_empty() || name.len() > MAX_DEVICE || !name.chars().all(is_name) {
        let what = "is no name of a network device";
        section.wrong_at(
            "device",
            &given.place,
            what,
            "`ip link` lists those there are",
        );
        return None;
    }
    Some(name)
}

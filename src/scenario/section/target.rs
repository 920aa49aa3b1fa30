//! `[target]`: the server under test, and how to connect to it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::access::{Access, AccessTable, Redirects, SharedAccess, access_keys};
use super::addresses::{AddressOrder, Family, PinnedGiven};
use super::announce::AnnounceTable;
use super::compression::{Compression, CompressionGiven, SendsPacked};
use super::http_version::{HttpWord, Streams};
use super::process::{self, Process};
use super::proxy::ProxyGiven;
use super::server::{self, RoomsOrNot, ServerHeartbeat, ServerHeartbeatTable, ServerRooms};
use super::servers::{self, Address, Servers, TargetUrl, UrlGiven};
use super::split::{Split, SplitGiven};
use super::tls::TlsTable;
use super::upgrade;
use super::url::Protocol;
use super::{Cohort, Payload};
use crate::scenario::dialect::{Dialect, DialectGiven};
use crate::scenario::fault::{Measured, TargetFault, TargetFaultTable, target_faults};
use crate::scenario::reading::{
    At, Check, Given as _, Items as _, Key, List, OneOrMany, Place, Section, Shorthand, Time,
    TimeOrZero, Whole, given,
};
use crate::units::ByteSize;

/// The most bytes of one message that each connection may have to hold.
const MAX_MESSAGE: ByteSize = ByteSize(1 << 30);
/// The most bytes of the text that parts messages.
const MAX_SPLIT: usize = 16;
/// The most local addresses.
const MAX_SOURCES: usize = 4096;

/// The server under test.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The address.
    pub url: TargetUrl,
    /// The timeout from the dial to the checked 101. Above zero.
    pub connect_timeout: Duration,
    /// The timeout from wsbench's own Close to the end of TCP. Above zero.
    pub close_timeout: Duration,
    /// Extra request headers, in order. Values may be secret: they are never reported.
    pub headers: Vec<(String, String)>,
    /// The `Origin` header.
    pub origin: Option<String>,
    /// The subprotocols to offer, in this order.
    pub subprotocols: Vec<String>,
    /// How clients get to it, unless their cohort says otherwise.
    pub access: Access,
    /// Local addresses to dial from, used in turn. If empty, the system chooses.
    pub source_addresses: Vec<IpAddr>,
    /// The longest message a server may send before the connection is failed with `message_too_big`.
    pub max_message: ByteSize,
    /// How frames hold messages; `None` if each frame is one message.
    pub split: Option<Split>,
    /// The interval at which the built-in server sends every client an unsolicited message; only with
    /// [`TargetUrl::Embedded`]. Above zero.
    pub embedded_push: Option<Duration>,
    /// How the built-in server checks that its clients are alive; only with [`TargetUrl::Embedded`].
    pub embedded_heartbeat: Option<ServerHeartbeat>,
    /// The rooms of the built-in server; only with [`TargetUrl::Embedded`].
    pub embedded_rooms: Option<ServerRooms>,
    /// The protocol over WebSocket in which the scenario was written; what it adds is in the cohorts.
    pub dialect: Option<Dialect>,
    /// The process of the target, if it is on this machine; [`Process::Unknown`] with [`TargetUrl::Embedded`].
    pub process: Process,
    /// The faults of the target. Empty unless its process is known or it is embedded.
    pub faults: Vec<TargetFault>,
}

access_keys! {
    /// The server under test.
    #[serde(expecting = "a table")]
    TargetTable = "Target" {
        /// From the dial to the checked 101.
        connect_timeout: Time = Time::seconds(10),
        /// From our Close to the end of TCP.
        close_timeout: Time = Time::seconds(5),
        /// Extra request headers. `${NAME}` in a value comes from the environment; so it does in `origin`,
        /// `subprotocols` and the texts of payloads. Such values are shown nowhere, from four characters on.
        /// Placeholders stand in them, in the path and query of `url`, and in `subprotocols`: what the plan knows,
        /// columns of data, and what `http` steps save.
        headers: BTreeMap<String, At<String>>,
        /// The `Origin` header.
        origin: String,
        /// Subprotocols to offer, in this order.
        subprotocols: List<At<String>>,
        /// Local addresses to dial from, used in turn: "127.0.0.1" or "127.0.0.1-127.0.0.8".
        source_addresses: List<At<String>>,
        /// The protocol over WebSocket: its name, or a table of its name and its options. It brings its set-up, heartbeat
        /// and words of its own for payloads and matches; `wsbench check --expand` shows them.
        dialect: DialectGiven,
        /// The longest message the server may send. Default: four times the longest payload, at least "1MiB".
        max_message: ByteSize,
        /// One frame may hold several messages, each ended or parted by this text. What is sent gets it at its end. Or
        /// `{ packets = "mqtt" }`: they are packets of MQTT 3.1.1.
        split: SplitGiven,
        /// The built-in server sends every client a message this often. Only with `url = "embedded"`.
        push: Time,
        /// The built-in server pings its clients, and ends those that do not answer. Only with `url = "embedded"`.
        heartbeat: ServerHeartbeatTable,
        /// The built-in server has rooms: what one member says all hear. Only with `url = "embedded"`.
        rooms: RoomsOrNot,
        /// The program and its arguments: wsbench starts the target, and ends it after the run. Only on this machine.
        command: List<At<String>>,
        /// The process of a target that runs already on this machine.
        pid: Whole<1, { i32::MAX as u32 }>,
        /// What is done to the target. Needs `command`, `pid` or `url = "embedded"`.
        fault: OneOrMany<TargetFaultTable>,
    }
}

/// Resolves the address of `[target]`; `None` if it is missing or invalid.
pub(in crate::scenario) fn address(
    check: &mut Check<'_>,
    table: &At<TargetTable>,
) -> Option<Address> {
    let At { value: keys, place } = table;
    let path = "target";
    let section = &mut Section { check, path, place };
    let address = servers::resolve(section, &keys.url, &keys.unix, None)?;
    keeps(section, address.protocol, &given!(keys; keep_alive));
    Some(address)
}

/// Resolves how clients get to the server of `[target]`.
pub(in crate::scenario) fn access(
    check: &mut Check<'_>,
    table: &At<TargetTable>,
    address: Option<&Address>,
) -> SharedAccess {
    let At { value: keys, place } = table;
    let path = "target";
    let section = &mut Section { check, path, place };
    if let Some(address) = address {
        packs(section, address, &keys.compression);
    }
    AccessTable::from(keys).shared(section, address)
}

/// Notes `compression` where nobody speaks it.
pub(super) fn packs(
    section: &mut Section<'_, '_>,
    address: &Address,
    given: &Key<CompressionGiven>,
) {
    let is_asked_for = |at: &&At<CompressionGiven>| !matches!(at.value, Shorthand::Value(false));
    let given = given.as_ref().filter(is_asked_for);
    let given = [("compression", given.map(|at| &at.place))];
    let hint = "leave it out, or use a ws:// or wss:// address";
    if address.protocol != Protocol::WebSocket {
        section.excluded(&given, "is only for WebSockets", hint);
    } else if address.url == TargetUrl::Embedded {
        section.excluded(&given, "is not spoken by the built-in server", hint);
    }
}

/// Notes `keep_alive` where there is nothing to keep.
pub(super) fn keeps(
    section: &mut Section<'_, '_>,
    protocol: Protocol,
    given: &[(&str, Option<&Place>)],
) {
    if protocol == Protocol::WebSocket {
        let because = "is only for http://, where connections are kept between two requests";
        section.excluded(given, because, "leave it out, or use an http:// address");
    }
}

/// Resolves the rest of `[target]`; the default of `max_message` depends on the cohorts.
pub(in crate::scenario) fn resolve(
    check: &mut Check<'_>,
    table: &At<TargetTable>,
    url: Option<TargetUrl>,
    access: Access,
    cohorts: &[Cohort],
    measured: Option<Measured>,
) -> Option<Target> {
    let At { value: keys, place } = table;
    let path = "target";
    let section = &mut Section { check, path, place };
    if matches!(url, Some(TargetUrl::Servers(_))) {
        let because = "is only for the built-in server";
        let hint = "leave it out, or write `url = \"embedded\"`";
        section.excluded(&given!(keys; push, rooms), because, hint);
        let hint = "leave it out, or write `url = \"embedded\"`; clients ping by `[heartbeat]`";
        section.excluded(&given!(keys; heartbeat), because, hint);
    }
    keys.no_tls(section, url.as_ref(), cohorts);
    Some(Target {
        access,
        headers: keys.headers(section),
        origin: keys.origin(section),
        max_message: keys.max_message(section, cohorts),
        split: keys.split(section, cohorts),
        connect_timeout: keys.connect_timeout().0,
        close_timeout: keys.close_timeout().0,
        subprotocols: keys.subprotocols(section),
        source_addresses: keys.source_addresses(section),
        dialect: (keys.dialect.as_ref()).and_then(|name| Dialect::named(&name.value.0)),
        embedded_push: keys.push.value(),
        embedded_heartbeat: keys.heartbeat.as_ref().map(|at| server::resolve(&at.value)),
        embedded_rooms: server::rooms(section, &keys.rooms, &keys.heartbeat),
        process: process::resolve(section, keys, url.as_ref()),
        faults: target_faults(section, keys, url.as_ref(), measured),
        url: url?,
    })
}

impl TargetTable {
    /// Notes settings of TLS where it is spoken with nobody.
    fn no_tls(&self, section: &mut Section<'_, '_>, url: Option<&TargetUrl>, cohorts: &[Cohort]) {
        let is_plain = match url {
            Some(url) => !url.servers().is_some_and(Servers::is_secure),
            None => false,
        };
        let mut others = cohorts.iter().flat_map(Cohort::other_servers);
        if is_plain && !others.any(|server| server.secure) {
            AccessTable::from(self).exclude_tls(section);
        }
    }

    fn headers(&self, section: &mut Section<'_, '_>) -> Vec<(String, String)> {
        let is_told = upgrade::has_placeholders(self);
        let given = self.headers.iter().flat_map(|headers| &headers.value);
        let mut given: Vec<_> = given.collect();
        given.sort_by_key(|(_, value)| value.place.span().map(|span| span.start));
        let mut headers: Vec<(String, String)> = Vec::new();
        for (name, value) in given {
            let key = format!("headers.{name}");
            if is_told {
                // What is wrong with one that has placeholders is told of the whole request.
                if let Place::Option(_) = value.place {
                    section.check.secrets.header(name, &value.value);
                }
                continue;
            }
            header_name(section, &key, &value.place, name);
            if let Some((other, _)) = headers.iter().find(|(o, _)| o.eq_ignore_ascii_case(name)) {
                let what = format_args!("is the same header as `{other}`");
                section.wrong_at(&key, &value.place, what, "leave out one of them");
            }
            if let Some(expanded) = header_value(section, &key, value) {
                if let Place::Option(_) = value.place {
                    section.check.secrets.header(name, &value.value);
                }
                headers.push((name.clone(), expanded));
            }
        }
        headers
    }

    fn origin(&self, section: &mut Section<'_, '_>) -> Option<String> {
        let origin = self.origin.as_ref()?;
        if let Place::Option(_) = origin.place {
            section.check.secrets.header("Origin", &origin.value);
        }
        header_value(section, "origin", origin)
    }

    fn subprotocols(&self, section: &mut Section<'_, '_>) -> Vec<String> {
        const KEY: &str = "subprotocols";
        if upgrade::has_placeholders(self) {
            return Vec::new();
        }
        let given = self.subprotocols.items();
        section.check.unique(&section.key(KEY), given.iter());
        let mut names = Vec::new();
        for protocol in given {
            let Some(expanded) = section.expand(KEY, protocol) else {
                continue;
            };
            // RFC 6455 section 4.1 demands a token of RFC 9110, and a header name is such a token.
            if expanded.parse::<HeaderName>().is_err() {
                no_subprotocol(section, &protocol.place);
            }
            names.push(expanded);
        }
        names
    }

    fn source_addresses(&self, section: &mut Section<'_, '_>) -> Vec<IpAddr> {
        const KEY: &str = "source_addresses";
        let mut addresses = Vec::new();
        for text in self.source_addresses.items() {
            match range(&text.value, MAX_SOURCES + 1) {
                Some(range) if addresses.len() + range.len() <= MAX_SOURCES => {
                    addresses.extend(range);
                }
                Some(_) => {
                    let what = format_args!("comes to more than {MAX_SOURCES} addresses");
                    section.wrong_at(KEY, &text.place, what, None);
                    break;
                }
                None => {
                    let what = "has an entry that is no IP address and no range of them";
                    let hint = "write \"127.0.0.1\", or \"127.0.0.1-127.0.0.8\" for a range";
                    section.wrong_at(KEY, &text.place, what, hint);
                }
            }
        }
        addresses
    }

    fn split(&self, section: &mut Section<'_, '_>, cohorts: &[Cohort]) -> Option<Split> {
        const KEY: &str = "split";
        let split = match &self.split.as_ref()?.value {
            Shorthand::Value(text) => text,
            Shorthand::Table(table) => {
                let prepares = |packs: &Compression| packs.send == SendsPacked::Prepared;
                let mut cohorts_with = cohorts.iter();
                if cohorts_with.any(|cohort| cohort.packs().is_some_and(prepares)) {
                    let what = "makes packets as they are sent, and none before that";
                    let hint = "write `compression = { send = \"each\" }`";
                    section.wrong(KEY, &self.split, what, hint);
                }
                return table.resolve(section, &self.split, cohorts);
            }
        };
        if split.is_empty() || split.len() > MAX_SPLIT {
            let what = format_args!("is not 1 to {MAX_SPLIT} bytes long");
            section.wrong(KEY, &self.split, what, "write it like \"\\u001e\"");
        }
        let mut frames = cohorts.iter().flat_map(Cohort::frames);
        let mut has_it = |(_, payload, _): &(_, &Payload, _)| payload.ends_with(split.as_bytes());
        if !split.is_empty()
            && let Some((name, ..)) = frames.find(&mut has_it)
        {
            let what = format_args!("stands at the end of what `{name}` sends already");
            section.wrong(KEY, &self.split, what, "leave it out there");
        }
        Some(Split::Text(split.clone()))
    }

    /// The given limit, or four times the longest payload and at least 1 MiB.
    fn max_message(&self, section: &mut Section<'_, '_>, cohorts: &[Cohort]) -> ByteSize {
        const KEY: &str = "max_message";
        let Some(At { value: size, .. }) = self.max_message else {
            let payloads = cohorts.iter().flat_map(Cohort::payloads);
            let longest = payloads.map(|(_, payload)| payload.longest()).max();
            return ByteSize(longest.unwrap_or(0).saturating_mul(4).max(1 << 20));
        };
        if size.0 == 0 {
            section.wrong(KEY, &self.max_message, "is not above zero", None);
        }
        if size > MAX_MESSAGE {
            let what = format_args!("is {size}, more than {MAX_MESSAGE}");
            let hint =
                "write a smaller size: each connection may hold a message of that length in memory";
            section.wrong(KEY, &self.max_message, what, hint);
        }
        size
    }
}

fn header_name(section: &mut Section<'_, '_>, key: &str, place: &Place, name: &str) {
    let Ok(name) = name.parse::<HeaderName>() else {
        let hint = "use letters, digits and `-`";
        return section.wrong_at(key, place, "is not a header name", hint);
    };
    if let Some(hint) = own_header(name.as_str()) {
        section.wrong_at(key, place, "is a header that wsbench sets itself", hint);
    }
}

/// What to do instead of setting a header of the upgrade request that wsbench sets itself.
pub(super) fn own_header(name: &str) -> Option<&'static str> {
    Some(match name {
        "origin" => "use `target.origin`",
        "sec-websocket-protocol" => "use `target.subprotocols`",
        "upgrade" | "connection" | "content-length" | "transfer-encoding" => "leave it out",
        name if name.starts_with("sec-websocket-") => "leave it out",
        _ => return None,
    })
}

/// Notes an entry of `subprotocols` that cannot be one.
pub(super) fn no_subprotocol(section: &mut Section<'_, '_>, place: &Place) {
    let what = "has an entry that is no name of a subprotocol";
    let hint = "use letters, digits, `-`, `.` and `_`";
    section.wrong_at("subprotocols", place, what, hint);
}

/// The value of a header with its variables replaced. Problems never quote it, as it may be secret.
fn header_value(section: &mut Section<'_, '_>, key: &str, value: &At<String>) -> Option<String> {
    let expanded = section.expand(key, value)?;
    if HeaderValue::from_str(&expanded).is_err() {
        let what = "holds a character that no header may";
        section.wrong_at(key, &value.place, what, "use printable ASCII characters");
    }
    Some(expanded)
}

/// The first so many addresses of a range; `None` if the text is not a range of addresses.
pub(super) fn range(text: &str, most: usize) -> Option<Vec<IpAddr>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last): (IpAddr, IpAddr) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let addresses: Box<dyn Iterator<Item = IpAddr>> = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) if first <= last => {
            Box::new((first.to_bits()..=last.to_bits()).map(|bits| IpAddr::V4(bits.into())))
        }
        (IpAddr::V6(first), IpAddr::V6(last)) if first <= last => {
            Box::new((first.to_bits()..=last.to_bits()).map(|bits| IpAddr::V6(bits.into())))
        }
        _ => return None,
    };
    Some(addresses.take(most).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_addresses_is_counted_out() {
        let addresses = range("127.0.0.254-127.0.1.1", MAX_SOURCES + 1).unwrap();
        let texts: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
        assert_eq!(
            texts,
            ["127.0.0.254", "127.0.0.255", "127.0.1.0", "127.0.1.1"]
        );
        assert_eq!(range("::1 - ::3", MAX_SOURCES + 1).unwrap().len(), 3);
        assert_eq!(range("10.0.0.1", MAX_SOURCES + 1).unwrap().len(), 1);
    }

    #[test]
    fn a_huge_range_is_cut_off_and_a_wrong_one_is_none() {
        assert_eq!(range("::-ffff::", MAX_SOURCES + 1).unwrap().len(), 4097);
        assert_eq!(range("10.0.0.2-10.0.0.1", MAX_SOURCES + 1), None);
        assert_eq!(range("10.0.0.1-::1", MAX_SOURCES + 1), None);
        assert_eq!(range("localhost", MAX_SOURCES + 1), None);
    }
}

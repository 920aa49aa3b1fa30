//! `[target]`: the server under test, and how to connect to it.

use std::collections::BTreeMap;
use std::time::Duration;

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
use super::url::Protocol;
use super::{Cohort, Payload};
use crate::scenario::dialect::{Dialect, DialectGiven};
use crate::scenario::fault::{Measured, TargetFault, TargetFaultTable, target_faults};
use crate::scenario::reading::{
    At, Check, Given as _, Key, List, OneOrMany, Place, Section, Shorthand, Switch, Time,
    TimeOrZero, Whole, given,
};
use crate::units::ByteSize;

/// The most bytes of one message that each connection may have to hold.
const MAX_MESSAGE: ByteSize = ByteSize(1 << 30);
/// The most bytes of the text that parts messages.
const MAX_SPLIT: usize = 16;

/// The server under test.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The address.
    pub url: TargetUrl,
    /// The timeout from the dial to the checked 101. Above zero.
    pub connect_timeout: Duration,
    /// The timeout from wsbench's own Close to the end of TCP. Above zero.
    pub close_timeout: Duration,
    /// How clients get to it, unless their cohort says otherwise.
    pub access: Access,
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

impl Target {
    /// Whether its process is known, so that its resources can be seen.
    pub fn has_known_process(&self) -> bool {
        self.url == TargetUrl::Embedded || self.process != Process::Unknown
    }
}

access_keys! {
    /// The server under test.
    #[serde(expecting = "a table")]
    TargetTable = "Target" {
        /// From the dial to the checked 101.
        connect_timeout: Time = Time::seconds(10),
        /// From our Close to the end of TCP.
        close_timeout: Time = Time::seconds(5),
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
        max_message: keys.max_message(section, cohorts),
        split: keys.split(section, cohorts),
        connect_timeout: keys.connect_timeout().0,
        close_timeout: keys.close_timeout().0,
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
        if is_plain && !cohorts.iter().any(Cohort::may_lead_to_tls) {
            AccessTable::from(self).exclude_tls(section);
        }
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

//! `[cohort.target]`: the server of a cohort, and what is spoken with it.

use super::Cohort;
use super::access::{Access, AccessKeys, Redirects, SharedAccess};
use super::addresses::{AddressKeys, AddressOrder, Family, PinnedGiven};
use super::announce::AnnounceTable;
use super::compression::CompressionGiven;
use super::http_version::{HttpKeys, HttpWord, Streams};
use super::proxy::ProxyGiven;
use super::servers::{self, Address, Servers, TargetUrl, UrlGiven};
use super::target::{self, TargetTable};
use super::tls::TlsTable;
use super::url::Protocol;
use crate::scenario::reading::{At, Check, Given as _, Key, Section, TimeOrZero, given, keys};
use crate::units::ByteSize;

keys! {
    /// The server of a cohort. What is left out is that of `[target]`.
    #[serde(expecting = "a table")]
    CohortTargetTable = "CohortTarget" {
        /// As in `[target]`. `http://…` and `https://…` make no upgrade: there clients ask by `http` steps. "embedded" and
        /// "embedded-http" mean the built-in server, if it is the one of `[target]`.
        url: UrlGiven,
        /// As in `[target]`.
        unix: String,
        /// As in `[target]`.
        keep_alive: bool,
        /// As in `[target]`.
        ca: String,
        /// As in `[target]`.
        insecure: bool,
        /// As in `[target]`, merged with it key by key.
        tls: TlsTable,
        /// As in `[target]`; "off": none.
        proxy: ProxyGiven,
        /// As in `[target]`.
        proxy_protocol: AnnounceTable,
        /// As in `[target]`, merged with it key by key; `false`: none.
        compression: CompressionGiven,
        /// As in `[target]`.
        redirects: Redirects,
        /// As in `[target]`.
        addresses: AddressOrder,
        /// As in `[target]`.
        family: Family,
        /// As in `[target]`, merged with it name by name.
        resolve: PinnedGiven,
        /// As in `[target]`; "0s": when no address accepts a connection.
        resolve_every: TimeOrZero,
        /// As in `[target]`; "off": as the system's routes say.
        device: String,
        /// As in `[target]`.
        http: HttpWord,
        /// As in `[target]`.
        streams_per_connection: Streams,
        /// As in `[target]`.
        stream_window: ByteSize,
        /// As in `[target]`.
        connection_window: ByteSize,
    }
}

/// What a cohort speaks, and with which server, if that is not the one of `[target]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spoken {
    pub(super) protocol: Protocol,
    pub(super) servers: Option<Servers>,
    pub(super) keep_alive: bool,
    pub(super) access: Access,
}

/// Resolves it; `shared` is the address of `[target]`, if that is valid.
pub(super) fn resolve(
    check: &mut Check<'_>,
    own: &Key<CohortTargetTable>,
    target: Option<&TargetTable>,
    shared: Option<&Address>,
    access: &SharedAccess,
) -> Option<Spoken> {
    let protocol = shared.map_or(Protocol::WebSocket, |shared| shared.protocol);
    let keep_alive = target.is_none_or(TargetTable::keep_alive);
    let Some(At { value: keys, place }) = own else {
        return Some(Spoken {
            protocol,
            servers: None,
            keep_alive,
            access: access.access.clone(),
        });
    };
    let section = &mut Section {
        check,
        path: "cohort.target",
        place,
    };
    let own = match (&keys.url, &keys.unix) {
        (None, None) => None,
        (url, unix) => Some(servers::resolve(section, url, unix, shared)?),
    };
    let protocol = own.as_ref().map_or(protocol, |own| own.protocol);
    target::keeps(section, protocol, &given!(keys; keep_alive));
    if let Some(address) = own.as_ref().or(shared) {
        target::packs(section, address, &keys.compression);
    }
    let access = keys.access().over(section, access, own.as_ref().or(shared));
    let is_embedded = shared.is_none_or(|shared| shared.url == TargetUrl::Embedded);
    let servers = match own.map(|own| own.url) {
        Some(TargetUrl::Servers(servers)) => Some(servers),
        Some(TargetUrl::Embedded) if !is_embedded => {
            let what = "is the built-in server, which this run does not start";
            let hint = "write `url = \"embedded\"` in `[target]`, and the other server here";
            section.wrong("url", &keys.url, what, hint);
            None
        }
        Some(TargetUrl::Embedded) | None => None,
    };
    Some(Spoken {
        protocol,
        servers,
        keep_alive: keys.keep_alive.value().unwrap_or(keep_alive),
        access,
    })
}

/// Notes settings of TLS where the cohort speaks it with nobody; `shared` is the address of `[target]`.
pub(super) fn check(
    check: &mut Check<'_>,
    own: &Key<CohortTargetTable>,
    shared: Option<&Address>,
    cohort: &Cohort,
) {
    let Some(At { value: keys, place }) = own else {
        return;
    };
    let dials_target = cohort.servers.is_none();
    let is_secure = dials_target && shared.is_none_or(Address::is_secure);
    if !is_secure && !cohort.other_servers().any(|server| server.secure) {
        let path = "cohort.target";
        keys.access().excluded(&mut Section { check, path, place });
    }
}

impl CohortTargetTable {
    fn access(&self) -> AccessKeys<'_> {
        AccessKeys {
            ca: &self.ca,
            insecure: &self.insecure,
            tls: &self.tls,
            proxy: &self.proxy,
            proxy_protocol: &self.proxy_protocol,
            compression: &self.compression,
            addresses: AddressKeys {
                addresses: self.addresses.clone(),
                family: self.family.clone(),
                resolve: self.resolve.clone(),
                resolve_every: self.resolve_every.clone(),
                device: self.device.clone(),
            },
            redirects: &self.redirects,
            http: HttpKeys {
                http: self.http.clone(),
                streams: self.streams_per_connection.clone(),
                stream_window: self.stream_window.clone(),
                connection_window: self.connection_window.clone(),
            },
            is_elsewhere: self.url.is_some(),
        }
    }
}

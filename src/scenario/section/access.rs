//! A server and how clients get to it: the keys that `[target]` and `[cohort.target]` share, declared here for both.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::addresses::{AddressOrder, Addresses, Family, PinnedGiven};
use super::announce::{self, Announce, AnnounceTable};
use super::ask::Ask;
use super::compression::{self, Compression, CompressionGiven};
use super::http_version::{HttpVersion, HttpWord, Streams};
use super::proxy::{self, Proxy, ProxyGiven, ProxyKind};
use super::servers::{Address, UrlGiven};
use super::tls::{self, TlsSettings, TlsTable};
use super::url::WebOrigin;
use crate::scenario::reading::{
    At, Given as _, List, Merge as _, Section, Switch, TimeOrZero, Whole,
};
use crate::units::ByteSize;

/// How clients get to a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// How TLS is spoken, under `wss://` and `https://`.
    pub tls: TlsSettings,
    /// The proxy that their connections go through.
    pub proxy: Option<Proxy>,
    /// The variable of the environment that names a proxy, where nothing was said of proxies.
    pub unused_proxy: Option<&'static str>,
    /// What the server is told of them before anything else.
    pub announce: Option<Announce>,
    /// How messages are compressed.
    pub compression: Option<Compression>,
    /// Which addresses they dial.
    pub addresses: Addresses,
    /// How many redirects of the upgrade request they follow, one after the other.
    pub redirects: u32,
    /// What their WebSockets go over.
    pub http: HttpVersion,
    /// What their upgrade requests say.
    pub ask: Ask,
    /// Local addresses to dial from, used in turn. If empty, the system chooses.
    pub sources: Vec<IpAddr>,
}

/// A host and its port.
type Place<'a> = (&'a str, u16);

impl Access {
    /// The hosts whose address wsbench has to know on the way to a server: the one that it dials, and behind a proxy that
    /// takes addresses alone that of the server. None over a Unix socket.
    pub(crate) fn hosts<'a>(
        &'a self,
        server: &'a WebOrigin,
    ) -> (Option<Place<'a>>, Option<Place<'a>>) {
        let own = (&*server.host, server.port);
        match &self.proxy {
            _ if server.unix.is_some() => (None, None),
            None => (Some(own), None),
            Some(proxy) => {
                let is_told_addresses = proxy.kind == ProxyKind::Socks5;
                let behind = is_told_addresses.then_some(own);
                (Some((&proxy.host, proxy.port)), behind)
            }
        }
    }
}

/// Declares a table with the keys of [`AccessTable`] and, after them, others of its own, as [`keys!`] declares them. The
/// types of all these keys have to be in scope.
///
/// [`keys!`]: crate::scenario::reading::keys
macro_rules! access_keys {
    (@declare
        { $(#$about:tt)* $name:ident = $title:tt { $($own:tt)* } }
        $($(#$doc:tt)* $key:ident: $type:ty,)*
    ) => {
        $crate::scenario::reading::keys! {
            $(#$about)*
            $name = $title { $($(#$doc)* $key: $type,)* $($own)* }
        }

        impl From<&$name> for $crate::scenario::section::access::AccessTable {
            /// The keys that it shares with other such tables.
            fn from(table: &$name) -> Self {
                Self { $($key: table.$key.clone(),)* }
            }
        }
    };
    ($($table:tt)*) => {
        access_keys! {
            @declare { $($table)* }
            /// `ws://…` or `wss://…`, or "embedded" for the built-in server; a cohort may write that where `[target]`
            /// does. `${NAME}` comes from the environment. `http://…` and `https://…` make no upgrade: there clients
            /// ask by `http` steps, at the built-in server with "embedded-http". Or a list, whose servers get
            /// connections in turn: ["ws://a.example.org/", { url = "ws://b.example.org/", weight = 3 }].
            url: UrlGiven,
            /// The Unix socket to dial; `url` still gives `Host`, the path and TLS. In short:
            /// "ws+unix:/run/chat.sock:/socket" as `url`.
            unix: String,
            /// Over http: keep a connection between two requests, if the server keeps it too; else each request has a
            /// new one. Default true.
            keep_alive: bool,
            /// A PEM file with the only certificates to trust; relative to the scenario file.
            ca: String,
            /// Trust any certificate.
            insecure: bool,
            /// How TLS is spoken, under `wss://` and `https://`. That of a cohort is merged with that of `[target]` key
            /// by key.
            tls: TlsTable,
            /// The proxy that connections go through: an address such as "http://proxy:3128" or "socks5h://proxy:1080",
            /// a table, or "environment" for the one of HTTPS_PROXY, HTTP_PROXY or ALL_PROXY. "off": none.
            proxy: ProxyGiven,
            /// What a load balancer tells the servers behind it of their clients, said before anything else.
            /// "off": nothing.
            proxy_protocol: Switch<AnnounceTable>,
            /// Offers compression by permessage-deflate: `true`, or a table, which in a cohort is merged with that of
            /// `[target]` key by key. `false`: none is offered.
            compression: CompressionGiven,
            /// How many redirects of the upgrade request clients follow; the next one is an `http_status`. Never from
            /// wss to ws; what leads to another origin is asked without `Authorization` and `Cookie`. Default 0.
            redirects: Redirects,
            /// Which of several addresses of a name clients dial first. Default "spread".
            addresses: AddressOrder,
            /// The only family of addresses that is dialled; "any": that of the first address, then the other. Default
            /// "any".
            family: Family,
            /// Addresses of names, which are then not looked up: { "chat.example.org" = ["10.0.0.7", "10.0.0.8"] }. The
            /// port, `Host` and the name for TLS stay. Those of a cohort are merged with those of `[target]` name by
            /// name.
            resolve: PinnedGiven,
            /// How often names are looked up again. Default "0s": when no address accepts a connection.
            resolve_every: TimeOrZero,
            /// The network device to dial over, such as "eth1"; "off": as the system's routes say.
            device: String,
            /// Extra request headers. `${NAME}` in a value comes from the environment; so it does in `origin`,
            /// `subprotocols` and the texts of payloads. Such values are shown nowhere, from four characters on.
            /// Placeholders stand in them, in the path and query of `url`, and in `subprotocols`: what the plan knows,
            /// columns of data, and what `http` steps save. Those of a cohort are merged with those of `[target]` name
            /// by name; "off" leaves one out there.
            headers: BTreeMap<String, At<String>>,
            /// The `Origin` header. In a cohort "off" leaves it out.
            origin: String,
            /// Subprotocols to offer, in this order.
            subprotocols: List<At<String>>,
            /// Local addresses to dial from, used in turn: "127.0.0.1" or "127.0.0.1-127.0.0.8".
            source_addresses: List<At<String>>,
            /// What WebSockets go over: "1.1", each on a TCP connection of its own; or "2", as streams of TCP
            /// connections that they share (RFC 8441), which needs `streams_per_connection`. Default: "1.1".
            http: HttpWord,
            /// With `http = "2"`: how many WebSockets share a TCP connection. 1 is a connection for each user, as
            /// browsers have; 100 a gateway in front of the server. These are two different tests, so there is no
            /// default.
            streams_per_connection: Streams,
            /// With `http = "2"`: how much the server may send on a WebSocket before it is read. Default: "64KiB".
            stream_window: ByteSize,
            /// With `http = "2"`: the same for all WebSockets of a TCP connection. Default: "16MiB".
            connection_window: ByteSize,
        }
    };
}
pub(super) use access_keys;

access_keys! {
    /// The server of a cohort, and how its clients get there. What is left out is that of `[target]`.
    #[serde(expecting = "a table")]
    AccessTable = "CohortTarget" {}
}

/// A number of redirects.
pub(super) type Redirects = Whole<0, 20>;

/// The access of `[target]`, and what it was made of.
#[derive(Debug, Clone)]
pub(in crate::scenario) struct SharedAccess {
    pub(in crate::scenario) access: Access,
    pub(super) keys: AccessTable,
    /// With the short forms that stand beside the table.
    tls: TlsTable,
}

impl SharedAccess {
    /// Whether connections are kept between two requests of HTTP.
    pub(super) fn keep_alive(&self) -> bool {
        self.keys.keep_alive.value_or(true)
    }
}

impl AccessTable {
    /// Notes settings of TLS, which is spoken with nobody.
    pub(super) fn exclude_tls(&self, section: &mut Section<'_, '_>) {
        let insecure = self.insecure.as_ref().filter(|insecure| insecure.value);
        let given = [
            ("ca", self.ca.place()),
            ("insecure", insecure.map(|insecure| &insecure.place)),
            ("tls", self.tls.place()),
        ];
        let hint = "leave it out, or use a wss:// or https:// address";
        section.excluded(&given, "is only for wss:// and https://", hint);
    }

    /// Resolves those of `[target]`, whose address this is.
    pub(super) fn shared(
        &self,
        section: &mut Section<'_, '_>,
        address: Option<&Address>,
    ) -> SharedAccess {
        let servers = address.and_then(|address| address.url.servers());
        let At { value: tls, .. } = self.tls_keys(section).unwrap_or_default();
        let http = self.version(section, self, address);
        SharedAccess {
            access: Access {
                tls: self.tls_settings(section, &tls),
                proxy: proxy::resolve(section, &self.proxy, servers),
                unused_proxy: proxy::unused(section, &self.proxy, servers),
                announce: announce::resolve(section, &self.proxy_protocol),
                compression: compression::resolve(section, &self.compression, &None),
                addresses: self.addresses_over(section, &Addresses::default()),
                redirects: self.redirects.value_or(0),
                http,
                ask: self.ask(section),
                sources: self.sources(section),
            },
            keys: self.clone(),
            tls,
        }
    }

    /// Resolves those of a cohort, merged key by key with those of `[target]`; `address` is that of the cohort.
    pub(super) fn over_shared(
        &self,
        section: &mut Section<'_, '_>,
        shared: &SharedAccess,
        address: Option<&Address>,
    ) -> Access {
        let servers = address.and_then(|address| address.url.servers());
        let tls = match self.tls_keys(section) {
            Some(own) => self.tls_settings(section, &over(own.value, shared.tls.clone())),
            None => shared.access.tls.clone(),
        };
        // What is said of the target is resolved anew: the environment may name another proxy on the way to another server.
        let both = self.clone().over(shared.keys.clone());
        let announce = match &self.proxy_protocol {
            Some(_) => announce::resolve(section, &self.proxy_protocol),
            None => shared.access.announce.clone(),
        };
        let http = match self.says_version() || self.url.is_some() {
            true => both.version(section, self, address),
            false => shared.access.http,
        };
        Access {
            http,
            tls,
            unused_proxy: proxy::unused(section, &both.proxy, servers),
            proxy: proxy::resolve(section, &both.proxy, servers),
            announce,
            compression: match &self.compression {
                None => shared.access.compression.clone(),
                own => compression::resolve(section, own, &shared.keys.compression),
            },
            addresses: self.addresses_over(section, &shared.access.addresses),
            redirects: self.redirects.value_or(shared.access.redirects),
            ask: self.ask_over(section, &shared.access.ask),
            sources: match &self.source_addresses {
                Some(_) => self.sources(section),
                None => shared.access.sources.clone(),
            },
        }
    }

    /// The table of TLS, with the short forms beside it.
    fn tls_keys(&self, section: &mut Section<'_, '_>) -> Option<At<TlsTable>> {
        let short = TlsTable {
            ca: self.ca.clone(),
            insecure: self.insecure.clone(),
            ..TlsTable::default()
        };
        let Some(At { value: long, place }) = &self.tls else {
            let place = (self.ca.place()).or_else(|| self.insecure.place())?.clone();
            return Some(At {
                value: short,
                place,
            });
        };
        let twice = [
            ("ca", self.ca.place(), long.ca.is_some()),
            ("insecure", self.insecure.place(), long.insecure.is_some()),
        ];
        for (key, place, is_twice) in twice {
            if let (Some(place), true) = (place, is_twice) {
                let what = format_args!("stands in `{}` too", section.key("tls"));
                section.wrong_at(key, place, what, "leave out one of them");
            }
        }
        Some(At {
            value: long.clone().over(short),
            place: place.clone(),
        })
    }

    /// What is wrong is said of `[target.tls]`, unless only the short forms were given.
    fn tls_settings(&self, section: &mut Section<'_, '_>, keys: &TlsTable) -> TlsSettings {
        let (path, place) = match &self.tls {
            Some(at) => (section.key("tls"), at.place.clone()),
            None => (section.path.to_owned(), section.place.clone()),
        };
        let section = &mut Section {
            check: &mut *section.check,
            path: &path,
            place: &place,
        };
        tls::resolve(section, keys)
    }
}

/// The keys of a cohort over those of `[target]`.
fn over(own: TlsTable, mut base: TlsTable) -> TlsTable {
    // Whom to trust is one question, and a cohort that answers it leaves nothing of the shared answer.
    if own.ca.is_some() || own.insecure() || own.pin.is_some() {
        base.forget_trust();
    }
    // So is who the clients are.
    if own.certificate.is_some() || own.identities.is_some() {
        base.forget_identity();
    }
    own.over(base)
}

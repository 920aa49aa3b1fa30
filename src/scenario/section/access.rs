//! How clients get to a server: what `[target]` says of it, and `[cohort.target]` of one cohort.

use super::addresses::{AddressKeys, Addresses};
use super::announce::{self, Announce, AnnounceTable};
use super::compression::{self, Compression, CompressionGiven};
use super::http_version::{HttpKeys, HttpVersion};
use super::proxy::{self, Proxy, ProxyGiven};
use super::servers::Address;
use super::tls::{self, TlsSettings, TlsTable};
use crate::scenario::reading::{At, Given as _, Key, Merge as _, Section, Whole};

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
}

/// The keys that say it, in `[target]` or `[cohort.target]`.
pub(super) struct AccessKeys<'k> {
    pub(super) ca: &'k Key<String>,
    pub(super) insecure: &'k Key<bool>,
    pub(super) tls: &'k Key<TlsTable>,
    pub(super) proxy: &'k Key<ProxyGiven>,
    pub(super) proxy_protocol: &'k Key<AnnounceTable>,
    pub(super) compression: &'k Key<CompressionGiven>,
    pub(super) addresses: AddressKeys,
    pub(super) redirects: &'k Key<Redirects>,
    pub(super) http: HttpKeys,
    /// Whether an address stands beside them.
    pub(super) is_elsewhere: bool,
}

/// A number of redirects.
pub(super) type Redirects = Whole<0, 20>;

/// The access of `[target]`, and what it was made of.
#[derive(Debug, Clone)]
pub(in crate::scenario) struct SharedAccess {
    pub(in crate::scenario) access: Access,
    tls: TlsTable,
    proxy: Key<ProxyGiven>,
    compression: Key<CompressionGiven>,
    http: HttpKeys,
}

impl AccessKeys<'_> {
    /// Notes settings of TLS, which is spoken with nobody.
    pub(super) fn excluded(&self, section: &mut Section<'_, '_>) {
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
        let At { value: keys, .. } = self.tls_keys(section).unwrap_or_default();
        let http = self.http.resolve(section, &self.http, address);
        SharedAccess {
            access: Access {
                tls: self.tls(section, &keys),
                proxy: proxy::resolve(section, self.proxy, servers),
                unused_proxy: proxy::unused(section, self.proxy, servers),
                announce: announce::resolve(section, self.proxy_protocol),
                compression: compression::resolve(section, self.compression, &None),
                addresses: self.addresses.over(section, &Addresses::default()),
                redirects: self.redirects.value_or(0),
                http,
            },
            tls: keys,
            proxy: self.proxy.clone(),
            compression: self.compression.clone(),
            http: self.http.clone(),
        }
    }

    /// Resolves those of a cohort, merged key by key with those of `[target]`; `address` is that of the cohort.
    pub(super) fn over(
        &self,
        section: &mut Section<'_, '_>,
        shared: &SharedAccess,
        address: Option<&Address>,
    ) -> Access {
        let servers = address.and_then(|address| address.url.servers());
        let tls = match self.tls_keys(section) {
            Some(own) => self.tls(section, &over(own.value, shared.tls.clone())),
            None => shared.access.tls.clone(),
        };
        let proxy = match self.proxy {
            Some(_) => self.proxy,
            // The environment may name another proxy on the way to another server.
            None => &shared.proxy,
        };
        let announce = announce::resolve(section, self.proxy_protocol);
        let http = self.http.clone().over(&shared.http);
        let http = match self.http.any() || self.is_elsewhere {
            true => http.resolve(section, &self.http, address),
            false => shared.access.http,
        };
        Access {
            http,
            tls,
            unused_proxy: proxy::unused(section, proxy, servers),
            proxy: proxy::resolve(section, proxy, servers),
            announce: announce.or_else(|| shared.access.announce.clone()),
            compression: match self.compression {
                None => shared.access.compression.clone(),
                own => compression::resolve(section, own, &shared.compression),
            },
            addresses: self.addresses.over(section, &shared.access.addresses),
            redirects: self.redirects.value_or(shared.access.redirects),
        }
    }

    /// The table of TLS, with the short forms beside it.
    fn tls_keys(&self, section: &mut Section<'_, '_>) -> Option<At<TlsTable>> {
        let short = TlsTable {
            ca: self.ca.clone(),
            insecure: self.insecure.clone(),
            ..TlsTable::default()
        };
        let Some(At { value: long, place }) = self.tls else {
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
    fn tls(&self, section: &mut Section<'_, '_>, keys: &TlsTable) -> TlsSettings {
        let (path, place) = match self.tls {
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

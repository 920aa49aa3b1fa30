//! `[target.proxy]`: the proxy that connections go through.

use std::collections::BTreeMap;
use std::net::IpAddr;

use http::{HeaderName, HeaderValue};

use super::network::is_network_of;
use super::servers::Servers;
use super::tls::{self, TlsSettings, TlsTable};
use super::url::{self, WsUrl};
use crate::scenario::reading::{At, Key, List, Section, Shorthand, given, keys};
use crate::scenario::secrets::percent_decoded;

/// The most bytes of a user's name or password (RFC 1929 section 2).
const MAX_CREDENTIAL: usize = 255;
const HOST_HINT: &str = "write a name as DNS has it, or an address: IPv6 in brackets";
const HINT: &str = "write http://proxy:3128 or socks5h://proxy:1080";

/// A proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// What it speaks.
    pub kind: ProxyKind,
    /// Its name or address; IPv6 without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// A user and a password, 1 to 255 bytes each; with HTTP the password may be empty. Secret: they are never reported.
    pub credentials: Option<(String, String)>,
    /// More headers of the CONNECT.
    pub headers: Vec<(String, String)>,
    /// How TLS is spoken with the proxy itself, if it is [`ProxyKind::Https`].
    pub tls: TlsSettings,
}

/// What a proxy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyKind {
    /// CONNECT of HTTP.
    Http,
    /// The same under TLS.
    Https,
    /// SOCKS5; wsbench looks names up.
    Socks5,
    /// SOCKS5; the proxy looks names up.
    Socks5h,
}

impl ProxyKind {
    const ALL: [(&'static str, Self); 4] = [
        ("http", Self::Http),
        ("https", Self::Https),
        ("socks5", Self::Socks5),
        ("socks5h", Self::Socks5h),
    ];

    /// The scheme of its address.
    pub fn scheme(self) -> &'static str {
        let mut all = Self::ALL.into_iter();
        all.find(|(_, kind)| *kind == self)
            .map_or("", |(name, _)| name)
    }
}

impl Proxy {
    /// The address, without the credentials.
    pub fn shown(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        format!("{}://{host}:{}", self.kind.scheme(), self.port)
    }
}

/// An address, "environment" or "off"; or a table.
pub(super) type ProxyGiven = Shorthand<String, ProxyTable>;

keys! {
    /// The proxy that connections go through.
    #[serde(expecting = "a table")]
    ProxyTable = "Proxy" {
        /// `http://`, `https://`, `socks5://` (wsbench looks names up) or `socks5h://` (the proxy does), with a user and a
        /// password where it wants them: "http://me:${PASSWORD}@proxy:3128".
        url: String,
        /// More headers of the CONNECT.
        headers: BTreeMap<String, At<String>>,
        /// As in `[target.tls]`, of an https proxy.
        ca: String,
        /// As in `[target.tls]`, of an https proxy.
        insecure: bool,
        /// As in `[target.tls]`, of an https proxy.
        pin: List<At<String>>,
        /// As in `[target.tls]`, of an https proxy.
        server_name: String,
    }
}

/// Resolves the proxy on the way to `servers`; `None` is no proxy, or one with something wrong.
pub(super) fn resolve(
    section: &mut Section<'_, '_>,
    given: &Key<ProxyGiven>,
    servers: Option<&Servers>,
) -> Option<Proxy> {
    const KEY: &str = "proxy";
    let At { value, place } = given.as_ref()?;
    let table = match value {
        Shorthand::Value(text) if text == "off" => return None,
        Shorthand::Value(text) if text == "environment" => {
            let mut found = servers?.urls().map(|url| of_environment(section, url));
            let first = found.next()?;
            if found.any(|other| other != first) {
                let what = "takes different ways to the servers of `url`";
                section.wrong_at(KEY, place, what, "write one proxy, or use several cohorts");
                return None;
            }
            let (variable, url) = first?;
            section.check.secrets.address(&url);
            let read = read(&url);
            if read.is_none() {
                let what = format_args!("takes {variable} of the environment, which is no proxy");
                section.wrong_at(KEY, place, what, HINT);
            }
            return read;
        }
        Shorthand::Value(text) => ProxyTable {
            url: Some(At {
                value: text.clone(),
                place: place.clone(),
            }),
            ..ProxyTable::default()
        },
        Shorthand::Table(table) => table.clone(),
    };
    let path = match value {
        Shorthand::Value(_) => section.path.to_owned(),
        Shorthand::Table(_) => section.key(KEY),
    };
    let key = match value {
        Shorthand::Value(_) => KEY,
        Shorthand::Table(_) => "url",
    };
    let section = &mut Section {
        check: &mut *section.check,
        path: &path,
        place,
    };
    table.resolve(section, key)
}

impl ProxyTable {
    fn resolve(&self, section: &mut Section<'_, '_>, key: &str) -> Option<Proxy> {
        let Some(url) = &self.url else {
            section.missing(&["url"], HINT);
            return None;
        };
        let expanded = section.expand(key, url)?;
        section.check.secrets.address(&url.value);
        let proxy = match parts(&expanded) {
            Ok(proxy) => proxy,
            Err((what, hint)) => {
                section.wrong_at(key, &url.place, what, hint);
                return None;
            }
        };
        if let Some((user, password)) = &proxy.credentials {
            section.check.secrets.credentials(user, password);
        }
        if proxy.kind != ProxyKind::Https {
            let because = "is only for an https:// proxy";
            let given = given!(self; ca, insecure, pin, server_name);
            section.excluded(
                &given,
                because,
                "leave it out; what the server has is in `target.tls`",
            );
        }
        if matches!(proxy.kind, ProxyKind::Socks5 | ProxyKind::Socks5h) {
            let because = "is only for an http:// or https:// proxy";
            section.excluded(&given!(self; headers), because, "leave it out");
        }
        let keys = TlsTable {
            ca: self.ca.clone(),
            insecure: self.insecure.clone(),
            pin: self.pin.clone(),
            server_name: self.server_name.clone(),
            ..TlsTable::default()
        };
        Some(Proxy {
            headers: self.headers(section),
            tls: tls::resolve(section, &keys),
            ..proxy
        })
    }

    fn headers(&self, section: &mut Section<'_, '_>) -> Vec<(String, String)> {
        let given = self.headers.iter().flat_map(|headers| &headers.value);
        let mut headers = Vec::new();
        for (name, value) in given {
            let key = format!("headers.{name}");
            let is_own = ["host", "proxy-authorization"].iter();
            if name.parse::<HeaderName>().is_err() {
                let hint = "use letters, digits and `-`";
                section.wrong_at(&key, &value.place, "is not a header name", hint);
            } else if is_own.clone().any(|own| name.eq_ignore_ascii_case(own)) {
                let hint = "the user and the password stand in the address of the proxy";
                section.wrong_at(
                    &key,
                    &value.place,
                    "is a header that wsbench sets itself",
                    hint,
                );
            }
            let Some(expanded) = section.expand(&key, value) else {
                continue;
            };
            if HeaderValue::from_str(&expanded).is_err() {
                let what = "holds a character that no header may";
                section.wrong_at(&key, &value.place, what, "use printable ASCII characters");
            }
            headers.push((name.clone(), expanded));
        }
        headers
    }
}

fn read(url: &str) -> Option<Proxy> {
    // As curl does, since the variables are known from there.
    let url = match url.contains("://") {
        true => url.to_owned(),
        false => format!("http://{url}"),
    };
    parts(&url).ok()
}

/// The proxy of an address, or what is wrong with that. Nothing of it is quoted, as it may be secret.
fn parts(url: &str) -> Result<Proxy, (&'static str, &'static str)> {
    let (scheme, rest) = url.split_once("://").ok_or(("has no scheme", HINT))?;
    let mut all = ProxyKind::ALL.into_iter();
    let kind = all.find(|(name, _)| name.eq_ignore_ascii_case(scheme));
    let (_, kind) = kind.ok_or(("has a scheme that wsbench does not know", HINT))?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#']) {
        return Err((
            "has a path",
            "leave it out: a proxy has an address and a port",
        ));
    }
    let (credentials, authority) = match rest.rsplit_once('@') {
        Some((credentials, authority)) => (Some(credentials), authority),
        None => (None, rest),
    };
    let (host, port) = authority.rsplit_once(':').ok_or(("has no port", HINT))?;
    let port = match (port, port.parse()) {
        ("", _) => return Err(("has no port", HINT)),
        (_, Ok(port @ 1..)) => port,
        _ => return Err(("has a port that is not from 1 to 65535", HINT)),
    };
    if host.is_empty() {
        return Err(("has no host", HINT));
    }
    let host = url::host(host).map_err(|error| (error.what, HOST_HINT))?;
    let credentials = match credentials {
        None => None,
        Some(text) => {
            let hint = "write http://me:${PASSWORD}@proxy:3128";
            let (user, password) = text.split_once(':').ok_or(("has no password", hint))?;
            // To some proxies of HTTP a token is the user, without a password.
            let least = usize::from(matches!(kind, ProxyKind::Socks5 | ProxyKind::Socks5h));
            let read = |text: &str, least: usize| {
                let fits = |text: &String| (least..=MAX_CREDENTIAL).contains(&text.len());
                percent_decoded(text).filter(fits)
            };
            let both = read(user, 1).zip(read(password, least));
            let what = "has a user or a password that is not 1 to 255 bytes long";
            Some(both.ok_or((what, hint))?)
        }
    };
    Ok(Proxy {
        kind,
        host,
        port,
        credentials,
        headers: Vec::new(),
        tls: TlsSettings::default(),
    })
}

/// The variable of the environment that names a proxy on the way to `servers`, where nothing is said of proxies.
pub(super) fn unused(
    section: &Section<'_, '_>,
    given: &Key<ProxyGiven>,
    servers: Option<&Servers>,
) -> Option<&'static str> {
    match given {
        Some(_) => None,
        None if servers?.has_unix() => None,
        None => {
            let mut found = servers?.urls().map(|url| of_environment(section, url));
            found.find_map(|found| found).map(|(variable, _)| variable)
        }
    }
}

/// The variable of the environment that names a proxy on the way to a server, and its value, as curl takes them.
fn of_environment(section: &Section<'_, '_>, server: &WsUrl) -> Option<(&'static str, String)> {
    let env = |name: &str| (section.check.outside.env)(name).filter(|value| !value.is_empty());
    let except = env("no_proxy")
        .or_else(|| env("NO_PROXY"))
        .unwrap_or_default();
    if is_excepted(&except, &server.host) {
        return None;
    }
    let names = match server.secure {
        true => ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        false => ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
    };
    names.into_iter().find_map(|name| Some((name, env(name)?)))
}

/// Whether `NO_PROXY` names this host: all (`*`), the host itself, a domain above it, or a network that it is in.
fn is_excepted(except: &str, host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    let mut names = except
        .split([',', ' '])
        .map(str::trim)
        .filter(|name| !name.is_empty());
    names.any(|name| {
        if let Some(address) = address {
            // IPv6 may stand in brackets there.
            let own: Result<IpAddr, _> = name.trim_matches(['[', ']']).parse();
            return name == "*" || own == Ok(address) || is_network_of(name, address);
        }
        let name = name.trim_matches('.').to_ascii_lowercase();
        let is_below = || {
            host.strip_suffix(&name)
                .is_some_and(|rest| rest.ends_with('.'))
        };
        name == "*" || name == host || is_below()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_parts() {
        let proxy = parts("socks5h://me:s%40y@[::1]:1080/").unwrap();
        assert_eq!(
            (proxy.kind, proxy.host.as_str(), proxy.port),
            (ProxyKind::Socks5h, "::1", 1080)
        );
        assert_eq!(proxy.credentials, Some(("me".into(), "s@y".into())));
        assert_eq!(proxy.shown(), "socks5h://[::1]:1080");
        assert_eq!(parts("HTTP://proxy:3128").unwrap().credentials, None);
        let token = parts("http://t0ken:@proxy:3128").unwrap().credentials;
        assert_eq!(token, Some(("t0ken".into(), String::new())));
    }

    #[test]
    fn what_is_missing_in_an_address_is_said() {
        for (url, what) in [
            ("proxy:3128", "has no scheme"),
            ("ftp://proxy:21", "has a scheme that wsbench does not know"),
            ("http://proxy", "has no port"),
            ("http://proxy:", "has no port"),
            ("http://proxy:0", "has a port that is not from 1 to 65535"),
            (
                "http://proxy:99999",
                "has a port that is not from 1 to 65535",
            ),
            ("http://:3128", "has no host"),
            (
                "http://::1:3128",
                "has a host that is no name and no address",
            ),
            (
                "socks5h://[1.2.3.4]:1080",
                "has brackets around what is no IPv6 address",
            ),
            ("http://pröxy:3128", "has a host with letters beyond ASCII"),
            ("http://proxy:3128/path", "has a path"),
            ("http://me@proxy:3128", "has no password"),
            (
                "socks5://me:@proxy:1080",
                "has a user or a password that is not 1 to 255 bytes long",
            ),
            (
                "http://:secret@proxy:3128",
                "has a user or a password that is not 1 to 255 bytes long",
            ),
        ] {
            assert_eq!(parts(url).unwrap_err().0, what, "{url}");
        }
    }

    #[test]
    fn hosts_are_excepted_by_name_by_domain_and_by_network() {
        for (except, host, is) in [
            ("*", "chat.example.org", true),
            ("localhost,127.0.0.1", "127.0.0.1", true),
            (".example.org", "chat.example.org", true),
            ("example.org", "chat.EXAMPLE.org", true),
            ("example.org", "badexample.org", false),
            ("", "localhost", false),
            ("example.org.", "chat.example.org.", true),
            // Addresses are parts of no domain, and networks are those of curl 7.86 and later.
            ("0.0.1", "127.0.0.1", false),
            ("10.0.0.0/8, 127.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("[::1]", "::1", true),
            ("fd00::/8", "fd00::7", true),
        ] {
            assert_eq!(is_excepted(except, host), is, "{except} {host}");
        }
    }
}

//! How the first connection was opened, and what the answer to its upgrade request said.

use serde::Serialize;

use super::opener::{Opener, head};
use super::words::listed;
use crate::metric::Timer;
use crate::net::RawConnection;
use crate::scenario::{HttpVersion, Proxy};
use crate::units::human_ns;

const VIA: &str = "Via";
const SET_COOKIE: &str = "Set-Cookie";

/// How the connection was opened.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Handshake {
    /// The address to which the connection was made.
    pub address: String,
    /// The addresses of the name, which is the proxy's where there is one.
    pub addresses: Vec<String>,
    /// The addresses of the name that accepted no connection before this one, each with the cause.
    pub passed: Vec<(String, &'static str)>,
    /// The time of the name look-up; `None` where the host is an address.
    pub dns_ns: Option<u64>,
    /// The proxy that it goes through, without credentials; `None` without one.
    pub proxy: Option<String>,
    /// The time of the TCP connect.
    pub tcp_ns: u64,
    /// The time from there to the tunnel; `None` without a proxy.
    pub proxy_ns: Option<u64>,
    /// The time of the TLS handshake; `None` without TLS.
    pub tls_ns: Option<u64>,
    /// The time from there to the settings of HTTP/2; `None` over HTTP/1.1.
    pub http2_ns: Option<u64>,
    /// The time from the upgrade request to its answer.
    pub upgrade_ns: u64,
    /// The status line of the answer.
    pub status: String,
    /// The proxies that say they passed the answer on, in order (`Via`, RFC 9110 section 7.6.3).
    pub via: Vec<String>,
    /// The headers of the answer that are not part of the handshake itself, in order.
    pub headers: Vec<(String, String)>,
    /// The subprotocol that the server chose of those offered.
    pub subprotocol: Option<String>,
    /// Those that were offered.
    pub offered: Vec<String>,
    /// The cookies that the answer sets: name and attributes, without the values.
    pub cookies: Vec<String>,
    /// The redirects that led here, in order.
    pub redirects: Vec<Redirected>,
}

/// A redirect that was followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Redirected {
    /// The status line of the answer.
    pub status: String,
    /// The address that it leads to, without what may be secret.
    pub to: String,
}

impl Handshake {
    /// That of the first connection.
    pub(super) fn of(
        connection: &RawConnection,
        opener: &Opener,
        redirects: Vec<Redirected>,
    ) -> Self {
        let (mut status, headers) = head(&connection.head);
        if opener.target.access.http != HttpVersion::One {
            // Its head is kept as HTTP/1.1 spells one.
            status = status.replacen("HTTP/1.1", "HTTP/2", 1);
        }
        let took = |step| connection.steps.took(step);
        let is = |name: &str, other: &str| name.eq_ignore_ascii_case(other);
        let subprotocol = (headers.iter())
            .find(|(name, _)| is(name, "Sec-WebSocket-Protocol"))
            .map(|(_, value)| value.clone());
        let of_handshake = |name: &str| {
            let known = [
                "Upgrade",
                "Connection",
                "Sec-WebSocket-Accept",
                "Sec-WebSocket-Protocol",
                SET_COOKIE,
                VIA,
            ];
            known.iter().any(|known| is(name, known))
        };
        Self {
            address: connection.peer.to_string(),
            addresses: (opener.dialer().addresses().iter())
                .map(|address| address.to_string())
                .collect(),
            passed: (connection.passed.iter())
                .map(|(address, cause)| (address.to_string(), cause.name()))
                .collect(),
            dns_ns: took(Timer::HandshakeDns).map(|took| took.0),
            proxy: opener.target.access.proxy.as_ref().map(Proxy::shown),
            tcp_ns: took(Timer::HandshakeTcp).unwrap_or_default().0,
            proxy_ns: took(Timer::HandshakeProxy).map(|took| took.0),
            tls_ns: took(Timer::HandshakeTls).map(|took| took.0),
            http2_ns: took(Timer::Http2Ready).map(|took| took.0),
            upgrade_ns: took(Timer::HandshakeUpgrade).unwrap_or_default().0,
            status,
            via: (headers.iter())
                .filter(|(name, _)| is(name, VIA))
                .flat_map(|(_, value)| value.split(','))
                .map(|proxy| proxy.trim().to_owned())
                .collect(),
            cookies: (headers.iter())
                .filter(|(name, _)| is(name, SET_COOKIE))
                .map(|(_, value)| without_value(value))
                .collect(),
            headers: (headers.into_iter())
                .filter(|(name, _)| !of_handshake(name))
                .collect(),
            subprotocol,
            offered: opener.target.access.ask.subprotocols.clone(),
            redirects,
        }
    }

    /// In words, a line each.
    pub(super) fn words(&self) -> Vec<String> {
        let steps = [
            self.dns_ns.map(|ns| format!("DNS {}", human_ns(ns))),
            Some(format!("TCP {}", human_ns(self.tcp_ns))),
            self.proxy_ns.map(|ns| format!("tunnel {}", human_ns(ns))),
            self.tls_ns.map(|ns| format!("TLS {}", human_ns(ns))),
            self.http2_ns.map(|ns| format!("HTTP/2 {}", human_ns(ns))),
            Some(format!("upgrade {}", human_ns(self.upgrade_ns))),
        ];
        let steps: Vec<String> = steps.into_iter().flatten().collect();
        let mut lines = vec![format!("{} · {}", self.address, steps.join(" · "))];
        lines.extend((self.proxy.iter()).map(|proxy| format!("through the proxy {proxy}")));
        if self.addresses.len() > 1 {
            lines.push(format!("one of {}", listed(&self.addresses, "address")));
        }
        let passed = self.passed.iter();
        lines.extend(passed.map(|(address, why)| format!("went on from {address}: {why}")));
        let redirects = self.redirects.iter();
        lines.extend(
            redirects.map(|Redirected { status, to }| format!("followed {status} to {to}")),
        );
        lines.push(self.status.clone());
        let via = self.via.iter();
        lines.extend(via.map(|proxy| format!("passed on by a proxy: {proxy}")));
        let headers = self.headers.iter();
        lines.extend(headers.map(|(name, value)| format!("  {name}: {value}")));
        let cookies = self.cookies.iter();
        lines.extend(cookies.map(|cookie| format!("sets a cookie: {cookie}")));
        let chosen = self.subprotocol.as_deref().unwrap_or("none");
        lines.push(match self.offered.is_empty() {
            true => format!("subprotocol {chosen}"),
            false => format!("subprotocol {chosen}, of {}", self.offered.join(", ")),
        });
        lines
    }
}

/// A cookie without its value, which may be a session.
fn without_value(cookie: &str) -> String {
    let (pair, attributes) = cookie.split_at(cookie.find(';').unwrap_or(cookie.len()));
    match pair.split_once('=') {
        Some((name, _)) => format!("{}=…{attributes}", name.trim()),
        None => format!("…{attributes}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_told_without_its_value() {
        let told = without_value("sid=a=b; Path=/; HttpOnly");
        assert_eq!(told, "sid=…; Path=/; HttpOnly");
        assert_eq!(without_value("s3cret"), "…");
    }

    #[test]
    fn all_addresses_are_told_and_those_that_failed_first() {
        let handshake = Handshake {
            address: "127.0.0.1:1".to_owned(),
            addresses: (1..8).map(|n| format!("127.0.0.{n}:1")).collect(),
            passed: vec![("[::1]:1".to_owned(), "refused")],
            ..Handshake::default()
        };
        let text = handshake.words().join("\n") + "\n";
        let all = "one of 7 addresses: 127.0.0.1:1, 127.0.0.2:1, 127.0.0.3:1, 127.0.0.4:1, 127.0.0.5:1 and 2 more\n";
        assert!(text.contains(all), "{text}");
        assert!(text.contains("went on from [::1]:1: refused"), "{text}");
    }
}

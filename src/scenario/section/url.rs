//! `target.url`: the address of a server that is spoken to by WebSocket (RFC 6455 section 3) or by HTTP, or the built-in
//! server.

use std::net::{IpAddr, Ipv6Addr};

use http::Uri;

use crate::scenario::reading::{Key, Section};
use crate::scenario::secrets::shown_address;

/// The address of a server, and what is spoken with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::scenario) struct Address {
    pub(in crate::scenario) url: TargetUrl,
    pub(in crate::scenario) protocol: Protocol,
}

impl Address {
    /// The server, if it is not the built-in one.
    pub(in crate::scenario) fn server(&self) -> Option<&WsUrl> {
        match &self.url {
            TargetUrl::Embedded => None,
            TargetUrl::Url(url) => Some(url),
        }
    }

    /// Whether TLS is spoken there.
    pub(in crate::scenario) fn is_secure(&self) -> bool {
        self.server().is_some_and(|url| url.secure)
    }
}

/// The address of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetUrl {
    /// The built-in server, started for this run.
    Embedded,
    /// A server that runs already.
    Url(WsUrl),
}

/// A checked `ws://` or `wss://` address (RFC 6455 section 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WsUrl {
    /// Whether the scheme is `wss` rather than `ws`.
    pub secure: bool,
    /// A name or an address; IPv6 without brackets.
    pub host: String,
    /// The port; by default 80 for `ws` and 443 for `wss`.
    pub port: u16,
    /// The path and query as sent in the request line; at least `/`.
    pub resource: String,
    /// The address as reports and messages show it: as the user wrote it, with `${NAME}` left in place.
    pub shown: String,
}

/// A server that speaks HTTP, WebSocket or both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WebOrigin {
    /// Whether it is asked under TLS.
    pub secure: bool,
    /// A name or an address; IPv6 without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl WebOrigin {
    /// The value of `Host` (RFC 9110 section 7.2): the port only where it is not that of the scheme.
    pub fn authority(&self) -> String {
        let host = self.bracketed();
        match (self.secure, self.port) {
            (false, 80) | (true, 443) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    /// The host as it stands in an address: IPv6 in brackets.
    pub fn bracketed(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        }
    }
}

/// What is spoken with a server, as the scheme of its address says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Each connection begins with an upgrade.
    WebSocket,
    /// HTTP/1.1, without an upgrade.
    Http,
}

impl Protocol {
    /// The one of an address with this scheme; that of WebSocket where it is neither.
    fn of(url: &str) -> Self {
        let scheme = url
            .split_once("://")
            .map(|(scheme, _)| scheme.to_ascii_lowercase());
        match scheme {
            Some(scheme) if Self::Http.schemes().contains(&&*scheme) => Self::Http,
            _ => Self::WebSocket,
        }
    }

    /// The scheme without TLS, and that with it.
    fn schemes(self) -> [&'static str; 2] {
        match self {
            Self::WebSocket => ["ws", "wss"],
            Self::Http => ["http", "https"],
        }
    }
}

impl TargetUrl {
    /// Whether the server is on this machine, judged by its name.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Embedded => true,
            Self::Url(url) => url.is_loopback(),
        }
    }
}

impl WsUrl {
    /// The server.
    pub fn origin(&self) -> WebOrigin {
        WebOrigin {
            secure: self.secure,
            host: self.host.clone(),
            port: self.port,
        }
    }

    /// Whether its host is a name that has to be looked up, and no address.
    pub fn is_name(&self) -> bool {
        self.host.parse::<IpAddr>().is_err()
    }

    /// Whether its host is this machine: `localhost` (RFC 6761 section 6.3) or a loopback address.
    pub fn is_loopback(&self) -> bool {
        let host = self.host.trim_end_matches('.').to_ascii_lowercase();
        let address = host.parse::<IpAddr>();
        address.map_or_else(
            |_| host == "localhost" || host.ends_with(".localhost"),
            |address| address.to_canonical().is_loopback(),
        )
    }
}

/// Resolves `target.url`; `None` if it is missing or invalid.
pub(super) fn resolve(section: &mut Section<'_, '_>, given: &Key<String>) -> Option<Address> {
    let Some(url) = given else {
        let hint = "write `url = \"ws://…\"`, or \"embedded\" for the built-in server";
        section.missing(&["url"], hint);
        return None;
    };
    let embedded = |protocol| Address {
        url: TargetUrl::Embedded,
        protocol,
    };
    match &*url.value {
        "embedded" => return Some(embedded(Protocol::WebSocket)),
        "embedded-http" => return Some(embedded(Protocol::Http)),
        _ => {}
    }
    let expanded = section.expand("url", url)?;
    section.check.secrets.address(&url.value);
    let protocol = Protocol::of(&expanded);
    if expanded.contains("{{") {
        // What is wrong with it is told of the upgrade request, which has the placeholders.
        let plain = without_placeholders(&expanded);
        let read = read(&plain, &shown_address(&url.value), protocol);
        let url = TargetUrl::Url(read.ok()?);
        return Some(Address { url, protocol });
    }
    match read(&expanded, &shown_address(&url.value), protocol) {
        Ok(read) => Some(Address {
            url: TargetUrl::Url(read),
            protocol,
        }),
        Err(UrlError { what, hint }) => {
            section.wrong("url", given, what, hint);
            None
        }
    }
}

/// The address with a digit in place of each placeholder.
fn without_placeholders(url: &str) -> String {
    let mut plain = String::new();
    let mut rest = url;
    while let Some((before, after)) = rest.split_once("{{") {
        plain.push_str(before);
        plain.push('0');
        rest = after.split_once("}}").map_or("", |(_, after)| after);
    }
    plain + rest
}

/// Why a text is not an address. Never quotes the text, as it may hold a secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UrlError {
    pub(super) what: &'static str,
    pub(super) hint: Option<String>,
}

impl UrlError {
    fn new(what: &'static str) -> Self {
        Self { what, hint: None }
    }

    fn hint(what: &'static str, hint: impl Into<String>) -> Self {
        Self {
            what,
            hint: Some(hint.into()),
        }
    }
}

/// Reads `url`; messages and reports show it as `shown`.
pub(super) fn read(url: &str, shown: &str, protocol: Protocol) -> Result<WsUrl, UrlError> {
    let secure = scheme(url, shown, protocol)?;
    let [plain, _] = protocol.schemes();
    if url.contains('#') {
        let what = match protocol {
            Protocol::WebSocket => "has a fragment, which RFC 6455 section 3 forbids",
            Protocol::Http => "has a fragment, which is never sent (RFC 9110 section 4.2.5)",
        };
        return Err(UrlError::hint(
            what,
            "leave out `#` and what follows, or write %23",
        ));
    }
    let rest = &url[url.find("://").map_or(0, |at| at + 3)..];
    if rest.is_empty() || rest.starts_with(['/', '?', ':']) {
        return Err(UrlError::hint(
            "has no host",
            format!("write it like {plain}://127.0.0.1:8080/"),
        ));
    }
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if !authority.is_ascii() {
        return Err(UrlError::hint(
            "has a host with letters beyond ASCII",
            "write the name as DNS has it: each such label begins with `xn--`",
        ));
    }
    let (before, resource) = url.split_at(url.len() - rest.len() + authority.len());
    let encoded = format!("{before}{}", percent_encoded(resource, false));
    let uri: Uri = encoded.parse().map_err(|_| {
        UrlError::hint(
            "is not a valid address",
            format!("write it like {plain}://127.0.0.1:8080/path; other characters are written as %20 and so on"),
        )
    })?;
    let authority = uri
        .authority()
        .ok_or_else(|| UrlError::new("has no host"))?;
    if authority.as_str().contains('@') {
        let (what, headers) = match protocol {
            Protocol::WebSocket => (
                "has a user name, which WebSocket clients do not send",
                "target.headers",
            ),
            Protocol::Http => (
                "has a user name, which is not sent (RFC 9110 section 4.2.4)",
                "headers",
            ),
        };
        let hint = format!("use `{headers}`: {{ Authorization = \"Basic ${{CREDENTIALS}}\" }}");
        return Err(UrlError::hint(what, hint));
    }
    Ok(WsUrl {
        secure,
        host: host(authority.host())?,
        port: port(authority, secure)?,
        resource: self::resource(&uri),
        shown: shown.to_owned(),
    })
}

/// The path and query; the path is at least `/`.
fn resource(uri: &Uri) -> String {
    let query = uri.query().map(|query| format!("?{query}"));
    let path = if uri.path().is_empty() {
        "/"
    } else {
        uri.path()
    };
    format!("{path}{}", query.unwrap_or_default())
}

/// A part of an address, percent-encoded as in WHATWG URL for queries or, up to the first `?`, for paths. `http::Uri`
/// would leave those characters as they are.
pub(in crate::scenario) fn percent_encoded(part: &str, mut is_query: bool) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::new();
    for c in part.chars() {
        is_query |= c == '?';
        let is_kept = match c {
            '"' | '<' | '>' => false,
            '\'' => !is_query,
            '`' | '{' | '}' | '^' => is_query,
            c => c.is_ascii(),
        };
        if is_kept {
            encoded.push(c);
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            write!(encoded, "%{byte:02X}").expect("writing to a string does not fail");
        }
    }
    encoded
}

/// Whether a byte is never percent-encoded: it means itself in each part of an address (RFC 3986 section 2.3).
pub(crate) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// The scheme and the rest of an address whose scheme is not followed by exactly two slashes.
fn half_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    matches!(scheme, "ws" | "wss").then(|| (scheme, rest.trim_start_matches('/')))
}

/// The address that was probably meant by a text without a scheme, or with an incomplete one.
pub fn as_address(text: &str) -> Option<String> {
    let half = half_scheme(text);
    let (scheme, rest) = half.unwrap_or(("ws", text));
    let authority = rest.split('/').next().unwrap_or_default();
    let is_host = |host: &str| {
        !host.is_empty() && !host.ends_with(".toml") && (!host.contains(':') || host.ends_with(']'))
    };
    let has_port = (authority.rsplit_once(':'))
        .is_some_and(|(host, port)| is_host(host) && port.parse::<u16>().is_ok());
    let is_address = has_port || half.is_some() && is_host(authority);
    is_address.then(|| format!("{scheme}://{rest}"))
}

/// Whether the scheme is the one with TLS.
fn scheme(url: &str, shown: &str, protocol: Protocol) -> Result<bool, UrlError> {
    let [plain, secure] = protocol.schemes();
    let Some((scheme, _)) = url.split_once("://") else {
        if protocol == Protocol::Http {
            let hint = "write `http://HOST/PATH`, `https://HOST/PATH`, or `/PATH` for the host of the target";
            return Err(UrlError::hint("has no scheme", hint));
        }
        let hint = match half_scheme(shown) {
            Some((scheme, rest)) => format!("write {scheme}://{rest}"),
            None => format!("write ws://{shown}, wss://{shown} or \"embedded\""),
        };
        return Err(UrlError::hint("has no scheme", hint));
    };
    let rest = shown.split_once("://").map_or("…", |(_, rest)| rest);
    match scheme.to_ascii_lowercase().as_str() {
        scheme if scheme == plain => Ok(false),
        scheme if scheme == secure => Ok(true),
        other => {
            let what = match protocol {
                Protocol::WebSocket => "has a scheme other than ws and wss",
                Protocol::Http => "has a scheme other than http and https",
            };
            let hint = match other {
                "http" | "ws" => format!("write {plain}://{rest}"),
                "https" | "wss" => format!("write {secure}://{rest}"),
                _ => format!("use {plain}:// or {secure}://"),
            };
            Err(UrlError::hint(what, hint))
        }
    }
}

fn host(host: &str) -> Result<String, UrlError> {
    if let Some(address) = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        let address: Ipv6Addr = address
            .parse()
            .map_err(|_| UrlError::new("has brackets around what is no IPv6 address"))?;
        return Ok(address.to_string());
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if host.is_empty() || !host.chars().all(legal) {
        return Err(UrlError::hint(
            "has a host that is no name and no address",
            "an IPv6 address goes in brackets: ws://[::1]:8080/",
        ));
    }
    Ok(host.to_owned())
}

fn port(authority: &http::uri::Authority, secure: bool) -> Result<u16, UrlError> {
    match authority.as_str()[authority.host().len()..].strip_prefix(':') {
        None => Ok(if secure { 443 } else { 80 }),
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| UrlError::new("has a port that is not from 1 to 65535")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn url(text: &str) -> Result<WsUrl, &'static str> {
        read(text, text, Protocol::WebSocket).map_err(|error| error.what)
    }

    #[test]
    fn the_parts_are_found() {
        let url = url("wss://example.org:8443/chat?room=1").unwrap();
        assert!(url.secure);
        assert_eq!((url.host.as_str(), url.port), ("example.org", 8443));
        assert_eq!(url.resource, "/chat?room=1");
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let plain = url("ws://localhost").unwrap();
        assert_eq!((plain.port, plain.resource.as_str()), (80, "/"));
        assert_eq!(url("wss://localhost").unwrap().port, 443);
        assert_eq!(url("ws://localhost?a=b").unwrap().resource, "/?a=b");
    }

    #[test]
    fn an_ipv6_address_loses_its_brackets() {
        let url = url("ws://[::1]:9000/").unwrap();
        assert_eq!((url.host.as_str(), url.port), ("::1", 9000));
    }

    /// The encoding of browsers: `new URL("ws://h/…").pathname` and `.search`.
    #[test]
    fn what_browsers_encode_is_encoded() {
        for (text, resource) in [
            ("ws://h/straße?q=ü", "/stra%C3%9Fe?q=%C3%BC"),
            ("ws://h/a{b}^`?a{b}^`", "/a%7Bb%7D%5E%60?a{b}^`"),
            ("ws://h/it's\"?q='\"<>", "/it's%22?q=%27%22%3C%3E"),
            ("ws://h/%C3%BC%zz", "/%C3%BC%zz"),
            ("ws://h?€", "/?%E2%82%AC"),
        ] {
            assert_eq!(url(text).unwrap().resource, resource, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, what) in [
            ("localhost:8080", "has no scheme"),
            ("http://localhost/", "has a scheme other than ws and wss"),
            ("ftp://localhost/", "has a scheme other than ws and wss"),
            ("ws:///path", "has no host"),
            ("ws://", "has no host"),
            ("ws://:80/", "has no host"),
            (
                "ws://h/#top",
                "has a fragment, which RFC 6455 section 3 forbids",
            ),
            (
                "ws://me:secret@h/",
                "has a user name, which WebSocket clients do not send",
            ),
            ("ws://h:0/", "has a port that is not from 1 to 65535"),
            ("ws://h:65536/", "has a port that is not from 1 to 65535"),
            ("ws://h:/", "has a port that is not from 1 to 65535"),
            ("ws://[::g]/", "has brackets around what is no IPv6 address"),
            ("ws://a b/", "is not a valid address"),
            (
                "ws://bücher.example/",
                "has a host with letters beyond ASCII",
            ),
        ] {
            assert_eq!(url(text), Err(what), "{text}");
        }
    }

    #[test]
    fn an_address_without_its_scheme_is_told_from_a_file() {
        for (text, address) in [
            ("h:80", Some("ws://h:80")),
            ("[::1]:80/chat", Some("ws://[::1]:80/chat")),
            ("wss:/h", Some("wss://h")),
            ("ws:h:80", Some("ws://h:80")),
            ("ws:", None),
            ("::1:80", None),
            ("echo", None),
            ("echo.toml:12", None),
            ("C:folder", None),
        ] {
            assert_eq!(as_address(text).as_deref(), address, "{text}");
        }
    }

    #[test]
    fn http_has_its_websocket_counterpart() {
        let hint = |text: &str| {
            read(text, text, Protocol::WebSocket)
                .unwrap_err()
                .hint
                .unwrap()
        };
        assert_eq!(hint("https://h/x"), "write wss://h/x");
        assert_eq!(hint("h:80"), "write ws://h:80, wss://h:80 or \"embedded\"");
        assert_eq!(hint("wss:/h"), "write wss://h");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(wss?://)?.{0,30}") {
            let _ = url(&text);
        }
    }
}

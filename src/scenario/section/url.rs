//! The address of a server that is spoken to by WebSocket (RFC 6455 section 3) or by HTTP.

mod guess;
mod unix;

use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;

use http::Uri;

pub use self::guess::as_address;
use self::guess::half_scheme;
pub(super) use self::unix::socket;
use self::unix::{OVER_UNIX, over_unix};

/// The longest name of a host, in bytes (RFC 1035 section 3.1, as text).
const MAX_NAME: usize = 253;

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
    /// The Unix socket that is dialled in place of the host and the port.
    pub unix: Option<PathBuf>,
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
    /// The Unix socket that is dialled in place of the host and the port.
    pub unix: Option<PathBuf>,
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
    pub(super) fn of(url: &str) -> Self {
        let scheme = url.split_once("://").or_else(|| url.split_once(OVER_UNIX));
        let scheme = scheme.map(|(scheme, _)| scheme.to_ascii_lowercase());
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

impl WsUrl {
    /// Reads an address that a server has sent, with `ws://` or `wss://`; `None` if it is none.
    pub(crate) fn read(text: &str) -> Option<Self> {
        read(text, text, Protocol::WebSocket).ok()
    }

    /// The server.
    pub fn origin(&self) -> WebOrigin {
        WebOrigin {
            secure: self.secure,
            host: self.host.clone(),
            port: self.port,
            unix: self.unix.clone(),
        }
    }

    /// Whether its host is a name, and no address.
    pub fn is_name(&self) -> bool {
        self.unix.is_none() && self.host.parse::<IpAddr>().is_err()
    }

    /// Whether its host is this machine: `localhost` (RFC 6761 section 6.3), a loopback address, or a Unix socket.
    pub fn is_loopback(&self) -> bool {
        if self.unix.is_some() {
            return true;
        }
        let host = self.host.trim_end_matches('.').to_ascii_lowercase();
        let address = host.parse::<IpAddr>();
        address.map_or_else(
            |_| host == "localhost" || host.ends_with(".localhost"),
            |address| address.to_canonical().is_loopback(),
        )
    }
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

    pub(super) fn hint(what: &'static str, hint: impl Into<String>) -> Self {
        Self {
            what,
            hint: Some(hint.into()),
        }
    }
}

/// Reads `url`; messages and reports show it as `shown`.
pub(super) fn read(url: &str, shown: &str, protocol: Protocol) -> Result<WsUrl, UrlError> {
    if let Some((scheme, rest)) = url.split_once(OVER_UNIX) {
        return over_unix(scheme, rest, shown, protocol);
    }
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
        return Err(beyond_ascii());
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
        unix: None,
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
            // What is no word is an address.
            None if shown.contains([':', '.', '/']) => {
                format!("write ws://{shown} or wss://{shown}")
            }
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

/// Why a host is none that has letters of other scripts.
fn beyond_ascii() -> UrlError {
    UrlError::hint(
        "has a host with letters beyond ASCII",
        "write the name as DNS has it: each such label begins with `xn--`",
    )
}

/// A name or an address, without the brackets of IPv6.
pub(super) fn host(host: &str) -> Result<String, UrlError> {
    if !host.is_ascii() {
        return Err(beyond_ascii());
    }
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
    if host.trim_end_matches('.').len() > MAX_NAME {
        return Err(UrlError::hint(
            "has a host with a longer name than DNS has",
            "a name has 253 characters at most",
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

    /// So it fits into the byte that SOCKS5 has for the length of a name.
    #[test]
    fn a_name_is_as_long_as_dns_has_it() {
        let longest = format!("{}xyz", "label.".repeat(41) + "four");
        assert_eq!(longest.len(), 253);
        assert_eq!(url(&format!("ws://{longest}/")).unwrap().host, longest);
        assert!(url(&format!("ws://{longest}./")).is_ok());
        let what = "has a host with a longer name than DNS has";
        assert_eq!(url(&format!("ws://x{longest}/")), Err(what));
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
        assert_eq!(hint("h:80"), "write ws://h:80 or wss://h:80");
        assert_eq!(
            hint("built-in"),
            "write ws://built-in, wss://built-in or \"embedded\""
        );
        assert_eq!(hint("wss:/h"), "write wss://h");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(wss?://)?.{0,30}") {
            let _ = url(&text);
        }
    }
}

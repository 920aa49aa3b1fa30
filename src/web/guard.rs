//! Who may ask. A page of any origin can make a browser ask a server of its own machine, by a name that it made point there
//! (DNS rebinding): such a request is told by its `Host` alone.

use std::net::{IpAddr, SocketAddr};

use axum::Router;
use axum::extract::Request;
use axum::http::header::{HOST, HeaderName, HeaderValue, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode, Uri, uri::Authority};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};

use super::token::Token;

/// What is checked of each request.
#[derive(Clone)]
pub struct Guard {
    /// Where it listens.
    address: SocketAddr,
    token: Option<Token>,
}

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// It is for another server: the browser was led here by a name.
    Host,
    /// It comes from a page of another server.
    Origin,
    /// It lacks the token, or has a wrong one.
    Token,
    /// It is no request that a page of ours makes.
    Method,
}

/// What a browser may do with what it gets. The policy of each page comes with the page.
const HEADERS: [(&str, &str); 5] = [
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-frame-options", "DENY"),
];

impl Guard {
    /// For a site at this address that everybody may read who reaches it: on a loopback address, those who ask for it
    /// by such an address or by `localhost`.
    pub fn open(address: SocketAddr) -> Self {
        Self {
            address,
            token: None,
        }
    }

    /// For a site at this address that only the holders of a token may read, or all of this machine on a loopback address;
    /// what changes something needs the token everywhere.
    pub fn with_token(address: SocketAddr, token: Token) -> Self {
        Self {
            address,
            token: Some(token),
        }
    }

    /// The site behind this guard.
    pub fn around(self, site: Router) -> Router {
        site.layer(from_fn(move |request: Request, next: Next| {
            let checked = self.check(request.method(), request.uri(), request.headers());
            async move {
                let mut answer = match checked {
                    Ok(()) => next.run(request).await,
                    Err(refusal) => refusal.answer(),
                };
                for (name, value) in HEADERS {
                    let name = HeaderName::from_static(name);
                    answer
                        .headers_mut()
                        .insert(name, HeaderValue::from_static(value));
                }
                answer
            }
        }))
    }

    fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let one = |name: HeaderName| {
            let mut all = headers.get_all(name).iter();
            let first = all.next().map(|value| value.to_str().unwrap_or_default());
            (first, all.next().is_some())
        };
        let (host, is_twice) = one(HOST);
        let host: Option<Authority> = host.and_then(|host| host.parse().ok());
        let is_local = self.address.ip().is_loopback();
        if is_twice || is_local && !host.as_ref().is_some_and(|host| self.is_ours(host)) {
            return Err(Refusal::Host);
        }
        let changes = match *method {
            Method::GET | Method::HEAD => false,
            Method::POST => true,
            _ => return Err(Refusal::Method),
        };
        if let (true, (Some(origin), is_twice)) = (changes, one(ORIGIN)) {
            let own = host.map(|host| format!("http://{host}"));
            if is_twice || own.as_deref() != Some(origin) {
                return Err(Refusal::Origin);
            }
        }
        let needs_token = changes || !is_local && self.token.is_some();
        let given = uri.query().unwrap_or_default().split('&');
        let mut given = given.filter_map(|pair| pair.strip_prefix("token="));
        let is_right = |given| self.token.as_ref().is_some_and(|token| token.is(given));
        if needs_token && !given.next().is_some_and(is_right) {
            return Err(Refusal::Token);
        }
        Ok(())
    }

    /// Whether a request for this host is for this server, which listens on a loopback address.
    fn is_ours(&self, host: &Authority) -> bool {
        let name = host.host();
        let bare = name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'));
        let is_loopback = match bare.unwrap_or(name).parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => {
                let mapped = address.to_ipv4_mapped();
                address.is_loopback() || mapped.is_some_and(|address| address.is_loopback())
            }
            Ok(IpAddr::V4(address)) => address.is_loopback(),
            Err(_) => name.eq_ignore_ascii_case("localhost"),
        };
        let has_user = host.as_str().contains('@');
        is_loopback && !has_user && host.port_u16().unwrap_or(80) == self.address.port()
    }
}

impl Refusal {
    fn answer(self) -> Response {
        let (status, words) = match self {
            Self::Host => (
                StatusCode::MISDIRECTED_REQUEST,
                "ask for it by the address that wsbench printed\n",
            ),
            Self::Origin => (StatusCode::FORBIDDEN, "only its own page may do that\n"),
            Self::Token => (
                StatusCode::FORBIDDEN,
                "it needs the token: open the address that wsbench printed\n",
            ),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "GET and POST are known\n"),
        };
        (status, words).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        guard: &Guard,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(), Refusal> {
        let headers = headers.iter().map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_str(value).unwrap())
        });
        let mut all = HeaderMap::new();
        headers.for_each(|(name, value)| {
            all.append(name, value);
        });
        guard.check(&method, &path.parse().unwrap(), &all)
    }

    fn local() -> (Guard, String) {
        let token = Token::new().unwrap();
        let text = token.as_str().to_owned();
        (
            Guard::with_token("127.0.0.1:9770".parse().unwrap(), token),
            text,
        )
    }

    #[test]
    fn a_loopback_address_is_asked_by_its_meaning() {
        let (guard, _) = local();
        let get = |host: &str| check(&guard, Method::GET, "/", &[("host", host)]);
        for host in [
            "127.0.0.1:9770",
            "localhost:9770",
            "LocalHost:9770",
            "127.1.2.3:9770",
            "[::1]:9770",
            "[0:0:0:0:0:0:0:1]:9770",
            "[::ffff:127.0.0.1]:9770",
        ] {
            assert_eq!(get(host), Ok(()), "{host}");
        }
        for host in [
            "127.0.0.1",
            "127.0.0.1:80",
            "127.0.0.1:9771",
            "127.0.0.1.evil.example:9770",
            "localhost.evil.example:9770",
            "evil.example:9770",
            "user@127.0.0.1:9770",
            "0.0.0.0:9770",
            "128.0.0.1:9770",
            "[::2]:9770",
            "",
            "a b",
        ] {
            assert_eq!(get(host), Err(Refusal::Host), "{host}");
        }
        assert_eq!(check(&guard, Method::GET, "/", &[]), Err(Refusal::Host));
        let twice = [("host", "127.0.0.1:9770"), ("host", "evil.example")];
        assert_eq!(check(&guard, Method::GET, "/", &twice), Err(Refusal::Host));
        let plain = Guard::open("127.0.0.1:80".parse().unwrap());
        assert_eq!(
            check(&plain, Method::GET, "/", &[("host", "localhost")]),
            Ok(())
        );
    }

    #[test]
    fn other_machines_need_the_token_and_no_certain_name() {
        let token = Token::new().unwrap();
        let address = "0.0.0.0:9770".parse().unwrap();
        let guard = Guard::with_token(address, token.clone());
        let get = |path: &str| check(&guard, Method::GET, path, &[("host", "box.example:9770")]);
        assert_eq!(get(&format!("/?token={}", token.as_str())), Ok(()));
        assert_eq!(get(&format!("/live?a=b&token={}", token.as_str())), Ok(()));
        for path in ["/", "/metrics", "/?token=", "/?token=00", "/?Token=x"] {
            assert_eq!(get(path), Err(Refusal::Token), "{path}");
        }
        let wrong = format!("/?token=00&token={}", token.as_str());
        assert_eq!(get(&wrong), Err(Refusal::Token), "the first counts");
        let open = Guard::open(address);
        assert_eq!(
            check(&open, Method::GET, "/metrics", &[("host", "box:1")]),
            Ok(())
        );
        assert_eq!(
            check(&open, Method::POST, "/stop", &[("host", "box:1")]),
            Err(Refusal::Token)
        );
    }

    #[test]
    fn what_changes_something_needs_the_token_and_the_own_page() {
        let (guard, token) = local();
        let host = ("host", "localhost:9770");
        let right = format!("/stop?token={token}");
        let post = |path: &str, origin: Option<&'static str>| {
            let headers: Vec<_> = [host]
                .into_iter()
                .chain(origin.map(|o| ("origin", o)))
                .collect();
            check(&guard, Method::POST, path, &headers)
        };
        assert_eq!(post(&right, None), Ok(()));
        assert_eq!(post(&right, Some("http://localhost:9770")), Ok(()));
        for origin in [
            "http://evil.example",
            "null",
            "https://localhost:9770",
            "http://127.0.0.1:9770",
        ] {
            assert_eq!(post(&right, Some(origin)), Err(Refusal::Origin), "{origin}");
        }
        assert_eq!(post("/stop", None), Err(Refusal::Token));
        assert_eq!(
            post("/stop?token=0", Some("http://localhost:9770")),
            Err(Refusal::Token)
        );
        for method in [Method::PUT, Method::DELETE, Method::OPTIONS] {
            assert_eq!(check(&guard, method, &right, &[host]), Err(Refusal::Method));
        }
    }
}

//! The door of a server with rooms: `POST /login` gives a token, and where a login is required an upgrade without one is
//! refused. Any name and any password will do.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request};
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, COOKIE, WWW_AUTHENTICATE};
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderValue, StatusCode};

use super::http::Answer;

/// Why a request without a token is refused.
pub(super) const NO_TOKEN: &str = "no token; POST /login gives one";

/// Gives tokens and recognises them again. Keeps none: a token is a number and its digest.
#[derive(Debug)]
pub(in crate::server) struct Login {
    seed: u64,
    is_required: bool,
    given: AtomicU64,
}

impl Login {
    pub(super) fn new(seed: u64, is_required: bool) -> Self {
        Self {
            seed,
            is_required,
            given: AtomicU64::new(0),
        }
    }

    /// Whether a request has a token, or needs none.
    pub(super) fn admits(&self, request: &Request) -> bool {
        !self.is_required || self.is_known(request)
    }

    /// Why an upgrade is refused, if it is.
    pub(in crate::server) fn refuses(&self, request: &Request) -> Option<ErrorResponse> {
        (!self.admits(request)).then(unauthorized)
    }

    /// Answers a POST.
    pub(super) fn answer(&self, path: &str, body: &[u8]) -> Answer {
        #[derive(Deserialize)]
        struct Who {
            #[serde(rename = "name")]
            _name: String,
        }

        if path != "/login" {
            return Answer::refused(StatusCode::NOT_FOUND, "only /login takes a POST");
        }
        if serde_json::from_slice::<serde_json::Value>(body).is_err() {
            return Answer::refused(StatusCode::BAD_REQUEST, "the body is no JSON");
        }
        if serde_json::from_slice::<Who>(body).is_err() {
            return Answer::refused(StatusCode::UNAUTHORIZED, "the body has no `name`");
        }
        let number = self.given.fetch_add(1, Relaxed);
        let token = self.token(number);
        Answer {
            body: format!("{{\"token\":\"{token}\"}}"),
            cookie: Some(token),
            ..Answer::refused(StatusCode::OK, "")
        }
    }

    /// The token with this number: 16 hexadecimal digits of it, and 16 of a digest.
    fn token(&self, number: u64) -> String {
        let mut digest = Sha256::new();
        digest.update(self.seed.to_be_bytes());
        digest.update(number.to_be_bytes());
        let mut token = format!("{number:016x}");
        for byte in &digest.finalize()[..8] {
            let _ = write!(token, "{byte:02x}");
        }
        token
    }

    fn is_known(&self, request: &Request) -> bool {
        let headers = request.headers();
        let query = request.uri().query().unwrap_or_default().split('&');
        let in_query = query.filter_map(|pair| pair.strip_prefix("token="));
        let in_cookies = values(headers, COOKIE.as_str())
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().strip_prefix("token="));
        let in_header = values(headers, AUTHORIZATION.as_str()).filter_map(bearer);
        in_header
            .chain(in_query)
            .chain(in_cookies)
            .any(|token| self.is_given(token))
    }

    fn is_given(&self, token: &str) -> bool {
        let number = token
            .get(..16)
            .map(|digits| u64::from_str_radix(digits, 16));
        let Some(Ok(number)) = number else {
            return false;
        };
        number < self.given.load(Relaxed) && self.token(number) == token
    }
}

fn values<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(name).into_iter();
    values.filter_map(|value| value.to_str().ok())
}

/// The token of `Bearer TOKEN`; the scheme in any case (RFC 9110 section 11.1).
fn bearer(credentials: &str) -> Option<&str> {
    let (scheme, token) = credentials.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

fn unauthorized() -> ErrorResponse {
    let body = format!("{{\"error\":\"{NO_TOKEN}\"}}");
    let mut response = ErrorResponse::new(Some(body.clone()));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("content-length", HeaderValue::from(body.len()));
    headers.insert("connection", HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(login: &Login, path: &str, body: &str) -> u16 {
        login.answer(path, body.as_bytes()).status.as_u16()
    }

    #[test]
    fn whoever_says_a_name_gets_a_token() {
        let login = Login::new(1, true);
        assert_eq!(
            status(&login, "/login", r#"{"name":"a","password":"b"}"#),
            200
        );
        assert_eq!(status(&login, "/login", r#"{"name":"a"}"#), 200);
        assert_eq!(status(&login, "/login", r#"{"password":"b"}"#), 401);
        assert_eq!(status(&login, "/login", "[]"), 401);
        assert_eq!(status(&login, "/login", "name=a"), 400);
        assert_eq!(status(&login, "/", r#"{"name":"a"}"#), 404);
        let (first, second) = (login.token(0), login.token(1));
        assert!(first != second && login.is_given(&first) && login.is_given(&second));
    }

    #[test]
    fn a_token_that_was_never_given_is_unknown() {
        let login = Login::new(1, true);
        login.answer("/login", br#"{"name":"a"}"#);
        let token = login.token(0);
        let other = Login::new(2, true).token(0);
        for wrong in [
            "",
            "é",
            &token[..31],
            &login.token(1),
            &other,
            &token.to_uppercase(),
        ] {
            assert!(!login.is_given(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_token_may_come_in_three_ways() {
        let login = Login::new(1, true);
        login.answer("/login", br#"{"name":"a"}"#);
        let token = login.token(0);
        let known = |uri: &str, header: Option<(&str, String)>| {
            let mut request = Request::builder().uri(uri);
            if let Some((name, value)) = header {
                request = request.header(name, value);
            }
            login.is_known(&request.body(()).unwrap())
        };
        assert!(known(&format!("/?a=1&token={token}"), None));
        assert!(known(
            "/",
            Some(("authorization", format!("bearer {token}")))
        ));
        assert!(known("/", Some(("cookie", format!("a=b; token={token}")))));
        assert!(!known("/", None) && !known("/?token=", None));
        assert!(!known(
            "/",
            Some(("authorization", format!("Basic {token}")))
        ));
        assert!(!known("/", Some(("cookie", format!("xtoken={token}")))));
    }
}

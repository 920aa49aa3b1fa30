//! The door of a server with rooms: `POST /login` gives a token, and where a login is required an upgrade without one is
//! refused. Any name and any password will do.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, COOKIE, WWW_AUTHENTICATE};
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::server::counts::Counter;

/// The longest head and the longest body of a request, in bytes.
const MAX_HEAD: usize = 8 << 10;
const MAX_BODY: usize = 16 << 10;
const MAX_HEADERS: usize = 64;

/// Gives tokens and recognises them again. Keeps none: a token is a number and its digest.
#[derive(Debug)]
pub(in crate::server) struct Login {
    seed: u64,
    is_required: bool,
    given: AtomicU64,
}

/// What became of a TCP connection before it was a WebSocket.
#[derive(Debug)]
pub(in crate::server) enum Entry {
    Open(Box<WebSocketStream<TcpStream>>),
    /// It asked for tokens and ended.
    Done,
    /// It ended without any.
    Failed,
}

impl Login {
    pub(super) fn new(seed: u64, is_required: bool) -> Self {
        Self {
            seed,
            is_required,
            given: AtomicU64::new(0),
        }
    }

    /// Answers requests until one is the upgrade. Waits `patience` for each.
    pub(in crate::server) async fn let_in(
        &self,
        mut socket: TcpStream,
        config: WebSocketConfig,
        patience: Duration,
        counter: &Counter,
    ) -> Entry {
        let mut ended = Entry::Failed;
        loop {
            let mut first = [0];
            match timeout(patience, socket.peek(&mut first)).await {
                Ok(Ok(1)) if first == *b"G" => break,
                Ok(Ok(1)) => {}
                _ => return ended,
            }
            let Ok(Ok(answer)) = timeout(patience, self.serve(&mut socket)).await else {
                return ended;
            };
            if answer.status == StatusCode::OK {
                counter.login();
                ended = Entry::Done;
            }
            if answer.is_last {
                return ended;
            }
        }
        #[expect(clippy::result_large_err, reason = "the library's type")]
        let check = |request: &Request, response: Response| {
            if !self.is_required || self.is_known(request) {
                return Ok(response);
            }
            counter.unauthorized();
            Err(unauthorized())
        };
        let upgrade = tokio_tungstenite::accept_hdr_async_with_config(socket, check, Some(config));
        match timeout(patience, upgrade).await {
            Ok(Ok(socket)) => Entry::Open(Box::new(socket)),
            _ => Entry::Failed,
        }
    }

    /// Reads a request that is not GET, and answers it.
    async fn serve(&self, socket: &mut TcpStream) -> io::Result<Answer> {
        let answer = match Post::read(socket).await? {
            Ok(post) => {
                let answer = self.answer(&post.path, &post.body);
                Answer {
                    is_last: post.is_last,
                    ..answer
                }
            }
            Err((status, why)) => Answer {
                // Where the request ends is not known.
                is_last: true,
                ..Answer::refused(status, why)
            },
        };
        socket.write_all(answer.bytes().as_bytes()).await?;
        Ok(answer)
    }

    fn answer(&self, path: &str, body: &[u8]) -> Answer {
        #[derive(Deserialize)]
        struct Who {
            #[serde(rename = "name")]
            _name: String,
        }

        if path.split('?').next() != Some("/login") {
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
    let body = r#"{"error":"no token; POST /login gives one"}"#;
    let mut response = ErrorResponse::new(Some(body.to_owned()));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("content-length", HeaderValue::from(body.len()));
    headers.insert("connection", HeaderValue::from_static("close"));
    response
}

/// The answer to a request that is no upgrade.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    body: String,
    /// The value of the cookie `token` to set.
    cookie: Option<String>,
    /// Whether the connection ends after it.
    is_last: bool,
}

impl Answer {
    fn refused(status: StatusCode, why: &str) -> Self {
        Self {
            status,
            body: format!("{{\"error\":\"{why}\"}}"),
            cookie: None,
            is_last: false,
        }
    }

    fn bytes(&self) -> String {
        let Self { status, body, .. } = self;
        let mut head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
        if let Some(token) = &self.cookie {
            head += &format!("Set-Cookie: token={token}; Path=/\r\n");
        }
        if *status == StatusCode::UNAUTHORIZED {
            head += "WWW-Authenticate: Bearer\r\n";
        }
        if self.is_last {
            head += "Connection: close\r\n";
        }
        head + "\r\n" + body
    }
}

/// A request with a body.
#[derive(Debug)]
struct Post {
    path: String,
    body: Vec<u8>,
    /// Whether the client asks for the end of the connection after it.
    is_last: bool,
}

/// A status, and why.
type Refused = (StatusCode, &'static str);

impl Post {
    async fn read(socket: &mut TcpStream) -> io::Result<Result<Self, Refused>> {
        let mut bytes = Vec::new();
        loop {
            match Self::parse(&bytes) {
                Ok(None) => {}
                Ok(Some(post)) => return Ok(Ok(post)),
                Err(refused) => return Ok(Err(refused)),
            }
            if socket.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reads a whole request; `None` if it is not whole yet. Nothing may come behind it before it is answered.
    fn parse(bytes: &[u8]) -> Result<Option<Self>, Refused> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let no_http = |_| (StatusCode::BAD_REQUEST, "this is no HTTP");
        let httparse::Status::Complete(head) = request.parse(bytes).map_err(no_http)? else {
            return match bytes.len() > MAX_HEAD {
                true => Err((
                    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                    "too many headers",
                )),
                false => Ok(None),
            };
        };
        if request.method != Some("POST") {
            return Err((
                StatusCode::METHOD_NOT_ALLOWED,
                "this takes GET and POST only",
            ));
        }
        let header = |name: &str| {
            let mut all = request.headers.iter();
            let found = all.find(|header| header.name.eq_ignore_ascii_case(name));
            found.and_then(|header| std::str::from_utf8(header.value).ok())
        };
        let length = header("content-length").and_then(|length| length.trim().parse().ok());
        let Some(length) = length.filter(|_| header("transfer-encoding").is_none()) else {
            return Err((
                StatusCode::LENGTH_REQUIRED,
                "the request says no Content-Length",
            ));
        };
        if length > MAX_BODY {
            return Err((
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body has more than 16 KiB",
            ));
        }
        let body = &bytes[head..];
        if body.len() > length {
            return Err((StatusCode::BAD_REQUEST, "bytes came behind the body"));
        }
        let closes = header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        Ok((body.len() == length).then(|| Self {
            path: request.path.unwrap_or_default().to_owned(),
            body: body.to_vec(),
            is_last: closes || request.version == Some(0),
        }))
    }
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
        assert_eq!(status(&login, "/login?x=1", r#"{"name":"a"}"#), 200);
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

    #[test]
    fn a_request_is_whole_or_refused() {
        let parse = |text: &str| Post::parse(text.as_bytes());
        let head = "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n";
        for partial in ["P", head, &format!("{head}\r\n{{")] {
            assert!(parse(partial).unwrap().is_none(), "{partial}");
        }
        let post = parse(&format!("{head}\r\n{{}}")).unwrap().unwrap();
        assert_eq!(
            (&*post.path, &*post.body, post.is_last),
            ("/login", &b"{}"[..], false)
        );
        let last = parse(&format!("{head}Connection: Close\r\n\r\n{{}}")).unwrap();
        assert!(last.unwrap().is_last);
        for (text, status) in [
            ("\0\0", 400),
            ("PUT / HTTP/1.1\r\n\r\n", 405),
            ("POST / HTTP/1.1\r\n\r\n", 411),
            (
                "POST / HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
                411,
            ),
            ("POST / HTTP/1.1\r\nContent-Length: 16385\r\n\r\n", 413),
            ("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\nGET", 400),
            (&"POST".repeat(4 << 10), 431),
        ] {
            assert_eq!(parse(text).unwrap_err().0.as_u16(), status, "{text:.40}");
        }
    }
}

//! The requests that are no upgrade: a GET, or a POST with a short JSON body, read and answered by hand.

use std::io;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::server::Request;
use tokio_tungstenite::tungstenite::http::{Method, StatusCode};

use super::login::NO_TOKEN;
use super::polls::{LONG_POLL, POLL};
use super::room::Rooms;

/// The longest head and the longest body of a request, in bytes.
const MAX_HEAD: usize = 8 << 10;
const MAX_BODY: usize = 16 << 10;
const MAX_HEADERS: usize = 64;

/// The answer to a request that is no upgrade.
#[derive(Debug)]
pub(in crate::server) struct Answer {
    pub(in crate::server) status: StatusCode,
    pub(super) body: String,
    /// The value of the cookie `token` to set.
    pub(super) cookie: Option<String>,
    /// Whether the connection ends after it.
    pub(in crate::server) is_last: bool,
}

impl Answer {
    pub(super) fn refused(status: StatusCode, why: &str) -> Self {
        Self {
            status,
            body: format!("{{\"error\":\"{why}\"}}"),
            cookie: None,
            is_last: false,
        }
    }

    pub(in crate::server) fn bytes(&self) -> String {
        let Self { status, body, .. } = self;
        let mut head = format!("HTTP/1.1 {status}\r\n");
        // A 204 has no body, and no length (RFC 9110 section 8.6).
        if *status != StatusCode::NO_CONTENT {
            let length = body.len();
            head += &format!("Content-Type: application/json\r\nContent-Length: {length}\r\n");
        }
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

/// A request.
#[derive(Debug)]
pub(in crate::server) struct Asked {
    pub(super) request: Request,
    pub(super) body: Vec<u8>,
    /// Whether the client asks for the end of the connection after it.
    pub(super) is_last: bool,
}

/// A status, and why.
pub(super) type Refused = (StatusCode, &'static str);

impl Rooms {
    /// Answers a request that is no upgrade; a long poll only when there is something to say.
    pub(in crate::server) async fn answer(&self, asked: Result<Asked, Refused>) -> Answer {
        let Asked {
            request,
            body,
            is_last,
        } = match asked {
            Ok(asked) => asked,
            Err((status, why)) => {
                let answer = Answer::refused(status, why);
                // Where the request ends is not known.
                return Answer {
                    is_last: true,
                    ..answer
                };
            }
        };
        let path = request.uri().path();
        let answer = if request.method() == Method::POST {
            self.login.answer(path, &body)
        } else if !matches!(path, POLL | LONG_POLL) {
            Answer::refused(StatusCode::NOT_FOUND, "only polls are a plain GET")
        } else if !self.login.admits(&request) {
            self.counter.unauthorized();
            Answer::refused(StatusCode::UNAUTHORIZED, NO_TOKEN)
        } else {
            self.poll(request.uri()).await
        };
        if answer.cookie.is_some() {
            self.counter.login();
        }
        Answer { is_last, ..answer }
    }
}

impl Asked {
    /// Reads a request. What was asked for cannot be told from what it is answered if it is refused.
    pub(in crate::server) async fn read(
        socket: &mut TcpStream,
    ) -> io::Result<Result<Self, Refused>> {
        let mut bytes = Vec::new();
        loop {
            match Self::parse(&bytes) {
                Ok(None) => {}
                Ok(Some(asked)) => return Ok(Ok(asked)),
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
        let mut parsed = httparse::Request::new(&mut headers);
        const NO_HTTP: Refused = (StatusCode::BAD_REQUEST, "this is no HTTP");
        let httparse::Status::Complete(head) = parsed.parse(bytes).map_err(|_| NO_HTTP)? else {
            return match bytes.len() > MAX_HEAD {
                true => Err((
                    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                    "too many headers",
                )),
                false => Ok(None),
            };
        };
        let mut request = Request::builder()
            .method(parsed.method.unwrap_or_default())
            .uri(parsed.path.unwrap_or_default());
        for header in &*parsed.headers {
            request = request.header(header.name, header.value);
        }
        let request = request.body(()).map_err(|_| NO_HTTP)?;
        let header = |name: &str| request.headers().get(name)?.to_str().ok();
        let length = header("content-length").and_then(|length| length.trim().parse().ok());
        let is_counted = header("transfer-encoding").is_none();
        let length = match *request.method() {
            Method::GET if is_counted => length.unwrap_or(0),
            Method::GET | Method::POST => length.filter(|_| is_counted).ok_or((
                StatusCode::LENGTH_REQUIRED,
                "the request says no Content-Length",
            ))?,
            _ => {
                return Err((
                    StatusCode::METHOD_NOT_ALLOWED,
                    "this takes GET and POST only",
                ));
            }
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
        let (is_whole, body) = (body.len() == length, body.to_vec());
        Ok(is_whole.then(|| Self {
            body,
            is_last: closes || parsed.version == Some(0),
            request,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_whole_or_refused() {
        let parse = |text: &str| Asked::parse(text.as_bytes());
        let head = "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n";
        for partial in ["P", head, &format!("{head}\r\n{{")] {
            assert!(parse(partial).unwrap().is_none(), "{partial}");
        }
        let post = parse(&format!("{head}\r\n{{}}")).unwrap().unwrap();
        assert_eq!(
            (post.request.uri().path(), &*post.body, post.is_last),
            ("/login", &b"{}"[..], false)
        );
        let last = parse(&format!("{head}Connection: Close\r\n\r\n{{}}")).unwrap();
        assert!(last.unwrap().is_last);
        let poll = parse("GET /poll?room=r HTTP/1.0\r\n\r\n").unwrap().unwrap();
        assert!(poll.is_last && poll.body.is_empty());
        for (text, status) in [
            ("\0\0", 400),
            ("GET [ HTTP/1.1\r\n\r\n", 400),
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

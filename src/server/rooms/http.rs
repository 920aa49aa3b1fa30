//! The requests that are no upgrade: POST with a short JSON body, read and answered by hand.

use std::io;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::http::StatusCode;

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

    pub(super) fn bytes(&self) -> String {
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
pub(super) struct Post {
    pub(super) path: String,
    pub(super) body: Vec<u8>,
    /// Whether the client asks for the end of the connection after it.
    pub(super) is_last: bool,
}

/// A status, and why.
pub(super) type Refused = (StatusCode, &'static str);

impl Post {
    pub(super) async fn read(socket: &mut TcpStream) -> io::Result<Result<Self, Refused>> {
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

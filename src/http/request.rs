//! A request as bytes (RFC 9112 section 3), in which no value can pass for a line of its own.

use http::HeaderName;

use super::head::quoted;

/// A request of HTTP/1.1.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Such as `POST`; any token but `CONNECT`, which asks for a tunnel.
    pub method: &'a str,
    /// The path and query, percent-encoded; begins with `/`.
    pub target: &'a str,
    /// The host, and its port where that is not the scheme's own. A header `Host` replaces it.
    pub host: &'a str,
    /// Names and values, in the order in which they are sent.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// Sent with its length.
    pub body: Option<&'a [u8]>,
    /// Whether the connection shall stay open behind the answer.
    pub keep_alive: bool,
}

/// Why a request cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not a token (RFC 9110 section 9.1), or `CONNECT`.
    #[error("the method \"{0}\" is none that can be sent")]
    Method(String),
    /// Does not begin with `/`, or has blanks, control characters or others that have to be percent-encoded.
    #[error("the path \"{0}\" cannot stand in a request")]
    Target(String),
    /// Not a token (RFC 9110 section 5.1).
    #[error("\"{0}\" is no name of a header")]
    Name(String),
    /// The program says by itself how long the body is, and whether the connection stays open.
    #[error("the header `{0}` is set by wsbench")]
    Own(String),
    /// CR, LF and other control characters would begin a line of their own (RFC 9110 section 5.5).
    #[error("the value of the header `{0}` has a line break or another control character")]
    Value(String),
}

impl Request<'_> {
    /// Appends the request to these bytes, which stay as they are if it cannot be written.
    ///
    /// # Errors
    /// When a part of it would make another request than the one that is meant.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), RequestError> {
        self.check()?;
        for part in [self.method, " ", self.target, " HTTP/1.1\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        let mut line = |name: &str, value: &[u8]| {
            for part in [name.as_bytes(), b": ", value, b"\r\n"] {
                out.extend_from_slice(part);
            }
        };
        let names_host = |(name, _): &(&str, _)| name.eq_ignore_ascii_case("host");
        if !self.headers.iter().any(names_host) {
            line("Host", self.host.as_bytes());
        }
        for (name, value) in self.headers {
            line(name, value);
        }
        if let Some(length) = self.content_length() {
            line("Content-Length", length.to_string().as_bytes());
        }
        if !self.keep_alive {
            line("Connection", b"close");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(self.body.unwrap_or_default());
        Ok(())
    }

    fn check(&self) -> Result<(), RequestError> {
        let is_token = |text: &str| text.parse::<HeaderName>().is_ok();
        if !is_token(self.method) || self.method == "CONNECT" {
            return Err(RequestError::Method(quoted(self.method.as_bytes())));
        }
        if !self.target.starts_with('/') || !self.target.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(RequestError::Target(quoted(self.target.as_bytes())));
        }
        if !is_value(self.host.as_bytes()) {
            return Err(RequestError::Value("Host".to_owned()));
        }
        for &(name, value) in self.headers {
            const OWN: [&str; 3] = ["Content-Length", "Transfer-Encoding", "Connection"];
            if !is_token(name) {
                return Err(RequestError::Name(quoted(name.as_bytes())));
            }
            if OWN.iter().any(|own| own.eq_ignore_ascii_case(name)) {
                return Err(RequestError::Own(name.to_owned()));
            }
            if !is_value(value) {
                return Err(RequestError::Value(name.to_owned()));
            }
        }
        Ok(())
    }

    /// Returns the length of the body, and 0 without one where the method makes one likely (RFC 9110 section 8.6).
    fn content_length(&self) -> Option<usize> {
        match (self.body, self.method) {
            (Some(body), _) => Some(body.len()),
            (None, "POST" | "PUT" | "PATCH") => Some(0),
            (None, _) => None,
        }
    }
}

fn is_value(value: &[u8]) -> bool {
    value
        .iter()
        .all(|byte| *byte == b'\t' || !byte.is_ascii_control())
}

//! The opening handshake over HTTP/2 (RFC 8441 section 5): an extended CONNECT, and what its answer means.

use h2::ext::Protocol;
use http::{HeaderName, HeaderValue, Method, Version, response};

use super::{Agreed, Request, answer};
use crate::metric::Cause;
use crate::net::failure::Failure;
use crate::scenario::Compression;

/// What belongs to one TCP connection of HTTP/1.1, and is not sent over HTTP/2 (RFC 9113 section 8.2.2).
const OF_CONNECTION: [&str; 5] = [
    "connection",
    "upgrade",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
];

impl Request {
    /// Says the same over HTTP/2.
    ///
    /// # Errors
    /// When HTTP/2 cannot say it.
    pub(crate) fn extended(
        &self,
        is_secure: bool,
        compression: Option<&Compression>,
    ) -> Result<http::Request<()>, Failure> {
        let mut lines = self.head.split("\r\n");
        let resource = lines.next().unwrap_or_default().split(' ').nth(1);
        let resource = resource.unwrap_or("/");
        let headers = || {
            self.head
                .split("\r\n")
                .skip(1)
                .filter_map(|line| line.split_once(": "))
        };
        let host = headers().find(|(name, _)| name.eq_ignore_ascii_case("host"));
        let (_, host) = host.unwrap_or_default();
        let scheme = if is_secure { "https" } else { "http" };
        let mut builder = http::Request::builder()
            .method(Method::CONNECT)
            .version(Version::HTTP_2)
            .uri(format!("{scheme}://{host}{resource}"))
            .extension(Protocol::from_static("websocket"));
        for (name, value) in headers() {
            let name = name.to_ascii_lowercase();
            if name != "host" && !OF_CONNECTION.contains(&name.as_str()) {
                let value = HeaderValue::from_bytes(value.as_bytes());
                if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value) {
                    builder = builder.header(name, value);
                }
            }
        }
        if let Some(compression) = compression {
            builder = builder.header("sec-websocket-extensions", compression.offer.to_string());
        }
        builder.body(()).map_err(|error| {
            let detail = format!("HTTP/2 cannot ask for this address: {error}");
            Failure::new(Cause::H2Error, detail)
        })
    }

    /// Checks an answer of HTTP/2; `body` is what came behind its head. Returns the head as HTTP/1.1 would spell it, and the
    /// compression that was agreed on.
    ///
    /// # Errors
    /// When it opens no connection.
    pub(crate) fn check_extended(
        &self,
        parts: &response::Parts,
        body: &[u8],
        compression: Option<&Compression>,
    ) -> Result<(Vec<u8>, Option<Agreed>), Failure> {
        let status = parts.status.as_u16();
        let mut headers: Vec<_> = (parts.headers.iter())
            .map(|(name, value)| httparse::Header {
                name: name.as_str(),
                value: value.as_bytes(),
            })
            .collect();
        let mut response = httparse::Response::new(&mut headers);
        response.code = Some(status);
        if status != 200 {
            return Err(answer::refused(&response, body));
        }
        let agreed = answer::check_agreed(&response, &self.subprotocols, compression)?;
        let mut head = format!("HTTP/1.1 {status} \r\n").into_bytes();
        for header in response.headers.iter() {
            head.extend_from_slice(header.name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(header.value);
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        Ok((head, agreed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::RequestText;

    fn request(headers: &[(&str, &str)]) -> Request {
        let headers: Vec<_> = (headers.iter())
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Request::of(&RequestText {
            host: "chat.example:8443",
            resource: "/socket?room=1",
            origin: Some("https://chat.example"),
            subprotocols: &["chat".to_owned()],
            headers: &headers,
        })
    }

    #[test]
    fn a_request_says_over_http2_what_it_says_over_http1() {
        let extended = request(&[("X-Team", "load")]).extended(true, None).unwrap();
        assert_eq!(extended.method(), Method::CONNECT);
        assert_eq!(extended.uri(), "https://chat.example:8443/socket?room=1");
        let mut names: Vec<_> = extended.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let expected = [
            "origin",
            "sec-websocket-protocol",
            "sec-websocket-version",
            "x-team",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_host_of_its_own_becomes_the_authority() {
        let extended = request(&[("host", "other.example")]).extended(false, None);
        assert_eq!(
            extended.unwrap().uri(),
            "http://other.example/socket?room=1"
        );
    }

    #[test]
    fn only_a_200_with_what_was_asked_for_opens() {
        let check = |status: u16, subprotocol: Option<&str>, body: &[u8]| {
            let mut answer = http::Response::builder().status(status);
            if let Some(subprotocol) = subprotocol {
                answer = answer.header("sec-websocket-protocol", subprotocol);
            }
            let (parts, ()) = answer.body(()).unwrap().into_parts();
            request(&[]).check_extended(&parts, body, None)
        };
        let (head, _) = check(200, Some("chat"), b"").unwrap();
        let head = String::from_utf8(head).unwrap();
        assert_eq!(
            head,
            "HTTP/1.1 200 \r\nsec-websocket-protocol: chat\r\n\r\n"
        );
        assert_eq!(
            check(200, Some("mqtt"), b"").unwrap_err().cause,
            Cause::BadSubprotocol
        );
        let failure = check(404, None, b"no such room").unwrap_err();
        assert_eq!(failure.cause, Cause::HttpStatus);
        assert_eq!(failure.detail, "HTTP/2 404: \"no such room\"");
        assert_eq!(check(101, None, b"").unwrap_err().detail, "HTTP/2 101");
    }
}

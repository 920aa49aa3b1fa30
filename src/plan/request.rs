//! Requests of HTTP as bytes.

use crate::http::{Request, RequestError, take_cookies};
use crate::scenario::{Http, PART_END};

/// The parts of a rendered text, each behind [`PART_END`], and what follows the last of them.
pub(crate) fn parts(mut rendered: &[u8], count: usize) -> (Vec<&[u8]>, &[u8]) {
    let mut parts = Vec::with_capacity(count);
    for _ in 0..count {
        let end = memchr::memmem::find(rendered, PART_END).unwrap_or(rendered.len());
        let (part, rest) = rendered.split_at(end);
        parts.push(part);
        rendered = rest.get(PART_END.len()..).unwrap_or_default();
    }
    (parts, rendered)
}

impl Http {
    /// The path and query of a request whose payload was rendered to this.
    pub fn target<'r>(&self, rendered: &'r [u8]) -> &'r str {
        let (parts, _) = parts(rendered, 1);
        std::str::from_utf8(parts[0]).unwrap_or_default()
    }

    /// The body of a request whose payload was rendered to this.
    pub fn body<'r>(&self, rendered: &'r [u8]) -> Option<&'r [u8]> {
        let (_, body) = parts(rendered, self.headers.len() + 1);
        self.has_body.then_some(body)
    }

    /// The method and the address of a request whose payload was rendered to this, without the query, which may be secret.
    pub fn named(&self, rendered: &[u8]) -> String {
        let target = self.target(rendered);
        self.line(target.split_once('?').map_or(target, |(path, _)| path))
    }

    fn line(&self, target: &str) -> String {
        let origin = self.origin.as_ref().map_or_else(String::new, |origin| {
            let scheme = if origin.secure { "https" } else { "http" };
            format!("{scheme}://{}", origin.authority())
        });
        format!("{} {origin}{target}", self.method)
    }

    /// The request whose payload was rendered to this, in one line and without headers.
    pub fn shown(&self, rendered: &[u8]) -> Vec<u8> {
        let line = self.line(self.target(rendered));
        let body = self.body(rendered).unwrap_or_default();
        let shown = [line.as_bytes(), b" ", body].concat();
        shown.trim_ascii_end().to_vec()
    }

    /// Appends the request whose payload was rendered to this. `host` is the value of `Host`, `cookies` that of `Cookie`
    /// beside its own.
    ///
    /// # Errors
    /// When a value makes another request than the one that is meant, such as a path with a blank in it.
    pub fn write(
        &self,
        rendered: &[u8],
        host: &str,
        cookies: Option<Vec<u8>>,
        keep_alive: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), RequestError> {
        let (parts, body) = parts(rendered, self.headers.len() + 1);
        let names = self.headers.iter().map(String::as_str);
        let mut headers: Vec<(&str, &[u8])> = names.zip(parts[1..].iter().copied()).collect();
        let cookies = take_cookies(&mut headers, cookies);
        if let Some(cookies) = &cookies {
            headers.push(("Cookie", cookies));
        }
        let request = Request {
            method: &self.method,
            target: self.target(rendered),
            host,
            headers: &headers,
            body: self.has_body.then_some(body),
            keep_alive,
        };
        request.write(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Match, Payload};
    use std::time::Duration;

    fn written(rendered: &str, cookies: Option<&str>) -> Result<String, RequestError> {
        let http = Http {
            method: "POST".to_owned(),
            origin: None,
            headers: vec!["X-A".to_owned(), "Cookie".to_owned()],
            has_body: true,
            payload: Payload::Fixed([].into()),
            check: Match {
                conditions: [].into(),
            },
            save: Vec::new(),
            time: None,
            timeout: Duration::from_secs(5),
            once: false,
        };
        let mut out = Vec::new();
        let cookies = cookies.map(|cookies| cookies.as_bytes().to_vec());
        http.write(rendered.as_bytes(), "h:1", cookies, false, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn each_part_goes_to_its_place() {
        let request = written("/a?b\r\nc\r\nd=e\r\n{\r\n}", Some("f=g")).unwrap();
        assert_eq!(
            request,
            "POST /a?b HTTP/1.1\r\nHost: h:1\r\nX-A: c\r\nCookie: d=e; f=g\r\nContent-Length: 4\r\nConnection: close\r\n\r\n{\r\n}"
        );
        assert!(
            written("/a\r\n\r\nd=e\r\n", None)
                .unwrap()
                .contains("Cookie: d=e\r\n")
        );
    }

    #[test]
    fn what_would_be_another_request_is_none() {
        assert!(written("/a b\r\n\r\n\r\n", None).is_err());
        assert!(written("/a\r\nb\nc\r\n\r\n", None).is_err());
    }
}

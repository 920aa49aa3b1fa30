//! Where the answer to an upgrade request leads instead, and what may be said there.

use crate::http::{Place, read_head, resolve, values};
use crate::metric::Cause;
use crate::scenario::{WebOrigin, WsUrl};

/// What only the origin that was meant may see.
const CREDENTIALS: [&str; 3] = ["authorization", "cookie", "host"];

/// A redirect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Redirect {
    location: String,
    /// The values of `Set-Cookie` beside it.
    pub(crate) cookies: Vec<Vec<u8>>,
}

impl Redirect {
    /// Reads the answer of a dial that failed; `None` if it is no redirect.
    pub(crate) fn read(cause: Cause, answer: &[u8]) -> Option<Self> {
        if cause != Cause::HttpStatus {
            return None;
        }
        let read = read_head(answer, |response, _| {
            let is_redirect = matches!(response.code, Some(301 | 302 | 303 | 307 | 308));
            let location = values(response, "Location")
                .next()
                .filter(|_| is_redirect)?;
            Some(Self {
                location: str::from_utf8(location).ok()?.to_owned(),
                cookies: values(response, "Set-Cookie").map(<[u8]>::to_vec).collect(),
            })
        });
        read.ok()??
    }

    /// Returns the address that it leads to from the one that was asked.
    ///
    /// # Errors
    /// Why it is not followed.
    pub(crate) fn address(&self, asked: &WebOrigin, resource: &str) -> Result<WsUrl, &'static str> {
        let place = Place {
            secure: asked.secure,
            authority: asked.authority(),
            resource: resource.to_owned(),
        };
        let no_address = "it leads to no address of a server";
        let next = resolve(&self.location, &place).ok_or(no_address)?;
        if asked.secure && !next.secure {
            return Err("it leads from wss to ws");
        }
        let scheme = if next.secure { "wss" } else { "ws" };
        let text = format!("{scheme}://{}{}", next.authority, next.resource);
        WsUrl::read(&text).ok_or(no_address)
    }
}

/// Returns whether two servers are one origin (RFC 6454 section 4).
pub(crate) fn is_same_origin(one: &WebOrigin, other: &WebOrigin) -> bool {
    (one.secure, &one.host, one.port) == (other.secure, &other.host, other.port)
}

/// Removes the headers that no other origin may see.
pub(crate) fn remove_credentials(headers: &mut Vec<(String, String)>) {
    headers.retain(|(name, _)| !CREDENTIALS.contains(&&*name.to_ascii_lowercase()));
}

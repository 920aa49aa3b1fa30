//! The upgrade request of one client.

use super::{Dialer, Wanted};
use crate::http::{Cookies, take_cookies};
use crate::metric::Cause;
use crate::net::{Failure, Request, RequestText, address};
use crate::plan::parts;
use crate::scenario::{Ask, WebOrigin};
use crate::time::unix_seconds;

/// What the upgrade request of one client says, without the cookies that it keeps.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) resource: String,
    pub(super) origin: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) subprotocols: Vec<String>,
}

impl Dialer {
    /// The upgrade request of one client; `None` if it is that of all clients of its server.
    pub(super) fn own_request(&self, wanted: Wanted<'_>) -> Result<Option<Request>, Failure> {
        let (to, _) = self.destinations[wanted.cohort].of(wanted.connection);
        let address = address(&to.origin, &to.url.resource);
        let has_cookies = wanted.cookies.header(address, unix_seconds()).is_some();
        match wanted.upgrade.is_some() || has_cookies {
            true => {
                let said = self.said(wanted)?;
                Ok(Some(self.request(&to.origin, said, wanted.cookies)))
            }
            false => Ok(None),
        }
    }

    /// The request that says this to a server, with the cookies that go there.
    pub(super) fn request(&self, origin: &WebOrigin, said: Said, cookies: &Cookies) -> Request {
        let Said {
            resource,
            origin: from,
            mut headers,
            subprotocols,
        } = said;
        let kept = cookies.header(address(origin, &resource), unix_seconds());
        if kept.is_some() {
            let all = take_cookies(&mut headers, kept).unwrap_or_default();
            let all = String::from_utf8_lossy(&all).into_owned();
            headers.push(("Cookie".to_owned(), all));
        }
        Request::of(&RequestText {
            host: &origin.authority(),
            resource: &resource,
            origin: from.as_deref(),
            subprotocols: &subprotocols,
            headers: &headers,
        })
    }

    /// What the upgrade request of one client says, with its placeholders filled in.
    pub(super) fn said(&self, wanted: Wanted<'_>) -> Result<Said, Failure> {
        let wrong = |key: &str, what: &str| {
            let detail = format!("`target.{key}` {what}, with the values of this client");
            Failure::new(Cause::SetupFailed, detail)
        };
        let Ask {
            origin,
            mut headers,
            mut subprotocols,
        } = self.asks[wanted.cohort].clone();
        let destinations = &self.destinations[wanted.cohort];
        let (to, turn) = destinations.of(wanted.connection);
        let mut resource = to.url.resource.clone();
        if let Some((upgrade, rendered)) = wanted.upgrade {
            let names = &upgrade.headers;
            let count = upgrade.servers + names.len() + upgrade.subprotocols;
            let (parts, _) = parts(rendered, count);
            let mut parts = parts
                .into_iter()
                .map(|part| String::from_utf8_lossy(part).into_owned());
            let resources: Vec<String> = parts.by_ref().take(upgrade.servers).collect();
            if destinations.are_target
                && let Some(rendered) = resources.get(turn.server)
            {
                resource.clone_from(rendered);
            }
            headers = names.iter().cloned().zip(parts.by_ref()).collect();
            subprotocols = parts.collect();
            if !resource.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(wrong("url", "has characters that no address has"));
            }
            let is_token = |text: &String| text.parse::<::http::HeaderName>().is_ok();
            if !subprotocols.iter().all(is_token) {
                return Err(wrong("subprotocols", "has an entry that is no name of one"));
            }
        }
        Ok(Said {
            resource,
            origin,
            headers,
            subprotocols,
        })
    }
}

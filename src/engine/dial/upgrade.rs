//! The upgrade request of one client.

use super::{Dialer, Wanted};
use crate::metric::Cause;
use crate::net::{Failure, Request, RequestText, address};
use crate::plan::{parts, take_cookies};
use crate::time::unix_seconds;

impl Dialer {
    /// The upgrade request of one client; `None` if it is that of all clients of its server.
    pub(super) fn own_request(&self, wanted: Wanted<'_>) -> Result<Option<Request>, Failure> {
        let wrong = |key: &str, what: &str| {
            let detail = format!("`target.{key}` {what}, with the values of this client");
            Failure::new(Cause::SetupFailed, detail)
        };
        let mut headers = self.headers.clone();
        let mut subprotocols = self.subprotocols.clone();
        let doors = &self.doors[wanted.cohort];
        let (door, turn) = doors.of(wanted.connection);
        let mut resource = door.url.resource.clone();
        if let Some((upgrade, rendered)) = wanted.upgrade {
            let names = &upgrade.headers;
            let count = upgrade.servers + names.len() + upgrade.subprotocols;
            let (parts, _) = parts(rendered, count);
            let mut parts = parts
                .into_iter()
                .map(|part| String::from_utf8_lossy(part).into_owned());
            let resources: Vec<String> = parts.by_ref().take(upgrade.servers).collect();
            if doors.are_target
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
        let address = address(&door.origin, &resource);
        let kept = wanted.cookies.header(address, unix_seconds());
        if wanted.upgrade.is_none() && kept.is_none() {
            return Ok(None);
        }
        if kept.is_some() {
            let all = take_cookies(&mut headers, kept).unwrap_or_default();
            let all = String::from_utf8_lossy(&all).into_owned();
            headers.push(("Cookie".to_owned(), all));
        }
        Ok(Some(Request::of(&RequestText {
            host: &door.origin.authority(),
            resource: &resource,
            origin: self.origin.as_deref(),
            subprotocols: &subprotocols,
            headers: &headers,
        })))
    }
}

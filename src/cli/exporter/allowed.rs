//! Whom the exporter may probe: a list, by scheme, host and port, and by path where an entry says one.

use crate::net::is_same_origin;
use crate::scenario::{WebOrigin, WsUrl};

/// What an entry may be.
pub(super) const SHAPE: &str =
    "write wss://example.com/feed, or wss://example.com/* for each path there";

/// One entry of the list: `wss://example.com/feed`, or `wss://example.com/*` for each path.
#[derive(Debug, Clone)]
pub(super) struct Allowed {
    url: WsUrl,
    any_path: bool,
}

impl Allowed {
    /// Reads an entry; `None` where it is none.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (address, any_path) = match text.strip_suffix("/*") {
            Some(whole) => (format!("{whole}/"), true),
            None => (text.to_owned(), false),
        };
        let url = WsUrl::read(&address).map(normal)?;
        // A `*` elsewhere would be taken for what it is not.
        let is_plain = !url.resource.contains('*') && (!any_path || url.resource == "/");
        is_plain.then_some(Self { url, any_path })
    }

    /// This server, by this path alone.
    pub(super) fn one(url: &WsUrl) -> Self {
        Self {
            url: normal(url.clone()),
            any_path: false,
        }
    }

    /// Its server; with this path, or `/` for any.
    pub(super) fn url(&self) -> &WsUrl {
        &self.url
    }

    /// Whether this server may be probed.
    pub(super) fn allows(&self, target: &WsUrl) -> bool {
        let target = normal(target.clone());
        let origins: [WebOrigin; 2] = [self.url.origin(), target.origin()];
        is_same_origin(&origins[0], &origins[1])
            && origins[0].unix == origins[1].unix
            && (self.any_path || self.url.resource == target.resource)
    }
}

/// Names of hosts have no case, and may end with a point.
fn normal(url: WsUrl) -> WsUrl {
    WsUrl {
        host: url.host.trim_end_matches('.').to_ascii_lowercase(),
        ..url
    }
}

/// The entries of a file: one in each line; empty lines and those that begin with `#` are left out.
///
/// # Errors
/// The number of the first line that is no entry, from 1.
pub(super) fn read_all(text: &str) -> Result<Vec<Allowed>, usize> {
    let lines = (1..).zip(text.lines().map(str::trim));
    let entries = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    entries
        .map(|(number, line)| Allowed::read(line).ok_or(number))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(entry: &str, target: &str) -> bool {
        let entry = Allowed::read(entry).unwrap();
        entry.allows(&WsUrl::read(target).unwrap())
    }

    #[test]
    fn an_entry_is_a_server_or_one_path_of_it() {
        let path = "wss://example.com/feed";
        for same in [
            path,
            "wss://EXAMPLE.com:443/feed",
            "WSS://example.com./feed",
        ] {
            assert!(allows(path, same), "{same}");
        }
        for other in [
            "ws://example.com/feed",
            "wss://example.com:8443/feed",
            "wss://example.com/feed2",
            "wss://example.com/Feed",
            "wss://example.com/feed/x",
            "wss://example.com/feed?a=b",
            "wss://example.com.evil.net/feed",
            "wss://evil.net/feed?wss://example.com/feed",
            "wss+unix:/run/feed.sock:/feed",
        ] {
            assert!(!allows(path, other), "{other}");
        }
        let any = "ws://127.0.0.1:9001/*";
        assert!(allows(any, "ws://127.0.0.1:9001") && allows(any, "ws://127.0.0.1:9001/a?b=c"));
        assert!(!allows(any, "ws://127.0.0.1:9002/") && !allows(any, "ws://127.0.0.10:9001/"));
        assert!(allows("wss://[::1]:9/*", "wss://[0:0:0:0:0:0:0:1]:9/x"));
        let socket = "ws+unix:/run/feed.sock:/feed";
        assert!(allows(socket, socket) && !allows(socket, "ws+unix:/run/other.sock:/feed"));
    }

    #[test]
    fn a_list_has_an_entry_in_each_line() {
        let list = read_all("# ours\nws://a/x\n\n  wss://b/*  \r\n").unwrap();
        assert_eq!(list.len(), 2);
        assert_eq!(read_all("ws://a/\n\nb\n").unwrap_err(), 3);
        for wrong in [
            "*",
            "",
            "/*",
            "wss://*/",
            "wss://*.a/",
            "wss://a/x/*",
            "wss://a/*/x",
            "http://a/",
            "wss://a:0x/",
        ] {
            assert!(Allowed::read(wrong).is_none(), "{wrong}");
        }
    }
}

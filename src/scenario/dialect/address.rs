//! The address of a server that speaks a dialect.

use super::{Dialect, text};

impl Dialect {
    /// The address with the path and the query of the dialect where it has none; `None` if nothing has to be added, or it
    /// is none, such as "embedded".
    pub(in crate::scenario) fn address(self, url: &str) -> Option<String> {
        let (before, rest) = match url.split_once("+unix:") {
            Some((scheme, rest)) => {
                let (socket, rest) = rest.split_once(':').unwrap_or((rest, ""));
                (format!("{scheme}+unix:{socket}:"), rest)
            }
            None => {
                let (scheme, rest) = url.split_once("://")?;
                (format!("{scheme}://"), rest)
            }
        };
        let (place, query) = match rest.split_once('?') {
            Some((place, query)) => (place, Some(query)),
            None => (rest, None),
        };
        let (server, path) = match place.split_once('/') {
            Some((server, path)) => (server, path),
            None => (place, ""),
        };
        let parts = self.parts();
        let own = |key: &str| parts.get(key).and_then(text);
        let path = match path {
            "" => own("path").unwrap_or_else(|| "/".to_owned()),
            path => format!("/{path}"),
        };
        let query = query.map(str::to_owned).or_else(|| own("query"));
        let query = query.map_or_else(String::new, |query| format!("?{query}"));
        let whole = format!("{before}{server}{path}{query}");
        (whole != url).then_some(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_an_address_lacks_is_added() {
        let dialect = Dialect::named("socket.io").unwrap();
        let query = "EIO=4&transport=websocket";
        for (given, whole) in [
            ("ws://h:1", format!("ws://h:1/socket.io/?{query}")),
            ("ws://h:1/", format!("ws://h:1/socket.io/?{query}")),
            ("wss://h/chat/", format!("wss://h/chat/?{query}")),
            ("ws://h?a=/b", "ws://h/socket.io/?a=/b".to_owned()),
            (
                "ws+unix:/run/a.sock",
                format!("ws+unix:/run/a.sock:/socket.io/?{query}"),
            ),
            ("ws+unix:/a:/b", format!("ws+unix:/a:/b?{query}")),
        ] {
            assert_eq!(dialect.address(given), Some(whole), "{given}");
        }
        for given in ["embedded", "${URL}", "ws://h/x?y"] {
            assert_eq!(dialect.address(given), None);
        }
    }
}

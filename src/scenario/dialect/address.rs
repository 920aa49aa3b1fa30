//! The address of a server that speaks a dialect.

use super::{Dialect, text};

impl Dialect {
    /// The address with the path and the query of the dialect where it has none; `None` if nothing has to be added, or it
    /// is none, such as "embedded".
    pub(in crate::scenario) fn address(self, url: &str) -> Option<String> {
        let (scheme, rest) = url.split_once("://")?;
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
        let whole = format!("{scheme}://{server}{path}{query}");
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
        ] {
            assert_eq!(dialect.address(given), Some(whole), "{given}");
        }
        for given in ["embedded", "${URL}", "ws://h/x?y"] {
            assert_eq!(dialect.address(given), None);
        }
    }
}

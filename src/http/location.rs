//! Where a redirect leads: `Location` (RFC 9110 section 10.2.2), resolved against the address that was asked (RFC 3986
//! section 5.2).

/// An address, as far as a redirect can change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Whether it is asked under TLS.
    pub secure: bool,
    /// The name or address and, where it is given, the port; IPv6 in brackets.
    pub authority: String,
    /// The path and the query; begins with `/`.
    pub resource: String,
}

/// Resolves a `Location` against the address whose answer it stood in; `None` if it is no address of HTTP or WebSocket. A
/// fragment is left out.
pub fn resolve(location: &str, asked: &Place) -> Option<Place> {
    let location = location.split('#').next().unwrap_or_default();
    if location.chars().any(|c| c.is_ascii_control() || c == ' ') || !location.is_ascii() {
        return None;
    }
    if let Some((scheme, rest)) = location.split_once("://")
        && scheme.chars().all(|c| c.is_ascii_alphanumeric())
    {
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "http" | "ws" => false,
            "https" | "wss" => true,
            _ => return None,
        };
        return absolute(secure, rest);
    }
    if let Some(rest) = location.strip_prefix("//") {
        return absolute(asked.secure, rest);
    }
    let (path, _) = split(&asked.resource);
    let resource = match location.chars().next() {
        None => asked.resource.clone(),
        Some('/') => {
            let (path, query) = split(location);
            without_dots(path) + query
        }
        Some('?') => format!("{path}{location}"),
        Some(_) => {
            let (relative, own_query) = split(location);
            // A colon in the first segment would be a scheme (RFC 3986 section 4.2).
            if relative.split('/').next()?.contains(':') {
                return None;
            }
            let folder = &path[..path.rfind('/').map_or(0, |at| at + 1)];
            without_dots(&format!("{folder}{relative}")) + own_query
        }
    };
    Some(Place {
        resource,
        ..asked.clone()
    })
}

fn absolute(secure: bool, rest: &str) -> Option<Place> {
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, resource) = rest.split_at(at);
    if authority.is_empty() || authority.contains('@') {
        return None;
    }
    let (path, query) = split(resource);
    let path = match path {
        "" => "/".to_owned(),
        path => without_dots(path),
    };
    Some(Place {
        secure,
        authority: authority.to_owned(),
        resource: path + query,
    })
}

/// The path, and the query with its question mark; that may be empty.
fn split(resource: &str) -> (&str, &str) {
    let at = resource.find('?').unwrap_or(resource.len());
    resource.split_at(at)
}

/// Removes the segments `.` and `..` (RFC 3986 section 5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked() -> Place {
        Place {
            secure: true,
            authority: "a.example:8443".to_owned(),
            resource: "/b/c/d?q".to_owned(),
        }
    }

    fn to(location: &str) -> Option<String> {
        let Place {
            secure,
            authority,
            resource,
        } = resolve(location, &asked())?;
        let scheme = if secure { "wss" } else { "ws" };
        Some(format!("{scheme}://{authority}{resource}"))
    }

    /// Some of the examples are those of RFC 3986 section 5.4.
    #[test]
    fn locations_are_resolved() {
        for (location, found) in [
            ("https://h/x?y#z", Some("wss://h/x?y")),
            ("HTTP://h:80", Some("ws://h:80/")),
            ("ws://h?a", Some("ws://h/?a")),
            ("//h/x", Some("wss://h/x")),
            ("/x/../y", Some("wss://a.example:8443/y")),
            ("?y", Some("wss://a.example:8443/b/c/d?y")),
            ("g?y/./x", Some("wss://a.example:8443/b/c/g?y/./x")),
            ("./g/.", Some("wss://a.example:8443/b/c/g/")),
            ("../../../g", Some("wss://a.example:8443/g")),
            ("..", Some("wss://a.example:8443/b/")),
            ("", Some("wss://a.example:8443/b/c/d?q")),
            (
                "/login?next=https://h/",
                Some("wss://a.example:8443/login?next=https://h/"),
            ),
            ("ftp://h/", None),
            ("mailto:me", None),
            ("https://me:secret@h/", None),
            ("https:///x", None),
            ("/a b", None),
        ] {
            assert_eq!(to(location).as_deref(), found, "{location}");
        }
    }

    proptest! {
        #[test]
        fn a_resource_begins_with_a_slash(location in ".{0,30}|(https?:)?/{0,3}[a-z./?:@#]{0,20}") {
            if let Some(place) = resolve(&location, &asked()) {
                prop_assert!(place.resource.starts_with('/'));
                prop_assert!(!place.authority.is_empty());
                prop_assert!(!place.resource.contains(['\r', '\n', ' ', '#']));
            }
        }
    }
}

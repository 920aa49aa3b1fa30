//! The address of a Unix socket, `ws+unix:/run/chat.sock:/socket`.

use std::path::{Path, PathBuf};

use super::{Protocol, UrlError, WsUrl, read};

/// The longest path of a Unix socket, in bytes (unix(7)).
const MAX_SOCKET_PATH: usize = 107;
/// What stands behind the scheme in the address of a Unix socket.
pub(super) const OVER_UNIX: &str = "+unix:";

/// Reads the address of a Unix socket, `ws+unix:/run/chat.sock:/socket`, as npm's `ws` writes it.
pub(super) fn over_unix(
    scheme: &str,
    rest: &str,
    shown: &str,
    protocol: Protocol,
) -> Result<WsUrl, UrlError> {
    let (path, resource) = rest.split_once(':').unwrap_or((rest, "/"));
    // An older spelling has two slashes more.
    let path = path.strip_prefix("//").unwrap_or(path);
    let example = format!("write it like {scheme}+unix:/run/chat.sock:/socket");
    if !path.starts_with('/') {
        let what = "has no absolute path of a Unix socket";
        return Err(UrlError::hint(what, example));
    }
    if !resource.starts_with(['/', '?']) {
        let what = "has something behind its Unix socket that is no path";
        return Err(UrlError::hint(what, example));
    }
    let url = read(&format!("{scheme}://localhost{resource}"), shown, protocol)?;
    Ok(WsUrl {
        unix: Some(socket(Path::new(path))?),
        ..url
    })
}

/// Checks the path of a Unix socket.
pub(in crate::scenario::section) fn socket(path: &Path) -> Result<PathBuf, UrlError> {
    match path.as_os_str().len() {
        0 => Err(UrlError::new("is empty")),
        1..=MAX_SOCKET_PATH => Ok(path.to_owned()),
        _ => Err(UrlError::hint(
            "has the path of a Unix socket that is longer than 107 bytes",
            "move it, or make a symbolic link with a shorter path",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Result<WsUrl, &'static str> {
        read(text, text, Protocol::WebSocket).map_err(|error| error.what)
    }

    #[test]
    fn a_unix_socket_has_a_path_and_a_resource() {
        for (text, socket, resource) in [
            (
                "ws+unix:/run/chat.sock:/socket?a=b",
                "/run/chat.sock",
                "/socket?a=b",
            ),
            ("ws+unix:///run/chat.sock:?a", "/run/chat.sock", "/?a"),
            ("wss+unix:/run/chat.sock", "/run/chat.sock", "/"),
        ] {
            let url = url(text).unwrap();
            assert_eq!(url.unix.as_deref(), Some(Path::new(socket)), "{text}");
            let rest = (url.host.as_str(), url.resource.as_str(), url.secure);
            assert_eq!(rest, ("localhost", resource, text.starts_with("wss")));
            assert!(url.is_loopback() && !url.is_name());
        }
        let long = format!("ws+unix:/{}", "x".repeat(107));
        for (text, what) in [
            (
                "ws+unix:chat.sock:/",
                "has no absolute path of a Unix socket",
            ),
            ("ws+unix:", "has no absolute path of a Unix socket"),
            (
                "ws+unix:/a:b",
                "has something behind its Unix socket that is no path",
            ),
            ("ftp+unix:/a:/b", "has a scheme other than ws and wss"),
            (
                &*long,
                "has the path of a Unix socket that is longer than 107 bytes",
            ),
        ] {
            assert_eq!(url(text), Err(what), "{text}");
        }
    }
}

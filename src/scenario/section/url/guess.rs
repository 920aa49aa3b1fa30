//! What was probably meant by a text that is no address.

/// The scheme and the rest of an address whose scheme is not followed by exactly two slashes.
pub(super) fn half_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    matches!(scheme, "ws" | "wss").then(|| (scheme, rest.trim_start_matches('/')))
}

/// The address that was probably meant by a text without a scheme, or with an incomplete one.
pub fn as_address(text: &str) -> Option<String> {
    let half = half_scheme(text);
    let (scheme, rest) = half.unwrap_or(("ws", text));
    let authority = rest.split('/').next().unwrap_or_default();
    let is_host = |host: &str| {
        !host.is_empty() && !host.ends_with(".toml") && (!host.contains(':') || host.ends_with(']'))
    };
    let has_port = (authority.rsplit_once(':'))
        .is_some_and(|(host, port)| is_host(host) && port.parse::<u16>().is_ok());
    let is_address = has_port || half.is_some() && is_host(authority);
    is_address.then(|| format!("{scheme}://{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_its_scheme_is_told_from_a_file() {
        for (text, address) in [
            ("h:80", Some("ws://h:80")),
            ("[::1]:80/chat", Some("ws://[::1]:80/chat")),
            ("wss:/h", Some("wss://h")),
            ("ws:h:80", Some("ws://h:80")),
            ("ws:", None),
            ("::1:80", None),
            ("echo", None),
            ("echo.toml:12", None),
            ("C:folder", None),
        ] {
            assert_eq!(as_address(text).as_deref(), address, "{text}");
        }
    }
}

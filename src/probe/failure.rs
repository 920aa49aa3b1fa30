//! Says in words why no connection could be made, and what to do about it.

use super::opener::Failed;
use crate::metric::Cause;
use crate::scenario::WsUrl;
use crate::units::format_duration;

/// Why there is no connection, and what to do about it. Fits after "failed to".
pub fn failure(url: &WsUrl, failed: &Failed) -> String {
    let mut text = format!("connect to {}: {}", url.shown, reason(failed));
    for (name, value) in telling(&failed.headers) {
        text += &format!("\n  {name}: {value}");
    }
    if let Some(hint) = hint(failed, url.secure) {
        text += &format!("\nhint: {hint}");
        if let Some(other) = failed.cause.announce_hint(&failed.detail, false) {
            text += &format!("; or {other}");
        }
    }
    text
}

/// Why there is no connection.
pub(super) fn reason(failed: &Failed) -> String {
    let meaning = match failed.cause {
        // Names no key of a scenario, because a probe has none.
        Cause::ConnectTimeout => "no valid 101 in time",
        cause => cause.meaning().trim_end_matches('.'),
    };
    let meaning = lowercase_first(meaning);
    let mut reason = match failed.detail.as_str() {
        "" => meaning,
        detail => format!("{meaning} ({detail})"),
    };
    if let Some(asked) = failed.retry_after {
        let asked = format_duration(asked);
        reason += &format!("; it wants to be left alone for {asked} (Retry-After)");
    }
    reason
}

/// The headers of a refusal that tell which server refused, and what it expects instead. The detail of the failure has
/// the `Location` already.
fn telling(headers: &[(String, String)]) -> impl Iterator<Item = &(String, String)> {
    const NAMES: [&str; 5] = [
        "server",
        "via",
        "www-authenticate",
        "sec-websocket-version",
        "allow",
    ];
    let told = |name: &str| NAMES.iter().any(|known| name.eq_ignore_ascii_case(known));
    headers.iter().filter(move |(name, _)| told(name))
}

fn hint(failed: &Failed, is_secure: bool) -> Option<&'static str> {
    let (cause, detail) = (failed.cause, failed.detail.as_str());
    let by_detail = (cause.certificate_hint(detail))
        .or_else(|| cause.scheme_hint(detail, is_secure))
        .or_else(|| cause.step_hint(detail, false));
    if by_detail.is_some() {
        return by_detail;
    }
    let status = failed.detail.split(' ').nth(1).unwrap_or_default();
    Some(match failed.cause {
        Cause::Dns => "check the name, and that this machine can look it up",
        Cause::Refused => "check that the server runs, and the port",
        Cause::ConnectTimeout | Cause::Unreachable => {
            "check the address, and any firewall on the way"
        }
        Cause::HttpStatus => match status {
            "401" | "403" => "give what the server asks for: --header \"Authorization: Bearer …\"",
            "404" | "405" => "check the path of the address",
            "200" => "check the path of the address: a web page is there, not a WebSocket",
            "301" | "302" | "303" | "307" | "308" => "use the address it names",
            "429" | "503" if failed.retry_after.is_some() => {
                "try again after that time; clients of a scenario wait for it with `reconnect = { retry_after = true }`"
            }
            "400" | "426" => {
                "check that a WebSocket service is there, and any proxy that keeps `Upgrade` back"
            }
            _ => "look into the log of the server",
        },
        Cause::BadUpgrade | Cause::BadAccept => {
            "check that a WebSocket service is there, and no cache in front of it"
        }
        Cause::HandshakeEof | Cause::HandshakeReset | Cause::HandshakeGarbage => {
            "check that a WebSocket service is there, and look into its log, or that of the proxy in front of it"
        }
        Cause::BadSubprotocol => "offer it: --subprotocol NAME",
        other => {
            let hint = other.proxy_hint().or_else(|| other.http2_hint());
            return hint.or_else(|| other.tls_hint());
        }
    })
}

fn lowercase_first(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_lowercase().to_string());
    // Keeps a name in capitals, such as HTTP.
    match first {
        Some(first) if !text.chars().nth(1).is_some_and(char::is_uppercase) => {
            first + chars.as_str()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn url(secure: bool) -> WsUrl {
        WsUrl {
            secure,
            host: "x".to_owned(),
            port: 80,
            resource: "/".to_owned(),
            unix: None,
            shown: format!("{}://x/", if secure { "wss" } else { "ws" }),
        }
    }

    #[test]
    fn the_other_scheme_is_named_only_where_it_may_help() {
        for (secure, detail, hint) in [
            (true, "during the TLS handshake", "use ws://"),
            (true, "before any answer", "look into its log"),
            (false, "before any answer", "use wss://"),
        ] {
            let failed = Failed::new(Cause::HandshakeEof, detail);
            let text = failure(&url(secure), &failed);
            assert!(text.contains(hint), "{text}");
        }
    }

    #[test]
    fn a_refusal_says_who_refused_and_what_to_do() {
        let owned = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let failed = Failed {
            headers: vec![owned("Server", "nginx"), owned("Date", "today")],
            ..Failed::new(Cause::HttpStatus, "HTTP/1.1 404 Not Found")
        };
        assert_eq!(
            failure(&url(false), &failed),
            "connect to ws://x/: an HTTP status other than 101 (HTTP/1.1 404 Not Found)\n  Server: nginx\nhint: check the path of the address"
        );
    }

    #[test]
    fn a_redirection_names_its_target_once() {
        let owned = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let detail = "HTTP/1.1 308 Permanent Redirect; Location: ws://x/new";
        let failed = Failed {
            headers: vec![owned("Location", "ws://x/new")],
            ..Failed::new(Cause::HttpStatus, detail)
        };
        let text = failure(&url(false), &failed);
        assert_eq!(text.matches("ws://x/new").count(), 1, "{text}");
    }

    #[test]
    fn a_server_that_asks_for_time_is_told_with_that_time() {
        let failed = Failed {
            retry_after: Some(Duration::from_secs(90)),
            ..Failed::new(Cause::HttpStatus, "HTTP/1.1 503 Service Unavailable")
        };
        let text = failure(&url(false), &failed);
        assert!(
            text.contains("left alone for 1m30s (Retry-After)\nhint: try again"),
            "{text}"
        );
    }

    #[test]
    fn a_timeout_has_a_hint_for_the_step_it_waited_for() {
        for (step, hint) in [
            ("the TCP connection", "firewall"),
            ("the answer to the upgrade request", "the path"),
        ] {
            let failed = Failed::new(Cause::ConnectTimeout, format!("waited for {step}"));
            let text = failure(&url(false), &failed);
            assert!(text.contains(hint), "{text}");
        }
    }

    #[test]
    fn every_cause_reads_as_a_fragment() {
        for cause in Cause::ALL {
            let failed = Failed::new(*cause, "");
            let text = failure(&url(false), &failed);
            assert!(text.starts_with("connect to ws://x/: "), "{text}");
            assert!(!text.lines().next().unwrap().ends_with('.'), "{text}");
            assert!(!reason(&failed).contains("connect_timeout"), "{text}");
        }
    }
}

//! Why connections did not open: the number of failures for each cause, and advice for the most frequent one.
//! Used by both warnings and doubts.

use std::fmt;

use crate::measure::Summary;
use crate::metric::{self, Cause};
use crate::scenario::{Scenario, Servers};

/// Why connections did not open, the most frequent cause first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failures {
    causes: Vec<(Cause, u64)>,
    example: Option<String>,
    /// What hints need where no connection opened; once one has, scheme and proxies are right.
    way: Option<Way>,
}

/// The way on which no connection opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Way {
    /// Whether the address is `wss://`.
    is_secure: bool,
    /// Whether the PROXY protocol is spoken.
    announces: bool,
    /// The variable of the environment that names a proxy, if that was neither asked for nor switched off.
    unused_proxy: Option<&'static str>,
}

impl Way {
    fn of(scenario: &Scenario) -> Self {
        let access = || scenario.cohorts.iter().map(|cohort| &cohort.access);
        Self {
            is_secure: (scenario.target.url.servers()).is_some_and(Servers::is_secure),
            announces: access().any(|access| access.announce.is_some()),
            unused_proxy: access().find_map(|access| access.unused_proxy),
        }
    }
}

impl Failures {
    /// The most causes that are shown.
    const SHOWN: usize = 3;

    /// Why dials failed.
    pub(super) fn of(scenario: &Scenario, summary: &Summary) -> Self {
        Self::among(scenario, summary, ends_a_handshake)
    }

    /// Why dials and set-ups failed.
    pub(super) fn until_ready(scenario: &Scenario, summary: &Summary) -> Self {
        let is_one = |cause| cause == Cause::SetupFailed || ends_a_handshake(cause);
        Self::among(scenario, summary, is_one)
    }

    /// Why no tunnel was made.
    pub(super) fn of_proxies(scenario: &Scenario, summary: &Summary) -> Self {
        Self::among(scenario, summary, Cause::is_of_proxy)
    }

    fn among(scenario: &Scenario, summary: &Summary, is_one: impl Fn(Cause) -> bool) -> Self {
        let mut causes: Vec<(Cause, u64)> = (Cause::ALL.iter())
            .filter(|cause| is_one(**cause))
            .map(|cause| (*cause, summary.count(&metric::error(*cause))))
            .filter(|(_, count)| *count > 0)
            .collect();
        causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let example = (causes.iter())
            .filter_map(|(cause, _)| summary.endings.examples.get(cause)?.first())
            .next()
            .cloned();
        let none_opened = !summary.opened_any();
        Self {
            causes,
            example,
            way: none_opened.then(|| Way::of(scenario)),
        }
    }

    /// Advice for the most frequent cause, if there is any.
    pub fn hint(&self) -> Option<String> {
        let (foremost, _) = self.causes.first()?;
        let Some(way) = &self.way else {
            return self.of_cause().map(str::to_owned);
        };
        let example = self.example.as_deref().unwrap_or_default();
        let announce = foremost.announce_hint(example, way.announces);
        let main = match (announce, way.announces) {
            (Some(hint), true) => hint,
            _ => self.of_cause()?,
        };
        let mut hint = main.to_owned();
        if let (Some(other), false) = (announce, way.announces) {
            hint += &format!("; or {other}");
        }
        if let Some(variable) = way.unused_proxy {
            hint += &format!(
                "; {variable} of the environment was not used: `proxy = \"environment\"` goes through it"
            );
        }
        Some(hint)
    }

    /// Advice for the most frequent cause itself.
    fn of_cause(&self) -> Option<&'static str> {
        let (foremost, _) = self.causes.first()?;
        let example = self.example.as_deref().unwrap_or_default();
        if let Some(hint) = foremost.certificate_hint(example) {
            return Some(hint);
        }
        let scheme = |way: &Way| foremost.scheme_hint(example, way.is_secure);
        if let Some(hint) = self.way.as_ref().and_then(scheme) {
            return Some(hint);
        }
        if let Some(hint) = foremost.step_hint(example, self.way.is_none()) {
            return Some(hint);
        }
        Some(match foremost {
            Cause::Dns => "check the host name in `url`",
            Cause::Refused => "is the server running, and is the port in `url` right?",
            Cause::Unreachable => "check the address in `url`, and the route to it",
            Cause::ConnectTimeout => {
                "a slower `ramp_up` spares the server's accept queue; a longer `connect_timeout` waits for it"
            }
            Cause::HttpStatus => self.of_status(),
            Cause::BadSubprotocol => "check `subprotocols`",
            Cause::BadUpgrade | Cause::BadAccept => {
                "something answered, but it speaks no WebSocket there: check the port and the path in `url`"
            }
            Cause::BadExtension => {
                "the server agreed to what was not offered: no client may accept that (RFC 6455 section 4.1, RFC 7692 section 7.1)"
            }
            Cause::NoExtension => {
                "the server, or a proxy before it, has no permessage-deflate: switch it on there, or leave `required` out"
            }
            Cause::SetupFailed => "`wsbench try` shows what the server answers to each step",
            Cause::NoLocalPort => "add `source_addresses`",
            Cause::NoDescriptor => "raise the limit of open files (`ulimit -n`)",
            Cause::HandshakeReset | Cause::HandshakeEof => {
                "the server hangs up on new connections: does it, or a proxy before it, have a limit?"
            }
            other => {
                let hint = other.proxy_hint().or_else(|| other.http2_hint());
                return hint.or_else(|| other.tls_hint());
            }
        })
    }
}

impl Failures {
    /// Advice by the HTTP status of a refusal, the second word of the status line (RFC 9110 section 15).
    fn of_status(&self) -> &'static str {
        let line = self.example.as_deref().unwrap_or_default();
        let status = line.split(' ').nth(1).unwrap_or_default();
        match status {
            "301" | "302" | "303" | "307" | "308" => {
                "the server points to another address: put the one behind `Location` into `url`"
            }
            "401" | "403" => {
                "the server requires a login: put a token or cookie into `headers`, `subprotocols` or the query of `url`; some servers require an `origin`"
            }
            "404" | "405" | "410" => "check the path in `url`",
            "429" | "503" => {
                "the server, or a proxy before it, takes no more connections for now: use a slower `ramp_up`, or fewer of them"
            }
            "502" | "504" => "a proxy answered, and does not reach the server behind it",
            _ => {
                "a server answered, but not as a WebSocket: check the path in `url`, and `headers`"
            }
        }
    }
}

impl fmt::Display for Failures {
    /// Continues a sentence: `: 3 refused, 1 tls (the first words of an example)`. Empty if nothing failed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (cause, count)) in self.causes.iter().take(Self::SHOWN).enumerate() {
            let before = if place == 0 { ": " } else { ", " };
            write!(f, "{before}{count} {cause}")?;
        }
        match &self.example {
            Some(example) => write!(f, " ({example})"),
            None => Ok(()),
        }
    }
}

/// Whether a dial can fail with this cause; `io` can also end an open connection.
pub(super) fn ends_a_handshake(cause: Cause) -> bool {
    match cause {
        Cause::Dns
        | Cause::Refused
        | Cause::Unreachable
        | Cause::ConnectTimeout
        | Cause::Tls
        | Cause::TlsUntrusted
        | Cause::TlsExpired
        | Cause::TlsName
        | Cause::TlsPin
        | Cause::ProxyUnreachable
        | Cause::ProxyAuth
        | Cause::ProxyRefused
        | Cause::ProxyGarbage
        | Cause::TlsClientCert
        | Cause::TlsVersion
        | Cause::TlsAlpn
        | Cause::TlsNotSpoken
        | Cause::TlsAlert
        | Cause::H2NoWebsocket
        | Cause::H2Refused
        | Cause::H2Error
        | Cause::HttpStatus
        | Cause::BadUpgrade
        | Cause::BadAccept
        | Cause::BadSubprotocol
        | Cause::BadExtension
        | Cause::NoExtension
        | Cause::HandshakeEof
        | Cause::HandshakeReset
        | Cause::HandshakeGarbage
        | Cause::NoLocalPort
        | Cause::NoDescriptor
        | Cause::Io => true,
        Cause::Completed
        | Cause::Abandoned
        | Cause::ClosedByPeer
        | Cause::PeerFrozen
        | Cause::PathDead
        | Cause::MissedPong
        | Cause::Silent
        | Cause::Reset
        | Cause::Eof
        | Cause::ProtocolError
        | Cause::BadUtf8
        | Cause::BadDeflate
        | Cause::BadCloseCode
        | Cause::MessageTooBig
        | Cause::CloseTimeout
        | Cause::Fault
        | Cause::SetupFailed
        | Cause::StepFailed
        | Cause::WriteTimeout => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(example: &str) -> &'static str {
        let failures = Failures {
            causes: vec![(Cause::HttpStatus, 3)],
            example: Some(example.to_owned()),
            way: Some(Way::default()),
        };
        failures.of_cause().unwrap()
    }

    fn failed(cause: Cause, example: &str, way: Way) -> String {
        let failures = Failures {
            causes: vec![(cause, 3)],
            example: Some(example.to_owned()),
            way: Some(way),
        };
        failures.hint().unwrap()
    }

    #[test]
    fn an_end_before_any_answer_asks_for_the_proxy_protocol_or_its_reverse() {
        let expects = "does it expect the PROXY protocol?";
        for (cause, example, announces, hint) in [
            (
                Cause::HandshakeEof,
                "before any answer",
                false,
                "; or does it expect",
            ),
            (
                Cause::HandshakeReset,
                "during the TLS handshake",
                false,
                "; or does it expect",
            ),
            (
                Cause::HandshakeEof,
                "before any answer",
                true,
                "leave out `proxy_protocol`",
            ),
            (
                Cause::HttpStatus,
                "HTTP/1.1 400 Bad Request",
                true,
                "leave out `proxy_protocol`",
            ),
            (
                Cause::TlsVersion,
                "alert 70",
                true,
                "leave out `proxy_protocol`",
            ),
        ] {
            let way = Way {
                announces,
                ..Way::default()
            };
            let said = failed(cause, example, way);
            assert!(
                said.contains(hint) && said.contains(expects),
                "{cause}: {said}"
            );
        }
        for (cause, announces) in [(Cause::Refused, true), (Cause::HttpStatus, false)] {
            let way = Way {
                announces,
                ..Way::default()
            };
            let said = failed(cause, "HTTP/1.1 400 Bad Request", way);
            assert!(!said.contains("PROXY"), "{cause}: {said}");
        }
    }

    #[test]
    fn a_proxy_of_the_environment_that_was_not_used_is_named() {
        let way = Way {
            unused_proxy: Some("HTTPS_PROXY"),
            ..Way::default()
        };
        let said = failed(Cause::Unreachable, "", way);
        assert!(said.starts_with("check the address in `url`"), "{said}");
        assert!(
            said.contains("HTTPS_PROXY of the environment was not used"),
            "{said}"
        );
    }

    #[test]
    fn the_step_and_the_scheme_decide_what_helps() {
        let (eof, timeout) = (Cause::HandshakeEof, Cause::ConnectTimeout);
        let (in_tls, before) = ("during the TLS handshake", "before any answer");
        for (cause, example, is_secure, hint) in [
            (eof, in_tls, Some(true), "use ws://"),
            (
                timeout,
                "waited for the TLS handshake",
                Some(true),
                "use ws://",
            ),
            (
                timeout,
                "waited for the TCP connection",
                Some(true),
                "ramp_up",
            ),
            (
                timeout,
                "waited for the answer to the upgrade request",
                Some(false),
                "check the port and the path",
            ),
            (
                timeout,
                "waited for the answer to the upgrade request",
                None,
                "too slow with their handshakes",
            ),
            (
                timeout,
                "waited for the TLS handshake",
                None,
                "too slow with their handshakes",
            ),
            (
                timeout,
                "waited for the tunnel through the proxy",
                Some(false),
                "of that kind",
            ),
            (
                timeout,
                "waited for the look-up of the name",
                Some(false),
                "name server",
            ),
            (eof, before, Some(false), "use wss://"),
            (Cause::HandshakeReset, before, Some(false), "use wss://"),
            (
                Cause::HandshakeGarbage,
                "no HTTP",
                Some(false),
                "use wss://",
            ),
            (eof, before, Some(true), "a limit"),
            (eof, in_tls, None, "a limit"),
        ] {
            let failures = Failures {
                causes: vec![(cause, 3)],
                example: Some(example.to_owned()),
                way: is_secure.map(|is_secure| Way {
                    is_secure,
                    ..Way::default()
                }),
            };
            let said = failures.of_cause().unwrap();
            assert!(said.contains(hint), "{cause} {example}: {said}");
            assert_eq!(said.contains("wss://"), hint == "use wss://", "{said}");
        }
    }

    #[test]
    fn the_status_decides_what_helps() {
        for (example, hint) in [
            (
                "HTTP/1.1 308 Permanent Redirect; Location: /ws/",
                "`Location`",
            ),
            ("HTTP/1.1 401 Unauthorized", "token"),
            ("HTTP/1.1 404 Not Found: \"nothing here\"", "path"),
            ("HTTP/1.0 503 Service Unavailable", "ramp_up"),
            ("HTTP/1.1 502 Bad Gateway", "proxy"),
            ("HTTP/1.1 200 OK", "not as a WebSocket"),
            ("", "not as a WebSocket"),
        ] {
            let said = refused(example);
            assert!(said.contains(hint), "{example}: {said}");
        }
    }
}

//! Each way in which a connection does not come to be, and the test that has seen it under the real program: where others
//! wrote a server or a proxy that fails so, with that.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use wsbench::metric::Cause;

/// A cause, the file of its test, and the name of that.
const SEEN: &[(Cause, &str, &str)] = &[
    (Cause::Dns, "faults/handshake", "a_name_that_leads_nowhere"),
    (Cause::Refused, "faults/handshake", "a_server_that_is_down"),
    (
        Cause::Unreachable,
        "addresses/unix",
        "a_socket_that_is_not_there_or_full_for_good_says_so",
    ),
    (
        Cause::ConnectTimeout,
        "real_connections/apache",
        "the_stream_that_apache_never_answers_is_named",
    ),
    (
        Cause::Tls,
        "faults/handshake",
        "what_tls_does_not_allow_in_its_handshake",
    ),
    (Cause::TlsUntrusted, TLS.0, TLS.1),
    (Cause::TlsExpired, TLS.0, TLS.1),
    (Cause::TlsName, TLS.0, TLS.1),
    (Cause::TlsPin, TLS.0, TLS.1),
    (Cause::TlsClientCert, TLS.0, TLS.1),
    (Cause::TlsVersion, TLS.0, TLS.1),
    (Cause::TlsAlpn, TLS.0, TLS.1),
    (
        Cause::TlsAlpn,
        "real_connections/http2",
        "a_server_without_http2_is_told",
    ),
    (Cause::TlsNotSpoken, TLS.0, TLS.1),
    (Cause::TlsAlert, TLS.0, TLS.1),
    (
        Cause::ProxyUnreachable,
        PROXIES,
        "a_proxy_that_is_not_there_is_unreachable",
    ),
    (
        Cause::ProxyUnreachable,
        PROXIES,
        "tls_is_spoken_with_the_proxy_and_through_it",
    ),
    (
        Cause::ProxyAuth,
        PROXIES,
        "squid_is_gone_through_and_tells_why_it_refuses",
    ),
    (
        Cause::ProxyAuth,
        PROXIES,
        "tinyproxy_is_gone_through_and_tells_why_it_refuses",
    ),
    (
        Cause::ProxyAuth,
        PROXIES,
        "microsocks_is_gone_through_and_tells_why_it_refuses",
    ),
    (
        Cause::ProxyRefused,
        PROXIES,
        "squid_is_gone_through_and_tells_why_it_refuses",
    ),
    (
        Cause::ProxyRefused,
        PROXIES,
        "dante_is_gone_through_and_tells_why_it_refuses",
    ),
    (
        Cause::ProxyGarbage,
        PROXIES,
        "dante_is_gone_through_and_tells_why_it_refuses",
    ),
    (
        Cause::HttpStatus,
        "faults/handshake",
        "statuses_other_than_101",
    ),
    (
        Cause::HttpStatus,
        "real_connections/http2",
        "each_end_of_a_stream_has_its_cause",
    ),
    (Cause::BadUpgrade, "faults/handshake", "no_upgrade_header"),
    (
        Cause::BadAccept,
        "faults/handshake",
        "a_wrong_accept_key_and_none",
    ),
    (
        Cause::BadSubprotocol,
        "faults/handshake",
        "a_subprotocol_and_an_extension_nobody_asked_for",
    ),
    (
        Cause::BadExtension,
        "faults/handshake",
        "a_subprotocol_and_an_extension_nobody_asked_for",
    ),
    (
        Cause::NoExtension,
        "real_connections/compression",
        "a_server_that_declines_where_it_may_not_is_told",
    ),
    (
        Cause::BadDeflate,
        "faults/frames",
        "a_compressed_message_that_is_none",
    ),
    (
        Cause::H2NoWebsocket,
        "real_connections/http2",
        "nginx_speaks_http2_without_websockets",
    ),
    (
        Cause::H2Refused,
        "real_connections/http2",
        "each_end_of_a_stream_has_its_cause",
    ),
    (
        Cause::H2Error,
        "real_connections/http2",
        "each_end_of_a_stream_has_its_cause",
    ),
    (
        Cause::H2Error,
        "real_connections/http2",
        "a_server_without_http2_is_told",
    ),
    (
        Cause::HandshakeEof,
        "faults/handshake",
        "tcp_that_ends_in_the_middle_of_the_response",
    ),
    (
        Cause::HandshakeReset,
        "faults/handshake",
        "tcp_that_ends_in_the_middle_of_the_response",
    ),
    (
        Cause::HandshakeGarbage,
        "faults/handshake",
        "bytes_that_are_not_http",
    ),
];
const TLS: (&str, &str) = (
    "real_connections/tls/causes",
    "each_failure_of_tls_has_its_cause_and_its_phase",
);
const PROXIES: &str = "real_connections/proxies";

/// The first and the last cause of a dial that failed, in the order of the catalogue.
const OF_DIALS: (Cause, Cause) = (Cause::Dns, Cause::HandshakeGarbage);

#[test]
fn each_cause_of_a_dial_that_failed_was_seen() {
    for (cause, file, test) in SEEN {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/{file}.rs"));
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{file}: {e}"));
        let is_there = text.contains(&format!("\nfn {test}() {{"));
        assert!(is_there, "{cause}: no test {test} in {file}");
        let is_meant = text.contains(&format!("\"{cause}\""));
        assert!(is_meant, "{cause} is not looked for in {file}");
    }
    let seen: BTreeSet<Cause> = SEEN.iter().map(|(cause, ..)| *cause).collect();
    let is_of_dials = |cause: &&Cause| (OF_DIALS.0..=OF_DIALS.1).contains(*cause);
    let unseen: Vec<&Cause> = (Cause::ALL.iter().filter(is_of_dials))
        .filter(|cause| !seen.contains(cause))
        .collect();
    assert!(unseen.is_empty(), "no test has seen {unseen:?}");
}

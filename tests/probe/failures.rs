//! Servers that cannot be probed, and what is refused before the first connection.

use super::common::{Handshake, Reception, Script, Server};
use super::{found, probe};

/// Checks that a probe without a connection fails with exit code 4, the reason and a hint.
#[track_caller]
pub(super) fn fails(url: &str, reason: &str, hint: &str) {
    let ended = probe(&[url, "--for", "1s"]);
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    let start = format!("error: failed to connect to {url}: {reason}");
    assert!(ended.stderr.starts_with(&start), "{}", ended.stderr);
    assert!(
        ended.stderr.contains(&format!("\nhint: {hint}")),
        "{}",
        ended.stderr
    );
    assert!(!ended.stdout.contains("# Written by"));
}

#[test]
fn each_way_to_get_no_connection_has_its_reason_and_a_hint() {
    for (handshake, reason, hint) in [
        (
            Handshake::Refuse,
            "nothing listens",
            "check that the server runs",
        ),
        (
            Handshake::Status(404, "no"),
            "an HTTP status other than 101 (HTTP/1.1 404 Scripted",
            "check the path",
        ),
        (
            Handshake::Status(401, "no"),
            "an HTTP status other than 101 (HTTP/1.1 401 Scripted",
            "give what the server asks for",
        ),
        (
            Handshake::Garbage,
            "",
            "does this port speak TLS? then use wss://",
        ),
        (
            Handshake::Fin,
            "",
            "does this port speak TLS? then use wss://",
        ),
        (
            Handshake::WrongAccept,
            "",
            "check that a WebSocket service is there",
        ),
    ] {
        let server = Server::start(Script::handshake(handshake));
        fails(&server.url(), reason, hint);
    }
}

/// RFC 9110 section 15.2.
#[test]
fn an_informational_answer_is_not_the_final_one() {
    let server = Server::start(Script::handshake(Handshake::Informed(103)));
    let found = found(&server.url(), "200ms");
    assert_eq!(
        found["handshake"]["status"],
        "HTTP/1.1 101 Switching Protocols"
    );
}

#[test]
fn tls_trouble_says_how_to_trust() {
    let trusted = Reception::secure();
    fails(
        &trusted.url("127.0.0.1"),
        "the server's certificate is not trusted",
        "name its certificate, or that of its authority, in `ca` (`--ca FILE`)",
    );
}

#[test]
fn what_makes_no_sense_is_refused_before_the_first_connection() {
    for (arguments, reason) in [
        (&["127.0.0.1:9"][..], "has no scheme"),
        (&["embedded"], "the built-in server"),
        (&["ws://127.0.0.1:9/", "--insecure"], "is only for wss://"),
        (&["ws://127.0.0.1:9/", "--for", "soon"], "is not a duration"),
        (&["ws://127.0.0.1:9/", "--for", "1ms"], "at least 100ms"),
        (
            &["ws://127.0.0.1:9/", "--header", "X"],
            "a name, a colon and a value",
        ),
        (
            &["ws://127.0.0.1:9/", "--header", "Upgrade: x"],
            "wsbench sets itself",
        ),
    ] {
        let ended = probe(arguments);
        assert_eq!(ended.code, 2, "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(reason), "{}", ended.stderr);
    }
}

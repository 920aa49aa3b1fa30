//! wsbench against servers that fail before a connection is open: each failure is a kind of its own, with what was
//! wrong as an example; no verdict can be trusted, and the run ends as soon as its last attempt has.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use super::CONNECTIONS;
use super::common::{Ended, Handshake, Report, Script, Server};

fn scenario(url: &str) -> String {
    format!(
        r#"
        name = "handshake"
        [target]
        url = "{url}"
        connect_timeout = "500ms"
        [load]
        connections = {CONNECTIONS}
        ramp_up = "50ms"
        ramp_down = "50ms"
        duration = "1s"
        [[message]]
        name = "echo"
        rate = "20/s"
        timeout = "500ms"
        [gates]
        pass = ["count(connections.failed) == 0"]
        "#
    )
}

/// Runs against this server, and expects every attempt to fail for this cause.
fn fails(handshake: Handshake, cause: &str) -> (Ended, Report) {
    let server = Server::start(Script::handshake(handshake));
    let ended = Ended::run(&scenario(&server.url()));
    let report = ended.report();
    assert_eq!(ended.code, 4, "nothing opened: {}", report.json["verdict"]);
    assert_eq!(report.distrust(), ["no_connection"]);
    assert_eq!(report.failed_gates(), ["count(connections.failed) == 0"]);
    assert_eq!(report.errors(), [(cause, CONNECTIONS)].into());
    assert_eq!(report.count(&format!("errors.{cause}")), CONNECTIONS);
    for (name, count) in [
        ("connections.attempted", CONNECTIONS),
        ("connections.failed", CONNECTIONS),
        ("connections.opened", 0),
        ("connections.closed", 0),
        ("messages.due", 0),
    ] {
        assert_eq!(report.count(name), count, "{name}");
    }
    assert!(report.closes().is_empty(), "nothing was open to be closed");
    assert_eq!(report.connections.len() as u64, CONNECTIONS);
    for row in &report.connections {
        assert_eq!(
            (row["cause"].as_str(), row["state"].as_str()),
            (cause, "connecting")
        );
        assert_ne!(row["ended_s"], "");
        for unknown in ["opened_s", "close_code", "closed_by", "last_received_s"] {
            assert_eq!(row[unknown], "", "{unknown}");
        }
    }
    (ended, report)
}

/// The same, with an example that holds this text.
#[track_caller]
fn fails_as_in(handshake: Handshake, cause: &str, example: &str) {
    let (_, report) = fails(handshake, cause);
    let examples = report.examples(cause);
    assert!(examples.contains(example), "{examples}");
}

#[test]
fn a_server_that_is_down() {
    let (_, report) = fails(Handshake::Refuse, "refused");
    let seconds = report.json["seconds"].as_f64().unwrap();
    assert!(seconds < 1.0, "there is nothing to wait for: {seconds}");
}

#[test]
fn a_name_that_leads_nowhere() {
    let ended = Ended::run(&scenario("ws://nobody.invalid/"));
    let report = ended.report();
    assert_eq!(report.errors(), [("dns", CONNECTIONS)].into());
    let examples = report.examples("dns");
    assert!(examples.contains("look up nobody.invalid: "), "{examples}");
}

#[test]
fn statuses_other_than_101() {
    fails_as_in(
        Handshake::Status(200, "<html>"),
        "http_status",
        "HTTP/1.1 200 Scripted",
    );
    fails_as_in(
        Handshake::Status(404, "not here"),
        "http_status",
        "HTTP/1.1 404 Scripted",
    );
    fails_as_in(
        Handshake::Status(503, ""),
        "http_status",
        "HTTP/1.1 503 Scripted",
    );
}

#[test]
fn bytes_that_are_not_http() {
    fails_as_in(Handshake::Garbage, "handshake_garbage", "SSH-2.0");
}

#[test]
fn a_header_without_end() {
    fails_as_in(
        Handshake::EndlessHeader,
        "handshake_garbage",
        "HTTP/1.1 101",
    );
}

#[test]
fn a_wrong_accept_key_and_none() {
    fails_as_in(
        Handshake::WrongAccept,
        "bad_accept",
        "Sec-WebSocket-Accept: ",
    );
    fails_as_in(
        Handshake::NoAccept,
        "bad_accept",
        "no `Sec-WebSocket-Accept` header",
    );
}

#[test]
fn no_upgrade_header() {
    fails_as_in(Handshake::NoUpgrade, "bad_upgrade", "no `Upgrade` header");
}

#[test]
fn a_subprotocol_and_an_extension_nobody_asked_for() {
    fails_as_in(
        Handshake::Subprotocol("chat.v9"),
        "bad_subprotocol",
        "Sec-WebSocket-Protocol: chat.v9",
    );
    fails_as_in(
        Handshake::Extension("permessage-deflate"),
        "bad_extension",
        "Sec-WebSocket-Extensions: permessage-deflate",
    );
}

#[test]
fn tcp_that_ends_in_the_middle_of_the_response() {
    fails_as_in(
        Handshake::Fin,
        "handshake_eof",
        "HTTP/1.1 101 Switching Proto",
    );
    fails_as_in(
        Handshake::Reset,
        "handshake_reset",
        "HTTP/1.1 101 Switching Proto",
    );
}

#[test]
fn no_answer_to_the_upgrade_request() {
    let (ended, report) = fails(Handshake::Silent, "connect_timeout");
    let examples = report.examples("connect_timeout");
    assert!(
        examples.contains("the answer to the upgrade request"),
        "{examples}"
    );
    assert!(
        ended.took >= Duration::from_millis(500),
        "the whole of `connect_timeout`"
    );
}

#[test]
fn a_late_answer_is_an_answer() {
    let late = Handshake::Late(Duration::from_millis(150));
    let server = Server::start(Script::handshake(late));
    let ended = Ended::run(&scenario(&server.url()));
    let report = ended.report();
    assert!(report.failed_gates().is_empty());
    assert_eq!(report.count("connections.opened"), CONNECTIONS);
    let upgrade = report.rows("totals", "handshake.upgrade");
    assert!(upgrade[0]["min"].as_f64().unwrap() >= 150e3, "{upgrade:?}");
}

/// RFC 9110 section 15.2.
#[test]
fn an_informational_answer_is_not_the_final_one() {
    for status in [100, 103] {
        let server = Server::start(Script::handshake(Handshake::Informed(status)));
        let ended = Ended::run(&scenario(&server.url()));
        let report = ended.report();
        assert!(report.failed_gates().is_empty(), "{status}");
        assert_eq!(report.count("connections.opened"), CONNECTIONS, "{status}");
    }
}

#[test]
fn a_refusal_says_what_the_server_said() {
    fails_as_in(
        Handshake::Status(403, "the token has expired"),
        "http_status",
        "the token has expired",
    );
}

/// An empty ServerHello in a record of its own (RFC 8446 sections 4 and 5.1).
const NO_SERVER_HELLO: [u8; 9] = [22, 3, 3, 0, 4, 2, 0, 0, 0];

#[test]
fn what_tls_does_not_allow_in_its_handshake() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("wss://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            assert!(client.read(&mut [0; 4096]).unwrap() > 0, "a ClientHello");
            client.write_all(&NO_SERVER_HELLO).unwrap();
            // Until the client has ended it.
            let _ = client.read_to_end(&mut Vec::new());
        }
    });
    let ended = Ended::run(&scenario(&url));
    let report = ended.report();
    assert_eq!(report.errors(), [("tls", CONNECTIONS)].into());
    let examples = report.examples("tls");
    assert!(
        examples.contains("what TLS does not allow at this point"),
        "{examples}"
    );
}

//! Apache before a server: TLS, and WebSockets over HTTP/2, of which it serves six on a connection.

use super::common::own::Own;
use super::common::peer::{Peer, Setup};
use super::common::run::{Run, run};
use super::common::{Reception, Running};
use super::http2;

/// As many as it serves on one connection: it begins with so many threads for each, and allows more as they come free.
const STREAMS: u32 = 6;

/// In the clear at its first address, under TLS at its second.
fn apache(own: &Own, behind: &Reception) -> Peer {
    let setup = own.server(Setup::of("apache.conf"));
    setup.place("behind", behind.address()).start()
}

#[test]
#[ignore = "needs Apache; run by scripts/test"]
fn apache_ends_tls_before_a_server() {
    let (own, behind) = (Own::new(), Reception::open());
    let apache = apache(&own, &behind);
    let scenario = format!(
        r#"
        name = "apache"
        [target]
        url = "wss://{}/socket"
        ca = "ca.pem"
        tls = {{ server_name = "localhost" }}
        [load]
        connections = 50
        ramp_up = "500ms"
        duration = "1s"
        [heartbeat]
        interval = "200ms"
        timeout = "2s"
        [[message]]
        name = "long"
        rate = "20/s"
        payload = {{ size = "20KiB" }}
        [gates]
        pass = [
            "count(tls.full) == 50",
            "ratio(messages.echoed / messages.sent) == 100%",
            "count(heartbeat.missed) == 0",
        ]
        "#,
        apache.addresses()[1]
    );
    let ended = Running::start_in(own.folder(), &scenario, &["--quiet"], &[]).end();
    let report = ended.report();
    Run { ended, report }.assert_passed();
    assert_eq!(behind.visits().len(), 50);
}

#[test]
#[ignore = "needs Apache; run by scripts/test"]
fn apache_speaks_http2_and_leaves_the_end_to_the_client() {
    let (own, behind) = (Own::new(), Reception::open());
    let apache = apache(&own, &behind);
    let [clear, tls, ..] = apache.addresses() else {
        panic!("it has two addresses");
    };
    for url in [
        format!("ws://{clear}/socket"),
        format!("wss://{tls}/socket"),
    ] {
        http2::assert_spoken(&url, STREAMS, 40);
    }
    assert_eq!(behind.visits().len(), 80);
}

/// The next stream is one too many, and it never says so.
#[test]
#[ignore = "needs Apache; run by scripts/test"]
fn the_stream_that_apache_never_answers_is_named() {
    let (own, behind) = (Own::new(), Reception::open());
    let apache = apache(&own, &behind);
    let more = "streams_per_connection = 10\nconnect_timeout = \"1s\"";
    let text = http2::scenario(&format!("ws://{}/", apache.address()), more, "");
    let text = text.replace("[load]", &format!("[load]\nconnections = {}", STREAMS + 1));
    let run = run(&text, &["--workers", "1"]);
    assert_eq!(run.report.errors(), [("connect_timeout", 1)].into());
    let examples = run.report.examples("connect_timeout");
    assert!(
        examples.contains("as the 7th stream of its TCP connection"),
        "{examples}"
    );
}

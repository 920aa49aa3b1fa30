//! What clients do below their frames, and what is seen there, over HTTP/2 and under TLS: each has a TCP connection of its
//! own, to haproxy, which gives up on those that acknowledge nothing for a second.

use super::common::own::Own;
use super::common::peer::{Peer, Setup};
use super::common::run::{Run, run, trusted};
use super::common::{Pong, Reception, Running, Script, Server};
use super::http2;

fn haproxy(behind: &Reception) -> Peer {
    let own = Own::new();
    Setup::of("haproxy-reaps.cfg")
        .file("server.pem", format!("{}{}", own.certificate, own.key))
        .place("behind", behind.address())
        .start()
}

/// `[target]` for each way to haproxy.
fn ways(haproxy: &Peer) -> [String; 3] {
    let [clear, tls] = haproxy.addresses() else {
        panic!("it has two addresses");
    };
    const STREAMS: &str = "http = \"2\"\nstreams_per_connection = 1";
    [
        format!("url = \"ws://{clear}/\"\n{STREAMS}"),
        format!("url = \"wss://{tls}/\"\ninsecure = true\n{STREAMS}"),
        format!("url = \"wss://{tls}/\"\ninsecure = true"),
    ]
}

/// Clients that vanish for good, and clients that are away for a moment, beside healthy ones.
fn vanishing(target: &str) -> String {
    format!(
        r#"
        name = "vanish"
        [target]
        {target}
        [load]
        duration = "6s"
        [[cohort]]
        name = "healthy"
        connections = 10
        heartbeat = {{ interval = "500ms" }}
        contract = {{ closed = 0 }}
        [[cohort]]
        name = "gone"
        connections = 5
        fault = {{ kind = "vanish", after = "500ms" }}
        contract = {{ from = "fault", reaped_between = ["900ms", "4500ms"] }}
        [[cohort]]
        name = "away"
        connections = 5
        fault = {{ kind = "vanish", after = "500ms", for = "300ms" }}
        heartbeat = {{ interval = "100ms", timeout = "200ms", on_dead = "keep" }}
        contract = {{ from = "fault", closed = 0, recovers_within = "1500ms" }}
        "#
    )
}

#[test]
#[ignore = "needs haproxy; run by scripts/test"]
fn clients_that_vanish_are_given_up_and_those_that_return_are_not() {
    for way in 0..3 {
        let attempt = || {
            let behind = Reception::open();
            let haproxy = haproxy(&behind);
            let text = vanishing(&ways(&haproxy)[way]);
            if wsbench::net::can_vanish() {
                return (Some(run(&text, &[])), ());
            }
            let ended = Running::start(&text, &["--quiet"]).end();
            assert_eq!(ended.code, 2, "{}", ended.stderr);
            assert!(ended.stderr.contains("CAP_NET_ADMIN"), "{}", ended.stderr);
            (None, ())
        };
        let mut last = None;
        for _ in 0..5 {
            last = attempt().0;
            if last.as_ref().is_none_or(|run| !run.report.was_starved()) {
                break;
            }
        }
        let Some(run) = last else {
            return;
        };
        run.assert_passed();
        let (_, row) = run.report.promise("gone", "reaped_between");
        assert_eq!(row["observed_n"], 5, "{row}");
    }
}

/// What becomes of the server's sockets is told by the ports of the clients, which are their own on each of these ways.
#[test]
#[ignore = "needs haproxy; run by scripts/test"]
fn the_sockets_of_clients_that_close_are_released() {
    for way in 0..3 {
        let attempt = || {
            let behind = Reception::open();
            let haproxy = haproxy(&behind);
            let text = format!(
                r#"
                name = "released"
                [target]
                {}
                [load]
                duration = "4s"
                [[cohort]]
                name = "closes"
                connections = 5
                fault = {{ kind = "close", after = "500ms" }}
                contract = {{ from = "fault", released_within = "2s" }}
                "#,
                ways(&haproxy)[way]
            );
            (run(&text, &[]), ())
        };
        let (run, ()) = trusted(attempt);
        run.assert_passed();
        let (_, row) = run.report.promise("closes", "released_within");
        assert_eq!(row["observed_n"], 5, "{row}");
    }
}

/// The kernel of haproxy acknowledges what the server behind it never answers.
#[test]
#[ignore = "needs haproxy; run by scripts/test"]
fn a_server_that_falls_silent_over_http2_is_seen_to_be_frozen() {
    let server = Server::start(Script::pong(Pong::Never));
    let haproxy = http2::haproxy_before(server.address());
    let text = format!(
        r#"
        name = "silent"
        target = {{ url = "ws://{}/", http = "2", streams_per_connection = 1 }}
        load = {{ connections = 3, duration = "800ms" }}
        # No ping is sent in the moment in which one is given up.
        heartbeat = {{ interval = "100ms", timeout = "50ms" }}
        "#,
        haproxy.address()
    );
    let Run { report, .. } = run(&text, &[]);
    assert_eq!(report.errors(), [("peer_frozen", 3)].into());
    let rows = &report.connections;
    assert!(rows.iter().all(|row| row["tcp_unacked"] == "0"), "{rows:?}");
}

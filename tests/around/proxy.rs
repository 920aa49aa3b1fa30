//! Clients that go through a proxy, or claim to: bad ones, the relay of `[path]` before it, and a server that falls silent behind it.

use super::common::run::{Run, run, trusted};
use super::common::{Pong, Proxy, Running, Script, Server};
use super::secure::{MISBEHAVED, SERVER};
use super::server::Serve;

/// What clients do with frames reaches the server as it is; of what they do with TCP the report warns.
#[test]
fn a_correct_server_keeps_its_promises_behind_a_proxy() {
    let attempt = || {
        let (server, proxy) = (Serve::start(&SERVER), Proxy::open());
        let scenario = format!(
            r#"
            name = "proxied"
            [target]
            url = "{}"
            proxy = "http://{}"
            close_timeout = "500ms"
            [load]
            duration = "3s"
            [[cohort]]
            name = "healthy"
            connections = 20
            heartbeat = {{ interval = "300ms" }}
            contract = {{ closed = 0 }}
            {MISBEHAVED}
            "#,
            server.url, proxy.address
        );
        let run = run(&scenario, &[]);
        (run, proxy.asked().len() as u64)
    };
    let (run, tunnels) = trusted(attempt);
    run.assert_passed();
    assert_eq!(run.report.count("connections.opened"), tunnels);
    assert!(run.report.warnings().contains(&"fault_by_proxy"));
}

/// The relay leads to the proxy, so the tunnel is slowed down too; the built-in server can be behind one.
#[test]
fn the_path_leads_to_the_proxy() {
    let proxy = Proxy::open();
    let scenario = format!(
        r#"
        name = "path"
        target = {{ url = "embedded", proxy = "http://{}" }}
        load = {{ connections = 10, duration = "500ms" }}
        path.delay = "30ms"
        [[message]]
        name = "echo"
        rate = "5/s"
        [gates]
        pass = ["min(handshake.proxy) >= 60ms", "min(latency.echo) >= 60ms", "count(connections.failed) == 0"]
        "#,
        proxy.address
    );
    let run = run(&scenario, &[]);
    run.assert_passed();
    assert_eq!(proxy.asked().len(), 10);
    assert_eq!(run.report.json["surroundings"]["relay"]["connections"], 10);
}

/// The proxy goes on to acknowledge, so that nothing is known of the server.
#[test]
fn a_server_that_falls_silent_behind_a_proxy_misses_pongs() {
    let server = Server::start(Script {
        pong: Pong::Never,
        ..Script::default()
    });
    let proxy = Proxy::open();
    let scenario = |way: &str| {
        format!(
            r#"
            name = "silent"
            target = {{ url = "{}"{way} }}
            load = {{ connections = 3, duration = "800ms" }}
            heartbeat = {{ interval = "100ms", timeout = "100ms" }}
            "#,
            server.url()
        )
    };
    let dead = |run: &Run| {
        ["missed_pong", "peer_frozen"].map(|cause| run.report.count(&format!("errors.{cause}")))
    };
    let direct = run(&scenario(""), &[]);
    assert_eq!(dead(&direct), [0, 3]);
    let proxied = run(
        &scenario(&format!(", proxy = \"http://{}\"", proxy.address)),
        &[],
    );
    assert_eq!(dead(&proxied), [3, 0]);
}

/// Which client the server took each for stands beside how it ended: here none expects the PROXY protocol.
#[test]
fn the_addresses_that_are_claimed_stand_beside_the_ends() {
    let server = Server::start(Script::default());
    let scenario = format!(
        r#"
        name = "claims"
        [target]
        url = "ws://{}/"
        proxy_protocol = {{ source = "203.0.113.1-203.0.113.2" }}
        [load]
        connections = 3
        duration = "200ms"
        "#,
        server.address()
    );
    let ended = Running::start(&scenario, &["--quiet"]).end();
    let report = ended.report();
    let mut claimed: Vec<_> = (report.connections.iter())
        .map(|row| (&*row["connection"], &*row["claimed"], &*row["tls"]))
        .collect();
    claimed.sort_unstable();
    let expected = [
        ("0", "203.0.113.1", ""),
        ("1", "203.0.113.2", ""),
        ("2", "203.0.113.1", ""),
    ];
    assert_eq!(claimed, expected);
}

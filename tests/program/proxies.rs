//! Proxies that the command line names, for each command that has them.

use std::fs;

use super::common::{Ended, Proxy, Reception, Running};

const SECRET: &str = "s3cret-word";

/// A command with an address that only the proxy reaches, and with its credentials.
fn through(proxy: &Proxy, command: &[&str]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://me:{SECRET}@{}", proxy.address);
    let options = ["wss://192.0.2.1/", "--insecure", "--proxy", &url];
    Running::call(folder, &[command, &options].concat(), &[]).end()
}

/// All requests are for that address, and have these credentials.
#[track_caller]
fn assert_asked(proxy: &Proxy, times: usize) {
    let asked = proxy.asked();
    assert_eq!(asked.len(), times);
    for request in asked {
        assert!(request.starts_with("CONNECT 192.0.2.1:443 "), "{request}");
        // "me:s3cret-word"
        let told = "Proxy-Authorization: Basic bWU6czNjcmV0LXdvcmQ=\r\n";
        assert!(request.contains(told), "{request}");
    }
}

#[track_caller]
fn assert_hidden(text: &str) {
    for secret in [SECRET, "bWU6czNjcmV0LXdvcmQ"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn a_run_goes_through_the_proxy_of_the_command_line_and_does_not_show_its_password() {
    let server = Reception::secure();
    let proxy = Proxy::to(server.address());
    let few = [
        "run",
        "--connections",
        "2",
        "--duration",
        "300ms",
        "--out",
        "report",
    ];
    let ended = through(&proxy, &few);
    assert!(matches!(ended.code, 0 | 4), "{}", ended.stdout);
    assert_asked(&proxy, 2);
    assert_eq!(server.visits().len(), 2);
    assert_eq!(ended.report().count("connections.opened"), 2);
    let shown = format!("--proxy http://***@{}", proxy.address);
    let json = fs::read_to_string(ended.file("run.json")).unwrap();
    assert!(json.contains(&shown), "{json}");
    for text in [&ended.stdout, &ended.stderr, &json] {
        assert_hidden(text);
    }
}

#[test]
fn a_probe_goes_through_the_proxy_and_names_it_in_its_scenario() {
    let server = Reception::secure();
    let proxy = Proxy::to(server.address());
    let ended = through(&proxy, &["probe", "--for", "3s"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    // Where HTTP/2 was asked for TLS has ended, as the server does not speak it.
    assert_asked(&proxy, server.visits().len() + 1);
    let line = format!("proxy = \"http://${{PROXY_USER}}@{}\"", proxy.address);
    assert!(ended.stdout.contains(&line), "{}", ended.stdout);
    assert_hidden(&ended.stdout);
    assert_hidden(&ended.stderr);
}

/// Each word of an answer may be the credentials, sent back.
#[test]
fn what_a_proxy_refuses_is_told_without_the_credentials() {
    let proxy = Proxy::answering("HTTP/1.1 407 Not bWU6czNjcmV0LXdvcmQ= nor s3cret-word\r\n\r\n");
    let few = [
        "run",
        "--connections",
        "2",
        "--duration",
        "300ms",
        "--out",
        "report",
    ];
    let ended = through(&proxy, &few);
    assert_eq!(ended.code, 4, "{}", ended.stdout);
    let report = ended.report();
    assert_eq!(report.count("errors.proxy_auth"), 2);
    assert!(
        ended.stdout.contains("407 Not *** nor ***"),
        "{}",
        ended.stdout
    );
    let ended = through(&proxy, &["probe", "--for", "300ms"]);
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("407 Not *** nor ***"),
        "{}",
        ended.stderr
    );
}

/// The proxy of one cohort refuses all of its connections; those of the other open. Whether the server is there for the
/// first is not known, so a gate on them has no verdict; one on the other has.
#[test]
fn a_gate_that_fails_for_a_proxy_alone_is_doubted() {
    let server = Reception::open();
    let proxy = Proxy::answering("HTTP/1.1 503 No\r\nX-Squid-Error: ERR_CONNECT_FAIL 111\r\n\r\n");
    let scenario = |gate: &str| {
        format!(
            r#"
            name = "proxies"
            target.url = "{}"
            load.duration = "300ms"
            heartbeat = {{ interval = "50ms" }}
            gates.pass = ["{gate}"]
            [[cohort]]
            name = "near"
            connections = 2
            [[cohort]]
            name = "far"
            connections = 2
            target.proxy = "http://{}"
            "#,
            server.url("127.0.0.1"),
            proxy.address
        )
    };
    for (gate, code, doubts) in [
        (
            "count(connections.opened{cohort=far}) == 2",
            4,
            &["no_tunnel"][..],
        ),
        (
            "count(heartbeat.pongs_received{cohort=far}) >= 1",
            4,
            &["no_tunnel"],
        ),
        ("count(connections.failed) == 0", 4, &["no_tunnel"]),
        ("count(connections.opened{cohort=near}) == 9", 3, &[]),
    ] {
        let ended = Running::start(&scenario(gate), &[]).end();
        assert_eq!(ended.code, code, "{gate}: {}", ended.stdout);
        assert_eq!(ended.report().distrust(), doubts, "{gate}");
    }
    let ended = Running::start(&scenario("count(connections.failed) == 0"), &[]).end();
    for said in [
        "no connection of `far` came through its proxy, so nothing is known of the server",
        "2 proxy_refused (HTTP/1.1 503 No, ERR_CONNECT_FAIL 111)",
        "a proxy does not say whether the server is down",
    ] {
        let shown = ended
            .stdout
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        assert!(shown.contains(said), "{said}\n{}", ended.stdout);
    }
}

/// Requests of a set-up go the way of their cohort, to whatever server; so do those of a cohort that only asks.
#[test]
fn requests_of_http_go_through_the_proxy_too() {
    let server = Reception::open();
    let web =
        Proxy::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    let proxy = Proxy::open();
    let scenario = format!(
        r#"
        name = "proxies"
        target = {{ url = "{}", proxy = "http://{}" }}
        load.duration = "500ms"
        [[cohort]]
        name = "logs-in"
        connections = 3
        setup = [{{ name = "login", http = {{ url = "http://{web}/login" }} }}]
        [[cohort]]
        name = "asks"
        connections = 2
        target = {{ url = "http://{web}/", keep_alive = false }}
        step = [{{ name = "look", http = {{ url = "/look" }} }}]
        [gates]
        pass = ["count(setup.failed) == 0", "count(errors.step_failed) == 0"]
        "#,
        server.url("127.0.0.1"),
        proxy.address,
        web = web.address,
    );
    let ended = Running::start(&scenario, &[]).end();
    assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);
    let asked = |proxy: &Proxy, begins: &str| {
        let asked = proxy.asked();
        let these = asked.iter().filter(|head| head.starts_with(begins));
        these.count()
    };
    assert_eq!(asked(&web, "GET /login "), 3);
    assert_eq!(asked(&web, "GET /look "), 2);
    // Each request has a connection of its own; those of the second cohort open one at first, too.
    let tunnels = asked(&proxy, &format!("CONNECT {} ", web.address));
    assert!((5..=7).contains(&tunnels), "{tunnels}");
    assert_eq!(asked(&proxy, &format!("CONNECT {} ", server.address())), 3);
    assert_eq!(proxy.asked().len(), 3 + tunnels);
}

#[test]
fn a_check_names_the_proxy_without_its_credentials_and_dials_nobody() {
    let proxy = Proxy::answering("");
    let ended = through(&proxy, &["check"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let shown = format!("http://{}", proxy.address);
    assert!(ended.stdout.contains(&shown), "{}", ended.stdout);
    assert_hidden(&ended.stdout);
    assert_eq!(proxy.asked().len(), 0);
}

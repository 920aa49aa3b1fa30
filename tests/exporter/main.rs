//! `wsbench exporter`, asked as Prometheus asks, and by Prometheus itself; with the examples of `docs/prometheus`.
#![cfg(unix)]

mod asking;
#[path = "../common/mod.rs"]
mod common;
mod examples;

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use asking::{Exporter, ask, target, value};
use common::{Ended, Handshake, Pong, Reception, Running, Script, Server};

#[test]
fn a_server_that_is_well_is_told_in_full_and_left_in_order() {
    let server = Server::start(Script::default());
    let exporter = Exporter::start(&["--allow", &server.url()]);
    let (status, text) = exporter.probe(&target(&server.url()), 10);
    assert_eq!(status, 200, "{text}");
    let is = |metric: &str| value(&text, metric).unwrap_or_else(|| panic!("no {metric}: {text}"));
    assert_eq!(is("probe_success"), 1.0);
    assert_eq!(is("probe_http_status_code"), 101.0);
    assert_eq!(is("probe_ip_protocol"), 4.0);
    let total = is("probe_websocket_handshake_seconds{phase=\"total\"}");
    let tcp = is("probe_websocket_handshake_seconds{phase=\"tcp\"}");
    let all = is("probe_duration_seconds");
    assert!(0.0 < tcp && tcp < total && total < all, "{text}");
    let ping = is("probe_websocket_ping_seconds");
    assert!(0.0 < ping && total + ping < all, "{text}");
    assert!(!text.contains("probe_websocket_failed"), "{text}");
    assert!(!text.contains("cert_expiry"), "{text}");
    server.wait_until(|log| log.close_codes() == [Some(1000)]);
    assert_eq!((server.log().opened(), server.log().pings()), (1, 1));
    assert_eq!(server.log().violations(), Vec::<String>::new());
    assert_eq!(exporter.ended("succeeded"), 1.0);
    exporter.running.signal("TERM");
    assert_eq!(exporter.running.end().code, 0);
}

#[test]
fn why_a_probe_failed_is_told_by_its_cause_before_the_scrape_is_over() {
    let handshake = Script::handshake;
    for (script, cause, status) in [
        (handshake(Handshake::Refuse), "refused", 0.0),
        (handshake(Handshake::Silent), "connect_timeout", 0.0),
        (
            handshake(Handshake::Status(503, "busy")),
            "http_status",
            503.0,
        ),
        (handshake(Handshake::Garbage), "handshake_garbage", 0.0),
        (Script::pong(Pong::Never), "missed_pong", 101.0),
    ] {
        let server = Server::start(script);
        let exporter = Exporter::start(&["--allow", &server.url()]);
        let asked = Instant::now();
        // Without this time, what hangs would take ten seconds.
        let (answered, text) = exporter.probe(&target(&server.url()), 3);
        assert!(asked.elapsed() < Duration::from_secs(9), "{cause}");
        assert_eq!(answered, 200, "{text}");
        assert_eq!(value(&text, "probe_success"), Some(0.0), "{text}");
        let failed = format!("probe_websocket_failed{{cause=\"{cause}\"}}");
        assert_eq!(value(&text, &failed), Some(1.0), "{text}");
        assert_eq!(
            value(&text, "probe_http_status_code"),
            Some(status),
            "{text}"
        );
        // Who reads it is told more, in a comment.
        assert!(text.starts_with(&format!("# {cause}: ")), "{text}");
        assert_eq!(value(&text, "probe_websocket_ping_seconds"), None, "{text}");
    }
}

#[test]
fn nobody_is_probed_who_is_not_on_the_list() {
    let (server, other) = (
        Server::start(Script::default()),
        Server::start(Script::default()),
    );
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("allowed.txt");
    fs::write(&list, format!("# ours\n{}only\n", server.url())).unwrap();
    let exporter = Exporter::start_in(folder, &["--allow-file", "allowed.txt"], &[]);
    let own = format!("127.0.0.1:{}", exporter.port);
    let path = format!("{}only", server.url());
    for (query, status, words) in [
        (target(&server.url()), 403, "not allowed"),
        (target(&other.url()), 403, "not allowed"),
        (target(&format!("{path}?a=b")), 403, "not allowed"),
        (
            "target=ws://169.254.169.254/latest".to_owned(),
            403,
            "not allowed",
        ),
        ("target=http://127.0.0.1/".to_owned(), 400, "no address"),
        (String::new(), 400, "`target` is missing"),
        (
            "target=ws://a/&module=http_2xx".to_owned(),
            400,
            "`module` is no parameter",
        ),
        (target(&path) + "&scenario=feed", 400, "no such scenario"),
    ] {
        let (answered, text) = exporter.probe(&query, 5);
        assert_eq!(answered, status, "{query}: {text}");
        assert!(text.contains(words), "{query}: {text}");
    }
    let (answered, text) = exporter.get(
        &format!("/probe?{}", target(&path)),
        "X-Prometheus-Scrape-Timeout-Seconds: soon\r\n",
    );
    assert_eq!(answered, 400, "{text}");
    // A page of somebody else that a browser of this machine was led to, and one that wants to change something.
    let led = ask(
        exporter.port,
        &format!(
            "GET /probe?{} HTTP/1.1\r\nHost: evil.example\r\n",
            target(&path)
        ),
    );
    assert_eq!(led.unwrap().0, 421);
    let posted = ask(
        exporter.port,
        &format!(
            "POST /probe?{} HTTP/1.1\r\nHost: {own}\r\nContent-Length: 0\r\n",
            target(&path)
        ),
    );
    assert_eq!(posted.unwrap().0, 403);
    assert_eq!((server.log().opened(), other.log().opened()), (0, 0));
    assert_eq!(
        (
            exporter.ended("not_allowed"),
            exporter.ended("wrong_request")
        ),
        (4.0, 5.0)
    );
    let (answered, text) = exporter.probe(&target(&path), 5);
    assert_eq!(
        (answered, value(&text, "probe_success")),
        (200, Some(1.0)),
        "{text}"
    );
}

#[test]
fn what_a_scenario_says_goes_to_its_own_servers_alone() {
    let (own, other) = (Reception::secure(), Server::start(Script::default()));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ca.pem"), own.certificate()).unwrap();
    let scenario = format!(
        "name = \"feed\"\nload.connections = 1\n[target]\nurl = \"{}\"\nheaders.Authorization = \"Bearer ${{TOKEN}}\"\ntls.ca = \"ca.pem\"\n",
        own.url("localhost"),
    );
    fs::write(folder.path().join("feed.toml"), scenario).unwrap();
    let exporter = Exporter::start_in(
        folder,
        &["--scenario", "feed=feed.toml", "--allow", &other.url()],
        &[("TOKEN", "t0ps3cret")],
    );
    for query in [
        "scenario=feed".to_owned(),
        target(&own.url("localhost")) + "&scenario=feed",
    ] {
        let (answered, text) = exporter.probe(&query, 20);
        assert_eq!(
            (answered, value(&text, "probe_success")),
            (200, Some(1.0)),
            "{text}"
        );
        let until = value(&text, "probe_ssl_earliest_cert_expiry").unwrap();
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        assert!(until > now, "{until}");
        assert!(value(&text, "probe_websocket_handshake_seconds{phase=\"tls\"}") > Some(0.0));
    }
    let visits = own.visits();
    assert_eq!(visits.len(), 2);
    let sent = visits[0].header("authorization");
    assert_eq!(sent.as_deref(), Some("Bearer t0ps3cret"));
    // Neither its headers to others, nor others without it.
    let (answered, _) = exporter.probe(&(target(&other.url()) + "&scenario=feed"), 5);
    assert_eq!(answered, 403);
    let (answered, _) = exporter.probe(&target(&own.url("localhost")), 5);
    assert_eq!(answered, 403);
    assert_eq!(other.log().opened(), 0);
}

#[test]
fn one_probe_too_many_waits_as_long_as_its_scrape_does() {
    let silent = Server::start(Script::handshake(Handshake::Silent));
    let good = Server::start(Script::default());
    let exporter = Exporter::start(&[
        "--at-once",
        "1",
        "--allow",
        &silent.url(),
        "--allow",
        &good.url(),
    ]);
    thread::scope(|scope| {
        let hangs = scope.spawn(|| exporter.probe(&target(&silent.url()), 6));
        silent.wait_until(|log| !log.entries().is_empty());
        let (answered, text) = exporter.probe(&target(&good.url()), 1);
        assert_eq!(answered, 503, "{text}");
        assert!(text.contains("`--at-once`"), "{text}");
        // One that has more time gets its turn.
        let (answered, text) = exporter.probe(&target(&good.url()), 60);
        assert_eq!(
            (answered, value(&text, "probe_success")),
            (200, Some(1.0)),
            "{text}"
        );
        assert_eq!(hangs.join().unwrap().0, 200);
    });
    assert_eq!(exporter.ended("busy"), 1.0);
    assert_eq!(good.log().opened(), 1);
}

#[test]
fn what_cannot_be_probed_is_refused_with_the_way_out() {
    let folder = || {
        let folder = tempfile::tempdir().unwrap();
        let own = [
            (
                "own.toml",
                "name = \"own\"\ntarget.url = \"embedded\"\nload.connections = 1\n",
            ),
            (
                "asks.toml",
                "name = \"asks\"\nload.connections = 1\n[target]\nurl = \"ws://127.0.0.1:1/{{connection}}\"\n",
            ),
            ("list.txt", "ws://127.0.0.1:1/\nftp://a/\n"),
        ];
        for (name, text) in own {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    };
    for (arguments, words) in [
        (
            &[][..],
            "probe no server: none is allowed\nhint: name those that may be probed",
        ),
        (
            &["--allow", "wss://user:w0rd@a/"],
            "`--allow` takes no such address\nhint: write wss://",
        ),
        (
            &["--allow", "wss://a/x/*"],
            "`--allow` takes no such address",
        ),
        (&["--allow-file", "list.txt"], "line 2 is none"),
        (&["--allow-file", "none.txt"], "none.txt"),
        (
            &["--scenario", "own=own.toml"],
            "built-in server\nhint: name the servers in `target.url`",
        ),
        (&["--scenario", "asks=asks.toml"], "placeholders"),
        (
            &["--scenario", "a=own.toml", "--insecure"],
            "built-in server",
        ),
        (
            &["--allow", "ws://a/", "--listen", "9769"],
            "write a host and a port",
        ),
        (
            &["--allow", "ws://a/", "--listen", "192.0.2.1:9769"],
            "`--listen`",
        ),
        (&["--allow", "ws://a/", "--at-once", "0"], "--at-once"),
    ] {
        let ended: Ended = Running::call(folder(), &[&["exporter"], arguments].concat(), &[]).end();
        assert_eq!(ended.code, 2, "{arguments:?}: {}", ended.stderr);
        assert!(
            ended.stderr.contains(words),
            "{arguments:?}: {}",
            ended.stderr
        );
        assert!(!ended.stderr.contains("w0rd"), "{}", ended.stderr);
    }
}

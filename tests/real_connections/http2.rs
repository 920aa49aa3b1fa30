//! WebSockets over HTTP/2 (RFC 8441) with those that speak it: haproxy, nghttpx, hypercorn and Node; and with nginx, which
//! does not.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{CertifiedKey, generate_simple_self_signed};

use super::asgi;
use super::common::own::Own;
use super::common::peer::{Peer, Setup};
use super::common::run::{Run, run, shortened};
use super::common::{Reception, Running};

/// haproxy in front of a server: in the clear at its first address, under TLS at its second.
pub(super) fn haproxy(behind: &Reception) -> Peer {
    haproxy_before(behind.address())
}

/// The same in front of any server.
pub(super) fn haproxy_before(behind: SocketAddr) -> Peer {
    let own = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let CertifiedKey { cert, signing_key } = own;
    Setup::of("haproxy-http2.cfg")
        .file("server.pem", cert.pem() + &signing_key.serialize_pem())
        .place("behind", behind)
        .start()
}

/// nghttpx in front of a server, in the clear.
pub(super) fn nghttpx(behind: SocketAddr) -> Peer {
    let nghttpx = Setup::command(
        "nghttpx --conf=/dev/null --workers=1 --frontend=@host@,@port@;no-tls --backend=@backend@",
    );
    let backend = behind.to_string().replace(':', ",");
    nghttpx.place("backend", backend).start()
}

/// nginx, in the clear and without WebSockets.
pub(super) fn nginx() -> Peer {
    Setup::of("nginx-http2.conf").start()
}

/// The http2 of Node: the path says what becomes of a WebSocket.
fn node() -> Peer {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/targets/node/http2.js");
    let node = Setup::command("node @script@ @host@ @port@");
    node.place("script", script.display()).start()
}

/// A scenario of one second with messages, against this address, with more lines of `[target]` and more below.
pub(super) fn scenario(url: &str, target: &str, rest: &str) -> String {
    format!(
        r#"
        name = "http2"
        [target]
        url = "{url}"
        http = "2"
        close_timeout = "1s"
        {target}
        [load]
        ramp_up = "200ms"
        duration = "1s"
        [[message]]
        name = "echo"
        rate = "20/s"
        {rest}
        "#
    )
}

/// Forty WebSockets, so many on each connection of one worker, all of which end in order.
#[track_caller]
pub(super) fn assert_spoken(url: &str, streams: u32, unended: u64) -> Run {
    let carriers = u64::from(40u32.div_ceil(streams));
    let rest = format!(
        r#"
        [gates]
        pass = [
            "ratio(messages.echoed / messages.sent) == 100%",
            "count(http2.carriers) == {carriers}",
            "count(http2.carriers_lost) == 0",
            "count(http2.unended) == {unended}",
        ]"#
    );
    let trust = match url.starts_with("wss") {
        true => "insecure = true",
        false => "",
    };
    let text = scenario(
        url,
        &format!("streams_per_connection = {streams}\n{trust}"),
        &rest,
    );
    let text = text.replace("[load]", "[load]\nconnections = 40");
    let run = run(&text, &["--workers", "1"]);
    run.assert_passed();
    let report = &run.report;
    assert_eq!(report.count("connections.opened"), 40);
    assert_eq!(
        report.count("closes.1000.local"),
        40,
        "{:?}",
        report.closes()
    );
    assert_eq!(report.count("http2.carriers"), carriers);
    assert_eq!(report.json["agreed"]["http"]["2"], carriers);
    run
}

#[test]
#[ignore = "needs haproxy; run by scripts/test"]
fn haproxy_speaks_it_in_the_clear_and_under_tls() {
    let behind = Reception::open();
    let haproxy = haproxy(&behind);
    let [clear, tls, ..] = haproxy.addresses() else {
        panic!("it has two addresses");
    };
    assert_spoken(&format!("ws://{clear}/socket?room=1"), 10, 0);
    let run = assert_spoken(&format!("wss://{tls}/socket?room=1"), 10, 0);
    assert_eq!(run.report.count("tls.full"), 4);
    assert_eq!(run.report.json["agreed"]["tls.version"]["1.3"], 4);
    assert_eq!(run.report.json["agreed"]["http2.max_streams"]["100"], 4);
    let visits = behind.visits();
    assert_eq!(visits.len(), 80);
    assert!(
        visits
            .iter()
            .all(|visit| visit.resource == "/socket?room=1")
    );
}

#[test]
#[ignore = "needs nghttpx; run by scripts/test"]
fn nghttpx_speaks_it() {
    let behind = Reception::open();
    let nghttpx = nghttpx(behind.address());
    assert_spoken(&format!("ws://{}/", nghttpx.address()), 10, 0);
}

#[test]
#[ignore = "needs Node; run by scripts/test"]
fn node_speaks_it() {
    let node = node();
    assert_spoken(&format!("ws://{}/", node.address()), 10, 0);
}

/// It ends no stream after both Closes, so that the client does.
#[test]
#[ignore = "needs hypercorn; run by scripts/test"]
fn hypercorn_speaks_it_and_leaves_the_end_to_the_client() {
    let hypercorn = asgi::hypercorn();
    assert_spoken(&format!("ws://{}/", hypercorn.address()), 10, 40);
}

#[test]
#[ignore = "needs nginx; run by scripts/test"]
fn nginx_speaks_http2_without_websockets() {
    let nginx = nginx();
    let target = "streams_per_connection = 5";
    let url = format!("ws://{}/", nginx.address());
    let text = scenario(&url, target, "").replace("[load]", "[load]\nconnections = 10");
    let run = run(&text, &["--workers", "1"]);
    assert_eq!(run.report.errors(), [("h2_no_websocket", 10)].into());
    let rows = &run.report.connections;
    assert!(rows.len() == 10 && rows.iter().all(|row| row["http"] == "2"));
    let told = &run.ended.stdout;
    assert!(told.contains("http = \"1.1\""), "{told}");
}

/// By ALPN another protocol is chosen, or none; and a port in the clear may be one of HTTP/1.1.
#[test]
#[ignore = "needs nginx and haproxy; run by scripts/test"]
fn a_server_without_http2_is_told() {
    let (own, behind) = (Own::new(), Reception::open());
    let nginx = own.nginx(&behind, "").start();
    let haproxy = Setup::of("haproxy-tls.cfg")
        .file("server.pem", format!("{}{}", own.certificate, own.key))
        .place("behind", behind.address())
        .start();
    for (url, cause, said) in [
        (format!("wss://{}/", nginx.address()), "tls_alpn", "ALPN"),
        (format!("wss://{}/", haproxy.address()), "tls_alpn", "ALPN"),
        (
            format!("ws://{}/", nginx.addresses()[1]),
            "h2_error",
            "HTTP/1.1 400 Bad Request",
        ),
    ] {
        let trust = match cause {
            "tls_alpn" => "insecure = true",
            _ => "",
        };
        let more = format!("streams_per_connection = 5\n{trust}");
        let text = scenario(&url, &more, "").replace("[load]", "[load]\nconnections = 10");
        let run = run(&text, &["--workers", "1"]);
        assert_eq!(run.report.errors(), [(cause, 10)].into(), "{url}");
        let examples = run.report.examples(cause);
        assert!(examples.contains(said), "{url}: {examples}");
    }
}

/// How Node ends a stream, or refuses one, is told apart; its neighbours live on.
#[test]
#[ignore = "needs Node; run by scripts/test"]
fn each_end_of_a_stream_has_its_cause() {
    let node = node();
    let ends = [
        ("end", "eof", ""),
        ("cancel", "reset", ""),
        ("break", "h2_error", "RST_STREAM, INTERNAL_ERROR (2)"),
        ("refuse", "h2_refused", "RST_STREAM, REFUSED_STREAM (7)"),
        ("fail", "h2_error", "RST_STREAM, INTERNAL_ERROR (2)"),
        ("status", "http_status", "HTTP/2 405"),
    ];
    let cohort = |name: &str| {
        let url = format!("ws://{}/{name}", node.address());
        format!("[[cohort]]\nname = \"{name}\"\nconnections = 4\ntarget.url = \"{url}\"\n")
    };
    let cohorts: String = ends.iter().map(|(name, ..)| cohort(name)).collect();
    let url = format!("ws://{}/", node.address());
    let text = scenario(
        &url,
        "streams_per_connection = 10",
        &(cohorts + &cohort("whole")),
    );
    let run = run(&text, &["--workers", "1"]);
    let report = &run.report;
    for (name, cause, said) in ends {
        let failed = report.total_of(name, &format!("errors.{cause}"));
        assert_eq!(failed, 4, "{name}: {:?}", report.errors());
        let examples = report.examples(cause);
        assert!(examples.contains(said), "{name}: {examples}");
    }
    assert_eq!(report.total_of("whole", "closes.1000.local"), 4);
    assert_eq!(report.count("http2.carriers_lost"), 0);
}

/// At the third stream of each connection Node wants no more there.
#[test]
#[ignore = "needs Node; run by scripts/test"]
fn after_the_goaway_of_node_new_dials_take_another_connection() {
    let node = node();
    let url = format!("ws://{}/goaway", node.address());
    let text = scenario(&url, "streams_per_connection = 10", "");
    let text = text.replace("[load]", "[load]\nconnections = 12");
    let text = text.replace("ramp_up = \"200ms\"", "ramp_up = \"1800ms\"");
    let run = run(&text, &["--workers", "1"]);
    run.assert_passed();
    let report = &run.report;
    assert_eq!(report.closes(), [("1000.local", 12)].into());
    assert_eq!(report.count("http2.carriers"), 4);
    assert_eq!(report.count("http2.goaways"), 4);
    assert_eq!(report.count("http2.carriers_lost"), 0);
}

#[test]
#[ignore = "needs haproxy; run by scripts/test"]
fn a_server_that_allows_fewer_streams_is_told() {
    let behind = Reception::open();
    let haproxy = haproxy(&behind);
    let url = format!("ws://{}/", haproxy.address());
    let text = scenario(&url, "streams_per_connection = 1000", "");
    let text = text.replace("[load]", "[load]\nconnections = 250");
    let run = run(&text, &["--workers", "1"]);
    assert_eq!(run.report.count("connections.opened"), 250);
    assert_eq!(run.report.count("http2.carriers"), 3);
    assert!(run.report.warnings().contains(&"fewer_streams"));
}

/// The connections of a process to an address, by their descriptors.
fn sockets(process: u32, to: &str) -> usize {
    let remote = |line: &str| line.split_whitespace().nth(2).map(str::to_owned);
    let of_line = |line: &str| line.split_whitespace().nth(9).map(str::to_owned);
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let port = to.rsplit(':').next().unwrap().parse::<u16>().unwrap();
    let inodes: BTreeSet<String> = (table.lines().skip(1))
        .filter(|line| remote(line).is_some_and(|at| at.ends_with(&format!(":{port:04X}"))))
        .filter_map(of_line)
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let held = fs::read_dir(format!("/proc/{process}/fd"))
        .into_iter()
        .flatten();
    let held = held.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    held.filter(|link| inodes.contains(&*link.to_string_lossy()))
        .count()
}

#[test]
#[ignore = "needs haproxy; run by scripts/test"]
fn a_thousand_streams_take_ten_connections_as_check_says() {
    let behind = Reception::open();
    let haproxy = haproxy(&behind);
    let at = haproxy.address().to_string();
    let text = scenario(&format!("ws://{at}/"), "streams_per_connection = 100", "");
    let text = text.replace("[load]", "[load]\nconnections = 1000");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("test.toml"), &text).unwrap();
    let checked = Running::call(folder, &["check", "test.toml", "--json"], &[]).end();
    let checked: serde_json::Value = serde_json::from_str(&checked.stdout).unwrap();
    // Of each worker the last one may have room.
    let carriers = checked["ports"].as_u64().unwrap();
    assert!((10..40).contains(&carriers), "{carriers}");
    let running = Running::start(&text, &["--quiet"]);
    let (deadline, mut most) = (Instant::now() + Duration::from_secs(10), 0);
    while (most as u64) < carriers && Instant::now() < deadline {
        most = most.max(sockets(running.id(), &at));
        thread::sleep(Duration::from_millis(5));
    }
    let ended = running.end();
    let report = ended.report();
    assert_eq!(report.count("connections.opened"), 1000);
    let seen = (most as u64, report.count("http2.carriers"));
    assert_eq!(seen, (carriers, carriers));
}

/// A client that misbehaves does so on its stream, and its neighbours feel nothing of it.
#[test]
#[ignore = "needs haproxy; run by scripts/test"]
fn faults_of_a_stream_leave_its_neighbours_alone() {
    let behind = Reception::open();
    let haproxy = haproxy(&behind);
    let url = format!("ws://{}/", haproxy.address());
    let faulty = |kind: &str, keys: &str| {
        format!(
            "[[cohort]]\nname = \"{kind}\"\nconnections = 5\nfault = {{ kind = \"{kind}\"{keys}, after = \"300ms\" }}\n{}\n",
            if kind == "reset" { "" } else { "message = []" }
        )
    };
    let rest = [
        "[[cohort]]\nname = \"healthy\"\nconnections = 20\ncontract = { closed = 0 }\n".to_owned(),
        faulty("reset", ""),
        faulty("half_close", ""),
        faulty("stop_reading", ""),
        faulty("close", ", code = 1001"),
    ]
    .concat();
    let text = scenario(&url, "streams_per_connection = 10", &rest);
    let run = run(&text, &["--workers", "1"]);
    assert_eq!(run.report.count("connections.opened"), 40);
    let totals = run.totals();
    let of = |cohort: &str, name: &str| totals[&(cohort.to_owned(), None)].count(name);
    assert_eq!(of("healthy", "closes.1000.local"), 20);
    assert_eq!(of("reset", "errors.fault"), 5);
    assert_eq!(of("reset", "closes.rst.local"), 5);
    assert_eq!(of("close", "closes.1001.local"), 5);
    assert_eq!(run.report.count("http2.carriers_lost"), 0);
}

/// The shipped scenario, through the relay of its `[path]`.
#[test]
#[ignore = "needs haproxy; run by scripts/test"]
fn the_shipped_scenario_compares_both_ways_to_share() {
    let behind = Reception::open();
    let haproxy = haproxy(&behind);
    let run = shortened(
        "http2",
        &[
            ("127.0.0.1:8080", &haproxy.address().to_string()),
            ("\"30s\"", "\"3s\""),
            ("after = \"20s\"", "after = \"1s\""),
            ("connections = 100", "connections = 50"),
        ],
    );
    run.assert_passed();
    let totals = run.totals();
    let carriers = |cohort: &str| totals[&(cohort.to_owned(), None)].count("http2.carriers");
    assert_eq!(carriers("alone"), 50);
    assert!(carriers("shared") <= 8, "{}", carriers("shared"));
}

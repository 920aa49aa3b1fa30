//! WebSockets over HTTP/2 (RFC 8441) with those that speak it: haproxy, nghttpx, hypercorn and Node; and with nginx, which
//! does not.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{CertifiedKey, generate_simple_self_signed};

use super::common::peer::{Peer, Setup};
use super::common::run::{Run, run, shortened};
use super::common::{Reception, Running};

/// haproxy in front of a server: in the clear at its first address, under TLS at its second.
pub(super) fn haproxy(behind: &Reception) -> Peer {
    let own = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let CertifiedKey { cert, signing_key } = own;
    Setup::of("haproxy-http2.cfg")
        .file("server.pem", cert.pem() + &signing_key.serialize_pem())
        .place("behind", behind.address())
        .start()
}

/// nghttpx in front of a server, in the clear.
pub(super) fn nghttpx(behind: &Reception) -> Peer {
    Setup::command(
        "nghttpx --conf=/dev/null --workers=1 --frontend=@host@,@port@;no-tls --backend=@backend@",
    )
    .place("backend", behind.address().to_string().replace(':', ","))
    .start()
}

/// nginx, in the clear and without WebSockets.
pub(super) fn nginx() -> Peer {
    Setup::of("nginx-http2.conf").start()
}

/// A scenario of one second with messages, against this address, with more lines of `[target]` and more below.
fn scenario(url: &str, target: &str, rest: &str) -> String {
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

/// Forty WebSockets, ten on each connection of one worker, all of which end in order.
#[track_caller]
fn assert_spoken(url: &str, unended: u64) -> Run {
    let rest = "[gates]\npass = [\"ratio(messages.echoed / messages.sent) == 100%\"]";
    let text = scenario(url, "streams_per_connection = 10\ninsecure = true", rest);
    let text = match url.starts_with("wss") {
        true => text,
        false => text.replace("insecure = true", ""),
    };
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
    assert_eq!(report.count("http2.carriers"), 4);
    assert_eq!(report.count("http2.carriers_lost"), 0);
    assert_eq!(report.count("http2.unended"), unended);
    assert_eq!(report.json["agreed"]["http"]["2"], 4);
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
    assert_spoken(&format!("ws://{clear}/socket?room=1"), 0);
    let run = assert_spoken(&format!("wss://{tls}/socket?room=1"), 0);
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
    let nghttpx = nghttpx(&behind);
    assert_spoken(&format!("ws://{}/", nghttpx.address()), 0);
}

#[test]
#[ignore = "needs Node; run by scripts/test"]
fn node_speaks_it() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/targets/node/http2.js");
    let node = Setup::command("node @script@ @host@ @port@");
    let node = node.place("script", script.display()).start();
    assert_spoken(&format!("ws://{}/", node.address()), 0);
}

/// It ends no stream after both Closes, so that the client does.
#[test]
#[ignore = "needs hypercorn; run by scripts/test"]
fn hypercorn_speaks_it_and_leaves_the_end_to_the_client() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/targets/python");
    let hypercorn = Setup::command(
        "@python@/.venv/bin/hypercorn --bind @listen@ --log-level critical @python@/hypercorn_echo:app",
    );
    let hypercorn = hypercorn.place("python", python.display()).start();
    assert_spoken(&format!("ws://{}/", hypercorn.address()), 40);
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
    let told = &run.ended.stdout;
    assert!(told.contains("http = \"1.1\""), "{told}");
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

//! `wsbench search` against a server of which it is known how many clients it takes in.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use wsbench::server::{Behaviour, EmbeddedServer};

use super::common::real::wsbench;
use super::common::{Ended, Running, process};

const ADMITS: u64 = 137;

fn server() -> EmbeddedServer {
    let behaviour = Behaviour {
        admits: Some(ADMITS as u32),
        ..Behaviour::default()
    };
    EmbeddedServer::spawn(Path::new(&wsbench()), &behaviour).unwrap()
}

/// The scenario that the documentation shows.
fn shown() -> String {
    let page = include_str!("../../docs/capacity.md");
    let (_, rest) = page.split_once("```toml\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// Starts a search with the scenario that is shown.
fn search(url: &str, arguments: &[&str]) -> Running {
    search_by(&[], url, arguments)
}

/// The same through another program, such as `prlimit`.
fn search_by(by: &[&str], url: &str, arguments: &[&str]) -> Running {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("capacity.toml"), shown()).unwrap();
    let own = ["search", "capacity.toml", "--url", url, "--settle", "0s"];
    let fixed = ["--vary", "connections", "--out", "found"];
    let all = [&own[..], &fixed[..], arguments].concat();
    Running::call_by(by, folder, &all, &[]).within(Duration::from_secs(120))
}

/// Waits until there is something, 30 s at most.
#[track_caller]
fn awaited<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}: never");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn found(ended: &Ended) -> Value {
    let text = fs::read_to_string(ended.folder().join("found/search.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_limit_of_a_server_is_found() {
    let server = server();
    let pid = server.id().to_string();
    let ended = search(
        server.url(),
        &["--from", "20", "--to", "400", "--pid", &pid],
    )
    .end();
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    let json = found(&ended);
    let result = &json["result"];
    let (most, broke) = (&result["most"], &result["broke"]);
    let (most, broke) = (most.as_u64().unwrap(), broke.as_u64().unwrap());
    assert!(most <= ADMITS && ADMITS < broke, "{}", ended.stdout);
    assert!(broke as f64 / most as f64 <= 1.05, "{}", ended.stdout);
    assert_eq!(result["confirmed"], true);
    assert!(
        ended.stdout.contains("memory of the server"),
        "{}",
        ended.stdout
    );
    assert!(result["bytes_per_1000_connections"].as_f64().unwrap() > 0.0);

    // Each probe is a run with a report of its own, and the page leads to it.
    let page = fs::read_to_string(ended.folder().join("found/search.html")).unwrap();
    let rows = fs::read_to_string(ended.folder().join("found/search.csv")).unwrap();
    let probes = json["probes"].as_array().unwrap();
    assert_eq!(rows.lines().count(), 1 + probes.len());
    for probe in probes {
        let folder = probe["folder"].as_str().unwrap();
        let report = format!("{folder}/report.html");
        assert!(page.contains(&report), "{report}");
        assert!(ended.folder().join("found").join(report).exists());
        let held = probe["outcome"] == "held";
        assert_eq!(held, probe["value"].as_u64().unwrap() <= ADMITS, "{probe}");
    }
}

#[test]
fn less_than_was_asked_for_is_a_failure() {
    let server = server();
    let range = ["--from", "130", "--to", "400", "--precision", "50%"];
    let ended = search(server.url(), &[&range[..], &["--at-least", "200"]].concat()).end();
    assert_eq!(ended.code, 3, "{}{}", ended.stdout, ended.stderr);
    assert_eq!(found(&ended)["exit"], 3);
}

/// Too few descriptors for what is to be tried say nothing of the server.
#[cfg(target_os = "linux")]
#[test]
fn the_limit_of_wsbench_is_an_outcome_of_its_own() {
    let limited = ["prlimit", "--nofile=300:300"];
    let range = ["--from", "60", "--to", "400", "--precision", "50%"];
    let all = [&range[..], &["--at-least", "300"]].concat();
    let ended = search_by(&limited, "embedded", &all).end();
    assert_eq!(ended.code, 4, "{}{}", ended.stdout, ended.stderr);
    let json = found(&ended);
    let result = &json["result"];
    assert_eq!(result["broke"], Value::Null, "{result}");
    assert!(result["most"].as_u64() < result["generator"].as_u64());
    let last = json["probes"].as_array().unwrap().iter();
    let ours = last.filter(|probe| probe["outcome"] == "generator");
    for probe in ours {
        assert!(probe["why"].as_str().unwrap().contains("file descriptors"));
        assert_eq!(probe["folder"], "", "it was not run");
    }
}

#[test]
fn ctrl_c_writes_what_is_known() {
    let server = server();
    let running = search(server.url(), &["--from", "20", "--to", "4000000"]);
    let second = running.folder().join("found/02-40");
    awaited("the second probe", || second.exists().then_some(()));
    running.signal("INT");
    let ended = running.end();
    assert_eq!(ended.code, 130, "{}{}", ended.stdout, ended.stderr);
    let json = found(&ended);
    assert_eq!(json["result"]["ended"], "interrupted");
    assert_eq!(json["result"]["most"], 20);
}

/// Nobody is left then to pass a signal on.
#[test]
fn a_search_that_is_killed_takes_its_probe_with_it() {
    let server = server();
    let long = ["--from", "20", "--to", "40", "--duration", "10m"];
    let running = search(server.url(), &long);
    let children = || process::children(running.id());
    let probes = || {
        children()
            .into_iter()
            .find(|probe| process::sockets(*probe) >= 15)
    };
    let probe = awaited("the connections of a probe", probes);
    running.signal("KILL");
    let ended = running.end();
    assert_eq!(ended.code, -9, "{}", ended.stderr);
    awaited("the end of the probe", || {
        (!process::is_alive(probe)).then_some(())
    });
    // It ends as by a signal: the server saw a Close of each client, and the report is there.
    let report = fs::read_to_string(ended.folder().join("found/01-20/run.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["outcome"], "interrupted");
    let seen = server.stop().unwrap();
    assert!(seen.closes.get(&1000) > Some(&0), "{seen:?}");
}

#[test]
fn what_stands_behind_two_dashes_is_what_the_probes_run() {
    let folder = tempfile::tempdir().unwrap();
    let range = ["--from", "1", "--to", "1", "--arrivals", "5/s"];
    let own = [
        "search", "--vary", "arrivals", "--out", "found", "--settle", "0s",
    ];
    let fixed = ["--duration", "1s", "--", "storm"];
    let all = [&own[..], &range, &fixed].concat();
    let ended = Running::call(folder, &all, &[]).end();
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    assert_eq!(found(&ended)["result"]["most"], 1);
}

#[test]
fn a_search_that_could_find_nothing_is_refused() {
    let refused = |arguments: &[&str], why: &str| {
        let folder = tempfile::tempdir().unwrap();
        let out = ["--out", "found"];
        let all = [&["search"], arguments, &out[..]].concat();
        let ended = Running::call(folder, &all, &[]).end();
        assert_eq!(ended.code, 2, "{}{}", ended.stdout, ended.stderr);
        assert!(ended.stderr.contains(why), "{}", ended.stderr);
        assert!(!ended.folder().join("found").exists(), "nothing was begun");
    };
    let vary = ["--vary", "connections", "--from", "5"];
    let with = |more: &[&'static str]| [&more[..1], &vary[..], &more[1..]].concat();
    refused(&with(&["ws://127.0.0.1:9/"]), "there is no gate");
    let elsewhere = ["echo", "--url", "ws://192.0.2.1/"];
    refused(&with(&elsewhere), "not on this machine");
    refused(&with(&["echo", "--to", "4"]), "nothing between");
    let beyond = ["echo", "--to", "40", "--at-least", "41"];
    refused(&with(&beyond), "the search ends at 40");
    let rate = ["echo", "--vary", "rate", "--from", "5"];
    refused(&rate, "only connections have a natural one");
}

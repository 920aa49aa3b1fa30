//! Runs in which a part of wsbench itself breaks: what was seen until then is shown, judged and written.
//! The system is made to fail by a library that is preloaded, so this needs a C compiler and a dynamic libc.

#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::common::{Ended, FILES, Running, Script, Server, process};

/// Echoes through the relay, far longer than the test.
fn scenario(url: &str) -> String {
    format!(
        r#"
        name = "breaks"
        target.url = "{url}"
        load = {{ duration = "30s", reconnect = {{}} }}
        [[message]]
        name = "echo"
        rate = "20/s"
        [path]
        delay = "1ms"
        [gates]
        pass = ["count(messages.echoed) > 0", "p50(latency.echo) < 10s"]
        [[cohort]]
        name = "main"
        connections = 10
        contract = {{ alive_for = "1ms" }}
        "#
    )
}

/// Runs it, breaks the thread with this name after some messages, and returns the end and its report as JSON.
fn broken(thread: &str) -> (Ended, serde_json::Value) {
    let server = Server::start(Script::default());
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("test.toml"), scenario(&server.url())).unwrap();
    let library = folder.path().join("breaks.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/program/breaks.c");
    let mut compiler = process::command("cc");
    compiler.args(["-shared", "-fPIC", "-o"]);
    compiler.args([&library, &source]).arg("-ldl");
    assert!(compiler.status().unwrap().success(), "{compiler:?}");

    let when = folder.path().join("now");
    let environment = [
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("BREAK_THREAD", thread),
        ("BREAK_WHEN", when.to_str().unwrap()),
    ];
    let run = ["run", "test.toml", "--out", "report", "--workers", "2"];
    let running = Running::call(folder, &run, &environment);
    server.wait_until(|log| log.messages() > 300);
    fs::write(&when, "").unwrap();
    let ended = running.end_broken();
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(ended.took < Duration::from_secs(20), "{:?}", ended.took);
    for file in FILES {
        assert!(ended.file(file).exists(), "{file}");
    }
    let json = serde_json::from_str(&fs::read_to_string(ended.file("run.json")).unwrap());
    (ended, json.unwrap())
}

/// The summary, the gates and the promises stand on the terminal, and the report says why it broke off.
#[track_caller]
fn assert_told((ended, json): &(Ended, serde_json::Value), why: &str) {
    let (out, error) = (&ended.stdout, &ended.stderr);
    for shown in ["latency.echo", "count(messages.echoed) > 0", "alive_for"] {
        assert!(out.contains(shown), "{shown}: {out}");
    }
    assert!(error.contains(why), "{why}: {error}");
    assert_eq!(json["outcome"], "broken");
    assert_eq!(json["verdict"]["exit_code"], 1);
}

#[test]
fn a_worker_that_panics_leaves_what_was_seen() {
    let broken = broken("worker-0");
    assert_told(&broken, "failed to run worker 0: it panicked");
}

#[test]
fn a_relay_that_panics_leaves_what_was_seen() {
    let broken = broken("wsbench-relay");
    assert_told(&broken, "failed to run the relay of `path`: it panicked");
}

//! Calls of the program that compare versions, in one folder: short runs against a server with a delay, and a baseline.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use wsbench::server::{Behaviour, EmbeddedServer};

use super::process;
use super::real::wsbench;

/// A server that answers after this time.
pub fn server(delay: Duration) -> EmbeddedServer {
    let behaviour = Behaviour {
        delay,
        ..Behaviour::default()
    };
    EmbeddedServer::spawn(&wsbench(), &behaviour).unwrap()
}

/// Twenty clients that echo for half a second, and perhaps a gate.
pub fn scenario(gate: &str) -> String {
    format!(
        r#"
        name = "short"
        target.url = "ws://127.0.0.1:1/"
        load = {{ connections = 20, ramp_up = "50ms", duration = "500ms" }}
        message = [{{ name = "echo", rate = "20/s" }}]
        gates.pass = ["count(messages.mismatched) == 0"{gate}]
        "#
    )
}

/// A gate that is about a baseline.
pub const GATE: &str = "p50(latency.echo) < 150% of baseline";

/// What a call came to.
pub struct Called {
    pub code: i32,
    pub out: String,
    pub err: String,
}

pub fn call(folder: &Path, arguments: &[&str]) -> Called {
    let mut command = process::command(wsbench());
    command.args(arguments).current_dir(folder);
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let called = Called {
        code: output.status.code().unwrap_or(-1),
        out: text(output.stdout),
        err: text(output.stderr),
    };
    assert!(!called.err.contains("panicked"), "{}", called.err);
    called
}

#[track_caller]
pub fn expect(folder: &Path, code: i32, arguments: &[&str]) -> Called {
    let called = call(folder, arguments);
    assert_eq!(
        called.code, code,
        "{arguments:?}\n{}\n{}",
        called.out, called.err
    );
    called
}

/// A folder with the scenario, without a gate on a baseline and with one.
pub fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let gate = format!(", \"{GATE}\"");
    fs::write(folder.path().join("short.toml"), scenario("")).unwrap();
    fs::write(folder.path().join("gated.toml"), scenario(&gate)).unwrap();
    folder
}

/// Runs until the machine was quiet enough for a verdict, into a folder of its own.
pub fn quiet(folder: &Path, url: &str, out: &str, more: &[&str]) {
    let run = ["run", "short.toml", "--quiet", "--url", url, "--out", out];
    let run = [&run, more].concat();
    for _ in 0..5 {
        match call(folder, &run) {
            Called { code: 0, .. } => return,
            Called { code: 4, .. } => {}
            other => panic!("{run:?}: {}\n{}\n{}", other.code, other.out, other.err),
        }
    }
    panic!("no verdict in five runs");
}

/// So many sessions of one run each, in `base.json`.
pub fn baseline(folder: &Path, url: &str, sessions: usize) {
    for number in 0..sessions {
        let out = format!("base-{number}");
        quiet(folder, url, &out, &[]);
        expect(folder, 0, &["baseline", "add", "base.json", &out]);
    }
}

/// What a call came to that was not held up by a busy machine, so that it has a verdict.
pub fn decided(mut call: impl FnMut() -> Called) -> Called {
    for _ in 0..5 {
        let called = call();
        if called.code != 4 {
            return called;
        }
    }
    panic!("no verdict in five calls");
}

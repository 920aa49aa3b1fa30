//! What only a long look at a server shows of the rules of RFC 6455.

use std::env::consts::ARCH;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::Running;
use crate::common::address;
use crate::common::peer::{Peer, Setup};
use crate::common::process::{self, Leashed};

/// ejabberd, with nothing but its protocol over WebSocket. It is started without its script, whose processes would outlive
/// it.
struct Ejabberd {
    url: String,
    _child: Leashed,
    _folder: TempDir,
}

impl Ejabberd {
    fn start() -> Self {
        let (folder, at) = (tempfile::tempdir().unwrap(), address::free());
        let settings = format!(
            "hosts: [localhost]\nloglevel: 4\nauth_method: [anonymous]\nmodules: {{}}\nlisten:\n  - port: {}\n    \
             ip: \"{}\"\n    module: ejabberd_http\n    request_handlers:\n      /ws: ejabberd_http_ws\n",
            at.port(),
            at.ip(),
        );
        let file = |name: &str| folder.path().join(name);
        fs::write(file("ejabberd.yml"), settings).unwrap();
        let mut command = process::command("erl");
        command
            .args(["-noinput", "-mnesia", "dir"])
            .arg(format!("\"{}\"", file("data").display()))
            .args(["-s", "ejabberd"])
            .env("ERL_LIBS", format!("/usr/lib/{ARCH}-linux-gnu"))
            .env("EJABBERD_CONFIG_PATH", file("ejabberd.yml"))
            .env("EJABBERD_LOG_PATH", file("ejabberd.log"))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let child = Leashed(command.spawn().expect("ejabberd has brought Erlang"));
        // It listens before it is ready.
        let deadline = Instant::now() + Duration::from_secs(60);
        let said = || fs::read_to_string(file("ejabberd.log")).unwrap_or_default();
        while !said().contains("is started in the node") {
            assert!(
                Instant::now() < deadline,
                "ejabberd does not start: {}",
                said()
            );
            thread::sleep(Duration::from_millis(50));
        }
        Self {
            url: format!("ws://{at}/ws"),
            _child: child,
            _folder: folder,
        }
    }
}

/// What the probe says of each rule when it watches for longer than anybody waits for the answer to a Close.
#[track_caller]
fn rules(url: &str, options: &[&str], code: i32) -> Vec<Value> {
    let arguments = ["probe", url, "--conformance", "--json", "--for", "35s"];
    let folder = tempfile::tempdir().unwrap();
    let probe = Running::call(folder, &[&arguments, options].concat(), &[]);
    let ended = probe.within(Duration::from_secs(120)).end();
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (code, ""),
        "{}",
        ended.stdout
    );
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    found["rules"].as_array().unwrap().clone()
}

/// Asserts that a server breaks these rules: the id of each, and words of what was seen.
#[track_caller]
fn breaks(url: &str, options: &[&str], code: i32, broken: &[(&str, &str)]) {
    let rules = rules(url, options, code);
    for (id, how) in broken {
        let rule = rules.iter().find(|rule| rule["id"] == *id).unwrap();
        assert_eq!(rule["outcome"], "fail", "{id}: {rules:#?}");
        assert!(rule["seen"].as_str().unwrap().contains(how), "{rule}");
    }
}

#[test]
#[ignore = "takes 40 s and needs ejabberd; run by scripts/test --all"]
fn ejabberd_sends_a_second_close_after_half_a_minute() {
    let server = Ejabberd::start();
    let broken = [
        ("R7", "a second Close: Close 1000"),
        ("R9", "only after 30.0 s"),
    ];
    breaks(&server.url, &["--subprotocol", "xmpp"], 3, &broken);
}

/// As long as its application waits for the end. A client that answers, or begins with its own Close, is let go at once.
#[test]
#[ignore = "takes 40 s and needs the Python target; run by scripts/test --all"]
fn hypercorn_keeps_tcp_after_a_close_that_is_not_answered() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/targets/python");
    let line = "@python@/.venv/bin/hypercorn --workers 0 --bind @listen@ --log-level critical @python@/asgi_closing:app";
    let server = Setup::command(line)
        .place("python", python.display())
        .start();
    let broken = [("R9b", "TCP still open")];
    breaks(&format!("ws://{}/", server.address()), &[], 3, &broken);
}

/// faye-websocket in this version, which closes its clients after a second.
fn faye(library: &str) -> Peer {
    let node = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/targets/node");
    let line = format!("env PORT=@port@ LIBRARY={library} CLOSE_AFTER=1000 node @node@/faye.js");
    Setup::command(&line).place("node", node.display()).start()
}

#[test]
#[ignore = "takes 40 s and needs the Node target; run by scripts/test --all"]
fn faye_waited_without_limit_once() {
    let server = faye("faye-websocket-0.11.0");
    let broken = [("R9b", "TCP still open")];
    breaks(&format!("ws://{}/", server.address()), &[], 3, &broken);
}

#[test]
#[ignore = "takes 40 s and needs the Node target; run by scripts/test --all"]
fn faye_waits_half_a_minute_now() {
    let server = faye("faye-websocket");
    let rules = rules(&format!("ws://{}/", server.address()), &[], 3);
    let rule = rules.iter().find(|rule| rule["id"] == "R9b").unwrap();
    assert_eq!(rule["outcome"], "pass", "{rule}");
    assert!(
        rule["seen"]
            .as_str()
            .unwrap()
            .contains("30.0 s after its Close"),
        "{rule}"
    );
}

//! Servers of other projects held to the rules of RFC 6455: what each of them is known to break is found, each with its
//! section, and those that break nothing are acquitted.

use serde_json::Value;

use super::asgi::hypercorn;
use super::common::Running;
use super::common::peer::Setup;
use super::common::real::{RealServer, Target};

/// The broken rules that must be kept: the id and section of each, and what was seen.
fn broken(url: &str, watch: &str) -> Vec<(String, String)> {
    let arguments = ["probe", url, "--conformance", "--json", "--for", watch];
    let ended = Running::call(tempfile::tempdir().unwrap(), &arguments, &[]).end();
    assert_eq!(ended.stderr, "");
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    let rules = found["rules"].as_array().unwrap().iter();
    let passed = rules.clone().filter(|rule| rule["outcome"] == "pass");
    assert!(passed.count() >= 20, "{found:#}");
    let broken = rules.filter(|rule| {
        rule["outcome"] == "fail" && rule["level"].as_str().unwrap().starts_with("MUST")
    });
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let broken: Vec<_> = broken
        .map(|rule| {
            let rule_at = format!("{} {}", text(&rule["id"]), text(&rule["section"]));
            (rule_at, text(&rule["seen"]))
        })
        .collect();
    assert_eq!(ended.code, if broken.is_empty() { 0 } else { 3 });
    broken
}

/// Asserts that this rule is among the broken ones, and that these words tell how.
#[track_caller]
fn convicted(broken: &[(String, String)], rule: &str, how: &str) {
    let found = broken.iter().find(|(broken, _)| broken == rule);
    let (_, seen) = found.unwrap_or_else(|| panic!("{rule} was kept; broken: {broken:#?}"));
    assert!(seen.contains(how), "{how}\n{seen}");
}

/// Asserts that this rule is kept.
#[track_caller]
fn acquitted(broken: &[(String, String)], rule: &str) {
    let found = broken.iter().find(|(broken, _)| broken == rule);
    assert!(found.is_none(), "{found:?}");
}

#[test]
#[ignore = "needs the Node target; run by scripts/test"]
fn ws_is_acquitted() {
    let server = RealServer::start(Target::NodeHeartbeat);
    let broken = broken(&server.url(), "5s");
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn websockets_breaks_nothing_but_the_words_of_one_refusal() {
    let server = RealServer::start(Target::PythonHeartbeat);
    let broken = broken(&server.url(), "5s");
    convicted(&broken, "H3 4.2.2", "400 without Sec-WebSocket-Version");
    assert_eq!(broken.len(), 1, "{broken:#?}");
}

#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn hypercorn_ends_tcp_after_the_close() {
    let server = hypercorn();
    acquitted(
        &broken(&format!("ws://{}/", server.address()), "1s"),
        "R9 7.1.1",
    );
}

#[test]
#[ignore = "needs the Node target; run by scripts/test"]
fn faye_ends_tcp_after_the_close() {
    let server = RealServer::start(Target::Faye);
    acquitted(&broken(&server.url(), "1s"), "R9 7.1.1");
}

#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn werkzeug_answers_http_after_the_close() {
    let server = RealServer::start(Target::Flask);
    convicted(
        &broken(&server.url(), "1s"),
        "R7 5.5.1",
        "an answer of HTTP",
    );
}

#[test]
#[ignore = "needs nats-server; run by scripts/test"]
fn nats_writes_1006_on_the_wire() {
    let server = Setup::of("nats-mute.conf").start();
    let broken = broken(&format!("ws://{}/", server.address()), "8s");
    convicted(&broken, "R10 7.4", "it sent a Close 1006");
}

#[test]
#[ignore = "needs libwebsockets-test-server; run by scripts/test"]
fn libwebsockets_answers_the_first_of_ten_pings_only() {
    let server = Setup::command("libwebsockets-test-server --port=@port@ -i @host@ -d 1").start();
    let broken = broken(&format!("ws://{}/", server.address()), "1s");
    convicted(
        &broken,
        "R3 5.5.3",
        "1 of 10 answered, but not the last one",
    );
}

//! Tests `wsbench probe --conformance`: what it finds out about servers with one fault, and about a correct one.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use wsbench::scenario::{Defect, HeartbeatWord, ServerHeartbeat};
use wsbench::server::{Behaviour, EmbeddedServer};

use super::common::frame::{CLOSE, Frame};
use super::common::{Act, Ended, Handshake, OnClose, Pong, Running, Script, Server, When};
use super::probe;

const WSBENCH: &str = env!("CARGO_BIN_EXE_wsbench");

/// The outcomes of all rules, as JSON, and the exit code.
fn held(url: &str, options: &[&str]) -> (Vec<Value>, i32) {
    let arguments = ["probe", url, "--conformance", "--json", "--for", "1s"];
    let folder = tempfile::tempdir().unwrap();
    let ended = Running::call(folder, &[&arguments, options].concat(), &[]).end();
    assert_eq!(ended.stderr, "");
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    (found["rules"].as_array().unwrap().clone(), ended.code)
}

/// The rules that come out so; of those that must be kept, or of all.
fn ids(rules: &[Value], outcome: &str, levels: &[&str]) -> Vec<String> {
    let rules = rules.iter().filter(|rule| rule["outcome"] == outcome);
    let rules = rules.filter(|rule| levels.contains(&rule["level"].as_str().unwrap()));
    let ids = rules.map(|rule| rule["id"].as_str().unwrap().to_owned());
    ids.collect()
}

const MUST: [&str; 2] = ["MUST", "MUST NOT"];
const ANY: [&str; 4] = ["MUST", "MUST NOT", "SHOULD", "MAY"];

/// Each defect of its heartbeat is one of times: it breaks no rule.
#[test]
fn the_built_in_server_is_acquitted_whatever_its_heartbeat() {
    let heartbeat = |defect| ServerHeartbeat {
        interval: Duration::from_millis(300),
        timeout: Duration::from_millis(300),
        kind: HeartbeatWord::Frames,
        defect,
    };
    let behaviours = [
        None,
        Some(heartbeat(None)),
        Some(heartbeat(Some(Defect::NormalClose))),
        Some(heartbeat(Some(Defect::NoCloseFrame))),
    ];
    for heartbeat in behaviours {
        let gives_up_silently = heartbeat
            .as_ref()
            .is_some_and(|heartbeat| heartbeat.defect == Some(Defect::NoCloseFrame));
        let behaviour = Behaviour {
            heartbeat,
            ..Behaviour::default()
        };
        let server = EmbeddedServer::spawn(Path::new(WSBENCH), &behaviour).unwrap();
        let (rules, code) = held(server.url(), &[]);
        let broken: &[&str] = if gives_up_silently { &["R12b"] } else { &[] };
        assert_eq!(ids(&rules, "fail", &ANY), broken, "{rules:#?}");
        assert_eq!(code, 0);
        assert!(ids(&rules, "pass", &MUST).len() >= 26, "{rules:#?}");
    }
}

/// What the scripted server breaks besides: it ends nobody who sends what is illegal, repeats illegal codes and texts, and
/// does not look at requests.
const LENIENT: [&str; 10] = [
    "H3", "H4", "H5", "R5", "R10", "R13b", "R13c", "R13d", "R13e", "F4",
];

fn convicts(script: Script, ids_of_fault: &[&str]) {
    let server = Server::start(script);
    let (rules, code) = held(&server.url(), &[]);
    let found = ids(&rules, "fail", &MUST);
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    let found: Vec<&str> = found
        .into_iter()
        .filter(|id| ids_of_fault.contains(id) || !LENIENT.contains(id))
        .collect();
    assert_eq!(found, ids_of_fault, "{rules:#?}");
    assert_eq!(code, 3);
    for rule in &rules {
        assert!(rule["section"].as_str().unwrap().len() >= 3, "{rule}");
        assert_ne!(rule["seen"], "", "{rule}");
    }
}

#[test]
fn each_fault_is_found_and_no_other() {
    const SECOND_CLOSE: &[u8] = &[0x88, 2, 0x03, 0xe8];
    let abnormal = Frame::close(Some(1006), "").encode();
    assert_eq!(abnormal[0], 0x80 | CLOSE);
    let cases: [(Script, &'static [&'static str]); 9] = [
        (Script::default(), &[]),
        (Script::pong(Pong::Never), &["R1", "R3", "R6"]),
        (Script::pong(Pong::Only(1)), &["R1", "R3"]),
        (Script::on_close(OnClose::KeepTcp), &["R9"]),
        (Script::on_close(OnClose::Never), &["R8"]),
        (Script::on_close(OnClose::Reset), &["R8"]),
        (
            Script::on_close(OnClose::AnswerAnd(b"HTTP/1.1 200 OK\r\n\r\n")),
            &["R7"],
        ),
        (Script::on_close(OnClose::AnswerAnd(SECOND_CLOSE)), &["R7"]),
        (
            Script::act(When::Quiet(Duration::from_millis(500)), Act::Send(abnormal)),
            &["R7", "R10"],
        ),
    ];
    // They wait nearly all the time.
    let threads = cases.map(|(script, ids)| std::thread::spawn(move || convicts(script, ids)));
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_wrong_101_is_a_broken_rule_and_no_failure_to_connect() {
    for (handshake, id) in [
        (Handshake::WrongAccept, "H1"),
        (Handshake::NoUpgrade, "H1"),
        (Handshake::Subprotocol("chat"), "H2"),
        (Handshake::Extension("x-y"), "H2"),
    ] {
        let server = Server::start(Script::handshake(handshake));
        let (rules, code) = held(&server.url(), &[]);
        assert_eq!((ids(&rules, "fail", &ANY), code), (vec![id.to_owned()], 3));
    }
    let server = Server::start(Script::handshake(Handshake::Status(403, "")));
    let ended = probe(&[&server.url(), "--conformance"]);
    assert_eq!(ended.code, 4, "{}", ended.stdout);
}

#[test]
fn broken_rules_are_told_in_words_and_can_be_only_reported() {
    let server = Server::start(Script::pong(Pong::Wrong));
    let arguments = ["--conformance", "--report-only", "--for", "500ms"];
    let ended: Ended = probe(&[&[server.url().as_str()], &arguments[..]].concat());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    for fact in [
        "at most 35 connections, a few at a time",
        "\nR2   FAIL       5.5.3  MUST     a pong has the bytes of its ping",
        "a ping of 0 bytes was answered by a pong of 15 bytes",
        "\nR8   pass       5.5.1",
        "\nR14  not tried  7.2.3",
    ] {
        assert!(ended.stdout.contains(fact), "{fact}\n\n{}", ended.stdout);
    }
    let refused = probe(&[&server.url(), "--report-only"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
}

//! Tests that each rule is kept by a correct server, and broken by what breaks it.

use super::super::breach::Breach;
use super::super::frame::{Frame, Opcode};
use super::judged::Outcome;
use super::log::{Came, Log, Seen, What};
use super::rules::{Level, RULES, judged, needed, table};
use super::trial::{Awaits, LENGTHS, PAYLOADS, Script, Trial, UNASKED, sent_code};
use crate::measure::TcpEnding;
use crate::metric::Cause;
use crate::scenario::{Ask, WsUrl};

const SECOND: u64 = 1_000_000_000;

fn came(step: usize, what: What) -> Came {
    let at_ns = SECOND + step as u64 * 1_000_000 + 1_000;
    Came { at_ns, step, what }
}

fn frame(step: usize, opcode: Opcode, payload: &[u8]) -> Came {
    came(step, What::Frame(Frame::new(opcode, payload)))
}

fn close(step: usize, code: Option<u16>) -> Came {
    came(step, What::Frame(Frame::close(code)))
}

fn fin(step: usize) -> Came {
    came(step, What::End(TcpEnding::Fin))
}

/// What a connection saw that played so many steps.
fn log(steps: usize, came: Vec<Came>) -> Log {
    let closed = came
        .iter()
        .find(|came| matches!(&came.what, What::Frame(frame) if frame.opcode == Opcode::Close));
    Log {
        sent_ns: (0..steps as u64)
            .map(|step| SECOND + step * 1_000_000)
            .collect(),
        closed_ns: closed.map(|came| came.at_ns),
        until_ns: 10 * SECOND,
        came,
        ..Log::default()
    }
}

fn answered(answer: &str) -> Log {
    Log {
        answer: answer.as_bytes().to_vec(),
        ..Log::default()
    }
}

/// What a correct echo server shows to a trial.
fn correct(trial: Trial) -> Log {
    match trial {
        Trial::OtherVersion => {
            return answered("HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\n\r\n");
        }
        Trial::NoKey | Trial::Post => return answered("HTTP/1.1 400 Bad Request\r\n\r\n"),
        Trial::OtherCase | Trial::Extension => return answered("HTTP/1.1 101 Switching\r\n\r\n"),
        _ => {}
    }
    let Script::Steps(steps) = trial.script(Default::default(), None) else {
        panic!("{trial:?}");
    };
    let mut all = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        match &step.awaits {
            Awaits::Pong(payload) => all.push(frame(number, Opcode::Pong, payload)),
            Awaits::Message(payload) => all.push(frame(number, Opcode::Binary, payload)),
            Awaits::End => {
                let code = match trial {
                    Trial::Quiet | Trial::Deaf => Some(1001),
                    Trial::CloseEmpty => None,
                    _ => sent_code(trial).or(Some(1002)),
                };
                all.extend([close(number, code), fin(number)]);
            }
        }
    }
    log(steps.len(), all)
}

fn all_correct() -> Seen {
    Seen {
        refused: None,
        logs: needed().map(|trial| (trial, correct(trial))).collect(),
    }
}

/// The rules that come out so.
fn with(outcome: Outcome, seen: &Seen) -> Vec<&'static str> {
    let judged = judged(seen);
    let ids = judged.iter().filter(|judged| judged.outcome == outcome);
    ids.map(|judged| judged.rule.id).collect()
}

#[test]
fn a_correct_server_keeps_all_that_can_be_tried() {
    let seen = all_correct();
    assert_eq!(with(Outcome::Fail, &seen), [""; 0]);
    // No text came, and two are no rules for servers.
    assert_eq!(with(Outcome::NotTried, &seen), ["R11", "R14", "F4"]);
}

/// A server that has sent a Close owes a pong until the Close of the client has come, and may ping as well.
#[test]
fn a_ping_and_a_pong_behind_a_close_break_nothing() {
    let mut seen = all_correct();
    let came = vec![
        close(0, Some(1001)),
        frame(0, Opcode::Pong, b"after"),
        frame(0, Opcode::Ping, b""),
        fin(0),
    ];
    let quiet = seen
        .logs
        .iter_mut()
        .find(|(trial, _)| *trial == Trial::Quiet);
    quiet.unwrap().1 = log(1, came);
    assert_eq!(with(Outcome::Fail, &seen), [""; 0]);
}

#[test]
fn where_nothing_opens_nothing_is_kept_and_nothing_broken() {
    let failed = |trial| Log {
        failed: Some(format!("{trial:?} is refused")),
        ..Log::default()
    };
    let seen = Seen {
        refused: None,
        logs: needed().map(|trial| (trial, failed(trial))).collect(),
    };
    assert_eq!(with(Outcome::Fail, &seen), [""; 0]);
    assert_eq!(with(Outcome::Pass, &seen), ["H1", "H2"]);
}

/// One trial of a server that is correct else, and the rules that it then breaks.
#[test]
fn each_rule_is_broken_by_what_breaks_it_and_by_nothing_else() {
    let text = |payload: &[u8]| frame(0, Opcode::Text, payload);
    let breach = |breach| came(0, What::Breach(breach));
    let nothing = || log(1, Vec::new());
    let second_close = vec![close(0, Some(1000)), close(0, Some(1000)), fin(0)];
    let http = vec![close(0, Some(1000)), breach(Breach::Http), fin(0)];
    let part = |opcode, payload: &[u8]| came(0, What::Frame(Frame::part(opcode, payload)));
    let broken: Vec<(Trial, Log, &str)> = vec![
        (
            Trial::OtherVersion,
            answered("HTTP/1.1 101 X\r\n\r\n"),
            "H3",
        ),
        (
            Trial::OtherVersion,
            answered("HTTP/1.1 400 X\r\n\r\n"),
            "H3",
        ),
        (Trial::NoKey, answered("HTTP/1.1 101 X\r\n\r\n"), "H4"),
        (Trial::Post, answered("HTTP/1.1 101 X\r\n\r\n"), "H5"),
        (Trial::OtherCase, answered("HTTP/1.1 400 X\r\n\r\n"), "H6"),
        (
            Trial::Extension,
            answered("HTTP/1.1 101 X\r\nSec-WebSocket-Extensions: x-y\r\n\r\n"),
            "H7",
        ),
        (Trial::Pings, log(1, vec![]), "R1"),
        (
            Trial::Pings,
            log(1, vec![frame(0, Opcode::Pong, b"x")]),
            "R2",
        ),
        (
            Trial::Burst,
            log(1, vec![frame(0, Opcode::Pong, b"burst 1")]),
            "R3",
        ),
        (
            Trial::UnaskedPong,
            log(
                1,
                vec![
                    frame(0, Opcode::Pong, UNASKED),
                    frame(0, Opcode::Pong, b"after"),
                ],
            ),
            "R4",
        ),
        (Trial::UnaskedPong, log(1, vec![fin(0)]), "R4"),
        (Trial::LongPing, nothing(), "R5"),
        (Trial::FragmentedPing, nothing(), "R5"),
        (
            Trial::Within,
            log(2, vec![frame(1, Opcode::Pong, b"within")]),
            "R6",
        ),
        (Trial::Close1000, log(1, second_close), "R7"),
        (Trial::Close1000, log(1, http), "R7"),
        (Trial::Close1000, nothing(), "R8"),
        (Trial::Close3000, log(1, vec![fin(0)]), "R8"),
        (
            Trial::Close3000,
            log(1, vec![close(0, Some(1000)), fin(0)]),
            "R8b",
        ),
        (Trial::Close1000, log(1, vec![close(0, Some(1000))]), "R9"),
        (
            Trial::Deaf,
            watched(40 * SECOND, close(0, Some(1000))),
            "R9b",
        ),
        (
            Trial::Quiet,
            log(1, vec![close(0, Some(1006)), fin(0)]),
            "R10",
        ),
        (Trial::Unmasked, log(1, vec![fin(0)]), "R12"),
        (Trial::Quiet, log(1, vec![fin(0)]), "R12b"),
        (Trial::Quiet, log(1, vec![breach(Breach::Masked)]), "R13"),
        (Trial::Unmasked, nothing(), "R13b"),
        (Trial::ReservedBit, nothing(), "R13c"),
        (Trial::ReservedControl, nothing(), "R13d"),
        (Trial::BadUtf8, nothing(), "R13e"),
        (Trial::Quiet, log(1, vec![breach(Breach::Length)]), "F1"),
        (
            Trial::Quiet,
            log(1, vec![part(Opcode::Text, b"a"), text(b"b")]),
            "F2",
        ),
        (Trial::Quiet, log(1, vec![breach(Breach::Control)]), "F3"),
        (Trial::Quiet, log(1, vec![text(b"\xff")]), "F4"),
        (Trial::Lengths, short_of_the_last(Trial::Lengths), "F5"),
        (Trial::Fragments, short_of_the_last(Trial::Fragments), "F6"),
        (Trial::Orphan, nothing(), "F7"),
        (
            Trial::HalfCode,
            log(1, vec![close(0, Some(1000)), fin(0)]),
            "C1",
        ),
    ];
    for (trial, log, id) in &broken {
        let mut seen = all_correct();
        seen.logs.retain(|(known, _)| known != trial);
        seen.logs.push((*trial, log.clone()));
        assert_eq!(with(Outcome::Fail, &seen), [*id], "{trial:?} {log:?}");
    }
    let can_be: Vec<&str> = broken.iter().map(|(_, _, id)| *id).collect();
    let elsewhere = ["H1", "H2", "R5b", "R11", "R14"];
    for rule in RULES {
        let is_tested = can_be.contains(&rule.id) || elsewhere.contains(&rule.id);
        assert!(is_tested, "{} was never seen to be broken", rule.id);
    }
}

/// A deaf connection that saw this, and was looked at until then.
fn watched(until_ns: u64, came: Came) -> Log {
    Log {
        until_ns,
        closed_ns: None,
        ..log(1, vec![came])
    }
}

/// Half a minute is what some servers wait for the answer to their Close.
#[test]
fn who_was_not_watched_for_long_is_not_said_to_keep_tcp() {
    let mut seen = all_correct();
    seen.logs.retain(|(known, _)| *known != Trial::Deaf);
    let log = watched(20 * SECOND, close(0, Some(1000)));
    seen.logs.push((Trial::Deaf, log));
    assert_eq!(with(Outcome::Fail, &seen), [""; 0]);
    assert!(with(Outcome::NotTried, &seen).contains(&"R9b"));
}

/// Without the answer to the last step.
fn short_of_the_last(trial: Trial) -> Log {
    let mut log = correct(trial);
    log.came.pop();
    log
}

#[test]
fn an_answer_to_the_upgrade_that_is_wrong_breaks_its_rule_and_leaves_the_rest() {
    for (cause, id) in [
        (Cause::BadAccept, "H1"),
        (Cause::BadUpgrade, "H1"),
        (Cause::BadSubprotocol, "H2"),
        (Cause::BadExtension, "H2"),
    ] {
        let seen = Seen {
            refused: Some((cause, "detail".to_owned())),
            logs: Vec::new(),
        };
        assert_eq!(with(Outcome::Fail, &seen), [id]);
        assert_eq!(with(Outcome::Pass, &seen), [""; 0]);
    }
}

#[test]
fn a_bystander_that_is_ended_is_told_unless_silence_may_be_why() {
    let mut seen = all_correct();
    seen.logs
        .retain(|(trial, _)| !matches!(trial, Trial::Bystander | Trial::Quiet));
    seen.logs.push((Trial::Bystander, log(1, vec![fin(0)])));
    seen.logs.push((Trial::Quiet, log(1, Vec::new())));
    assert_eq!(with(Outcome::Fail, &seen), ["R5b"]);
    seen.logs.pop();
    seen.logs
        .push((Trial::Quiet, log(1, vec![close(0, Some(1001)), fin(0)])));
    assert!(with(Outcome::NotTried, &seen).contains(&"R5b"));
}

#[test]
fn a_server_that_echoes_nothing_or_not_so_much_breaks_nothing() {
    for last in [
        vec![],
        vec![
            frame(0, Opcode::Binary, super::trial::HELLO.as_bytes()),
            frame(1, Opcode::Binary, b""),
            close(2, Some(1009)),
            fin(2),
        ],
    ] {
        let mut seen = all_correct();
        seen.logs.retain(|(trial, _)| *trial != Trial::Lengths);
        seen.logs.push((Trial::Lengths, log(3, last)));
        assert!(!with(Outcome::Fail, &seen).contains(&"F5"));
    }
    assert!(LENGTHS.len() > 2 && PAYLOADS.len() == 4);
}

#[test]
fn ids_are_unique_and_requests_are_whole() {
    let mut ids: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), RULES.len());
    assert!(RULES.iter().any(|rule| rule.level == Level::Should));

    let url = WsUrl {
        secure: false,
        host: "h".to_owned(),
        port: 81,
        resource: "/chat".to_owned(),
        unix: None,
        shown: "ws://h:81/chat".to_owned(),
    };
    let ask = Ask {
        headers: vec![("X-A".to_owned(), "b".to_owned())],
        ..Ask::default()
    };
    let script = Trial::NoKey.script(Default::default(), Some((&url, &ask)));
    let Script::Request(text) = script else {
        panic!("it is a request");
    };
    assert!(
        text.starts_with("GET /chat HTTP/1.1\r\nHost: h:81\r\n"),
        "{text}"
    );
    assert!(
        text.contains("X-A: b\r\n") && text.ends_with("\r\n\r\n"),
        "{text}"
    );
    assert!(!text.contains("Sec-WebSocket-Key"), "{text}");
}

/// The manual has the table as the program does.
#[test]
fn the_manual_has_these_rules() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/probe.md"));
    let table = table();
    assert!(
        page.unwrap().contains(&table),
        "docs/probe.md has another table:\n{table}"
    );
}

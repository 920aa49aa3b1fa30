//! Connections that end too early, in the wrong way, or not at all.

use std::time::Duration;

use super::common::{Act, FILES, OnClose, Script, When};
use super::{CONNECTIONS, Outcome, run, scenario};
use wsbench::units::is_harmless;

/// In the middle of the run, between echoes.
const MIDDLE: When = When::After(Duration::from_millis(310));

/// Every connection ends early, for this cause.
#[track_caller]
fn ends(act: Act, cause: &str, close: &str) -> Outcome {
    let outcome = run(&scenario(), Script::act(MIDDLE, act));
    outcome.assert_all_end(cause, close);
    assert_eq!(outcome.count("connections.lost"), CONNECTIONS);
    assert!(outcome.count("messages.echoed") > 0, "it was well before");
    outcome.assert_fails(&["connections.lost"]);
    outcome
}

/// What the client answered to the server's Close.
fn answered(outcome: &Outcome, code: Option<u16>) {
    let codes = outcome.log().close_codes();
    assert_eq!(codes, vec![code; CONNECTIONS as usize]);
}

#[test]
fn a_close_nobody_asked_for() {
    let close = Act::Close(Some(1011), "out of order");
    let outcome = ends(close, "closed_by_peer", "1011.peer");
    outcome.assert_rows(&[("close_code", "1011"), ("close_reason", "out of order")]);
    assert!(outcome.report.examples("closed_by_peer").contains("1011"));
    answered(&outcome, Some(1011));
}

#[test]
fn even_a_friendly_one() {
    let outcome = ends(Act::Close(Some(1000), "bye"), "closed_by_peer", "1000.peer");
    outcome.assert_rows(&[("close_code", "1000"), ("close_reason", "bye")]);
    answered(&outcome, Some(1000));
}

#[test]
fn a_reason_that_a_spreadsheet_would_run() {
    let formula = "=HYPERLINK(\"http://x\")";
    let outcome = ends(
        Act::Close(Some(4000), formula),
        "closed_by_peer",
        "4000.peer",
    );
    outcome.assert_rows(&[("close_reason", "'=HYPERLINK(\"http://x\")")]);
}

/// JSON may hold such characters as they are, and so may a terminal that shows it.
#[test]
fn a_reason_that_would_steer_a_terminal() {
    let reason = "a\u{1b}]0;b\u{7}c\u{9b}2J\u{202e}d";
    let outcome = ends(
        Act::Close(Some(4000), reason),
        "closed_by_peer",
        "4000.peer",
    );
    let examples = outcome.report.examples("closed_by_peer");
    assert!(
        examples.contains("\u{9b}2J\u{202e}d") || examples.contains(r"\x9b2J"),
        "{examples}"
    );
    for file in FILES {
        let text = std::fs::read_to_string(outcome.ended.file(file)).unwrap();
        // The page's own script is indented by tabs.
        let unsafe_one = text
            .chars()
            .find(|c| !is_harmless(*c) && !['\n', '\t'].contains(c));
        assert_eq!(unsafe_one, None, "{file}");
    }
}

#[test]
fn an_empty_close() {
    let outcome = ends(Act::Close(None, ""), "closed_by_peer", "1005.peer");
    outcome.assert_rows(&[("close_code", "1005"), ("close_reason", "")]);
    answered(&outcome, None);
}

#[test]
fn codes_that_must_not_be_on_the_wire() {
    for code in [0, 999, 1005, 1006, 1015, 5000] {
        let close = format!("{code}.peer");
        let outcome = ends(Act::Close(Some(code), "why"), "bad_close_code", &close);
        let code = code.to_string();
        outcome.assert_rows(&[("close_code", &code), ("close_reason", "why")]);
        assert!(outcome.report.examples("bad_close_code").contains(&code));
    }
}

#[test]
fn a_close_of_one_byte() {
    let outcome = ends(Act::Send(vec![0x88, 1, 3]), "protocol_error", "fin.local");
    assert!(outcome.report.examples("protocol_error").contains("Close"));
}

#[test]
fn tcp_that_ends_without_a_close_frame() {
    ends(Act::Fin, "eof", "fin.peer").assert_rows(&[("state", "open"), ("close_code", "")]);
    ends(Act::Reset, "reset", "rst.peer").assert_rows(&[("state", "open"), ("close_code", "")]);
}

/// Everything went well until our Close; then this.
#[track_caller]
fn ends_badly(on_close: OnClose, cause: &str, close: &str) -> Outcome {
    let outcome = run(&scenario(), Script::on_close(on_close));
    outcome.assert_all_end(cause, close);
    outcome.assert_rows(&[("state", "closing")]);
    assert_eq!(outcome.count("connections.lost"), 0, "it was its time");
    assert_eq!(
        outcome.count("messages.echoed"),
        outcome.count("messages.due")
    );
    answered(&outcome, Some(1000));
    outcome
}

#[test]
fn a_server_that_never_answers_our_close() {
    let outcome = ends_badly(OnClose::Never, "close_timeout", "timeout.local");
    outcome.assert_rows(&[("close_code", "")]);
    outcome.assert_fails(&["errors.close_timeout"]);
    assert!(outcome.report.rows("totals", "close.duration").is_empty());
}

#[test]
fn a_server_that_answers_our_close_and_keeps_tcp() {
    let outcome = ends_badly(OnClose::KeepTcp, "close_timeout", "1000.local");
    outcome.assert_rows(&[("close_code", "1000")]);
    outcome.assert_fails(&["errors.close_timeout"]);
}

#[test]
fn a_server_that_resets_in_place_of_an_answer() {
    let outcome = ends_badly(OnClose::Reset, "reset", "rst.peer");
    outcome.assert_passes();
}

/// Such as a service whose login was left out: the hints follow from what it said.
#[test]
fn a_server_that_says_why_it_closes_is_quoted() {
    let act = Act::Close(Some(4401), "bad login");
    let outcome = run(&scenario(), Script::act(When::Open, act));
    outcome.assert_untrusted("no_answer");
    let doubts = &outcome.report.json["verdict"]["distrust"];
    let doubt = doubts.as_array().unwrap().iter();
    let doubt = doubt
        .clone()
        .find(|doubt| doubt["kind"] == "no_answer")
        .unwrap();
    let text = doubt["text"].as_str().unwrap();
    assert!(text.contains("close code 4401: \"bad login\""), "{text}");
    let hint = doubt["hint"].as_str().unwrap();
    assert!(
        hint.contains("login") && !hint.contains("duration"),
        "{hint}"
    );
}

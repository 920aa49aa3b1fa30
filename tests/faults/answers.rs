//! Answers that are wrong, late, doubled, missing, or to nothing.

use std::time::Duration;

use super::common::frame::TEXT;
use super::common::{Echo, Event, Script};
use super::{CONNECTIONS, Outcome, echoes, run, scenario};

/// Runs against this echo. The server got all that was sent, and every connection ended as planned.
#[track_caller]
fn answered(echo: Echo) -> (Outcome, u64) {
    let outcome = run(&scenario(), Script::echo(echo));
    outcome.assert_all_complete();
    let sent = outcome.count("messages.sent");
    assert!(sent >= CONNECTIONS * 15, "{sent}");
    assert_eq!(outcome.log().messages() as u64, sent);
    (outcome, sent)
}

#[test]
fn good_answers_are_all_counted_and_timed() {
    for echo in [Echo::Same, Echo::Fragments(10)] {
        let (outcome, sent) = answered(echo);
        assert_eq!(outcome.count("messages.echoed"), sent);
        for timer in ["latency.echo", "service.echo"] {
            let row = outcome.report.rows("totals", timer)[0];
            assert_eq!(row["count"], sent, "{timer}");
        }
        outcome.assert_passes();
    }
}

#[test]
fn wrong_bytes() {
    let (outcome, sent) = answered(Echo::Wrong);
    assert_eq!(outcome.count("messages.mismatched"), sent);
    assert_eq!(outcome.count("messages.echoed"), 0);
    assert!(
        outcome.report.rows("totals", "latency.echo").is_empty(),
        "a wrong answer has no latency"
    );
    // No other gate has a verdict, but this one saw what it is about.
    assert!(outcome.report.distrust().contains(&"no_answer"));
    for gate in outcome.report.json["verdict"]["gates"].as_array().unwrap() {
        let is_about_it = gate["gate"] == "count(messages.mismatched) == 0";
        assert_eq!(gate["doubted"], !is_about_it, "{gate}");
    }
    assert_eq!(outcome.ended.code, 3);
}

#[test]
fn every_answer_twice() {
    let (outcome, sent) = answered(Echo::Twice);
    assert_eq!(outcome.count("messages.echoed"), sent);
    assert_eq!(outcome.count("messages.duplicated"), sent);
    outcome.assert_passes();
}

#[test]
fn text_that_comes_back_as_binary() {
    let (outcome, sent) = answered(Echo::Retyped);
    assert_eq!(outcome.count("messages.echoed"), sent);
    assert_eq!(outcome.count("messages.retyped"), sent);
    let warnings = outcome.report.json["warnings"].to_string();
    assert!(warnings.contains("\"retyped\""), "{warnings}");
    outcome.assert_passes();
}

#[test]
fn answers_after_their_timeout() {
    let (outcome, sent) = answered(Echo::Late(Duration::from_millis(600)));
    assert_eq!(outcome.count("messages.timed_out"), sent);
    assert_eq!(outcome.count("messages.echoed"), 0);
    // Those to the last ones find no connection any more.
    let late = outcome.count("messages.late");
    assert!((sent / 2..=sent).contains(&late), "{late} of {sent}");
    outcome.assert_fails(&["messages.timed_out"]);
}

#[test]
fn no_answers() {
    let (outcome, sent) = answered(Echo::Never);
    assert_eq!(outcome.count("messages.timed_out"), sent);
    assert_eq!(outcome.count("messages.received"), 0);
    outcome.assert_untrusted("no_answer");
}

#[test]
fn without_answers_and_pings_nothing_can_be_said() {
    let outcome = run(&echoes(), Script::echo(Echo::Never));
    outcome.assert_all_complete();
    outcome.assert_untrusted("no_answer");
}

#[test]
fn messages_nobody_asked_for() {
    let script = Script {
        text_every: Some(Duration::from_millis(70)),
        ..Script::default()
    };
    let outcome = run(&scenario(), script);
    outcome.assert_all_complete();
    // Its own messages are numbers, the echoes are 64 bytes.
    let entries = outcome.log().entries().into_iter();
    let own = entries.filter(
        |entry| matches!(&entry.event, Event::Sent(f) if f.opcode == TEXT && entry.len < 10),
    );
    assert_eq!(outcome.count("messages.unsolicited"), own.count() as u64);
    assert!(outcome.count("messages.unsolicited") > CONNECTIONS * 5);
    let due = outcome.count("messages.due");
    assert_eq!(outcome.count("messages.echoed"), due);
    outcome.assert_passes();
}

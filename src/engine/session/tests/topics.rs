//! Tests what steps publish, and members that come and go by steps.

use std::cell::Cell;
use std::rc::Rc;

use super::play::play;
use super::script::{Heard, Lines, RTT, Script, healthy, text};
use super::seen::Seen;
use crate::metric::Counter;

/// How a room may be wrong.
#[derive(Clone, Copy, PartialEq)]
enum Guilt {
    None,
    /// Who leaves stays.
    Keeps,
    /// Who joins is told that it did not.
    Refuses,
}

/// What a room does: a text that begins with `join`, `leave` or `say` is answered by `ID` behind it, and what is said
/// goes to its only member at once.
fn room(guilt: Guilt, heard: Rc<Cell<u64>>) -> Script {
    let mut is_member = false;
    Script::new(move |at, said| {
        let Heard::Text(bytes) = said else {
            return healthy(at, said);
        };
        let said = std::str::from_utf8(bytes).unwrap();
        let id = said.split(' ').nth(1).unwrap_or_default();
        let is_right = guilt != Guilt::Refuses || !said.starts_with("join");
        let answer = text(format!(r#"{{"id":{id},"ok":{is_right}}}"#));
        let mut lines = Lines::new();
        match said.split(' ').next() {
            Some("join") => is_member = true,
            Some("leave") => is_member = guilt == Guilt::Keeps,
            _ if is_member => {
                heard.set(heard.get() + 1);
                lines.push((at + RTT, text(format!("heard {said}"))));
            }
            _ => {}
        }
        if !id.is_empty() && id != "-" {
            lines.push((at + 5 * RTT, answer));
        }
        lines
    })
}

/// Plays one connection for twenty seconds; returns what the room sent to its member, too.
fn visit(steps: &str, guilt: Guilt) -> (Seen, u64) {
    let scenario = format!(
        r#"
        load = {{ connections = 1, ramp_up = "0s", duration = "20s", ramp_down = "0s" }}
        {steps}
        "#
    );
    let heard = Rc::new(Cell::new(0));
    let counted = heard.clone();
    let seen = play(&scenario, move |_| room(guilt, heard.clone()));
    (seen, counted.get())
}

/// In the room for 4.2 seconds at a time, and outside for two and a half.
const VISITS: &str = r#"
    [[step]]
    repeat = {}
    [[step.step]]
    name = "join"
    send = "join {{id}}"
    expect = { "/id" = "{{id}}" }
    check = { "/ok" = true }
    on_fail = "go_on"
    joins = "room"
    [[step.step]]
    pause = "4200ms"
    [[step.step]]
    name = "leave"
    send = "leave {{id}}"
    expect = { "/id" = "{{id}}" }
    leaves = "room"
    [[step.step]]
    pause = "2500ms"
    [[message]]
    name = "say"
    payload = { text = "say - {{stamp}}" }
    rate = "10/s"
    phase = "aligned"
    expect = "none"
    timeout = "1s"
    to = "room"
"#;

#[test]
fn who_joins_and_leaves_by_steps_counts_in_between() {
    let (seen, heard) = visit(VISITS, Guilt::None);
    assert_eq!(seen.count(Counter::DeliveryPublished), 200);
    assert_eq!(seen.count(Counter::DeliveryStray), 0);
    let delivered = seen.delivered;
    // A second and the timeout before each end do not count: seconds 1, 2, 7, 8, 14 and 15 are left.
    assert_eq!((delivered.expected, delivered.received), (60, 60));
    let unsure = delivered.unsure + seen.count(Counter::DeliveryUnsure);
    assert_eq!(delivered.received + unsure, heard);
    assert_eq!(seen.count(Counter::MessagesUnsolicited), 0);
}

#[test]
fn what_comes_long_after_a_leave_is_stray() {
    let (seen, _) = visit(VISITS, Guilt::Keeps);
    // For one and a half seconds, after the timeout and before the next join, three times; the first 4 ms of a visit
    // are waited for.
    let stray = seen.count(Counter::DeliveryStray);
    assert!((40..=50).contains(&stray), "{stray}");
    assert_eq!(seen.delivered.expected, seen.delivered.received);
}

#[test]
fn who_is_refused_is_no_member() {
    let (seen, heard) = visit(VISITS, Guilt::Refuses);
    assert_eq!(seen.delivered.expected, 0);
    assert_eq!(seen.count(Counter::DeliveryUnsure), heard);
}

#[test]
fn an_await_joins_when_what_it_waits_for_has_come() {
    let waits = VISITS.replace(
        "expect = { \"/id\" = \"{{id}}\" }\n    check = { \"/ok\" = true }\n    on_fail = \"go_on\"\n    joins = \"room\"",
        "expect = \"none\"\n    [[step.step]]\n    name = \"in\"\n    await = { \"/ok\" = true }\n    joins = \"room\"",
    );
    assert_ne!(waits, VISITS);
    let (seen, heard) = visit(&waits, Guilt::None);
    let delivered = seen.delivered;
    assert_eq!((delivered.expected, delivered.received), (60, 60));
    assert_eq!(seen.count(Counter::DeliveryStray), 0);
    let unsure = delivered.unsure + seen.count(Counter::DeliveryUnsure);
    assert_eq!(delivered.received + unsure, heard);
}

/// The message comes back before its answer does, and holds its stamp.
#[test]
fn a_step_that_is_published_is_answered_by_what_it_expects() {
    let says = |expect: &str| {
        let steps = format!(
            r#"
            [[setup]]
            name = "join"
            send = "join {{{{id}}}}"
            expect = {{ "/id" = "{{{{id}}}}" }}
            joins = "room"
            [[step]]
            name = "all"
            repeat = {{ rate = "2/s" }}
            [[step.step]]
            name = "say"
            send = "say {{{{id}}}} {{{{stamp}}}}"
            expect = {expect}
            to = "room"
            timeout = "1s"
            "#
        );
        visit(&steps, Guilt::None)
    };
    // Slots: the set-up, the repeat, what is in it.
    for (expect, latency) in [
        (r#"{ "/id" = "{{id}}", lacks = ["/x"] }"#, 5 * RTT),
        (r#""stamp""#, RTT),
    ] {
        let (seen, heard) = says(expect);
        let published = seen.count(Counter::DeliveryPublished);
        assert!(published >= 39 && heard == published, "{published}");
        assert_eq!(seen.count(Counter::MessagesAnswered), published, "{expect}");
        assert_eq!(seen.all.latency(2).unwrap().max(), Some(latency.0));
        assert_eq!(seen.delivered.expected, seen.delivered.received);
        assert!(seen.delivered.expected >= 36, "{:?}", seen.delivered);
    }
}

/// A message, too.
#[test]
fn a_message_that_is_published_is_answered_by_what_it_expects() {
    let (seen, heard) = visit(
        r#"
        [[setup]]
        name = "join"
        send = "join {{id}}"
        expect = { "/id" = "{{id}}" }
        joins = "room"
        [[message]]
        name = "say"
        payload = { text = "say {{id}} {{stamp}}" }
        rate = "2/s"
        expect = { "/id" = "{{id}}" }
        to = "room"
        timeout = "1s"
        "#,
        Guilt::None,
    );
    assert!(heard >= 39, "{heard}");
    assert_eq!(seen.count(Counter::MessagesAnswered), heard);
    assert_eq!(seen.all.latency(0).unwrap().max(), Some((5 * RTT).0));
}

/// Each connection begins as a member of nothing.
#[test]
fn a_reconnect_leaves_all_topics() {
    let (seen, heard) = visit(
        r#"
        [[step]]
        name = "join"
        send = "join {{id}}"
        expect = { "/id" = "{{id}}" }
        joins = "room"
        [[step]]
        pause = "3s"
        [[step]]
        reconnect = { after = "1s" }
        [[message]]
        name = "say"
        payload = { text = "say - {{stamp}}" }
        rate = "10/s"
        expect = "none"
        timeout = "1s"
        to = "room"
        "#,
        Guilt::None,
    );
    assert!(seen.peers.len() >= 4, "{}", seen.peers.len());
    let delivered = seen.delivered;
    assert_eq!(delivered.expected, delivered.received);
    assert!(delivered.expected >= 20, "{delivered:?}");
    let unsure = delivered.unsure + seen.count(Counter::DeliveryUnsure);
    assert_eq!(delivered.received + unsure, heard);
}

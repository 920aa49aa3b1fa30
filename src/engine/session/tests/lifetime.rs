//! Tests arrivals that stay as long as their steps last.

use super::play::play;
use super::script::{Heard, Lines, MS, RTT, S, Script, fin, healthy, text};
use super::seen::Seen;
use crate::metric::{Cause, Counter};
use crate::units::{Timestamp, after};

/// Two arrivals a second in ten seconds; `answer` is what the server says to each text.
fn arrivals(steps: &str, answer: impl Fn(Timestamp, &str) -> Lines + Copy + 'static) -> Seen {
    let scenario = format!(
        r#"
        load.arrivals = {{ rate = "2/s", lifetime = "steps", max_open = 100 }}
        load.duration = "10s"
        load.ramp_down = "0s"
        {steps}
        "#
    );
    play(&scenario, move |_| {
        Script::new(move |at, heard| match heard {
            Heard::Text(bytes) => answer(at, std::str::from_utf8(bytes).unwrap()),
            _ => healthy(at, heard),
        })
    })
}

/// The times from the opening of each connection to its Close, which must be one as planned.
fn stays(seen: &Seen) -> Vec<u64> {
    let each = seen.peers.iter().enumerate().map(|(index, peer)| {
        let (closed, code) = peer.close().unwrap();
        assert_eq!(code, 1000, "{index}");
        let opened = after(index as u64 * 500 * MS);
        closed.saturating_since(opened).0 / MS.0
    });
    each.collect()
}

fn says(at: Timestamp, what: &'static str) -> Lines {
    vec![(at, text(what))]
}

const SESSION: &str = r#"
    [[setup]]
    name = "login"
    send = "login"
    expect = "welcome"
    [[step]]
    pause = "1s"
    [[step]]
    name = "ask"
    send = "ask"
    expect = "answer"
    timeout = "2s"
"#;

#[test]
fn an_arrival_closes_behind_its_last_step() {
    let seen = arrivals(SESSION, |at, said| match said {
        "login" => says(at + 200 * MS, "welcome"),
        _ => says(at + 300 * MS, "answer"),
    });
    assert_eq!(seen.peers.len(), 20);
    // Those of the last 1.5 seconds are closed at the end of the load.
    assert_eq!(stays(&seen)[..17], [1500; 17]);
    assert_eq!(seen.all.caused(Cause::Completed), 20);
    assert!(seen.endings.is_empty());
    assert_eq!(seen.count(Counter::ConnectionsLost), 0);
    assert_eq!(seen.count(Counter::ConnectionsAttempted), 20);
}

#[test]
fn a_last_step_without_an_answer_ends_it_too() {
    let steps = "[[step]]\npause = \"1s\"\n[[step]]\nsend = \"bye\"\nexpect = \"none\"";
    let seen = arrivals(steps, |_, _| vec![]);
    assert_eq!(stays(&seen)[..18], [1000; 18]);
    assert_eq!(seen.count(Counter::MessagesSent), 18);
}

#[test]
fn a_step_that_fails_and_skips_the_rest_ends_it() {
    let seen = arrivals(
        &format!("{SESSION}\n[[step]]\npause = \"5s\""),
        |at, said| match said {
            "login" => says(at, "welcome"),
            _ => vec![],
        },
    );
    // After a second it asks, and waits two seconds for the answer.
    assert_eq!(stays(&seen)[..14], [3000; 14]);
    assert_eq!(seen.all.caused(Cause::Completed), 20);
}

#[test]
fn messages_go_on_until_the_steps_are_over_and_their_answers_are_waited_for() {
    let messages = r#"
        [[message]]
        name = "m"
        rate = "2/s"
        phase = "aligned"
        payload = { text = "m" }
        expect = "yes"
        timeout = "5s"
    "#;
    let steps = "[[step]]\npause = \"1200ms\"";
    let seen = arrivals(&format!("{messages}{steps}"), |at, _| {
        says(at + 600 * MS, "yes")
    });
    for (index, peer) in seen.peers[..16].iter().enumerate() {
        let opened = after(index as u64 * 500 * MS);
        let at: Vec<u64> = (peer.messages().iter())
            .map(|at| at.saturating_since(opened).0 / MS.0)
            .collect();
        assert_eq!(at.last(), Some(&1000), "{index}: {at:?}");
    }
    // The answer to the message of 1 s comes at 1.6 s.
    assert!(
        stays(&seen)[..16]
            .iter()
            .all(|stay| (1600..1610).contains(stay))
    );
    assert_eq!(seen.count(Counter::MessagesTimedOut), 0);
    assert_eq!(seen.count(Counter::MessagesNotSent), 0);
    assert_eq!(
        seen.count(Counter::MessagesAnswered),
        seen.count(Counter::MessagesSent)
    );
}

#[test]
fn an_arrival_that_is_lost_is_not_replaced() {
    let scenario = r#"
        load.arrivals = { rate = "1/s", lifetime = "steps", max_open = 100 }
        load.duration = "5s"
        load.ramp_down = "0s"
        load.reconnect = { initial = "10ms", max = "10ms" }
        step = [{ pause = "1s" }]
    "#;
    let seen = play(scenario, |dial| {
        Script::new(healthy).says(after(dial as u64 * S + 500 * MS), fin())
    });
    assert_eq!(seen.count(Counter::ConnectionsAttempted), 5);
    assert_eq!(seen.count(Counter::ConnectionsLost), 5);
    assert!(seen.ended <= after(5 * S) + RTT);
}

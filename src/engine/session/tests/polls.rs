//! Tests clients that ask by HTTP: steps on a connection without an upgrade.

use super::play::play;
use super::script::{Heard, Lines, MS, RTT, S, Script, reset, text};
use super::seen::Seen;
use crate::metric::{Cause, Counter, Timer};
use crate::units::{Timestamp, after};

const MESSAGES: [Counter; 6] = [
    Counter::MessagesSent,
    Counter::MessagesAnswered,
    Counter::MessagesMismatched,
    Counter::MessagesTimedOut,
    Counter::MessagesLost,
    Counter::MessagesLate,
];

/// Plays one client for ten seconds; `answer` is what the server says to each request, by its number.
fn ask(
    load: &str,
    steps: &str,
    answer: impl Fn(Timestamp, usize, &str) -> Lines + Copy + 'static,
) -> Seen {
    let scenario = format!(
        r#"
        load = {{ ramp_up = "0s", duration = "10s", ramp_down = "0s"{load} }}
        [[cohort]]
        name = "main"
        connections = 1
        target.url = "http://peer/"
        {steps}
        "#
    );
    play(&scenario, move |_| {
        let mut turn = 0;
        Script::new(move |at, heard| match heard {
            Heard::Text(bytes) => {
                turn += 1;
                answer(at, turn - 1, std::str::from_utf8(bytes).unwrap())
            }
            _ => Lines::new(),
        })
    })
}

fn with_body(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn requests(seen: &Seen) -> Vec<String> {
    let heard = seen.peers.iter().flat_map(|peer| peer.heard());
    let texts = heard.filter_map(|(_, heard)| match heard {
        Heard::Text(bytes) => Some(String::from_utf8(bytes.to_vec()).unwrap()),
        _ => None,
    });
    texts.collect()
}

const POLLS: &str = r#"
    [[cohort.step]]
    repeat = { rate = "1/s", phase = "aligned" }
    [[cohort.step.step]]
    name = "poll"
    http = { url = "/poll?n={{n}}", headers = { X-Id = "{{id}}" } }
    timeout = "500ms"
    time = { at = "/at", unit = "ms" }
"#;

#[test]
fn each_request_comes_to_one_end() {
    let body = r#"{"at":1789000000000}"#;
    let seen = ask("", POLLS, move |at, turn, _| match turn {
        0 => vec![(at + 100 * MS, text(with_body("200 OK", body)))],
        1 => vec![(at + RTT, text(with_body("503 Busy", body)))],
        // In time for nobody; then never.
        2 => vec![(at + 700 * MS, text(with_body("200 OK", body)))],
        3 => vec![],
        // Right, but it does not say how old it is.
        4 => vec![(at + RTT, text(with_body("200 OK", "{}")))],
        9 => vec![(at + RTT, reset())],
        _ => vec![(at + RTT, text(with_body("200 OK", body)))],
    });
    assert_eq!(seen.counts(MESSAGES), [10, 5, 2, 2, 1, 1]);
    assert_eq!(seen.count(Counter::MessagesReceived), 8);
    let [latency, service] = [seen.all.latency(1), seen.all.service(1)].map(Option::unwrap);
    assert_eq!((latency.count(), service.count()), (5, 5));
    assert_eq!(latency.max(), Some((100 * MS).0));
    // The gaps and the ages of those that say it stand behind the steps.
    let [gaps, ages] = [seen.all.latency(2), seen.all.service(2)].map(Option::unwrap);
    assert_eq!((gaps.count(), ages.count()), (5, 5));
    assert_eq!(seen.causes(), [Cause::Reset]);
    let requests = requests(&seen);
    let second = "GET /poll?n=1 HTTP/1.1\r\nHost: peer\r\nX-Id: 2\r\n\r\n";
    assert_eq!(requests[1], second);
}

#[test]
fn an_answer_without_content_changes_nothing_that_was_kept() {
    let steps = r#"
        keep_alive = false
        [[cohort.step]]
        name = "first"
        http = { url = "/poll" }
        save = { after = "/seq" }
        [[cohort.step]]
        repeat = { rate = "1/s", phase = "aligned" }
        [[cohort.step.step]]
        name = "next"
        http = { url = "/next?after={{after}}" }
        save = { after = "/seq" }
        time = { at = "/at", unit = "ms" }
    "#
    .replace("keep_alive = false", "target.keep_alive = false");
    let seen = ask("", &steps, |at, turn, request| {
        assert!(request.contains("\r\nConnection: close\r\n"), "{request}");
        let body = format!(r#"{{"seq":{turn},"at":1789000000000}}"#);
        let answer = match turn % 2 {
            0 => with_body("200 OK", &body),
            _ => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        };
        vec![(at + RTT, text(answer))]
    });
    let asked: Vec<String> = requests(&seen)
        .iter()
        .map(|request| request.split(' ').nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(
        asked[..4],
        ["/poll", "/next?after=0", "/next?after=0", "/next?after=2"]
    );
    assert_eq!(seen.counts(MESSAGES), [10, 10, 0, 0, 0, 0]);
    assert_eq!(seen.causes(), []);
}

#[test]
fn a_client_that_was_cut_off_comes_back_and_begins_again() {
    let steps = r#"
        [[cohort.step]]
        name = "one"
        http = { method = "POST", url = "/one", json = '{"a":1}' }
        [[cohort.step]]
        pause = "1s"
        [[cohort.step]]
        name = "two"
        http = { url = "/two" }
        timeout = "20s"
    "#;
    let load = r#", reconnect = { initial = "1s", max = "1s", jitter = "none" }"#;
    let seen = ask(load, steps, |at, turn, _| match turn {
        0 => vec![(at + RTT, text(with_body("200 OK", "")))],
        _ => vec![(at + 500 * MS, reset())],
    });
    let first = &requests(&seen)[0];
    assert!(
        first.ends_with("\r\nContent-Length: 7\r\n\r\n{\"a\":1}"),
        "{first}"
    );
    assert_eq!(seen.count(Counter::ConnectionsLost), 4);
    assert_eq!(seen.count(Counter::ConnectionsReconnected), 3);
    let [sent, answered, _, _, lost, _] = seen.counts(MESSAGES);
    assert_eq!((sent, answered, lost), (8, 4, 4));
}

#[test]
fn what_is_due_at_the_end_is_waited_for_and_the_end_is_as_planned() {
    let steps = r#"
        [[cohort.step]]
        repeat = {}
        [[cohort.step.step]]
        name = "long"
        http = { url = "/long" }
    "#;
    let seen = ask("", steps, |at, _, _| {
        vec![(at + 4 * S, text(with_body("200 OK", "")))]
    });
    assert_eq!(seen.counts(MESSAGES), [3, 3, 0, 0, 0, 0]);
    assert_eq!(seen.peer().close(), None);
    assert_eq!(
        seen.counts([Counter::ConnectionsClosed, Counter::ConnectionsLost]),
        [1, 0]
    );
    assert_eq!(seen.timed(Timer::CloseDuration), 0);
    assert!(
        seen.peer()
            .heard()
            .iter()
            .all(|(at, _)| *at <= after(8 * S))
    );
}

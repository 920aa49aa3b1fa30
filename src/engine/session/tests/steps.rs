//! Tests set-ups, steps, and answers that are matched by what they say.

use super::play::play;
use super::script::{Heard, Lines, MS, RTT, S, Script, healthy, reset, text};
use super::seen::Seen;
use crate::metric::{Cause, Counter, Timer};
use crate::units::{Timestamp, after};

const SETUPS: [Counter; 5] = [
    Counter::SetupBegun,
    Counter::SetupReady,
    Counter::SetupFailed,
    Counter::SetupLost,
    Counter::SetupAbandoned,
];
const MESSAGES: [Counter; 6] = [
    Counter::MessagesSent,
    Counter::MessagesAnswered,
    Counter::MessagesMismatched,
    Counter::MessagesTimedOut,
    Counter::MessagesLate,
    Counter::MessagesDuplicated,
];
const AWAITS: [Counter; 6] = [
    Counter::AwaitsBegun,
    Counter::AwaitsMet,
    Counter::AwaitsWrong,
    Counter::AwaitsTimedOut,
    Counter::AwaitsLost,
    Counter::AwaitsAbandoned,
];

/// Plays one connection for ten seconds; `answer` is what the server says to each text, by its number.
fn talk(steps: &str, answer: impl Fn(Timestamp, usize, &str) -> Lines + Copy + 'static) -> Seen {
    let scenario = format!(
        r#"
        load = {{ connections = 1, ramp_up = "0s", duration = "10s", ramp_down = "0s" }}
        {steps}
        "#
    );
    play(&scenario, move |_| server(answer))
}

fn server(answer: impl Fn(Timestamp, usize, &str) -> Lines + 'static) -> Script {
    let mut turn = 0;
    Script::new(move |at, heard| match heard {
        Heard::Text(bytes) => {
            turn += 1;
            answer(at, turn - 1, std::str::from_utf8(bytes).unwrap())
        }
        _ => healthy(at, heard),
    })
}

fn sent(seen: &Seen) -> Vec<String> {
    let heard = seen.peer().heard();
    let texts = heard.iter().filter_map(|(_, heard)| match heard {
        Heard::Text(bytes) => Some(String::from_utf8(bytes.to_vec()).unwrap()),
        _ => None,
    });
    texts.collect()
}

fn id(text: &str) -> u64 {
    let message: serde_json::Value = serde_json::from_str(text).unwrap();
    message["id"].as_u64().unwrap()
}

const LOGIN: &str = r#"
    [[setup]]
    name = "login"
    send = { json = '{"login":"ann","id":{{id}}}' }
    expect = { "/id" = "{{id}}" }
    check = { "/ok" = true }
    save = { token = "/token" }
    timeout = "2s"
"#;

#[test]
fn messages_begin_when_the_set_up_is_done_and_use_what_it_kept() {
    let rest = r#"
        [[setup]]
        name = "enter"
        send = "enter {{token}}"
        expect = "welcome"
        [[message]]
        name = "m"
        rate = "1/s"
        phase = "aligned"
        payload = { text = "say {{n}} with {{token}}" }
        expect = { prefix = "said" }
    "#;
    let seen = talk(&format!("{LOGIN}{rest}"), |at, turn, said| match turn {
        0 => {
            let answer = format!(r#"{{"id":{},"ok":true,"token":"t-1"}}"#, id(said));
            vec![(at + 1500 * MS, text(answer))]
        }
        1 => vec![(at + RTT, text("welcome"))],
        _ => vec![(at + RTT, text("said"))],
    });
    let sent = sent(&seen);
    assert_eq!(
        sent[1..4],
        ["enter t-1", "say 0 with t-1", "say 1 with t-1"]
    );
    assert_eq!(seen.counts(SETUPS), [1, 1, 0, 0, 0]);
    // What was due in the set-up was never due.
    assert_eq!(seen.counts(MESSAGES), [8, 8, 0, 0, 0, 0]);
    assert_eq!(seen.timer(Timer::SetupDuration).max(), Some((1501 * MS).0));
    // Slots: the message, then the steps.
    assert_eq!(seen.all.latency(1).unwrap().max(), Some((1500 * MS).0));
    assert_eq!(seen.all.latency(2).unwrap().max(), Some(RTT.0));
    assert_eq!(seen.all.latency(0).unwrap().count(), 8);
}

#[test]
fn a_set_up_that_fails_says_which_step_and_why() {
    for (answer, detail) in [
        (
            r#"{"id":ID,"ok":false,"token":"s3cr3t-1"}"#,
            "`login`: `/ok` is not true; it says `{\"id\":ID,\"ok\":false,\"token\":\"{{token}}\"}`",
        ),
        (
            r#"{"id":ID,"ok":true}"#,
            "`login`: `save.token` found nothing; it says `{\"id\":ID,\"ok\":true}`",
        ),
        ("", "`login`: no answer came in time"),
    ] {
        let seen = talk(LOGIN, move |at, _, said| {
            if answer.is_empty() {
                return vec![];
            }
            let answer = answer.replace("ID", &id(said).to_string());
            vec![(at + RTT, text(answer))]
        });
        assert_eq!(seen.counts(SETUPS), [1, 0, 1, 0, 0], "{answer}");
        assert_eq!(seen.causes(), [Cause::SetupFailed]);
        let sent = &seen.endings[0].detail;
        let number = sent
            .split("\"id\":")
            .nth(1)
            .map(|rest| rest.split(',').next().unwrap());
        assert_eq!(*sent, detail.replace("ID", number.unwrap_or_default()));
        assert_eq!(seen.count(Counter::ConnectionsLost), 0);
    }
}

#[test]
fn a_set_up_is_played_again_after_a_loss_and_messages_meanwhile_are_offline() {
    let scenario = format!(
        r#"
        load = {{ connections = 1, ramp_up = "0s", duration = "10s", ramp_down = "0s",
            reconnect = {{ initial = "1s", max = "1s", jitter = "none" }} }}
        {LOGIN}
        [[message]]
        name = "m"
        rate = "1/s"
        phase = "aligned"
        payload = {{ text = "{{{{token}}}}" }}
        expect = "none"
        "#
    );
    let seen = play(&scenario, |dial| {
        let script = server(move |at, turn, said| match turn {
            0 => {
                let answer = format!(r#"{{"id":{},"ok":true,"token":"t-{dial}"}}"#, id(said));
                vec![(at + 500 * MS, text(answer))]
            }
            _ => vec![],
        });
        match dial {
            0 => script.says(after(3200 * MS), reset()),
            _ => script,
        }
    });
    // Due at 1, 2 and 3 s, then lost from 3.2 to 4.2 s, and ready at 4.7 s.
    assert_eq!(seen.counts(SETUPS), [2, 2, 0, 0, 0]);
    assert_eq!(seen.count(Counter::MessagesOffline), 1);
    assert_eq!(seen.count(Counter::MessagesSent), 8);
    let second = seen.peers[1].heard();
    assert!(
        second
            .iter()
            .any(|(_, heard)| *heard == Heard::Text("t-1".into()))
    );
    assert_ne!(
        seen.peers[0].heard()[0].1,
        second[0].1,
        "ids go on across connections"
    );
}

#[test]
fn a_set_up_that_the_connection_or_the_run_ends_is_lost_or_abandoned() {
    let load = r#"load = { connections = 1, ramp_up = "0s", duration = "10s", ramp_down = "0s" }"#;
    let wait = "[[setup]]\nname = \"wait\"\nawait = \"go\"\ntimeout = \"1m\"";
    let scenario = format!("{load}\n{wait}");
    let seen = play(&scenario, |_| {
        server(|_, _, _| vec![]).says(after(2 * S), reset())
    });
    assert_eq!(seen.counts(SETUPS), [1, 0, 0, 1, 0]);
    let seen = play(&scenario, |_| server(|_, _, _| vec![]));
    assert_eq!(seen.counts(SETUPS), [1, 0, 0, 0, 1]);
    assert_eq!(seen.ended, after(10 * S) + RTT);
}

#[test]
fn what_comes_before_its_await_has_its_turn_is_not_lost() {
    // The push comes before the answer to the send, and long before its turn.
    let steps = r#"
        [[step]]
        name = "subscribe"
        send = "subscribe"
        expect = "ok"
        [[step]]
        pause = "1s"
        [[step]]
        name = "first"
        await = { prefix = "push" }
        times = 2
        [[step]]
        name = "bye"
        send = "bye"
        expect = "none"
    "#;
    let seen = talk(steps, |at, turn, _| match turn {
        0 => vec![
            (at + RTT, text("push 1")),
            (at + 2 * RTT, text("ok")),
            (at + 300 * MS, text("push 2")),
            (at + 400 * MS, text("push 3")),
        ],
        _ => vec![],
    });
    assert_eq!(sent(&seen), ["subscribe", "bye"]);
    assert_eq!(seen.counts(AWAITS), [1, 1, 0, 0, 0, 0]);
    assert_eq!(seen.all.latency(2).unwrap().max(), Some((300 * MS).0));
    assert_eq!(seen.count(Counter::MessagesUnsolicited), 1);
    let bye = seen.peer().heard()[1].0;
    assert_eq!(bye, after(2 * RTT + S));
}

#[test]
fn answers_by_id_may_come_in_any_order_twice_late_and_among_pushes_that_name_them() {
    let message = r#"
        [[message]]
        name = "m"
        rate = "1/s"
        phase = "aligned"
        payload = { json = '{"id":{{id}}}' }
        expect = { "/id" = "{{id}}", has = ["/result"] }
        check = { "/result" = 1 }
        timeout = "1500ms"
    "#;
    let seen = talk(message, |at, turn, said| {
        let id = id(said);
        let result = |id, result| text(format!(r#"{{"id":{id},"result":{result}}}"#));
        match turn {
            // Answered together with the next one, in the other order.
            0 => vec![(at + 1200 * MS, result(id, 1))],
            1 => vec![(at + RTT, result(id, 1)), (at + 2 * RTT, result(id, 1))],
            2 => vec![(at + RTT, result(id, 2))],
            3 => vec![(at + 1700 * MS, result(id, 1))],
            // A push that names the id, a quoted id, and one that was never sent.
            4 => vec![
                (at + RTT, text(format!(r#"{{"id":{id},"seen":true}}"#))),
                (at + 2 * RTT, text(format!(r#"{{"id":"{id}","result":1}}"#))),
                (at + 3 * RTT, result(id + 1000, 1)),
            ],
            _ => vec![(at + RTT, result(id, 1))],
        }
    });
    assert_eq!(seen.counts(MESSAGES), [10, 8, 1, 1, 1, 1]);
    assert_eq!(seen.count(Counter::MessagesUnsolicited), 2);
    assert_eq!(seen.all.latency(0).unwrap().max(), Some((1200 * MS).0));
}

#[test]
fn pushes_that_name_an_answered_step_are_heard_whatever_was_sent_since() {
    let steps = r#"
        [[step]]
        name = "subscribe"
        send = { json = '{"id":{{id}}}' }
        expect = { "/id" = "{{id}}" }
        [[step]]
        name = "note"
        send = "nothing answers this"
        expect = "none"
        [[on]]
        name = "news"
        match = { "/id" = "{{subscribe.id}}", has = ["/news"] }
    "#;
    let seen = talk(steps, |at, turn, said| match turn {
        0 => {
            let news = format!(r#"{{"id":{},"news":1}}"#, id(said));
            let times = [RTT, 2 * RTT, S, 2 * S];
            times.map(|after| (at + after, text(news.clone()))).into()
        }
        _ => Vec::new(),
    });
    assert_eq!(seen.count(Counter::PushesReceived), 3);
    assert_eq!(seen.count(Counter::MessagesUnsolicited), 0);
    assert_eq!(seen.counts(MESSAGES), [2, 1, 0, 0, 0, 0]);
}

/// What a step says comes back to its speaker as a push, before or after the answer to it.
#[test]
fn what_a_step_says_is_a_push_when_it_comes_back_behind_its_answer() {
    let steps = r#"
        [[step]]
        repeat = { rate = "1/s" }
        [[step.step]]
        name = "say"
        send = { json = '{"id":{{id}},"say":"{{stamp}}"}' }
        expect = { "/id" = "{{id}}", has = ["/ok"] }
        [[on]]
        name = "heard"
        match = { has = ["/say"] }
    "#;
    for (answered, pushed) in [(RTT, 2 * RTT), (2 * RTT, RTT), (RTT, 1500 * MS)] {
        let seen = talk(steps, move |at, _, said| {
            let answer = format!(r#"{{"id":{},"ok":true}}"#, id(said));
            vec![
                (at + answered, text(answer)),
                (at + pushed, text(said.to_owned())),
            ]
        });
        let [sent, answered, ..] = seen.counts(MESSAGES);
        assert_eq!((sent, answered), (10, 10));
        assert_eq!(seen.count(Counter::MessagesDuplicated), 0);
        assert_eq!(seen.count(Counter::MessagesUnsolicited), 0);
        let pushes = seen.count(Counter::PushesReceived);
        assert!(pushes + 2 >= sent, "{pushes} of {sent}");
    }
}

#[test]
fn a_step_with_a_text_that_is_always_the_same_is_answered_by_it() {
    let steps = "[[step]]\nname = \"hello\"\nsend = \"hello\"\nexpect = \"echo\"";
    let seen = talk(steps, |at, _, _| vec![(at + RTT, text("hello"))]);
    assert_eq!(seen.count(Counter::MessagesEchoed), 1);
    let seen = talk(steps, |at, _, _| vec![(at + RTT, text("hullo"))]);
    assert_eq!(seen.count(Counter::MessagesTimedOut), 1);
}

#[test]
fn a_paced_turn_shows_a_stall_once_and_in_full() {
    let steps = r#"
        [[step]]
        name = "trade"
        repeat = { rate = "1/s", phase = "aligned" }
        [[step.step]]
        name = "offer"
        send = "offer {{turn}}"
        expect = { prefix = "ok" }
        [[step.step]]
        name = "accept"
        send = "accept {{turn}}"
        expect = { prefix = "ok" }
    "#;
    // The third turn hangs for 2.5 s.
    let seen = talk(steps, |at, turn, _| match turn {
        4 => vec![(at + 2500 * MS, text("ok"))],
        _ => vec![(at + RTT, text("ok"))],
    });
    let sent = sent(&seen);
    assert_eq!(sent[..3], ["offer 0", "accept 0", "offer 1"]);
    let turns = [Counter::TurnsDue, Counter::TurnsBegun, Counter::TurnsMissed];
    assert_eq!(seen.counts(turns), [10, 10, 0]);
    let [trade, offer, accept] = [0, 1, 2].map(|slot| seen.all.latency(slot).unwrap());
    assert_eq!(trade.count(), 10);
    assert_eq!(trade.max(), Some((2501 * MS).0));
    // Turns that were due at 3 and 4 s began at 4.501 s: their first steps count from when they were due.
    assert_eq!(offer.max(), Some((2500 * MS).0));
    assert_eq!(accept.max(), Some(RTT.0), "the lateness is not carried on");
}

#[test]
fn a_step_that_fails_ends_its_turn_the_steps_or_the_connection() {
    let steps = |on_fail: &str| {
        format!(
            r#"
            [[step]]
            name = "ask"
            send = "ask"
            expect = {{ prefix = "answer" }}
            check = "answer yes"
            {on_fail}
            [[step]]
            name = "next"
            send = "next"
            expect = "none"
            "#
        )
    };
    let answer = |at: Timestamp, _: usize, said: &str| match said {
        "ask" => vec![(at + RTT, text("answer no"))],
        _ => vec![],
    };
    let seen = talk(&steps(""), answer);
    assert_eq!(sent(&seen), ["ask"]);
    assert_eq!(seen.count(Counter::MessagesMismatched), 1);
    assert_eq!(seen.causes(), []);
    let seen = talk(&steps("on_fail = \"go_on\""), answer);
    assert_eq!(sent(&seen), ["ask", "next"]);
    let seen = talk(&steps("on_fail = \"close\""), answer);
    assert_eq!(seen.causes(), [Cause::StepFailed]);
    assert_eq!(
        seen.endings[0].detail,
        "`ask`: it is not \"answer yes\"; it says `answer no`"
    );
}

#[test]
fn a_close_is_a_planned_end_and_a_reconnect_comes_back() {
    let close = "[[step]]\npause = \"1s\"\n[[step]]\nclose = { code = 4000, reason = \"bye\" }";
    let seen = talk(close, |_, _, _| vec![]);
    assert_eq!(seen.causes(), []);
    assert_eq!(seen.count(Counter::ConnectionsLost), 0);
    let (at, last) = seen.peer().heard().pop().unwrap();
    assert_eq!((at, last), (after(S), Heard::Close(Some(4000))));
    let again = "[[step]]\npause = \"1s\"\n[[step]]\nreconnect = { after = \"2s\" }";
    let seen = talk(again, |_, _, _| vec![]);
    assert_eq!(seen.count(Counter::ConnectionsReconnected), 3);
    assert_eq!(seen.count(Counter::ConnectionsLost), 0);
}

#[test]
fn the_measured_time_is_waited_for() {
    let scenario = r#"
        load = { connections = 1, ramp_up = "0s", warm_up = "3s", duration = "5s", ramp_down = "0s" }
        [[step]]
        wait_for = "measuring"
        [[step]]
        name = "go"
        send = "go"
        expect = "none"
    "#;
    let seen = play(scenario, |_| server(|_, _, _| vec![]));
    assert_eq!(seen.peer().heard()[0].0, after(3 * S));
    assert_eq!(seen.windows[0].counter(Counter::MessagesSent), 1);
}

#[test]
fn steps_of_chance_are_played_as_often_as_they_should_be() {
    let steps = r#"
        [[step]]
        name = "all"
        repeat = { rate = "100/s" }
        [[step.step]]
        name = "rare"
        chance = "10%"
        send = "rare"
        expect = "none"
    "#;
    let seen = talk(steps, |_, _, _| vec![]);
    let turns = seen.count(Counter::TurnsBegun);
    let sent = seen.count(Counter::MessagesSent);
    assert!((990..=1000).contains(&turns), "{turns}");
    assert!((70..=130).contains(&sent), "{sent}");
    let again = talk(steps, |_, _, _| vec![]);
    assert_eq!(
        again.count(Counter::MessagesSent),
        sent,
        "it comes from the seed"
    );
}

/// Two challenges come at once: each is answered by its own.
#[test]
fn a_reply_says_what_was_kept_of_the_message_that_it_answers() {
    let steps = r#"
        [[step]]
        send = "ask"
        expect = "none"
        [[on]]
        name = "challenge"
        match = { has = ["/nonce"] }
        save = { nonce = "/nonce" }
        reply = "{{n}}: {{nonce}}"
    "#;
    let seen = talk(steps, |at, _, said| match said {
        "ask" => ["a", "b", "c"]
            .map(|nonce| (at + RTT, text(format!(r#"{{"nonce":"{nonce}"}}"#))))
            .into(),
        _ => Lines::new(),
    });
    assert_eq!(sent(&seen)[1..], ["0: a", "1: b", "2: c"]);
}

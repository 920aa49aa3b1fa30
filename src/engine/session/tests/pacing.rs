//! Tests when messages are sent: the open model, the closed one, and both together.

use super::play::play;
use super::script::{Heard, MS, RTT, S, Script, healthy, nothing};
use super::seen::Seen;
use crate::metric::{Counter, Timer};
use crate::units::{Nanos, Timestamp, after};

/// Returns a scenario of one connection for ten seconds that sends one kind of message.
fn sends(message: &str) -> String {
    format!(
        r#"
        load = {{ connections = 1, ramp_up = "0s", duration = "10s", ramp_down = "0s" }}
        message = [{{ name = "m", {message} }}]
        "#
    )
}

/// Answers each message after a time that depends on when it was received.
fn answers_after(delay: impl Fn(Timestamp) -> Nanos + 'static) -> Script {
    Script::new(move |at, heard| {
        let mut lines = healthy(at, heard);
        if let Heard::Text(_) = heard {
            lines[0].0 = at + delay(at);
        }
        lines
    })
}

fn every(gap: Nanos, until: Timestamp) -> Vec<Timestamp> {
    (0..)
        .map(|index| after(index * gap))
        .take_while(|at| *at < until)
        .collect()
}

#[test]
fn the_open_model_sends_on_schedule_though_no_answer_comes() {
    let scenario = sends(r#"rate = "20/s", phase = "aligned", timeout = "1s""#);
    let seen = play(&scenario, |_| {
        Script::new(|at, heard| match heard {
            Heard::Text(_) => nothing(),
            _ => healthy(at, heard),
        })
    });
    assert_eq!(seen.peer().messages(), every(50 * MS, after(10 * S)));
    assert_eq!(seen.timer(Timer::ScheduleLateness).max(), Some(0));
    let counters = [Counter::MessagesSent, Counter::MessagesTimedOut];
    assert_eq!(seen.counts(counters), [200, 200]);
}

#[test]
fn connections_send_at_different_times_unless_aligned() {
    let scenario = |phase: &str| {
        format!(
            r#"
            load = {{ connections = 10, ramp_up = "0s", duration = "5s", ramp_down = "0s" }}
            message = [{{ name = "m", rate = "1/s", phase = "{phase}" }}]
            "#
        )
    };
    let firsts = |seen: Seen| {
        let mut firsts: Vec<_> = seen.peers.iter().map(|peer| peer.messages()[0]).collect();
        firsts.sort_unstable();
        firsts
    };
    let spread = firsts(play(&scenario("spread"), |_| Script::new(healthy)));
    assert!(
        spread
            .windows(2)
            .all(|pair| pair[1].saturating_since(pair[0]) > 30 * MS),
        "{spread:?}"
    );
    let aligned = firsts(play(&scenario("aligned"), |_| Script::new(healthy)));
    assert_eq!(aligned, [Timestamp::ORIGIN; 10]);
}

#[test]
fn the_closed_model_sends_when_an_answer_is_there() {
    let seen = play(&sends("in_flight = 1"), |_| answers_after(|_| 200 * MS));
    assert_eq!(seen.peer().messages(), every(200 * MS, after(10 * S)));
    assert_eq!(seen.all.service(0).unwrap().max(), Some((200 * MS).0));
    assert_eq!(seen.all.latency(0).unwrap().max(), Some((200 * MS).0));
    let three = play(&sends("in_flight = 3"), |_| answers_after(|_| 200 * MS));
    assert_eq!(three.count(Counter::MessagesEchoed), 150);
}

#[test]
fn the_closed_model_goes_on_after_a_timeout() {
    let scenario = sends(r#"in_flight = 1, timeout = "2s""#);
    let seen = play(&scenario, |_| Script::silent_from(Timestamp::ORIGIN));
    assert_eq!(seen.peer().messages(), every(2 * S, after(10 * S)));
    assert_eq!(seen.count(Counter::MessagesTimedOut), 5);
}

#[test]
fn between_an_answer_and_the_next_send_is_time_to_think() {
    let seen = play(&sends(r#"in_flight = 1, think = "300ms""#), |_| {
        answers_after(|_| 200 * MS)
    });
    assert_eq!(seen.peer().messages(), every(500 * MS, after(10 * S)));
    // The time to think is not part of the latency.
    assert_eq!(seen.all.latency(0).unwrap().max(), Some((200 * MS).0));
}

#[test]
fn a_stall_is_one_outlier_in_service_time_and_fifty_in_latency() {
    let scenario = sends(r#"rate = "50/s", in_flight = 1, phase = "aligned""#);
    // Messages received within the sixth second are answered at its end.
    let stall = |at: Timestamp| match (after(5 * S)..after(6 * S)).contains(&at) {
        true => after(6 * S).saturating_since(at),
        false => RTT,
    };
    let seen = play(&scenario, move |_| answers_after(stall));
    let (service, latency) = (seen.all.service(0).unwrap(), seen.all.latency(0).unwrap());
    assert_eq!((service.count(), latency.count()), (500, 500));
    assert_eq!((service.max(), latency.max()), (Some(S.0), Some(S.0)));
    // All but one of 500 are 99.8 %, all but fifty are 90 %.
    assert!(service.percentile(99.8) < Some((2 * RTT).0));
    assert!(latency.percentile(89.0) < Some((2 * RTT).0));
    assert!(latency.percentile(90.5) > Some((20 * MS).0));
    assert!(seen.timer(Timer::ScheduleLateness).max() >= Some((979 * MS).0));
}

#[test]
fn what_waits_longer_than_its_timeout_is_not_sent() {
    let scenario = sends(r#"rate = "10/s", in_flight = 1, phase = "aligned", timeout = "3s""#);
    let seen = play(&scenario, |_| Script::silent_from(Timestamp::ORIGIN));
    // After each timeout the oldest waiting message that is not too old is sent.
    assert_eq!(seen.peer().messages(), every(3 * S, after(10 * S)));
    let counters = [
        Counter::MessagesDue,
        Counter::MessagesSent,
        Counter::MessagesNotSent,
        Counter::MessagesTimedOut,
    ];
    assert_eq!(seen.counts(counters), [100, 4, 96, 4]);
    assert!(seen.timer(Timer::ScheduleLateness).max() <= Some((3 * S).0));
}

#[test]
fn after_so_many_nothing_more_is_sent() {
    for pacing in [r#"rate = "1/s""#, "in_flight = 2"] {
        let seen = play(&sends(&format!("count = 3, {pacing}")), |_| {
            Script::new(healthy)
        });
        let counters = [
            Counter::MessagesDue,
            Counter::MessagesSent,
            Counter::MessagesEchoed,
        ];
        assert_eq!(seen.counts(counters), [3, 3, 3]);
        assert_eq!(seen.peer().close(), Some((after(10 * S), 1000)));
    }
}

#[test]
fn where_nothing_is_expected_nothing_is_waited_for() {
    let scenario = sends(r#"rate = "10/s", phase = "aligned", expect = "none""#);
    let seen = play(&scenario, |_| Script::new(healthy));
    let counters = [
        Counter::MessagesSent,
        Counter::MessagesEchoed,
        Counter::MessagesUnsolicited,
        Counter::MessagesTimedOut,
    ];
    // A message that answers nothing is counted as that.
    assert_eq!(seen.counts(counters), [100, 0, 100, 0]);
    assert_eq!(seen.peer().close(), Some((after(10 * S), 1000)));
}

#[test]
fn what_is_due_together_is_flushed_together() {
    let scenario = r#"
        load = { connections = 1, ramp_up = "0s", duration = "10s", ramp_down = "0s" }
        message = [{ name = "a", rate = "1/s", phase = "aligned" }, { name = "b", rate = "2/s", phase = "aligned" }]
        heartbeat = { interval = "1s", timeout = "1s", phase = "aligned" }
    "#;
    let seen = play(scenario, |_| Script::new(healthy));
    assert_eq!(seen.peer().heard().len(), 10 + 20 + 10 + 1);
    assert_eq!(seen.peer().flushes(), 20 + 1);
}

#[test]
fn a_message_belongs_to_the_window_of_its_intended_time() {
    let scenario = r#"
        load = { connections = 1, ramp_up = "0s", warm_up = "5s", duration = "10s", ramp_down = "0s" }
        message = [{ name = "m", rate = "1/s", phase = "aligned" }]
        heartbeat = { interval = "1s", timeout = "5s", phase = "aligned" }
    "#;
    // The last answers come after the load has ended.
    let seen = play(scenario, |_| {
        Script::new(|at, heard| {
            let mut lines = healthy(at, heard);
            lines.iter_mut().for_each(|line| line.0 = at + 2 * S);
            lines
        })
    });
    let [measured] = &seen.windows[..] else {
        panic!("{} windows", seen.windows.len());
    };
    for (counter, in_all) in [
        (Counter::MessagesDue, 15),
        (Counter::MessagesSent, 15),
        (Counter::MessagesEchoed, 15),
        // One more is due while the last answers are waited for.
        (Counter::PingsSent, 16),
        (Counter::PongsReceived, 16),
    ] {
        assert_eq!(
            (measured.counter(counter), seen.count(counter)),
            (10, in_all),
            "{counter}"
        );
    }
    assert_eq!(measured.latency(0).unwrap().count(), 10);
    assert_eq!(measured.timer(Timer::HeartbeatRtt).unwrap().count(), 10);
}

#[test]
fn results_are_kept_for_each_stage() {
    let scenario = r#"
        load.stages = [
            { duration = "4s", connections = 4 }, { duration = "4s", connections = 4 }, { duration = "4s", connections = 0 },
        ]
        load.ramp_down = "0s"
        message = [{ name = "m", rate = "5/s" }]
    "#;
    let seen = play(scenario, |_| answers_after(|_| 500 * MS));
    assert_eq!((seen.peers.len(), seen.windows.len()), (4, 3));
    for (stage, window) in seen.windows.iter().enumerate() {
        let times = after(stage as u64 * 4 * S)..after((stage as u64 + 1) * 4 * S);
        let messages = seen.peers.iter().flat_map(|peer| peer.messages());
        let heard = messages.filter(|at| times.contains(at)).count() as u64;
        assert!(heard > 0);
        assert_eq!(
            window.counter(Counter::MessagesSent),
            heard,
            "stage {stage}"
        );
        assert_eq!(
            window.counter(Counter::MessagesEchoed),
            heard,
            "stage {stage}"
        );
    }
    // Connections that are no longer needed close one after the other, each when its last answer has come.
    let mut closes: Vec<_> = seen
        .peers
        .iter()
        .map(|peer| peer.close().unwrap().0)
        .collect();
    closes.sort_unstable();
    assert!(
        closes
            .windows(2)
            .all(|pair| pair[1].saturating_since(pair[0]) > S / 2),
        "{closes:?}"
    );
    assert!(
        closes[0] > after(8 * S) && closes[3] <= after(12 * S + 500 * MS),
        "{closes:?}"
    );
    assert!(seen.endings.is_empty());
}

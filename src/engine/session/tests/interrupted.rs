//! Tests what a signal ends: what is due then is waited for two seconds at most, and the rest is abandoned.

use super::play::{Simulation, play};
use super::script::{Heard, Lines, MS, RTT, S, Script, fin, healthy, text};
use super::seen::Seen;
use crate::metric::{Cause, Counter};
use crate::units::{Nanos, Timestamp, after};

/// A long time, which no test waits for.
const LOAD: &str =
    r#"load = { connections = 1, ramp_up = "0s", duration = "60s", ramp_down = "0s" }"#;
/// The time of the signal.
const SIGNAL: Nanos = Nanos(4_500 * MS.0);
const SETUPS: [Counter; 3] = [
    Counter::SetupBegun,
    Counter::SetupReady,
    Counter::SetupAbandoned,
];
const DIALS: [Counter; 4] = [
    Counter::ConnectionsAttempted,
    Counter::ConnectionsOpened,
    Counter::ConnectionsFailed,
    Counter::ConnectionsAbandoned,
];

fn interrupted(scenario: &str, script: impl FnMut(usize) -> Script + 'static) -> Seen {
    let play = Simulation::new(scenario).interrupted_at(after(SIGNAL));
    play.run(script)
}

/// Answers nothing but a Close.
fn deaf() -> Script {
    Script::new(|at, heard| match heard {
        Heard::Text(_) => Lines::new(),
        _ => healthy(at, heard),
    })
}

#[test]
fn an_answer_is_waited_for_as_long_as_the_drain_lasts() {
    let message = r#"message = [{ name = "m", rate = "1/s", phase = "aligned", timeout = "60s" }]"#;
    let step = r#"
        [[step]]
        repeat = { rate = "1/s", phase = "aligned" }
        [[step.step]]
        name = "s"
        send = "s"
        expect = "echo"
        timeout = "60s"
    "#;
    for (what, sent) in [(message, 5), (step, 1)] {
        let seen = interrupted(&format!("{LOAD}\n{what}"), |_| deaf());
        let counters = [
            Counter::MessagesSent,
            Counter::MessagesLost,
            Counter::MessagesTimedOut,
        ];
        assert_eq!(seen.counts(counters), [sent, sent, 0]);
        // Half a second is left for the close.
        assert_eq!(seen.peer().close(), Some((after(6 * S), 1000)));
        assert_eq!(seen.causes(), []);
    }
    // An answer in that time is taken.
    let slow = |at: Timestamp, heard: &Heard| match heard {
        Heard::Text(bytes) => vec![(at + 1900 * MS, text(bytes.clone()))],
        _ => healthy(at, heard),
    };
    let seen = interrupted(&format!("{LOAD}\n{message}"), move |_| Script::new(slow));
    let echoed = seen.counts([Counter::MessagesSent, Counter::MessagesEchoed]);
    assert_eq!(echoed, [5, 5]);
    assert_eq!(seen.ended, after(5900 * MS + RTT));
}

#[test]
fn a_pong_and_a_turn_to_close_are_waited_for_no_longer() {
    let load = LOAD.replace(r#"ramp_down = "0s""#, r#"ramp_down = "30s""#);
    let load = load.replace("connections = 1", "connections = 10");
    let heartbeat = r#"heartbeat = { interval = "40s", timeout = "20s", phase = "aligned" }"#;
    let seen = interrupted(&format!("{load}\n{heartbeat}"), |_| {
        Script::new(|at, heard| match heard {
            Heard::Close(_) => healthy(at, heard),
            _ => Lines::new(),
        })
    });
    assert_eq!(seen.all.caused(Cause::Completed), 10);
    assert_eq!(seen.ended, after(6 * S + RTT));
}

/// The signal comes when the load has ended, and the last answers are waited for.
#[test]
fn a_signal_in_the_drain_ends_it() {
    let load = LOAD.replace("60s", "3s");
    let message = r#"message = [{ name = "m", rate = "1/s", timeout = "60s" }]"#;
    let scenario = format!("{load}\n{message}");
    let seen = interrupted(&scenario, |_| deaf());
    assert_eq!(seen.ended, after(6 * S + RTT));
    let alone = play(&scenario, |_| deaf());
    assert!(alone.ended > after(60 * S), "{:?}", alone.ended);
}

#[test]
fn who_does_not_end_tcp_is_given_up() {
    let scenario = format!("{LOAD}\ntarget.close_timeout = \"20s\"");
    let seen = interrupted(&scenario, |_| Script::new(|_, _| Lines::new()));
    assert_eq!(seen.peer().close(), Some((after(SIGNAL), 1000)));
    assert_eq!(seen.ended, after(SIGNAL + 2 * S));
    assert_eq!(seen.causes(), [Cause::CloseTimeout]);
    let detail = "a signal ended the run before `close_timeout` was over";
    assert_eq!(seen.endings[0].detail, detail);
}

#[test]
fn a_dial_is_abandoned() {
    // The third one lasts, as does the second dial of the second one.
    let load = r#"
        load = { connections = 3, ramp_up = "0s", duration = "60s", ramp_down = "0s",
            reconnect = { initial = "1s", max = "1s", jitter = "none" } }
    "#;
    let seen = interrupted(load, |dial| match dial {
        0 => Script::new(healthy),
        1 => Script::new(healthy).says(after(S), fin()),
        _ => Script::mute(),
    });
    assert_eq!(seen.counts(DIALS), [4, 2, 0, 2]);
    assert_eq!(seen.ended, after(SIGNAL) + RTT);
    let causes = seen.causes();
    assert_eq!(causes[1..], [Cause::Abandoned, Cause::Abandoned]);
}

const LOGIN: &str = r#"
    [[setup]]
    name = "login"
    send = "login"
    expect = "welcome"
    timeout = "30s"
"#;

/// A set-up that nobody answers ends with the load, however that ends: what it would begin is not due any more.
#[test]
fn a_set_up_is_abandoned_at_once() {
    let scenario = format!("{LOAD}\n{LOGIN}");
    let seen = interrupted(&scenario, |_| deaf());
    assert_eq!(seen.counts(SETUPS), [1, 0, 1]);
    assert_eq!(seen.ended, after(SIGNAL) + RTT);
    assert_eq!(seen.all.caused(Cause::Completed), 1);
    let scenario = scenario.replace("60s", "3s");
    let seen = play(&scenario, |_| deaf());
    assert_eq!(seen.counts(SETUPS), [1, 0, 1]);
    assert_eq!(seen.ended, after(3 * S) + RTT);
}

/// The answer crosses our Close: it makes nobody ready, and is no message that nobody asked for.
#[test]
fn what_comes_for_an_abandoned_set_up_is_not_counted() {
    let answer = |at: Timestamp, heard: &Heard| match heard {
        Heard::Text(_) => vec![(after(SIGNAL) + MS / 2, text("welcome"))],
        _ => healthy(at, heard),
    };
    let by_id = LOGIN.replace(
        "\"login\"\n    expect = \"welcome\"",
        "'{\"id\":{{id}}}'\n    expect = { \"/id\" = \"{{id}}\" }",
    );
    assert_ne!(by_id, LOGIN);
    let answer_by_id = |at: Timestamp, heard: &Heard| match heard {
        Heard::Text(bytes) => vec![(after(SIGNAL) + MS / 2, text(bytes.clone()))],
        _ => healthy(at, heard),
    };
    for seen in [
        interrupted(&format!("{LOAD}\n{LOGIN}"), move |_| Script::new(answer)),
        interrupted(&format!("{LOAD}\n{by_id}"), move |_| {
            Script::new(answer_by_id)
        }),
    ] {
        assert_eq!(seen.counts(SETUPS), [1, 0, 1]);
        let counters = [
            Counter::MessagesReceived,
            Counter::MessagesUnsolicited,
            Counter::MessagesDuplicated,
            Counter::MessagesLate,
        ];
        assert_eq!(seen.counts(counters), [1, 0, 0, 0]);
    }
}

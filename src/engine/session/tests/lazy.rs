//! Tests clients for which a worker does not wake: what comes for them has the kernel's times, and waits until something is
//! due.

use super::play::{Simulation, plan, play};
use super::script::{Lines, MS, RTT, S, Script, healthy, text};
use super::seen::Seen;
use crate::metric::{Counter, Timer};
use crate::units::after;

const SCENARIO: &str = r#"
    load = { connections = 1, ramp_up = "0s", duration = "20s", ramp_down = "0s" }
    message = [{ name = "echo", rate = "1/s" }]
    heartbeat = { interval = "5s", timeout = "2s", phase = "aligned" }
"#;

fn stamped() -> Script {
    Script::new(healthy).stamped_before(MS / 10)
}

fn counts(seen: &Seen) -> Vec<usize> {
    seen.awaited.iter().map(|(_, count)| *count).collect()
}

#[test]
fn what_was_read_late_came_when_the_kernel_says() {
    let came = RTT / 4;
    let seen = play(SCENARIO, move |_| {
        Script::new(healthy).stamped_before(RTT.saturating_sub(came))
    });
    assert_eq!(seen.all.latency(0).unwrap().max(), Some(came.0));
    assert_eq!(seen.timer(Timer::HeartbeatRtt).max(), Some(came.0));
}

#[test]
fn what_was_not_there_at_the_last_look_but_one_came_later_whatever_its_stamp_says() {
    let once = r#"
        load = { connections = 1, ramp_up = "0s", duration = "20s", ramp_down = "0s" }
        message = [{ name = "echo", rate = "1/s", count = 1, phase = "aligned" }]
    "#;
    let looked = RTT / 2;
    let seen = Simulation::new(once)
        .looked_at(after(looked))
        .run(|_| Script::new(healthy).stamped_before(RTT));
    assert_eq!(seen.all.latency(0).unwrap().max(), Some(looked.0));
}

#[test]
fn nobody_waits_for_one_that_sends_on_a_schedule_until_it_closes() {
    let seen = play(SCENARIO, |_| stamped());
    assert_eq!(counts(&seen), [0, 1, 0]);
    assert!(seen.awaited[1].0 >= after(20 * S), "{:?}", seen.awaited);
}

#[test]
fn without_stamps_a_worker_waits_for_each() {
    let seen = play(SCENARIO, |_| Script::new(healthy));
    assert_eq!(counts(&seen), [1, 0]);
}

#[test]
fn one_that_cannot_write_is_waited_for() {
    let seen = play(SCENARIO, |_| stamped().blocked(after(3 * S)..after(6 * S)));
    assert_eq!(counts(&seen), [0, 1, 0, 1, 0]);
    assert_eq!(seen.awaited[2].0, after(6 * S));
}

#[test]
fn nothing_comes_while_a_client_waits_to_dial_again() {
    let again = r#"
        load = { connections = 1, ramp_up = "0s", duration = "9s", reconnect = { initial = "3s", max = "3s", jitter = "none" } }
        message = []
        heartbeat = "off"
    "#;
    let seen = play(again, |_| Script::refused());
    assert_eq!(counts(&seen), [0]);
    assert!(seen.count(Counter::ConnectionsFailed) > 1);
}

/// The worker slept until the deadline, and the answer came before it: it is there at the next look.
#[test]
fn a_deadline_is_judged_after_a_look() {
    let timeout = r#"
        load = { connections = 1, ramp_up = "0s", duration = "5s", ramp_down = "0s" }
        message = [{ name = "echo", rate = "1/s", count = 1, phase = "aligned", timeout = "100ms" }]
    "#;
    let late = |at, _: &_| -> Lines { vec![(at + 300 * MS, text("no stamp"))] };
    for (script, polls) in [
        (Script::new(late), 0),
        (Script::new(late).stamped_before(MS / 10), 1),
    ] {
        let mut script = Some(script);
        let seen = play(timeout, move |_| script.take().unwrap());
        assert_eq!(seen.count(Counter::MessagesTimedOut), 1);
        let mut other = Some(Script::new(late));
        let plain = play(timeout, move |_| other.take().unwrap());
        assert_eq!(seen.polls - plain.polls, polls);
    }
}

#[test]
fn only_clients_that_depend_on_nothing_that_comes_are_let_wait() {
    let lazy = [
        r#"message = [{ name = "a", rate = "1/s" }]"#,
        r#"message = [{ name = "a", rate = "1/s", expect = "none" }]"#,
        r#"message = [{ name = "a", rate = "1/s", expect = "stamp" }]"#,
        r#"message = []"#,
    ];
    let eager = [
        r#"message = [{ name = "a", in_flight = 1 }]"#,
        r#"message = [{ name = "a", rate = "1/s", in_flight = 1 }]"#,
        r#"message = [{ name = "a", rate = "1/s", payload = { text = "x" } }]"#,
        r#"message = [{ name = "a", rate = "1/s", payload = { text = "x" }, expect = { prefix = "x" } }]"#,
        r#"message = []
        heartbeat = { kind = "text", send = "ping", expect = "pong" }"#,
        r#"message = []
        step = [{ name = "s", await = { prefix = "x" } }]"#,
        r#"message = []
        on = [{ name = "o", match = { prefix = "x" }, reply = { text = "y" } }]"#,
        r#"message = []
        fault = [{ kind = "no_pong" }]"#,
        r#"message = []
        contract = { closed = 0 }"#,
    ];
    let is_lazy = |cohort: &str| {
        let text = format!("[[cohort]]\nname = \"one\"\nconnections = 1\n{cohort}");
        plan(&text).is_lazy(0)
    };
    for cohort in lazy {
        assert!(is_lazy(cohort), "{cohort}");
    }
    for cohort in eager {
        assert!(!is_lazy(cohort), "{cohort}");
    }
}

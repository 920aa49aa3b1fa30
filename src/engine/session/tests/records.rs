//! Tests the record of a connection whose cohort has a contract.

use super::bad::{IDLE, always, bad, between, contract};
use super::play::Simulation;
use super::script::{MS, PORT, RTT, S, Script, close, fin, healthy, nothing, ping, text};
use crate::measure::{ConnectionRecord, EndedBy};
use crate::metric::Cause;
use crate::scenario::{Activity, FaultKind, PromiseKind};
use crate::units::{Nanos, Timestamp, after};

const BEATING: &str = r#"
    target.close_timeout = "3s"
    load = { connections = 1, ramp_up = "0s", duration = "60s", ramp_down = "0s" }
    heartbeat = { interval = "10s", timeout = "2s", phase = "aligned", on_dead = "keep" }
"#;

/// Returns a healthy client of a server that promises something.
fn watched(text: &str) -> Simulation {
    Simulation::new(text).with(|cohort| {
        cohort.contract = Some(contract(PromiseKind::DetectedBetween.of(between(0, 20))));
    })
}

#[test]
fn without_a_contract_nothing_is_kept() {
    let seen = Simulation::new(IDLE).run(|_| Script::new(healthy));
    assert!(seen.records.is_empty());
}

#[test]
fn a_quiet_life_is_kept_too() {
    let seen = watched(IDLE).run(|_| Script::new(healthy).says(after(S), ping()));
    let record = seen.record();
    assert_eq!((record.connection, record.cohort), (0, 0));
    assert_eq!(record.local_port, Some(PORT));
    assert_eq!(
        (record.opened_ns, record.lost_before_ns),
        (Timestamp::ORIGIN, None)
    );
    assert_eq!((record.fault_ns, record.unanswered_ping_ns), (None, None));
    assert_eq!(
        (record.close_sent_ns, record.close_sent_code),
        (Some(after(60 * S)), Some(1000))
    );
    assert_eq!(record.tcp_end_ns, Some(after(60 * S + RTT)));
    assert_eq!(
        (record.ended_by, record.cause),
        (EndedBy::Plan, Cause::Completed)
    );
    assert_eq!(record.ended_ns, after(60 * S + RTT));
}

#[test]
fn when_a_client_was_ready_is_kept_and_its_fault_counts_from_there() {
    let seen = watched(IDLE).run(|_| Script::new(healthy).stamped_before(200 * MS));
    let record = seen.record();
    assert_eq!(record.ready_ns, Some(record.opened_ns));
    let setup = "[[setup]]\nname = \"open\"\nawait = \"go\"\ntimeout = \"9s\"";
    let fault = (3 * S, FaultKind::NoPong);
    let simulation = bad(&format!("{IDLE}{setup}"), [fault]);
    let seen = simulation.run(|_| Script::new(healthy).says(after(2 * S), text("go")));
    let record = seen.record();
    assert_eq!(record.ready_ns, Some(after(2 * S)));
    assert_eq!(record.fault_ns, Some(after(5 * S)));
    let never = watched(&format!("{IDLE}{setup}")).run(|_| Script::new(healthy));
    assert_eq!(never.record().ready_ns, None);
}

#[test]
fn the_kernels_stamps_are_the_times() {
    let seen = watched(IDLE).run(|_| {
        let script = Script::new(healthy).stamped_before(200 * MS);
        let script = script
            .says(after(5 * S), ping())
            .says(after(6 * S), text("news"));
        script.says(after(20 * S), close(Some(1001)))
    });
    let record = seen.record();
    let at = |seconds| after(seconds * S).saturating_sub(200 * MS);
    assert_eq!(record.pings_ns, [at(5)]);
    assert_eq!(record.first_answer_ns, Some(at(6)));
    assert_eq!(
        (record.close_received_ns, record.tcp_end_ns),
        (Some(at(20)), Some(at(20) + RTT))
    );
    assert_eq!(record.decided_ns(), Some(at(20)));
}

/// Two connections; the second opens in the middle of the ramp-up.
const RAMP: &str = r#"
    target.close_timeout = "3s"
    load = { connections = 2, ramp_up = "10s", duration = "60s", ramp_down = "0s" }
"#;

#[test]
fn a_life_its_silence_and_its_faults_begin_with_the_stamp_of_the_101() {
    let [on_time, late] = [Nanos::ZERO, 200 * MS].map(|lag| {
        let play = bad(RAMP, [(S, FaultKind::NoPong)]);
        let seen = play.run(move |_| Script::new(healthy).stamped_before(lag));
        let second = seen.records.iter().find(|record| record.connection == 1);
        second.unwrap().clone()
    });
    assert!(on_time.opened_ns > after(S));
    assert_eq!(late.opened_ns, on_time.opened_ns.saturating_sub(200 * MS));
    assert_eq!(late.last_sent_ns, Some(late.opened_ns));
    assert_eq!(late.fault_ns, Some(late.opened_ns + S));
}

/// Sends a message each second.
const TALKATIVE: &str = r#"
    target.close_timeout = "3s"
    load = { connections = 1, ramp_up = "0s", duration = "60s", ramp_down = "0s" }
    message = [{ name = "m", rate = "1/s", phase = "aligned", timeout = "9s", expect = "none" }]
"#;

#[test]
fn what_follows_a_close_of_either_side_is_no_activity() {
    let ours = watched(TALKATIVE).run(|_| Script::new(healthy));
    assert_eq!(ours.peer().close(), Some((after(60 * S), 1000)));
    assert_eq!(ours.record().last_sent_ns, Some(after(59 * S)));
    let closes = |script: Script| script.says(after(20_500 * MS), close(Some(1001)));
    let pong = watched(IDLE).run(move |_| closes(Script::new(healthy)).says(after(5 * S), ping()));
    assert_eq!(pong.record().last_sent_ns, Some(after(5 * S)));
    let message = watched(TALKATIVE).run(move |_| closes(Script::new(healthy)));
    assert_eq!(message.record().last_sent_ns, Some(after(20 * S)));
    // A message that could not be sent before the Close is sent with the answer to it.
    let blocked = move || closes(Script::new(healthy).blocked(after(18_500 * MS)..after(22 * S)));
    let waited = watched(TALKATIVE).run(move |_| blocked());
    assert_eq!(waited.peer().messages().last(), Some(&after(22 * S)));
    assert_eq!(waited.record().last_sent_ns, Some(after(18 * S)));
    let (frame, every) = (Activity::Ping, always(S));
    let raw = bad(IDLE, [(Nanos::ZERO, FaultKind::Only { frame, every })]).run(move |_| blocked());
    assert_eq!(
        raw.peer().put().last().map(|(at, _)| *at),
        Some(after(22 * S))
    );
    assert_eq!(raw.record().last_sent_ns, Some(after(18 * S)));
}

#[test]
fn what_a_late_worker_sends_after_the_end_is_no_activity() {
    for end in [close(Some(1001)), fin()] {
        // The message of 20 s is sent before the data that came at 19.9 s is read.
        let seen = watched(TALKATIVE).run(move |_| {
            let script = Script::new(healthy).stamped_before(200 * MS);
            script.says(after(20_100 * MS), end.clone())
        });
        assert_eq!(seen.peer().messages().last(), Some(&after(20 * S)));
        assert_eq!(seen.record().decided_ns(), Some(after(19_900 * MS)));
        assert_eq!(seen.record().last_sent_ns, Some(after(19 * S)));
    }
}

#[test]
fn what_comes_while_the_session_was_put_aside_came_when_it_came() {
    let seen = watched(IDLE).run(|_| {
        let script = Script::new(healthy).stamped_after(MS);
        script
            .says(after(5 * S), ping())
            .says(after(20 * S), close(Some(1001)))
    });
    let record = seen.record();
    assert_eq!(record.pings_ns, [5 * S + MS].map(after));
    assert_eq!(record.close_received_ns, Some(after(20 * S + MS)));
    assert!(record.ended_ns >= record.tcp_end_ns.unwrap());
}

#[test]
fn silence_and_what_follows_it_are_kept() {
    // No pong for the pings of 20 and 30 s.
    let deaf = |at| (after(15 * S)..after(35 * S)).contains(&at);
    let seen = watched(BEATING).run(move |_| {
        Script::new(move |at, heard| {
            if deaf(at) {
                nothing()
            } else {
                healthy(at, heard)
            }
        })
    });
    let record = seen.record();
    assert_eq!(record.dead_ns, Some(after(22 * S)));
    assert_eq!(
        record.dead_as,
        Some(Cause::MissedPong),
        "a script has no kernel"
    );
    assert_eq!(record.resumed_ns, [40 * S + RTT].map(after));
    assert_eq!(record.first_answer_ns, Some(after(RTT)));
    assert_eq!(record.ended_by, EndedBy::Plan);
}

#[test]
fn a_server_that_was_declared_dead_was_ended_by_the_heartbeat() {
    for policy in ["close", "reconnect"] {
        let text = BEATING.replace("\"keep\"", &format!("\"{policy}\""));
        let text = text.replace(
            "load = {",
            "load = { reconnect = { initial = \"1s\", max = \"1s\" },",
        );
        let seen = watched(&text).run(|_| Script::silent_from(after(15 * S)));
        let record = &seen.records[0];
        assert_eq!(record.dead_ns, Some(after(22 * S)), "{policy}");
        assert_eq!(record.ended_by, EndedBy::Heartbeat);
        assert_eq!(record.decided_ns(), None);
    }
}

#[test]
fn pings_are_kept_up_to_a_number_and_frames_after_a_close_are_counted() {
    let seen = watched(IDLE).run(|_| {
        let script = Script::new(healthy).speaks_after_close(2);
        let pings = (1..=40).fold(script, |script, second| {
            script.says(after(second * S), ping())
        });
        pings.says(after(50 * S), close(Some(1000)))
    });
    assert_eq!(seen.record().pings_ns.len(), ConnectionRecord::MAX_PINGS);
    assert_eq!(seen.record().frames_after_close, 2);
}

#[test]
fn a_client_with_auto_pong_off_leaves_pings_unanswered() {
    let text = BEATING.replace("on_dead", "auto_pong = false, on_dead");
    let seen = watched(&text).run(|_| {
        Script::new(healthy)
            .says(after(S), ping())
            .says(after(2 * S), ping())
    });
    assert_eq!(seen.record().unanswered_ping_ns, Some(after(S)));
}

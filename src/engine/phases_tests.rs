//! Tests the phases of a run, event by event, without a thread or a clock.

use super::*;
use crate::engine::session::tests::plan;
use crate::units::{Nanos, Timestamp, after};

const S: Nanos = Nanos::from_secs(1);
const STEADY: &str =
    r#"load = { connections = 5, ramp_up = "1s", warm_up = "2s", duration = "2s" }"#;

fn phases(load: &str) -> Phases {
    Phases::new(&plan(load))
}

/// Returns the phase at the end of each of the first seconds.
fn labels<const N: usize>(phases: &Phases) -> [String; N] {
    std::array::from_fn(|second| phases.at(after((second as u64 + 1) * S)).to_string())
}

fn told(phases: &mut Phases, event: Event, now: Timestamp) -> Option<Command> {
    phases.on(event, now).unwrap()
}

#[test]
fn the_phases_of_a_steady_load_follow_one_another() {
    let mut steady = phases(STEADY);
    assert_eq!(steady.known(), None);
    assert_eq!(labels(&steady), ["ramp_up", "ramp_up"]);
    // All connections are open after 1.5 seconds.
    let command = told(
        &mut steady,
        Event::Settled,
        Timestamp::from_nanos(1_500_000_000),
    );
    let (from, to) = (after(3 * S + S / 2), after(5 * S + S / 2));
    assert_eq!(command, Some(Command::Schedule { from, to }));
    assert_eq!(
        labels(&steady),
        [
            "ramp_up", "warm_up", "warm_up", "measure", "measure", "drain"
        ]
    );
    let half_a_second = Duration::from_millis(500);
    let span = Some((Duration::from_secs(2), half_a_second));
    assert_eq!(steady.span(after(3 * S)), span, "of the warm-up");
    assert_eq!(steady.span(after(5 * S)), span, "of what is measured");
    assert_eq!(steady.span(after(6 * S)), None);
    assert_eq!(steady.measured(after(5 * S)), [1.5]);
    assert_eq!(steady.measured_in_all(after(9 * S)), [2.0]);
}

#[test]
fn without_warm_up_there_is_no_such_phase() {
    let mut steady = phases(r#"load = { connections = 5, ramp_up = "1s", duration = "2s" }"#);
    told(&mut steady, Event::Settled, after(S));
    assert_eq!(steady.measure_from(), Some(after(S + NOTICE)));
    assert_eq!(labels(&steady), ["ramp_up", "measure", "measure", "drain"]);
}

#[test]
fn stages_and_arrivals_have_no_ramp() {
    let mut stages = phases(
        r#"load.stages = [{ duration = "1s", connections = 5 }, { duration = "2s", connections = 0 }]"#,
    );
    let known = Command::Schedule {
        from: Timestamp::ORIGIN,
        to: after(3 * S),
    };
    assert_eq!(stages.known(), Some(known));
    assert_eq!(labels(&stages), ["stage_1", "stage_2", "stage_2", "drain"]);
    assert_eq!(
        told(&mut stages, Event::Settled, after(S)),
        None,
        "nobody waited"
    );
    let arrivals = phases(
        r#"
        load = { arrivals = { rate = "5/s", lifetime = "1s" }, warm_up = "1s", duration = "1s" }
        "#,
    );
    assert_eq!(labels(&arrivals), ["warm_up", "measure", "drain"]);
}

/// A signal comes during the ramp-up, and the last dial ends long after it.
#[test]
fn what_settles_after_the_end_begins_no_measuring() {
    let mut steady = phases(STEADY);
    let cut = told(&mut steady, Event::Signal, after(S));
    assert_eq!(
        cut,
        Some(Command::Interrupt {
            at: after(S + NOTICE),
            drained_by: after(3 * S),
        })
    );
    assert_eq!(told(&mut steady, Event::Settled, after(2 * S)), None);
    assert_eq!(steady.measure_from(), None);
    assert_eq!(labels(&steady), ["ramp_up", "drain"]);
}

#[test]
fn a_failure_or_a_gate_ends_the_load_at_once() {
    for event in [Event::Failed, Event::Aborted] {
        let mut steady = phases(STEADY);
        told(&mut steady, Event::Settled, after(S));
        let at = after(4 * S + NOTICE);
        assert_eq!(
            told(&mut steady, event, after(4 * S)),
            Some(Command::CutShort { at })
        );
        assert!(steady.is_over(at) && !steady.is_over(at.saturating_sub(Nanos(1))));
        assert!(!steady.is_interrupted());
    }
}

#[test]
fn the_load_ends_no_later_than_it_was_to() {
    let mut steady = phases(STEADY);
    told(&mut steady, Event::Settled, after(S));
    told(&mut steady, Event::Failed, after(9 * S));
    assert!(steady.is_over(after(5 * S)));
}

/// A signal during the load interrupts the run; one in the drain does not.
#[test]
fn a_signal_in_the_drain_interrupts_nothing() {
    for (at, interrupted) in [(4 * S, true), (6 * S, false)] {
        let mut steady = phases(STEADY);
        told(&mut steady, Event::Settled, after(S));
        told(&mut steady, Event::Signal, after(at));
        assert_eq!(steady.is_interrupted(), interrupted);
        let left = (Duration::from_secs(2), Duration::from_millis(1500));
        assert_eq!(steady.span(after(at + S / 2)), Some(left), "of the drain");
        let second = steady.on(Event::Signal, after(at + Nanos(1)));
        assert!(matches!(second, Err(EngineError::Killed)));
    }
}

/// Only a signal ends it, and that is no interruption once something is measured.
#[test]
fn an_endless_load_ends_by_a_signal() {
    const ENDLESS: &str = r#"load = { connections = 5, warm_up = "2s", duration = "endless" }"#;
    for (at, interrupted) in [(2 * S, true), (30 * 24 * 3600 * S, false)] {
        let mut endless = phases(ENDLESS);
        let command = told(&mut endless, Event::Settled, after(S));
        let (from, to) = (after(3 * S), Timestamp::NEVER);
        assert_eq!(command, Some(Command::Schedule { from, to }));
        assert_eq!(
            labels(&endless),
            ["ramp_up", "warm_up", "warm_up", "measure"]
        );
        let later = after(400 * 24 * 3600 * S);
        assert_eq!(endless.at(later), Phase::Measure);
        assert_eq!(endless.span(later), None);
        assert!(!endless.is_over(later));
        assert_eq!(endless.measured_since(after(10 * S), after(70 * S)), [60.0]);
        assert_eq!(endless.measured_since(after(S), after(4 * S)), [1.0]);
        told(&mut endless, Event::Signal, after(at));
        assert_eq!(endless.is_interrupted(), interrupted);
        assert!(endless.is_over(after(at + NOTICE)));
        assert!(endless.on(Event::Signal, after(at + S)).is_err());
    }
}

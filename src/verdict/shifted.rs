//! Estimates what lost answers did to the times of answers that name no message.
//!
//! An answer without a stamp is taken for the oldest message that waits. If one is lost while others wait, the answers
//! after it are taken for older messages until the lost one times out: their times are too long, never too short.

use std::time::Duration;

use super::lag::Range;
use super::observe::value_of;
use super::view::{View, looked_at};
use crate::measure::Summary;
use crate::metric::Counter;
use crate::scenario::{Cohort, Gate, Message, Pacing, Scenario, Stat, Subject};

/// Doubles the estimate of how many answers came in the time of a timeout, because load comes in bursts.
const BURSTS: f64 = 2.0;

/// What lost answers may have done to the value that a gate looks at.
pub(super) struct Shift {
    /// The messages that timed out in the cohorts that the gate looks at.
    pub(super) timed_out: u64,
    /// The range in which the true value may lie.
    pub(super) range: Range,
}

/// Looks at a gate on the times of a message; `None` if its answers name it, wait for each other, or all came.
pub(super) fn of(scenario: &Scenario, view: &View<'_>, gate: &Gate, seen: f64) -> Option<Shift> {
    let Subject::Stat(stat, selector) = &gate.subject else {
        return None;
    };
    let (group, name) = selector.metric.split_once('.')?;
    if !matches!(group, "latency" | "service") {
        return None;
    }
    let times = Summary::merged(view.of(selector))?;
    value_of(*stat, &times)?;
    let samples = times.count() as f64;
    let (mut timed_out, mut touched) = (0, 0.0);
    for cohort in looked_at(scenario, selector) {
        let Some(timeout) = shifts_for(cohort, name) else {
            continue;
        };
        let lost = view.count_of(Counter::MessagesTimedOut.name(), &cohort.name);
        let each_second = samples / view.all().measured_seconds / f64::from(cohort.connections);
        timed_out += lost;
        touched += lost as f64 * each_second * timeout.as_secs_f64() * BURSTS;
    }
    if timed_out == 0 {
        return None;
    }
    let touched = touched.ceil().max(1.0) / samples;
    let lowest = match stat {
        // The true times of those that were touched may be any lower ones.
        Stat::Percentile(percent) => {
            let rest = percent - 100.0 * touched;
            let rest = (rest > 0.0).then(|| times.percentile(rest)).flatten();
            rest.unwrap_or(0) as f64
        }
        _ => 0.0,
    };
    let range = Range {
        lo: lowest.min(seen),
        hi: seen,
    };
    Some(Shift { timed_out, range })
}

/// For how long a lost answer to this message shifts the answers after it: its timeout, if they carry no stamp and
/// several messages can wait for their answers.
fn shifts_for(cohort: &Cohort, name: &str) -> Option<Duration> {
    let several = |message: &Message| match message.pacing {
        Pacing::Open { in_flight, .. } => in_flight != Some(1),
        Pacing::Closed { in_flight, .. } => in_flight > 1,
    };
    let mut messages = cohort.messages.iter();
    let message = messages.find(|message| message.name == name)?;
    (message.is_matched_by_order() && several(message)).then_some(message.timeout)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Run, scenario, timed_gate};
    use super::super::judge::judge;
    use super::super::{Exit, Facts};
    use super::*;
    use crate::scenario::{Op, Payload};

    const MS: f64 = 1e6;

    /// Judges a run in which 1 % of the answers took 60 ms and the others 1 ms, and this many were lost.
    fn exit(scenario: &Scenario, lost: u64, gate: Gate) -> (Exit, Vec<&'static str>) {
        let mut scenario = scenario.clone();
        scenario.gates.pass = vec![gate];
        let mut run = Run::healthy();
        run.echoed(1_100, 60_000_000)
            .sent(lost)
            .add(Counter::MessagesDue, 1_100 + lost)
            .add(Counter::MessagesTimedOut, lost);
        let verdict = judge(&scenario, &run.summary(), &Facts::completed(2));
        let kinds = verdict.distrust.iter().map(|doubt| doubt.reason.kind());
        (verdict.exit, kinds.collect())
    }

    fn unstamped(in_flight: Option<u32>) -> Scenario {
        let mut scenario = scenario();
        let message = &mut scenario.cohorts[0].messages[0];
        message.payload = Payload::Fixed(b"ping".as_slice().into());
        if let Pacing::Open { in_flight: own, .. } = &mut message.pacing {
            *own = in_flight;
        }
        scenario
    }

    fn p(percent: f64, op: Op, ms: f64) -> Gate {
        timed_gate(Stat::Percentile(percent), "latency.echo", op, ms * MS)
    }

    #[test]
    fn a_lost_answer_voids_a_failure_that_it_can_explain() {
        let shifted = (Exit::Untrusted, vec!["answers_shifted"]);
        let (failed, passed) = ((Exit::Failed, vec![]), (Exit::Passed, vec![]));
        // The actual sends took half of it, so that lateness is not the reason.
        let upper = || p(99.5, Op::Less, 25.0);
        assert_eq!(exit(&unstamped(None), 1, upper()), shifted);
        assert_eq!(
            exit(&unstamped(None), 0, upper()),
            failed,
            "all answers came"
        );
        assert_eq!(exit(&scenario(), 1, upper()), failed, "a stamp names each");
        assert_eq!(
            exit(&unstamped(Some(1)), 1, upper()),
            failed,
            "one at a time"
        );
        // One timeout cannot have shifted half of all answers.
        assert_eq!(exit(&unstamped(None), 1, p(50.0, Op::Less, 0.5)), failed);
        let most = timed_gate(Stat::Max, "service.echo", Op::Less, 20.0 * MS);
        assert_eq!(exit(&unstamped(None), 1, most), shifted);
        assert_eq!(exit(&unstamped(None), 1, p(99.5, Op::Less, 100.0)), passed);
    }

    #[test]
    fn a_lost_answer_voids_a_lower_limit_that_held() {
        let lower = |ms| p(99.5, Op::Greater, ms);
        let shifted = (Exit::Untrusted, vec!["answers_shifted"]);
        assert_eq!(exit(&unstamped(None), 1, lower(50.0)), shifted);
        assert_eq!(
            exit(&unstamped(None), 0, lower(50.0)),
            (Exit::Passed, vec![])
        );
        assert_eq!(
            exit(&unstamped(None), 1, lower(70.0)),
            (Exit::Failed, vec![])
        );
    }
}

//! Finds the reasons not to trust a verdict.
//! Each limit stands here, with its reason.

use super::contract::{pings_sent_late, tightest};
use super::distrust::{Distrust, NOT_SENT_LIMIT};
use super::facts::{
    Facts, Outcome, expects_echoes, expects_pongs, is_open_model, planned_connections,
};
use super::failures::Failures;
use super::view::View;
use crate::measure::Summary;
use crate::metric::{Counter, Timer};
use crate::scenario::{Gate, Op, Scenario, Stat, Subject};

/// Sends later than this are seen in any latency.
const LATE_LIMIT_NS: u64 = 10_000_000;
/// Or later than this part of the tightest latency gate.
const LATE_PART_OF_GATE: f64 = 0.1;
/// Workers that are woken later than this part of the tightest window of a contract cannot judge it.
const LATE_PART_OF_WINDOW: f64 = 0.1;

/// Every reason there is.
pub(super) fn find(scenario: &Scenario, view: &View<'_>, facts: &Facts) -> Vec<Distrust> {
    let all = view.all();
    let mut found = Vec::from_iter(relay_refused(facts));
    if all.count(Counter::ConnectionsOpened.name()) == 0 {
        found.push(Distrust::NoConnection {
            planned: planned_connections(scenario),
            failures: Failures::of(all),
        });
        return found;
    }
    if facts.outcome == Outcome::Completed {
        found.extend(no_answer(scenario, view));
    }
    if is_open_model(scenario) {
        found.extend(not_sent(view));
        found.extend(lateness(scenario, view).and_then(Lateness::distrust));
    }
    found.extend(workers_late(scenario, all));
    found.extend(pings_late(scenario, all, facts));
    found
}

/// Asked only where everything held: a failure stands on what was seen, a pass on all that was there to see.
pub(super) fn unproven(view: &View<'_>) -> impl Iterator<Item = Distrust> {
    let more = view.all().records.more;
    let not_judged = (more > 0).then(|| Distrust::NotJudged {
        kept: view.all().records.rows.len() as u64,
        more,
    });
    lost(view).into_iter().chain(not_judged)
}

fn lost(view: &View<'_>) -> Option<Distrust> {
    let lost = view.count(Counter::ConnectionsLost.name());
    let opened = view.count(Counter::ConnectionsOpened.name());
    (lost * 2 > opened).then_some(Distrust::ConnectionsLost { lost, opened })
}

/// Answers outside of the measured window count too: they show that the server answers.
fn no_answer(scenario: &Scenario, view: &View<'_>) -> Option<Distrust> {
    if !expects_echoes(scenario) && !expects_pongs(scenario) {
        return None;
    }
    let total = |counters: &[Counter]| -> u64 {
        let totals = counters.iter().map(|counter| view.total(counter.name()));
        totals.sum()
    };
    let answers = total(&[
        Counter::MessagesEchoed,
        Counter::MessagesMismatched,
        Counter::MessagesLate,
        Counter::PongsReceived,
        Counter::PongsLate,
    ]);
    let sent = total(&[Counter::MessagesSent, Counter::PingsSent]);
    // A server that speaks by itself has shown that it is there, where it was not asked anything yet.
    let spoke = sent == 0 && total(&[Counter::MessagesReceived]) > 0;
    (answers == 0 && !spoke).then_some(Distrust::NoAnswer { sent })
}

fn not_sent(view: &View<'_>) -> Option<Distrust> {
    let due = view.count(Counter::MessagesDue.name());
    let not_sent = view.count(Counter::MessagesNotSent.name());
    // A connection that is lost takes what was due at that very moment with it: that is not the generator's doing.
    let own = not_sent.saturating_sub(lost_of_senders(view));
    (own as f64 > due as f64 * NOT_SENT_LIMIT).then_some(Distrust::NotSent { not_sent, due })
}

/// Lost connections of those whose messages are looked at; also where their end was expected.
fn lost_of_senders(view: &View<'_>) -> u64 {
    let (lost, sent) = (Counter::ConnectionsLost, Counter::MessagesSent);
    view.count_where(lost.name(), sent.name())
}

/// What wsbench's own relay does for want of a descriptor is no fault of the path, and none of the server.
fn relay_refused(facts: &Facts) -> Option<Distrust> {
    let relayed = facts.surroundings.relayed?;
    (relayed.refused > 0).then_some(Distrust::RelayRefused {
        refused: relayed.refused,
        connections: relayed.connections,
    })
}

/// The kernel stamps what comes, but only a worker that is awake sends, looks and ends in time.
fn workers_late(scenario: &Scenario, summary: &Summary) -> Option<Distrust> {
    let window = tightest(scenario)?;
    let lag = summary.histogram(Timer::GeneratorLoopLag.name())?;
    let p99_9_ns = lag.percentile(99.9)?;
    let limit_ns = (window.width_ns as f64 * LATE_PART_OF_WINDOW) as u64;
    (p99_9_ns > limit_ns).then_some(Distrust::WorkersLate {
        p99_9_ns,
        limit_ns,
        contract: window.contract,
        cohort: window.cohort,
    })
}

/// A promise counts from when a ping was due, so that a late generator hides no late server; nor may it convict one.
fn pings_late(scenario: &Scenario, summary: &Summary, facts: &Facts) -> Option<Distrust> {
    let (cohort, from_due_ns, from_sent_ns) =
        pings_sent_late(scenario, summary, &facts.surroundings)?;
    Some(Distrust::PingsLate {
        cohort: cohort.to_owned(),
        from_due_ns,
        from_sent_ns,
    })
}

/// How late the sends were, and how late they may be.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lateness {
    pub(super) p99_ns: u64,
    pub(super) limit_ns: u64,
    gate: Option<String>,
}

impl Lateness {
    pub(super) fn is_over(&self) -> bool {
        self.p99_ns > self.limit_ns
    }

    fn distrust(self) -> Option<Distrust> {
        self.is_over().then_some(Distrust::SendsLate {
            p99_ns: self.p99_ns,
            limit_ns: self.limit_ns,
            gate: self.gate,
        })
    }
}

/// `None` where nothing was sent on a schedule.
pub(super) fn lateness(scenario: &Scenario, view: &View<'_>) -> Option<Lateness> {
    let late = view.histogram(Timer::ScheduleLateness.name())?;
    let p99_ns = late.percentile(99.0)?;
    let tightest = (scenario.gates.pass.iter())
        .filter(|gate| bounds_latency(gate))
        .min_by(|a, b| a.value.total_cmp(&b.value));
    let of_gate = tightest.map(|gate| (gate.value * LATE_PART_OF_GATE) as u64);
    let (limit_ns, gate) = match (of_gate, tightest) {
        (Some(limit), Some(gate)) if limit < LATE_LIMIT_NS => (limit, Some(gate.text.clone())),
        _ => (LATE_LIMIT_NS, None),
    };
    Some(Lateness {
        p99_ns,
        limit_ns,
        gate,
    })
}

/// Only latency is counted from the intended send, so only it takes a late one for the server's.
fn bounds_latency(gate: &Gate) -> bool {
    let Subject::Stat(stat, selector) = &gate.subject else {
        return false;
    };
    selector.metric.starts_with("latency.")
        && !matches!(stat, Stat::Count | Stat::Rate)
        && matches!(gate.op, Op::Less | Op::LessOrEqual)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Run, gate, scenario, timed_gate};
    use super::*;
    use crate::measure::Relayed;
    use crate::scenario::{Between, Contract, Origin, Pacing, PromiseKind, Shape};
    use std::time::Duration;

    fn found(scenario: &Scenario, run: &Run) -> Vec<Distrust> {
        let summary = run.summary();
        find(
            scenario,
            &View::new(scenario, &summary),
            &Facts::completed(1),
        )
    }

    #[test]
    fn a_healthy_run_is_trusted() {
        assert_eq!(found(&scenario(), &Run::healthy()), []);
    }

    #[test]
    fn no_connection_is_the_only_reason_needed() {
        let mut run = Run::new();
        run.refused(3, "connect: connection refused");
        let reasons = found(&scenario(), &run);
        assert_eq!(reasons.len(), 1);
        assert_eq!(
            reasons[0].to_string(),
            "none of the 10 connections opened: 3 refused (connect: connection refused)"
        );
        assert!(reasons[0].hint().unwrap().contains("server"));
    }

    #[test]
    fn a_server_that_never_answers_proves_nothing() {
        let mut run = Run::new();
        run.opened(10).sent(20);
        assert_eq!(found(&scenario(), &run), [Distrust::NoAnswer { sent: 20 }]);
        let mut deaf = scenario();
        deaf.cohorts[0].messages[0].expect = crate::scenario::Expect::None;
        deaf.cohorts[0].heartbeat = None;
        assert_eq!(found(&deaf, &run), []);
    }

    #[test]
    fn a_server_that_speaks_unasked_need_not_have_been_asked() {
        let mut run = Run::new();
        run.opened(10);
        assert_eq!(found(&scenario(), &run), [Distrust::NoAnswer { sent: 0 }]);
        run.add(Counter::MessagesReceived, 5);
        assert_eq!(found(&scenario(), &run), []);
        run.sent(20);
        assert_eq!(found(&scenario(), &run), [Distrust::NoAnswer { sent: 20 }]);
    }

    #[test]
    fn a_relay_that_turned_clients_away_is_no_path() {
        let mut facts = Facts::completed(1);
        facts.surroundings.relayed = Some(Relayed {
            connections: 10,
            refused: 2,
            unreachable: 5,
            ..Relayed::default()
        });
        let scenario = scenario();
        let found = |run: &Run| {
            let summary = run.summary();
            find(&scenario, &View::new(&scenario, &summary), &facts)
        };
        let reasons = found(&Run::healthy());
        assert_eq!(
            reasons[0].to_string(),
            "the relay of `[path]` had no file descriptor for 2 of 10 connections, and reset them"
        );
        assert!(reasons[0].hint().unwrap().contains("ulimit"));
        let mut nobody = Run::new();
        nobody.refused(3, "connect: connection refused");
        let kinds: Vec<_> = found(&nobody).iter().map(Distrust::kind).collect();
        assert_eq!(kinds, ["relay_refused", "no_connection"]);
    }

    #[test]
    fn an_abort_is_no_reason_to_ask_for_answers() {
        let mut run = Run::new();
        run.opened(10).sent(20);
        let facts = Facts {
            outcome: Outcome::Aborted {
                gate: "g".to_owned(),
            },
            ..Facts::completed(1)
        };
        let (scenario, summary) = (scenario(), run.summary());
        assert_eq!(find(&scenario, &View::new(&scenario, &summary), &facts), []);
    }

    #[test]
    fn one_in_a_thousand_may_stay_unsent() {
        let mut run = Run::healthy();
        run.not_sent(100);
        assert_eq!(found(&scenario(), &run), []);
        run.not_sent(1);
        assert!(matches!(
            found(&scenario(), &run)[..],
            [Distrust::NotSent { not_sent: 101, .. }]
        ));
    }

    #[test]
    fn what_was_due_during_an_outage_is_no_doubt() {
        let mut run = Run::healthy();
        run.add(Counter::MessagesDue, 50_000)
            .add(Counter::MessagesOffline, 50_000);
        assert_eq!(found(&scenario(), &run), []);
    }

    #[test]
    fn what_a_lost_connection_leaves_behind_is_not_the_generators() {
        let mut run = Run::healthy();
        run.not_sent(101);
        run.add(Counter::ConnectionsLost, 1);
        assert_eq!(found(&scenario(), &run), []);
    }

    #[test]
    fn lateness_is_held_to_the_tightest_latency_gate() {
        let mut run = Run::healthy();
        run.late(2_000_000, 100);
        assert_eq!(found(&scenario(), &run), [], "2 ms are within 10 ms");

        let mut tight = scenario();
        let p99 = Stat::Percentile(99.0);
        tight.gates.pass = vec![
            timed_gate(p99, "latency.echo", Op::Less, 50_000_000.0),
            timed_gate(p99, "latency.echo", Op::Less, 10_000_000.0),
            timed_gate(p99, "service.echo", Op::Less, 1_000_000.0),
            timed_gate(p99, "latency.echo", Op::Greater, 1_000.0),
            gate(Stat::Count, "latency.echo", Op::Less, 5.0),
        ];
        let reasons = found(&tight, &run);
        let [Distrust::SendsLate { limit_ns, gate, .. }] = &reasons[..] else {
            panic!("{reasons:?}");
        };
        assert_eq!(*limit_ns, 1_000_000);
        assert_eq!(gate.as_deref(), Some("p99(latency.echo) < 10ms"));
        assert!(reasons[0].hint().unwrap().contains("precise"));
    }

    #[test]
    fn in_a_closed_model_late_is_no_reason() {
        let mut run = Run::healthy();
        run.late(50_000_000, 100).not_sent(500);
        assert_eq!(found(&scenario(), &run).len(), 2);
        let mut closed = scenario();
        closed.cohorts[0].messages[0].pacing = Pacing::Closed {
            in_flight: 1,
            think: Duration::ZERO,
        };
        assert_eq!(found(&closed, &run), []);
    }

    #[test]
    fn workers_are_held_to_the_tightest_window_of_a_contract() {
        let mut run = Run::healthy();
        run.lagged(50_000, 9_000).lagged(45_000_000, 100);
        assert_eq!(found(&scenario(), &run), [], "no contract asks for more");
        let mut strict = scenario();
        let between = |lo, hi| {
            PromiseKind::ClosedBetween.of(Between {
                lo: Duration::from_millis(lo),
                hi: Duration::from_millis(hi),
            })
        };
        strict.cohorts[0].contract = Some(Contract {
            from: Origin::Open,
            preset: None,
            promises: vec![between(20_000, 20_500)],
        });
        assert_eq!(
            found(&strict, &run),
            [],
            "45 ms are within a tenth of 500 ms"
        );
        let contract = strict.cohorts[0].contract.as_mut().unwrap();
        contract.promises.push(between(20_000, 20_400));
        let reasons = found(&strict, &run);
        assert_eq!(
            reasons[0].to_string(),
            "workers were woken late: p99.9 45.0 ms, where 40.0 ms is the limit for `closed_between` of `main`"
        );
        assert!(reasons[0].hint().is_some());
    }

    #[test]
    fn pings_alone_follow_a_schedule() {
        let mut run = Run::healthy();
        run.late(50_000_000, 100);
        let mut idle = scenario();
        idle.cohorts[0].messages.clear();
        assert!(matches!(idle.load.shape, Shape::Steady { .. }));
        assert_eq!(found(&idle, &run).len(), 1);
    }
}

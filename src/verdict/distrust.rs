//! Reasons not to trust any verdict on this run (exit code 4).
//! Each says what was seen, and what to do about it.

use std::fmt;

use super::facts::{
    Facts, Outcome, expects_echoes, expects_pongs, is_open_model, planned_connections,
};
use super::failures::Failures;
use crate::measure::Summary;
use crate::metric::{Counter, Timer};
use crate::scenario::{Gate, Op, Scenario, Stat, Subject};
use crate::units::{human_count, human_ns};

/// More than this part of the messages due not sent, and an open model is none.
const NOT_SENT_LIMIT: f64 = 0.001;
/// Sends later than this are seen in any latency.
const LATE_LIMIT_NS: u64 = 10_000_000;
/// Or later than this part of the tightest latency gate.
const LATE_PART_OF_GATE: f64 = 0.1;

/// A reason not to trust any verdict on this run.
#[derive(Debug, Clone, PartialEq)]
pub enum Distrust {
    /// Nobody got in.
    NoConnection {
        /// How many connections were to be opened.
        planned: u64,
        /// Why they were not.
        failures: Failures,
    },
    /// Nothing came back.
    NoAnswer {
        /// Messages and pings that were sent.
        sent: u64,
    },
    /// Every gate held, but over connections most of which were gone before their time.
    ConnectionsLost {
        /// Connections that ended before their time.
        lost: u64,
        /// Connections that opened.
        opened: u64,
    },
    /// The schedule was not kept: too much was never sent.
    NotSent {
        /// Messages not sent.
        not_sent: u64,
        /// Messages due.
        due: u64,
        /// Handshakes after a lost connection; what was due in between is not sent either.
        reconnected: u64,
    },
    /// The schedule was not kept: too much was sent too late.
    SendsLate {
        /// 99 % of the sends were at most so late, in nanoseconds.
        p99_ns: u64,
        /// How late they may be, in nanoseconds.
        limit_ns: u64,
        /// The latency gate that asks for it; `None` where the limit is the general one.
        gate: Option<String>,
    },
}

impl Distrust {
    /// A stable name, as in `run.json`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NoConnection { .. } => "no_connection",
            Self::NoAnswer { .. } => "no_answer",
            Self::ConnectionsLost { .. } => "connections_lost",
            Self::NotSent { .. } => "not_sent",
            Self::SendsLate { .. } => "sends_late",
        }
    }

    /// What to do about it, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoConnection { failures, .. } => failures.hint().map(str::to_owned),
            Self::NoAnswer { sent: 0 } => Some("make `duration` longer than one interval".into()),
            Self::NoAnswer { .. } => {
                Some("does this server answer? set `expect = \"none\"` and `heartbeat = \"off\"` for one that does not".into())
            }
            Self::ConnectionsLost { .. } => Some(
                "see connections.csv; the gate `count(connections.lost) == 0` makes every lost connection a failure"
                    .into(),
            ),
            Self::NotSent { reconnected: 0, .. } => Some(
                "offer less with `rate` or `connections`, give it more workers, or run it on more cores"
                    .into(),
            ),
            Self::NotSent { .. } => Some(
                "messages due while a connection was down count as not sent; see connections.csv"
                    .into(),
            ),
            Self::SendsLate { gate: Some(_), .. } => Some(
                "set `pace = \"precise\"`, offer less, or loosen the gate".into(),
            ),
            Self::SendsLate { .. } => Some(
                "offer less, give it more cores, or run the server on another machine".into(),
            ),
        }
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoConnection { planned, failures } => {
                let planned = human_count(*planned);
                write!(f, "none of the {planned} connections opened{failures}")
            }
            Self::NoAnswer { sent: 0 } => {
                write!(f, "nothing was sent that expects an answer")
            }
            Self::NoAnswer { sent } => {
                let sent = human_count(*sent);
                write!(f, "not one answer came to {sent} messages and pings")
            }
            Self::ConnectionsLost { lost, opened } => write!(
                f,
                "{} of {} connections were lost before their time: most of the load was not there",
                human_count(*lost),
                human_count(*opened)
            ),
            Self::NotSent { not_sent, due, .. } => write!(
                f,
                "{} of {} messages due were never sent, more than {} %",
                human_count(*not_sent),
                human_count(*due),
                NOT_SENT_LIMIT * 100.0
            ),
            Self::SendsLate {
                p99_ns,
                limit_ns,
                gate,
            } => {
                let (p99, limit) = (human_ns(*p99_ns), human_ns(*limit_ns));
                write!(f, "sends were late: p99 {p99}, where {limit} is the limit")?;
                match gate {
                    Some(gate) => write!(f, " for `{gate}`"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Every reason there is.
pub(super) fn find(scenario: &Scenario, summary: &Summary, facts: &Facts) -> Vec<Distrust> {
    if summary.count(Counter::ConnectionsOpened.name()) == 0 {
        return vec![Distrust::NoConnection {
            planned: planned_connections(scenario),
            failures: Failures::of(summary),
        }];
    }
    let mut found = Vec::new();
    if facts.outcome == Outcome::Completed {
        found.extend(no_answer(scenario, summary));
    }
    if is_open_model(scenario) {
        found.extend(not_sent(summary));
        found.extend(lateness(scenario, summary).and_then(Lateness::distrust));
    }
    found
}

/// Asked only where every gate held: a failure stands on what was seen, a pass stands on the load that was there.
pub(super) fn lost(summary: &Summary) -> Option<Distrust> {
    let lost = summary.count(Counter::ConnectionsLost.name());
    let opened = summary.count(Counter::ConnectionsOpened.name());
    (lost * 2 > opened).then_some(Distrust::ConnectionsLost { lost, opened })
}

/// Answers outside of the measured window count too: they show that the server answers.
fn no_answer(scenario: &Scenario, summary: &Summary) -> Option<Distrust> {
    if !expects_echoes(scenario) && !expects_pongs(scenario) {
        return None;
    }
    let total = |counters: &[Counter]| -> u64 {
        let totals = counters.iter().map(|counter| summary.total(counter.name()));
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

fn not_sent(summary: &Summary) -> Option<Distrust> {
    let due = summary.count(Counter::MessagesDue.name());
    let not_sent = summary.count(Counter::MessagesNotSent.name());
    // A connection that is lost takes what was due at that very moment with it: that is not the generator's doing.
    let own = not_sent.saturating_sub(summary.count(Counter::ConnectionsLost.name()));
    (own as f64 > due as f64 * NOT_SENT_LIMIT).then(|| Distrust::NotSent {
        not_sent,
        due,
        reconnected: summary.count(Counter::ConnectionsReconnected.name()),
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
pub(super) fn lateness(scenario: &Scenario, summary: &Summary) -> Option<Lateness> {
    let late = summary.histogram(Timer::ScheduleLateness.name())?;
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
    use crate::scenario::{Pacing, Shape};
    use std::time::Duration;

    fn found(scenario: &Scenario, run: &Run) -> Vec<Distrust> {
        find(scenario, &run.summary(), &Facts::completed(1))
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
    fn an_abort_is_no_reason_to_ask_for_answers() {
        let mut run = Run::new();
        run.opened(10).sent(20);
        let facts = Facts {
            outcome: Outcome::Aborted {
                gate: "g".to_owned(),
            },
            ..Facts::completed(1)
        };
        assert_eq!(find(&scenario(), &run.summary(), &facts), []);
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
    fn pings_alone_follow_a_schedule() {
        let mut run = Run::healthy();
        run.late(50_000_000, 100);
        let mut idle = scenario();
        idle.cohorts[0].messages.clear();
        assert!(matches!(idle.load.shape, Shape::Steady { .. }));
        assert_eq!(found(&idle, &run).len(), 1);
    }
}

//! Counts how much of the planned load was there: connections that opened, and stayed open or came back.

use super::observe::observe;
use super::view::View;
use crate::metric::{self, Cause, Counter, Gauge};
use crate::scenario::{
    Cohort, OnFail, Pacing, Reconnect, Scenario, Selector, Shape, Stat, Step, Subject, Verb,
};

/// First connections (not reconnects) of some cohorts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Openings {
    /// How many were planned.
    pub planned: u64,
    /// How many opened.
    pub opened: u64,
    /// How many opened and were ready: their `setup`, if there is one, was done.
    pub ready: u64,
}

impl Openings {
    pub(super) fn of(view: &View<'_>, cohorts: &[&Cohort]) -> Self {
        cohorts.iter().fold(Self::default(), |sum, cohort| {
            let skipped = count(view, Counter::ConnectionsSkipped, cohort);
            let opened = clients(view, cohort);
            let ready = match cohort.setup.is_empty() {
                true => opened,
                false => {
                    let ready = count(view, Counter::SetupReady, cohort);
                    (ready + view.all().carried(&cohort.name)).min(opened)
                }
            };
            Self {
                planned: sum.planned + u64::from(cohort.connections).saturating_sub(skipped),
                opened: sum.opened + opened,
                ready: sum.ready + ready,
            }
        })
    }

    /// Whether most of the load was never there.
    pub(super) const fn are_few(&self) -> bool {
        self.ready * 2 < self.planned
    }
}

/// What was lost of these cohorts; counts only cohorts that are not expected to end.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// Connections that ended too early.
    pub(super) lost: u64,
    /// Connections that a failed step closed for good.
    pub(super) closed: u64,
    /// Connections that opened, reconnects included.
    pub(super) opened: u64,
    /// Of clients that reconnect: messages that were due without a connection, or were lost with one.
    pub(super) missed: u64,
    /// Of clients that reconnect: messages that were due.
    pub(super) due: u64,
    /// Clients that opened a connection.
    clients: u64,
    /// How many of them were absent, on average.
    absent: f64,
}

impl Losses {
    pub(super) fn of(scenario: &Scenario, view: &View<'_>, cohorts: &[&Cohort]) -> Self {
        let lost = Counter::ConnectionsLost.name();
        let cohorts = cohorts.iter().filter(|cohort| cohort.is_looked_at(lost));
        cohorts.fold(Self::default(), |mut losses, cohort| {
            losses.add(scenario, view, cohort);
            losses
        })
    }

    /// Whether most of the load was not there.
    pub(super) fn are_most(&self) -> bool {
        self.absent * 2.0 > self.clients as f64
    }

    /// Adds a cohort. A client that does not reconnect is absent once it was lost, or closed by a failed step. One that does
    /// is absent only in between: how long follows from its messages that were due without a connection, or from how long
    /// it was open.
    fn add(&mut self, scenario: &Scenario, view: &View<'_>, cohort: &Cohort) {
        let count = |counter| count(view, counter, cohort);
        let (lost, clients) = (count(Counter::ConnectionsLost), clients(view, cohort));
        let closed = closed_by_steps(view, cohort);
        self.lost += lost;
        self.closed += closed;
        self.opened += count(Counter::ConnectionsOpened);
        self.clients += clients;
        let missing = |stat| {
            let open = open(scenario, view, cohort, stat)?;
            Some((clients as f64 - open).max(0.0))
        };
        if cohort.reconnect == Reconnect::None {
            // Who was gone only behind the measured time was there in it.
            let gone = (lost + closed) as f64;
            self.absent += missing(Stat::Last).map_or(gone, |missing| gone.min(missing));
            return;
        }
        let is_scheduled = |pacing: &Pacing| matches!(pacing, Pacing::Open { .. });
        let due = count(Counter::MessagesDue);
        let is_told =
            due > 0 && (cohort.messages.iter()).all(|message| is_scheduled(&message.pacing));
        let mut absent = closed as f64;
        if is_told {
            let missed = count(Counter::MessagesOffline) + count(Counter::MessagesLost);
            self.missed += missed;
            self.due += due;
            absent += clients as f64 * missed as f64 / due as f64;
        }
        // Steps are due only on an open connection: their number does not tell how long there was none.
        if !is_told || plays_on_one_connection(cohort) {
            absent = absent.max(missing(Stat::Mean).unwrap_or(0.0));
        }
        self.absent += absent;
    }
}

/// Whether it has steps, and none of them ends the connection as planned.
fn plays_on_one_connection(cohort: &Cohort) -> bool {
    let ends = |step: &Step| matches!(step.verb, Verb::Close { .. } | Verb::Reconnect { .. });
    !cohort.steps.is_empty() && !cohort.each_step_after_setup().any(ends)
}

/// How many connections a failed step has closed for good. Where another step dials again when it fails, nobody knows
/// which of them did.
fn closed_by_steps(view: &View<'_>, cohort: &Cohort) -> u64 {
    let mut steps = cohort.each_step_after_setup();
    let comes_back =
        cohort.reconnect != Reconnect::None && steps.any(|step| step.on_fail == OnFail::Reconnect);
    match comes_back {
        true => 0,
        false => view.count_of(&metric::error(Cause::StepFailed), &cohort.name),
    }
}

/// How many connections of a cohort were open in the measured time; `None` if the plan is not that all are open at all
/// times.
fn open(scenario: &Scenario, view: &View<'_>, cohort: &Cohort, stat: Stat) -> Option<f64> {
    let Shape::Steady { .. } = scenario.load.shape else {
        return None;
    };
    let open = Selector {
        metric: Gauge::Open.name().to_owned(),
        cohort: Some(cohort.name.clone()),
        stage: None,
    };
    let seen = observe(&Subject::Stat(stat, open), view);
    seen.ok().map(|open| open.value)
}

/// The clients of a cohort that opened a connection, in this report or before.
fn clients(view: &View<'_>, cohort: &Cohort) -> u64 {
    let again = count(view, Counter::ConnectionsReconnected, cohort);
    let first = count(view, Counter::ConnectionsOpened, cohort).saturating_sub(again);
    first + view.all().carried(&cohort.name)
}

fn count(view: &View<'_>, counter: Counter, cohort: &Cohort) -> u64 {
    view.count_of(counter.name(), &cohort.name)
}

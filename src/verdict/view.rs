//! The numbers of a run as gates look at them: where none is named, those of the healthy cohorts.
//! What a client does wrong on purpose, and what comes of it, is for contracts to judge.

use std::borrow::Cow;
use std::sync::Arc;

use crate::measure::{Ending, Endings, Summary};
use crate::scenario::{Scenario, Selector};

/// The numbers of a run, and those of its healthy cohorts alone.
#[derive(Debug)]
pub struct View<'a> {
    all: &'a Summary,
    healthy: Cow<'a, Summary>,
}

impl<'a> View<'a> {
    /// Copies nothing where every cohort is healthy.
    pub fn new(scenario: &Scenario, all: &'a Summary) -> Self {
        let healthy = if scenario.cohorts.iter().all(|cohort| cohort.is_healthy()) {
            Cow::Borrowed(all)
        } else {
            Cow::Owned(healthy_part(scenario, all))
        };
        Self { all, healthy }
    }

    /// All cohorts.
    pub fn all(&self) -> &Summary {
        self.all
    }

    /// The healthy cohorts, and the generator itself.
    pub fn healthy(&self) -> &Summary {
        &self.healthy
    }

    /// Where a gate looks.
    pub(super) fn of(&self, selector: &Selector) -> &Summary {
        match selector.cohort {
            Some(_) => self.all,
            None => &self.healthy,
        }
    }
}

fn healthy_part(scenario: &Scenario, all: &Summary) -> Summary {
    let unhealthy = scenario
        .cohorts
        .iter()
        .filter(|cohort| !cohort.is_healthy());
    let unhealthy: Vec<&str> = unhealthy.map(|cohort| cohort.name.as_str()).collect();
    let is_healthy = |cohort: &str| !unhealthy.contains(&cohort);
    let by_index = |index: usize| all.cohorts.get(index).is_none_or(|name| is_healthy(name));
    let kept = |rows: &[crate::measure::Metric]| {
        let rows = rows.iter();
        let kept = rows.filter(|row| row.cohort.as_deref().is_none_or(is_healthy));
        kept.cloned().collect()
    };
    let timeline = all.timeline.iter().filter(|row| by_index(row.cohort));
    let endings = all.endings.rows.iter().filter(|row| by_index(row.cohort));
    Summary {
        cohorts: all.cohorts.clone(),
        seconds: all.seconds,
        measured_seconds: all.measured_seconds,
        metrics: kept(&all.metrics),
        totals: kept(&all.totals),
        timeline: Arc::new(timeline.cloned().collect()),
        endings: endings_of(endings, all.endings.more),
        lives: crate::measure::Lives::default(),
    }
}

/// The examples are found anew, as a bad client's are not theirs.
fn endings_of<'a>(rows: impl Iterator<Item = &'a Ending>, more: u64) -> Endings {
    let mut endings = Endings {
        more,
        ..Endings::default()
    };
    for row in rows {
        let examples = endings.examples.entry(row.cause).or_default();
        if !row.detail.is_empty()
            && examples.len() < Endings::MAX_EXAMPLES
            && !examples.contains(&row.detail)
        {
            examples.push(row.detail.clone());
        }
        endings.rows.push(row.clone());
    }
    endings
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Run, beside, gate, scenario};
    use super::super::judge::judge;
    use super::super::{Facts, observe};
    use super::*;
    use crate::metric::{Cause, Counter, Timer};
    use crate::scenario::{Contract, Fault, FaultKind, Op, Origin, Promise, Stat, Subject};
    use std::time::Duration;

    /// Ten that echo, and ten that answer no ping: all of those were lost, and their sends were late.
    fn two_cohorts() -> (Scenario, Summary) {
        let mut scenario = scenario();
        let mut mute = scenario.cohorts[0].clone();
        mute.name = "mute".to_owned();
        mute.faults = vec![Fault {
            kind: FaultKind::NoPong,
            after: Duration::ZERO,
        }];
        scenario.cohorts.push(mute);
        let mut bad = Run::new();
        bad.opened(10)
            .late(50_000_000, 100)
            .not_sent(1_000)
            .add(Counter::ConnectionsLost, 10)
            .add(Counter::ConnectionsDead, 10)
            .timed(Timer::HeartbeatRtt, 9_000_000, 10);
        let mut summary = Run::healthy().summary();
        beside(&mut summary, "mute", bad.summary());
        (scenario, summary)
    }

    fn lost(cohort: Option<&str>) -> Subject {
        let selector = Selector {
            metric: "connections.lost".to_owned(),
            cohort: cohort.map(str::to_owned),
            stage: None,
        };
        Subject::Stat(Stat::Count, selector)
    }

    #[test]
    fn what_bad_clients_lose_is_no_doubt_and_no_warning() {
        let (scenario, summary) = two_cohorts();
        let verdict = judge(&scenario, &summary, &Facts::completed(2));
        assert!(verdict.passed(), "{verdict:?}");
        assert_eq!(verdict.warnings, []);
    }

    #[test]
    fn gates_look_at_healthy_cohorts_unless_they_name_another() {
        let (scenario, summary) = two_cohorts();
        let view = View::new(&scenario, &summary);
        let seen = |cohort| observe(&lost(cohort), &view).unwrap().value;
        assert_eq!(seen(None), 0.0);
        assert_eq!(seen(Some("mute")), 10.0);
    }

    #[test]
    fn with_none_healthy_gates_see_nothing() {
        let (mut scenario, summary) = two_cohorts();
        scenario.cohorts.remove(0);
        scenario.gates.pass = vec![gate(Stat::Max, "heartbeat.rtt", Op::Less, 1e12)];
        let verdict = judge(&scenario, &summary, &Facts::completed(2));
        assert_eq!(verdict.gates[0].why, "no samples of `heartbeat.rtt`");
        assert_eq!(verdict.distrust, [], "who is bad need not be on time");
    }

    #[test]
    fn who_is_expected_to_be_closed_is_not_healthy() {
        let (mut scenario, summary) = two_cohorts();
        scenario.cohorts[1].faults.clear();
        scenario.cohorts[1].contract = Some(Contract {
            from: Origin::Open,
            preset: None,
            promises: vec![Promise::Code(vec![1001])],
        });
        let view = View::new(&scenario, &summary);
        assert_eq!(observe(&lost(None), &view).unwrap().value, 0.0);
    }

    #[test]
    fn an_example_is_a_healthy_cohorts() {
        let (scenario, mut summary) = two_cohorts();
        let mut run = Run::healthy();
        run.refused(1, "a healthy one").refused(1, "a bad one");
        summary.endings = run.summary().endings;
        summary.endings.rows[1].cohort = 1;
        let view = View::new(&scenario, &summary);
        let examples = &view.healthy().endings.examples;
        assert_eq!(examples[&Cause::Refused], ["a healthy one"]);
    }
}

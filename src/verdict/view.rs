//! The numbers of a run as gates look at them: if a gate names no cohort, it looks at the cohorts that its metric
//! covers ([`Cohort::is_looked_at`]). Contracts judge the other cohorts.

use crate::measure::{Endings, Histogram, Metric, States, Summary, Value};
use crate::metric::{self, Cause, Counter, Kind};
use crate::scenario::{Cohort, Scenario, Selector, is_looked_at};

/// A cohort, as far as it decides which gates look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateCohort<'a> {
    /// The name of the cohort.
    pub name: &'a str,
    /// Whether its clients have no fault.
    pub is_healthy: bool,
    /// Whether its contract expects the server to end its connections.
    pub expects_end: bool,
}

impl<'a> GateCohort<'a> {
    fn of(cohort: &'a Cohort) -> Self {
        Self {
            name: &cohort.name,
            is_healthy: cohort.is_healthy(),
            expects_end: cohort.expects_end(),
        }
    }

    fn is_looked_at(&self, metric: &str) -> bool {
        is_looked_at(metric, self.is_healthy, self.expects_end)
    }
}

/// The numbers of a run, with the rule which cohorts a gate looks at.
#[derive(Debug, Clone)]
pub struct View<'a> {
    groups: Vec<GateCohort<'a>>,
    all: &'a Summary,
}

impl<'a> View<'a> {
    /// Creates a view of the numbers of a scenario; copies none of them.
    pub fn new(scenario: &'a Scenario, all: &'a Summary) -> Self {
        Self::of_groups(scenario.cohorts.iter().map(GateCohort::of), all)
    }

    /// The same where the cohorts are known, but not the scenario.
    pub fn of_groups(groups: impl IntoIterator<Item = GateCohort<'a>>, all: &'a Summary) -> Self {
        Self {
            groups: groups.into_iter().collect(),
            all,
        }
    }

    /// The numbers of all cohorts.
    pub fn all(&self) -> &'a Summary {
        self.all
    }

    /// Whether this selector looks at any cohort, or is about wsbench itself.
    pub(super) fn sees_any(&self, selector: &Selector) -> bool {
        let is_seen = |group: &GateCohort<'_>| match &selector.cohort {
            Some(name) => group.name == name,
            None => group.is_looked_at(&selector.metric),
        };
        metric::is_of_run(&selector.metric) || self.groups.iter().any(is_seen)
    }

    /// The rows that a gate with this selector looks at.
    pub(super) fn of(&self, selector: &'a Selector) -> impl Iterator<Item = &'a Metric> {
        let Selector {
            metric,
            cohort,
            stage,
        } = selector;
        let rows = self.all.select(metric, cohort.as_deref(), *stage);
        rows.filter(move |row| cohort.is_some() || self.looks_at(metric, row.cohort.as_deref()))
    }

    /// The states of the connections that a gate looks at, for each phase.
    pub(super) fn states(&self, selector: &'a Selector) -> impl Iterator<Item = &'a States> {
        let cohorts = &self.all.cohorts;
        let cohort =
            (selector.cohort.as_ref()).map(|name| cohorts.iter().position(|one| one == name));
        self.all.states.iter().filter(move |states| match cohort {
            Some(named) => named.is_some() && states.cohort == named,
            None => states.cohort.is_none(),
        })
    }

    /// A counter, added up over the cohorts that gates look at and all stages.
    pub fn count(&self, name: &str) -> u64 {
        let rows = self.all.select(name, None, None);
        Summary::sum(rows.filter(|row| self.looks_at(name, row.cohort.as_deref())))
    }

    /// A counter of one cohort, added up over all stages.
    pub(super) fn count_of(&self, name: &str, cohort: &str) -> u64 {
        Summary::sum(self.all.select(name, Some(cohort), None))
    }

    /// Whether there is any time under this name of one cohort, in the measured time.
    pub(super) fn is_timed(&self, name: &str, cohort: &str) -> bool {
        let mut rows = self.all.select(name, Some(cohort), None);
        rows.any(|row| matches!(row.value, Value::Histogram(_)))
    }

    /// As [`Self::count_of`], for the whole run.
    pub(super) fn total_of(&self, name: &str, cohort: &str) -> u64 {
        let rows = self.all.totals.iter();
        Summary::sum(rows.filter(|row| row.name == name && row.cohort.as_deref() == Some(cohort)))
    }

    /// As [`Self::count`], for the whole run.
    pub fn total(&self, name: &str) -> u64 {
        Summary::sum(self.looked_at(&self.all.totals, name))
    }

    /// A distribution, merged over the cohorts that gates look at and all stages; `None` if it is empty.
    pub fn histogram(&self, name: &str) -> Option<Histogram> {
        Summary::merged(self.looked_at(&self.all.metrics, name))
    }

    /// Merges all distributions whose names begin with `begins`, of this cohort or of the cohorts that gates look at.
    pub fn merged(
        &self,
        begins: &str,
        cohort: Option<&str>,
        stage: Option<u32>,
    ) -> Option<Histogram> {
        let rows = self.all.metrics.iter().filter(|row| {
            row.name.starts_with(begins)
                && (stage.is_none() || row.stage == stage)
                && match cohort {
                    Some(_) => row.cohort.as_deref() == cohort,
                    None => self.looks_at(&row.name, row.cohort.as_deref()),
                }
        });
        Summary::merged(rows)
    }

    /// The distributions of the cohorts that gates look at.
    pub fn distributions(&self) -> impl Iterator<Item = &'a Metric> {
        let rows = self.all.metrics.iter();
        rows.filter(|row| row.value.kind() == Kind::Histogram)
            .filter(move |row| self.looks_at(&row.name, row.cohort.as_deref()))
    }

    /// The first few different details of connections that ended with this cause, of the cohorts that gates look at.
    pub fn examples(&self, cause: Cause) -> Vec<&'a str> {
        let name = metric::error(cause);
        let endings = &self.all.endings;
        if self.groups.iter().all(|group| group.is_looked_at(&name)) {
            let all = endings.examples.get(&cause).into_iter().flatten();
            return all.map(String::as_str).collect();
        }
        let mut rows = endings.rows.iter().filter(|row| {
            let cohort = self.all.cohorts.get(row.cohort).map(String::as_str);
            row.cause == cause && !row.detail.is_empty() && self.looks_at(&name, cohort)
        });
        let mut found = Vec::new();
        for row in rows.by_ref() {
            if found.len() == Endings::MAX_EXAMPLES {
                break;
            }
            if !found.contains(&row.detail.as_str()) {
                found.push(row.detail.as_str());
            }
        }
        found
    }

    fn looked_at<'m>(&self, rows: &'m [Metric], name: &str) -> impl Iterator<Item = &'m Metric> {
        rows.iter()
            .filter(move |row| row.name == name && self.looks_at(name, row.cohort.as_deref()))
    }

    /// Whether a gate that names no cohort looks at this one; `None` is wsbench itself.
    fn looks_at(&self, metric: &str, cohort: Option<&str>) -> bool {
        cohort.is_none_or(|name| {
            let mut groups = self.groups.iter();
            groups.any(|group| group.name == name && group.is_looked_at(metric))
        })
    }
}

/// The cohorts that a gate looks at. Empty if its metric is about wsbench itself, or the target's process.
pub fn looked_at<'a>(
    scenario: &'a Scenario,
    selector: &'a Selector,
) -> impl Iterator<Item = &'a Cohort> {
    let cohorts = scenario.cohorts.iter();
    cohorts.filter(|cohort| match &selector.cohort {
        Some(name) => cohort.name == *name,
        None => !metric::is_of_run(&selector.metric) && cohort.is_looked_at(&selector.metric),
    })
}

/// Whether a gate of `pass` looks at one of these counters of this cohort.
pub(super) fn is_gated(scenario: &Scenario, counters: &[Counter], cohort: &Cohort) -> bool {
    let is_one = |metric: &str| counters.iter().any(|counter| counter.name() == metric);
    is_gated_by(scenario, is_one, cohort)
}

/// Whether a gate of `pass` looks at such a metric of this cohort.
pub(super) fn is_gated_by(
    scenario: &Scenario,
    is_one: impl Fn(&str) -> bool,
    cohort: &Cohort,
) -> bool {
    let gates = scenario.gates.pass.iter();
    let mut selectors = gates.flat_map(|gate| gate.subject.selectors());
    selectors.any(|selector| {
        is_one(&selector.metric) && looked_at(scenario, selector).any(|one| one.name == cohort.name)
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Run, beside, gate, scenario, selector};
    use super::super::judge::judge;
    use super::super::{Facts, observe};
    use super::*;
    use crate::metric::Timer;
    use crate::scenario::{Contract, Fault, FaultKind, Op, Origin, PromiseKind, Stat, Subject};
    use std::time::Duration;

    /// A cohort of ten that echo, and one of ten that answer no ping: all of the second were lost, and their sends
    /// were late.
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
    fn with_nobody_to_look_at_there_is_no_data() {
        let (mut scenario, summary) = two_cohorts();
        scenario.cohorts.remove(0);
        scenario.gates.pass = vec![
            gate(Stat::Max, "heartbeat.rtt", Op::Less, 1e12),
            gate(Stat::Count, "connections.lost", Op::Equal, 0.0),
        ];
        let verdict = judge(&scenario, &summary, &Facts::completed(2));
        for gate in &verdict.gates {
            assert!(!gate.passed, "{gate:?}");
            assert!(gate.why.starts_with("no cohort is looked at"), "{gate:?}");
        }
        assert_eq!(verdict.distrust, [], "who is bad need not be on time");
    }

    /// An expected end excuses only ends, and nothing else.
    #[test]
    fn an_expected_end_excuses_ends_alone() {
        let (mut scenario, summary) = two_cohorts();
        scenario.cohorts[1].faults.clear();
        scenario.cohorts[1].contract = Some(Contract {
            from: Origin::Open,
            preset: None,
            promises: vec![PromiseKind::Code.of(vec![1001])],
        });
        let view = View::new(&scenario, &summary);
        assert_eq!(observe(&lost(None), &view).unwrap().value, 0.0);
        let slowest = Subject::Stat(Stat::Max, selector("heartbeat.rtt"));
        assert_eq!(observe(&slowest, &view).unwrap().value, 9e6);
        assert_eq!(view.histogram("heartbeat.rtt").unwrap().count(), 10);

        scenario.cohorts[0].contract = scenario.cohorts[1].contract.clone();
        let view = View::new(&scenario, &summary);
        assert!(observe(&lost(None), &view).is_err(), "nobody is left");
        assert!(observe(&slowest, &view).is_ok());
    }

    #[test]
    fn an_example_is_of_who_is_looked_at() {
        let (scenario, mut summary) = two_cohorts();
        let mut run = Run::healthy();
        run.refused(1, "a bad one").refused(1, "a good one");
        summary.endings = run.summary().endings;
        summary.endings.rows[0].cohort = 1;
        let view = View::new(&scenario, &summary);
        assert_eq!(view.examples(Cause::Refused), ["a good one"]);
    }
}

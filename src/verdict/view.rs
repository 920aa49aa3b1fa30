//! The numbers of a run as gates look at them: where none is named, those of the healthy cohorts.
//! What a client does wrong on purpose, and what comes of it, is for contracts to judge.

use std::borrow::Cow;

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
        timeline: timeline.cloned().collect(),
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

//! The numbers of one run that can be compared, by what a gate would call them: `p50(latency.echo)`.

use std::collections::BTreeMap;

use crate::metric::{self, Kind, Unit};
use crate::report::Run;
use crate::scenario::{Selector, Stat, Subject};
use crate::verdict::{Measure, observe, samples_for};

/// Numbers in the units of reports (times are microseconds), by their names in gates.
pub type Values = BTreeMap<String, f64>;

/// What is kept of each distribution.
const OF_TIMES: [Stat; 8] = [
    Stat::Percentile(50.0),
    Stat::Percentile(90.0),
    Stat::Percentile(99.0),
    Stat::Percentile(99.9),
    Stat::Mean,
    Stat::Max,
    Stat::Count,
    Stat::Rate,
];
const OF_COUNTERS: [Stat; 2] = [Stat::Count, Stat::Rate];
const OF_GAUGES: [Stat; 2] = [Stat::Mean, Stat::Peak];

/// The numbers of a run: the usual statistics of each metric, over all cohorts and of each, and what is `asked` for.
/// Leaves out percentiles with too few samples, and what has no data.
pub fn values<'a>(run: &Run, asked: impl IntoIterator<Item = &'a Subject>) -> Values {
    let view = run.view();
    let has_cohorts = run.scenario.cohorts.len() > 1;
    let rows = run.summary.metrics.iter();
    let mut kinds: BTreeMap<(&str, Option<&str>), Kind> = BTreeMap::new();
    for row in rows {
        kinds.insert((&row.name, None), row.value.kind());
        if let Some(cohort) = row.cohort.as_deref().filter(|_| has_cohorts) {
            kinds.insert((&row.name, Some(cohort)), row.value.kind());
        }
    }
    let usual = kinds.into_iter().flat_map(|((metric, cohort), kind)| {
        let stats: &[Stat] = match kind {
            Kind::Histogram => &OF_TIMES,
            Kind::Counter => &OF_COUNTERS,
            Kind::Gauge => &OF_GAUGES,
        };
        let selector = Selector {
            metric: metric.to_owned(),
            cohort: cohort.map(str::to_owned),
            stage: None,
        };
        stats
            .iter()
            .map(move |stat| Subject::Stat(*stat, selector.clone()))
    });
    let all = usual.chain(asked.into_iter().cloned());
    let seen = all.filter_map(|subject| {
        let seen = observe(&subject, &view).ok()?;
        let is_thin = is_thin(&subject, |count| {
            observe(count, &view).map_or(0.0, |seen| seen.value)
        });
        (!is_thin).then(|| (subject.to_string(), seen.reported()))
    });
    seen.collect()
}

/// Whether it is a percentile of fewer samples than it needs; `count` counts those of a distribution.
fn is_thin(subject: &Subject, count: impl Fn(&Subject) -> f64) -> bool {
    match subject {
        Subject::Stat(Stat::Percentile(percent), selector) => {
            count(&Subject::Stat(Stat::Count, selector.clone())) < samples_for(*percent) as f64
        }
        _ => false,
    }
}

/// What of these numbers `subject` is. A counter that no run had is zero, and a ratio is that of its counts.
pub(super) fn look_up(subject: &Subject, value: impl Fn(&str) -> Option<f64>) -> Option<f64> {
    if let Some(found) = value(&subject.to_string()) {
        return Some(found);
    }
    let count = |selector: &Selector| {
        let count = Subject::Stat(Stat::Count, selector.clone());
        value(&count.to_string()).or_else(|| is_counter(selector).then_some(0.0))
    };
    match subject {
        Subject::Ratio(above, below) => {
            let below = count(below).filter(|below| *below > 0.0)?;
            Some(count(above)? / below)
        }
        Subject::Stat(Stat::Count | Stat::Rate, selector) if is_counter(selector) => Some(0.0),
        Subject::Stat(..) => None,
    }
}

/// Whether it is a counter of all stages.
fn is_counter(selector: &Selector) -> bool {
    selector.stage.is_none() && metric::kind_of(&selector.metric, &[]) == Some(Kind::Counter)
}

/// The unit of what a gate looks at.
pub fn measure_of(subject: &Subject) -> Measure {
    let Subject::Stat(stat, selector) = subject else {
        return Measure::Ratio;
    };
    let unit = match (stat, metric::unit_of(&selector.metric)) {
        (Stat::Count | Stat::Rate, Unit::Time) => Unit::Count,
        (_, unit) => unit,
    };
    match stat {
        Stat::Rate => Measure::PerSecond(unit),
        _ => Measure::Plain(unit),
    }
}

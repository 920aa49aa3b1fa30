//! Distributions that say less than they seem to: with few samples, or with times that a histogram cannot hold.

use crate::measure::{Histogram, Summary, Value};
use crate::scenario::{Scenario, Selector, Stat, Subject};
use crate::verdict::view::View;
use crate::verdict::warning::Warning;

/// How many samples above it a percentile needs.
const SAMPLES_ABOVE: f64 = 10.0;

/// One warning for each distribution: the lowest percentile with too few samples, of those that a gate looks at.
/// Leaves out empty distributions: their gates fail anyway.
pub(super) fn too_few_samples(scenario: &Scenario, view: &View<'_>) -> Vec<Warning> {
    let mut looked_at: Vec<(Selector, Vec<f64>)> = Vec::new();
    for gate in &scenario.gates.pass {
        if let Subject::Stat(Stat::Percentile(percentile), selector) = &gate.subject {
            match looked_at.iter_mut().find(|(known, _)| known == selector) {
                Some((_, percentiles)) => percentiles.push(*percentile),
                None => looked_at.push((selector.clone(), vec![*percentile])),
            }
        }
    }
    let thin = looked_at.into_iter().filter_map(|(selector, percentiles)| {
        let samples = Summary::merged(view.of(&selector))?.count();
        let percentile = (percentiles.into_iter())
            .filter(|percentile| samples < samples_for(*percentile))
            .min_by(f64::total_cmp)?;
        Some(Warning::TooFewSamples {
            metric: shown(&selector),
            percentile,
            samples,
            wanted: samples_for(percentile),
        })
    });
    thin.collect()
}

/// Formats a selector as a gate writes it.
fn shown(selector: &Selector) -> String {
    let cohort = selector.cohort.iter().map(|name| format!("cohort={name}"));
    let stage = selector.stage.iter().map(|stage| format!("stage={stage}"));
    let places: Vec<String> = cohort.chain(stage).collect();
    if places.is_empty() {
        selector.metric.clone()
    } else {
        format!("{}{{{}}}", selector.metric, places.join(", "))
    }
}

/// A percentile (below 100) in nanoseconds; `None` where there are too few samples for it.
pub fn covered(times: &Histogram, percent: f64) -> Option<u64> {
    let is_covered = times.count() >= samples_for(percent);
    times.percentile(percent).filter(|_| is_covered)
}

/// How many samples a percentile (below 100) needs to be meaningful: ten above it.
pub fn samples_for(percentile: f64) -> u64 {
    // Rounds first: 100 - 99.9 is slightly more than 0.1 in floating point.
    let above = ((100.0 - percentile) * 1e9).round() / 1e9;
    (SAMPLES_ABOVE * 100.0 / above).ceil() as u64
}

pub(super) fn clipped(view: &View<'_>) -> Vec<Warning> {
    let rows = view.distributions().filter_map(|row| match &row.value {
        Value::Histogram(times) if times.clipped() > 0 => Some(Warning::Clipped {
            metric: row.name.clone(),
            count: times.clipped(),
        }),
        _ => None,
    });
    rows.collect()
}

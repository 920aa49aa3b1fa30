//! `histogram.csv`: each distribution as steps that get finer towards the end, ready to plot.
//! Merges the stages of a run; `run.json` has each stage.

use std::io::Write;

use super::numbers::{cell, us};
use super::run::Run;
use crate::measure::{Summary, Value};

/// Writes `histogram.csv`.
///
/// # Errors
/// When writing to `out` fails.
pub fn write(run: &Run, out: impl Write) -> Result<(), csv::Error> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record([
        "metric",
        "cohort",
        "quantile",
        "value_us",
        "cumulative_count",
        "total_count",
    ])?;
    for (metric, cohort) in distributions(&run.summary) {
        let same = (run.summary.metrics.iter())
            .filter(|row| row.name == metric && row.cohort.as_deref() == cohort);
        let Some(times) = Summary::merged(same) else {
            continue;
        };
        let (cohort, total) = (cohort.unwrap_or_default(), times.count());
        for (quantile, ns, seen) in times.quantiles() {
            csv.serialize((metric, cohort, quantile, cell(Some(us(ns))), seen, total))?;
        }
    }
    csv.flush()?;
    Ok(())
}

/// The metric and cohort of each distribution, once, in the order of the summary.
fn distributions(summary: &Summary) -> Vec<(&str, Option<&str>)> {
    let mut found = Vec::new();
    for row in &summary.metrics {
        let key = (row.name.as_str(), row.cohort.as_deref());
        if matches!(row.value, Value::Histogram(_)) && !found.contains(&key) {
            found.push(key);
        }
    }
    found
}

//! `summary.csv`: every statistic of every metric, one per row.
//! Uses rows instead of columns, so that a new metric never moves a column.

use std::io::Write;

use super::numbers::{Statistic, cell, statistics};
use super::run::Run;

/// Writes `summary.csv`.
///
/// # Errors
/// When writing to `out` fails.
pub fn write(run: &Run, out: impl Write) -> Result<(), csv::Error> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(["metric", "cohort", "stage", "stat", "value", "unit"])?;
    for metric in &run.summary.metrics {
        let cohort = metric.cohort.as_deref().unwrap_or_default();
        for Statistic { name, value, unit } in statistics(metric) {
            csv.serialize((&metric.name, cohort, metric.stage, name, cell(value), unit))?;
        }
    }
    csv.flush()?;
    Ok(())
}

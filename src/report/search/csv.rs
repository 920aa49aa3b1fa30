//! `search.csv`: one row a probe, in the order in which they ended.

use std::io::{self, Write};

use super::Search;
use crate::report::numbers::{cell, text_cell};

const COLUMNS: [&str; 20] = [
    "probe",
    "value",
    "try",
    "outcome",
    "why",
    "attempted",
    "connections",
    "offered_per_s",
    "achieved_per_s",
    "p50_us",
    "p90_us",
    "p99_us",
    "p99_9_us",
    "failed",
    "timed_out",
    "lateness_p99_us",
    "generator_cpu",
    "target_rss",
    "target_cpu",
    "folder",
];

/// Writes `search.csv`.
///
/// # Errors
/// When writing to `out` fails.
pub fn write(search: &Search, out: impl Write) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(out);
    table.write_record(COLUMNS)?;
    for probe in &search.probes {
        let count = |count: Option<u64>| cell(count.map(|count| count as f64));
        table.write_record([
            probe.probe.to_string(),
            probe.value.to_string(),
            probe.r#try.to_string(),
            probe.outcome.to_owned(),
            text_cell(&probe.why),
            count(probe.attempted),
            count(probe.connections),
            cell(probe.offered_per_s),
            cell(probe.achieved_per_s),
            cell(probe.p50_us),
            cell(probe.p90_us),
            cell(probe.p99_us),
            cell(probe.p99_9_us),
            count(probe.failed),
            count(probe.timed_out),
            cell(probe.lateness_p99_us),
            cell(probe.generator_cpu),
            cell(probe.target_rss),
            cell(probe.target_cpu),
            text_cell(&probe.folder),
        ])?;
    }
    table.flush()
}

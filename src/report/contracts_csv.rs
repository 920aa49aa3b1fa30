//! `contracts.csv`: one row for each promise of each cohort.

use std::io::Write;

use serde::Serialize;

use super::numbers::{cell, seconds, text_cell};
use super::run::Run;
use crate::units::Nanos;
use crate::verdict::{ContractResult, Times};

/// The columns, in order. Times are seconds.
#[derive(Serialize)]
struct Line<'a> {
    contract: &'a str,
    cohort: &'a str,
    from: Option<&'a str>,
    expected_lo_s: String,
    expected_hi_s: String,
    expected_code: &'a str,
    observed_n: u64,
    min_s: String,
    p50_s: String,
    p99_s: String,
    max_s: String,
    passed: bool,
    why: String,
    doubted: bool,
}

const COLUMNS: [&str; 14] = [
    "contract",
    "cohort",
    "from",
    "expected_lo_s",
    "expected_hi_s",
    "expected_code",
    "observed_n",
    "min_s",
    "p50_s",
    "p99_s",
    "max_s",
    "passed",
    "why",
    "doubted",
];

/// Writes `contracts.csv`. The header is always written.
///
/// # Errors
/// When writing to `out` fails.
pub fn write(run: &Run, out: impl Write) -> Result<(), csv::Error> {
    let mut csv = csv::WriterBuilder::new()
        .has_headers(false)
        .from_writer(out);
    csv.write_record(COLUMNS)?;
    for contract in &run.verdict.contracts {
        csv.serialize(line(contract))?;
    }
    csv.flush()?;
    Ok(())
}

fn line(result: &ContractResult) -> Line<'_> {
    let time = |of: fn(Times) -> Nanos| cell(result.times.map(|times| seconds(of(times).0)));
    let bounds = result.bounds;
    Line {
        contract: result.contract.key(),
        cohort: &result.cohort,
        from: result.from.map(|from| from.name()),
        expected_lo_s: cell(bounds.map(|bounds| seconds(bounds.lo_ns.0))),
        expected_hi_s: cell(
            bounds
                .and_then(|bounds| bounds.hi_ns)
                .map(|hi| seconds(hi.0)),
        ),
        expected_code: &result.expected,
        observed_n: result.n,
        min_s: time(|times| times.min_ns),
        p50_s: time(|times| times.p50_ns),
        p99_s: time(|times| times.p99_ns),
        max_s: time(|times| times.max_ns),
        passed: result.passed,
        why: text_cell(&result.why),
        doubted: result.doubted,
    }
}

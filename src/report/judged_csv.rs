//! `judged.csv`: what each connection did that a promise was judged by; one row for each promise and connection, or for
//! each of its pings.

use std::io::{Read, Write};

use serde::{Deserialize, Serialize};

use super::run::Run;
use crate::units::Nanos;
use crate::verdict::{ContractResult, Judged, Occurred};

/// The name of the file in the folder of a report.
pub(super) const FILE: &str = "judged.csv";

/// The columns, in order.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    contract: &'a str,
    cohort: &'a str,
    connection: u32,
    level_s: &'a str,
    seen: &'a str,
    value_s: &'a str,
    held: bool,
}

const COLUMNS: [&str; 7] = [
    "contract",
    "cohort",
    "connection",
    "level_s",
    "seen",
    "value_s",
    "held",
];

/// Writes `judged.csv`, in the order of contracts.csv.
///
/// # Errors
/// When writing to `out` fails.
pub fn write(run: &Run, out: impl Write) -> Result<(), csv::Error> {
    let mut csv = csv::WriterBuilder::new()
        .has_headers(false)
        .from_writer(out);
    csv.write_record(COLUMNS)?;
    for contract in &run.verdict.contracts {
        for judged in &contract.evidence.rows {
            let (seen, value) = words(judged.seen);
            csv.serialize(Line {
                contract: contract.contract.key(),
                cohort: &contract.cohort,
                connection: judged.connection,
                level_s: &judged.level_ns.map(seconds).unwrap_or_default(),
                seen,
                value_s: &value.map(seconds).unwrap_or_default(),
                held: judged.held,
            })?;
        }
    }
    csv.flush()?;
    Ok(())
}

/// Seconds with all nine decimals, so that they are read back exactly.
fn seconds(time: Nanos) -> String {
    format!("{}.{:09}", time.0 / 1_000_000_000, time.0 % 1_000_000_000)
}

/// The reverse of [`seconds`].
fn of_seconds(text: &str) -> Option<Nanos> {
    let (whole, part) = text.split_once('.')?;
    let (whole, part): (u64, u64) = (whole.parse().ok()?, part.parse().ok()?);
    let is_whole = text.len() >= 11 && part < 1_000_000_000;
    let ns = whole.checked_mul(1_000_000_000)?.checked_add(part)?;
    is_whole.then_some(Nanos(ns))
}

fn words(seen: Occurred) -> (&'static str, Option<Nanos>) {
    match seen {
        Occurred::After(time) => ("after", Some(time)),
        Occurred::Before => ("before", None),
        Occurred::NotIn(watched) => ("not_in", Some(watched)),
        Occurred::NoOrigin => ("no_origin", None),
        Occurred::CutShort => ("cut_short", None),
    }
}

impl Line<'_> {
    /// `None`: its cells contradict each other.
    fn judged(&self) -> Option<Judged> {
        let time = of_seconds(self.value_s);
        let level = of_seconds(self.level_s);
        let seen = match (self.seen, time) {
            ("after", Some(time)) => Occurred::After(time),
            ("not_in", Some(watched)) => Occurred::NotIn(watched),
            ("before", None) => Occurred::Before,
            ("no_origin", None) => Occurred::NoOrigin,
            ("cut_short", None) => Occurred::CutShort,
            _ => return None,
        };
        let is_told = self.level_s.is_empty() == level.is_none();
        is_told.then_some(Judged {
            connection: self.connection,
            level_ns: level,
            seen,
            held: self.held,
        })
    }
}

/// What is wrong with a row. Fits after "it is broken: ".
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// It is no row of this file.
    #[error(transparent)]
    Shape(#[from] csv::Error),
    /// It belongs to another promise than the one whose turn it is, or there are too many.
    #[error("it is not the row that was written there")]
    Order,
    /// Its cells contradict each other.
    #[error("its cells contradict each other")]
    Cells,
    /// The file ends before it.
    #[error("it is missing")]
    Short,
}

/// Reads back what [`write()`] wrote, so many rows for each promise in turn. With an error comes the number of the line,
/// from 1.
///
/// # Errors
/// When it cannot be read, or is not what was written for these promises.
pub(super) fn read(
    contracts: &mut [ContractResult],
    counts: &[usize],
    text: impl Read,
) -> Result<(), (u64, Broken)> {
    let mut csv = csv::Reader::from_reader(text);
    let mut record = csv::StringRecord::new();
    let mut next = |contract: &ContractResult| -> Result<Judged, (u64, Broken)> {
        let line = csv.position().line();
        let broken = |broken| (line, broken);
        match csv.read_record(&mut record) {
            Err(error) => return Err(broken(error.into())),
            Ok(false) => return Err(broken(Broken::Short)),
            Ok(true) => {}
        }
        let row: Line<'_> = record
            .deserialize(None)
            .map_err(|error| broken(error.into()))?;
        let is_due = row.contract == contract.contract.key() && row.cohort == contract.cohort;
        match row.judged() {
            _ if !is_due => Err(broken(Broken::Order)),
            Some(judged) => Ok(judged),
            None => Err(broken(Broken::Cells)),
        }
    };
    for (contract, count) in contracts.iter_mut().zip(counts) {
        let rows: Result<Vec<Judged>, _> = (0..*count).map(|_| next(contract)).collect();
        contract.evidence.rows = rows?;
    }
    let line = csv.position().line();
    match csv.read_record(&mut record) {
        Ok(false) => Ok(()),
        _ => Err((line, Broken::Order)),
    }
}

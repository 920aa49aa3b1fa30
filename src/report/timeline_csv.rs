//! `timeline.csv`: one row for each time step and cohort; second 0 starts with the first dial.
//! Counts what was completed in that step, in every phase of the run. Steps are one second wide in runs of up to 720
//! seconds, and wider in longer runs.

use std::io::Write;

use serde::Serialize;

use super::numbers::{cell, us};
use super::run::Run;
use crate::measure::Row;

/// The columns, in order.
#[derive(Serialize)]
struct Line<'a> {
    second: u64,
    phase: String,
    cohort: &'a str,
    connecting: u64,
    open: u64,
    closing: u64,
    dead: u64,
    sent: u64,
    received: u64,
    timed_out: u64,
    pings_sent: u64,
    pongs_received: u64,
    missed: u64,
    latency_p50_us: String,
    latency_p99_us: String,
    latency_max_us: String,
    rtt_p99_us: String,
    lateness_p99_us: String,
    seconds: u64,
    ready: u64,
    delivered: u64,
}

const COLUMNS: [&str; 21] = [
    "second",
    "phase",
    "cohort",
    "connecting",
    "open",
    "closing",
    "dead",
    "sent",
    "received",
    "timed_out",
    "pings_sent",
    "pongs_received",
    "missed",
    "latency_p50_us",
    "latency_p99_us",
    "latency_max_us",
    "rtt_p99_us",
    "lateness_p99_us",
    "seconds",
    "ready",
    "delivered",
];

/// Writes `timeline.csv`.
///
/// # Errors
/// When writing to `out` fails.
pub fn write(run: &Run, out: impl Write) -> Result<(), csv::Error> {
    let mut csv = csv::WriterBuilder::new()
        .has_headers(false)
        .from_writer(out);
    csv.write_record(COLUMNS)?;
    for row in run.summary.timeline.iter() {
        csv.serialize(line(row, &run.summary.cohorts))?;
    }
    csv.flush()?;
    Ok(())
}

fn line<'a>(row: &Row, cohorts: &'a [String]) -> Line<'a> {
    Line {
        second: row.second,
        phase: row.phase.to_string(),
        cohort: cohorts.get(row.cohort).map_or("", String::as_str),
        connecting: row.open.connecting,
        open: row.open.open,
        closing: row.open.closing,
        dead: row.open.dead,
        sent: row.sent,
        received: row.received,
        timed_out: row.timed_out,
        pings_sent: row.pings_sent,
        pongs_received: row.pongs_received,
        missed: row.missed,
        latency_p50_us: micros(row.latency_p50_ns),
        latency_p99_us: micros(row.latency_p99_ns),
        latency_max_us: micros(row.latency_max_ns),
        rtt_p99_us: micros(row.rtt_p99_ns),
        lateness_p99_us: micros(row.lateness_p99_ns),
        seconds: row.seconds,
        ready: row.open.ready,
        delivered: row.delivered,
    }
}

fn micros(ns: Option<u64>) -> String {
    cell(ns.map(us))
}

//! The main numbers in the form that `github-action-benchmark` draws over many runs: `customSmallerIsBetter`.

use std::io::{self, Write};

use serde::Serialize;

use super::json;
use super::numbers::us;
use super::run::Run;
use super::times;
use crate::units::counted;

/// One number.
#[derive(Serialize)]
struct Point {
    name: String,
    unit: &'static str,
    value: f64,
    extra: String,
}

/// Writes the p50 and the p99 of each time, in microseconds, of healthy cohorts. Leaves out a percentile with too few
/// samples.
///
/// # Errors
/// When writing to `out` fails.
pub fn write(run: &Run, out: impl Write) -> io::Result<()> {
    let view = run.view();
    let names = times::names(&view);
    let mut points = Vec::new();
    for name in names {
        let Some(times) = view.histogram(name) else {
            continue;
        };
        for percent in [50.0, 99.0] {
            points.extend(times::covered(&times, percent).map(|ns| Point {
                name: format!("{name} p{percent}"),
                unit: "us",
                value: us(ns),
                extra: counted(times.count(), "sample"),
            }));
        }
    }
    json::write(&points, out)
}

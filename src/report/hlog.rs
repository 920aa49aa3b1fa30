//! Times over time as a log of HdrHistogram intervals (version 1.3), which other tools plot. Each line is tagged with
//! the metric and the cohort.

use std::io::{self, Write};

use super::run::Run;
use crate::measure::{Encoded, Interval};
use crate::units::Timestamp;

/// The unit of `Interval_Max`, in nanoseconds: the value that readers of the format expect.
const MILLISECOND: f64 = 1e6;

/// Writes the intervals of a run as an HdrHistogram log. Values are nanoseconds.
///
/// # Errors
/// When writing to `out` fails.
pub fn write(run: &Run, mut out: impl Write) -> io::Result<()> {
    let began = humantime::parse_rfc3339(&run.started_at).ok();
    let began = began.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let began = began.unwrap_or_default().as_secs_f64();
    writeln!(out, "#[Logged with wsbench {}]", run.tool.version)?;
    writeln!(out, "#[Histogram log format version 1.3]")?;
    writeln!(
        out,
        "#[StartTime: {began:.3} (seconds since epoch), {}]",
        run.started_at
    )?;
    writeln!(out, "#[BaseTime: {began:.3} (seconds since epoch)]")?;
    writeln!(
        out,
        "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\""
    )?;
    let names = &run.summary.cohorts;
    for interval in &run.summary.intervals {
        for (cohort, part) in names.iter().zip(&interval.cohorts) {
            for (name, times) in &part.times {
                line(interval, &format!("{name}/{cohort}"), times, &mut out)?;
            }
        }
        for own in interval.sources.values() {
            if let Some(times) = &own.loop_lag {
                line(
                    interval,
                    crate::metric::Timer::GeneratorLoopLag.name(),
                    times,
                    &mut out,
                )?;
            }
        }
    }
    Ok(())
}

fn line(
    interval: &Interval<Encoded>,
    tag: &str,
    times: &Encoded,
    out: &mut impl Write,
) -> io::Result<()> {
    let Some((max, text)) = times.max().zip(times.text()) else {
        return Ok(());
    };
    let from = interval
        .from
        .saturating_since(Timestamp::ORIGIN)
        .as_secs_f64();
    let (seconds, max) = (interval.seconds(), max as f64 / MILLISECOND);
    writeln!(out, "Tag={tag},{from:.3},{seconds:.3},{max:.3},{text}")
}

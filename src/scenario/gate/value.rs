//! The value that a gate compares with. The metric and the statistic decide which units are allowed.

use super::subject::Stat;
use crate::metric::Kind;
use crate::units::{ByteSize, Rate, parse_duration};

/// The unit of a gate's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Nanoseconds, written as a duration.
    Time,
    /// A count.
    Count,
    /// A count per second.
    PerSecond,
    /// A number of bytes.
    Bytes,
    /// A number of bytes per second.
    BytesPerSecond,
    /// A share of a whole; 1 % is 0.01.
    Part,
    /// A percentage of one core; 1 % is 1.
    Cpu,
}

/// The unit of a statistic of a metric.
pub(super) fn unit_of(stat: Stat, kind: Kind, metric: &str) -> Unit {
    let bytes = metric.starts_with("bytes.")
        || matches!(
            metric,
            "generator.rss" | "generator.bytes_per_connection" | "target.rss"
        );
    match (stat, kind) {
        (Stat::Count, _) if bytes => Unit::Bytes,
        (Stat::Count, _) => Unit::Count,
        (Stat::Rate, _) if bytes => Unit::BytesPerSecond,
        (Stat::Rate, _) => Unit::PerSecond,
        (_, Kind::Histogram) => Unit::Time,
        _ if matches!(metric, "generator.cpu" | "target.cpu") => Unit::Cpu,
        _ if bytes => Unit::Bytes,
        _ => Unit::Count,
    }
}

impl Unit {
    /// Reads a value of this unit; the error says what to write.
    pub(super) fn read(self, text: &str) -> Result<f64, &'static str> {
        match self {
            Self::Time => parse_duration(text).ok().map(|time| time.as_nanos() as f64),
            Self::Count => number(text),
            Self::PerSecond => number(text).or_else(|| per_second(text)),
            Self::Bytes => number(text).or_else(|| bytes(text)),
            Self::BytesPerSecond => number(text)
                .or_else(|| per_second(text))
                .or_else(|| bytes(text.strip_suffix("/s")?)),
            Self::Part => number(text).or_else(|| Some(percent(text)? / 100.0)),
            Self::Cpu => number(text).or_else(|| percent(text)),
        }
        .ok_or_else(|| self.example())
    }

    /// Whether its values say how fast something is, so that they are often compared with earlier ones.
    pub(super) fn is_of_speed(self) -> bool {
        matches!(self, Self::Time | Self::PerSecond | Self::BytesPerSecond)
    }

    /// The unit in words.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Time => "a duration",
            Self::Count => "a number",
            Self::PerSecond => "a number a second",
            Self::Bytes => "a number of bytes",
            Self::BytesPerSecond => "a number of bytes a second",
            Self::Part => "a part of a whole",
            Self::Cpu => "percent of one core",
        }
    }

    fn example(self) -> &'static str {
        match self {
            Self::Time => "write a whole number and `us`, `ms` or `s`, such as `50ms`",
            Self::Count => "write a plain number, such as `0`",
            Self::PerSecond => "write a rate or a plain number, such as `100/s`",
            Self::Bytes => "write a size or a plain number, such as `64MiB`",
            Self::BytesPerSecond => "write a size for each second, such as `10MiB/s`",
            Self::Part => "write a percentage or a plain number, such as `0.1%`",
            Self::Cpu => "write a percentage or a plain number, such as `80%`",
        }
    }
}

/// A plain decimal number: without a sign, and no name such as `inf`.
fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

fn percent(text: &str) -> Option<f64> {
    number(text.strip_suffix('%')?)
}

fn per_second(text: &str) -> Option<f64> {
    text.parse().ok().map(Rate::hertz)
}

fn bytes(text: &str) -> Option<f64> {
    text.parse().ok().map(|size: ByteSize| size.0 as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_reads_its_own() {
        assert_eq!(Unit::Time.read("50ms"), Ok(50e6));
        assert_eq!(Unit::Count.read("3"), Ok(3.0));
        assert_eq!(Unit::PerSecond.read("90/m"), Ok(1.5));
        assert_eq!(Unit::Bytes.read("1KiB"), Ok(1024.0));
        assert_eq!(Unit::BytesPerSecond.read("1KiB/s"), Ok(1024.0));
        assert_eq!(Unit::Part.read("50%"), Ok(0.5));
        assert_eq!(Unit::Part.read("0.5"), Ok(0.5));
        assert_eq!(Unit::Cpu.read("80%"), Ok(80.0));
    }

    #[test]
    fn no_unit_reads_another() {
        for (unit, text) in [
            (Unit::Time, "50"),
            (Unit::Time, "1%"),
            (Unit::Count, "1%"),
            (Unit::Count, "1ms"),
            (Unit::Count, "-1"),
            (Unit::Count, "inf"),
            (Unit::Count, "1e999"),
            (Unit::PerSecond, "1KiB/s"),
            (Unit::Bytes, "1%"),
            (Unit::Part, "1ms"),
            (Unit::Cpu, "1KiB"),
        ] {
            assert!(unit.read(text).is_err(), "{unit:?} {text}");
        }
    }
}

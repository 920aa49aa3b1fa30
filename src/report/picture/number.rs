//! Numbers as words: short on an axis, with three significant digits beside a series.

use crate::units::{human_count, human_ns};

/// What the values of a series are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Lengths of time, in nanoseconds.
    Nanoseconds,
    /// Whole things, like connections.
    Count,
    /// Things in a second.
    PerSecond,
    /// Percent, 100 being the whole.
    Percent,
    /// Bytes.
    Bytes,
}

impl Unit {
    /// How the page's script knows it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Nanoseconds => "ns",
            Self::Count => "",
            Self::PerSecond => "/s",
            Self::Percent => "%",
            Self::Bytes => "B",
        }
    }

    /// A value beside a series: `4,000/s`, `12.5 %`, `264 µs`.
    pub fn value(self, value: f64) -> String {
        match self {
            Self::Nanoseconds => human_ns(value.max(0.0) as u64),
            Self::Count => significant(value),
            Self::PerSecond => format!("{}/s", significant(value)),
            Self::Percent => format!("{} %", significant(value)),
            Self::Bytes => bytes(value),
        }
    }

    /// A value on an axis: `5 ms`, `12k`, `50 %`. Values of an axis are round, so few digits say all.
    pub fn tick(self, value: f64) -> String {
        match self {
            Self::Nanoseconds => tick_time(value, value),
            Self::Count | Self::PerSecond => thousands(value),
            Self::Percent => format!("{} %", trimmed(value, 3)),
            Self::Bytes => bytes(value),
        }
    }
}

const UNITS_OF_TIME: [(&str, f64); 4] = [("ns", 1.0), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)];

/// The largest unit of time of which there is at least one.
fn unit_of_time(ns: f64) -> (&'static str, f64) {
    let fits = UNITS_OF_TIME.iter().rev().find(|(_, size)| ns >= *size);
    *fits.unwrap_or(&UNITS_OF_TIME[0])
}

/// A time on an axis of times, with the decimals that its step needs: `1.5 s`, `200 ms`, `0`. Both in nanoseconds.
/// `largest` chooses the unit, so that an axis has one.
pub(super) fn tick_time(ns: f64, largest: f64) -> String {
    if ns == 0.0 {
        return "0".to_owned();
    }
    let (name, size) = unit_of_time(largest);
    format!("{} {name}", trimmed(ns / size, 6))
}

/// Seconds on the axis of a run: `5 s`, `1:30`, `2:00:00`.
pub fn clock(seconds: f64) -> String {
    let tenths = (seconds.max(0.0) * 10.0).round() as u64;
    let (whole, part) = (tenths / 10, tenths % 10);
    let (hours, minutes, rest) = (whole / 3_600, whole / 60 % 60, whole % 60);
    match (hours, whole / 60, part) {
        (0, 0, 0) => format!("{rest} s"),
        (0, 0, _) => format!("{rest}.{part} s"),
        (0, _, 0) => format!("{minutes}:{rest:02}"),
        (0, _, _) => format!("{minutes}:{rest:02}.{part}"),
        _ => format!("{hours}:{minutes:02}:{rest:02}"),
    }
}

/// A whole number that has little room: exact below a hundred thousand, then with three digits: `99,999`, `692k`, `1.25M`.
pub(super) fn short_count(whole: u64) -> String {
    let three = |value: f64, name: char| match value {
        99.95.. => format!("{value:.0}{name}"),
        9.995.. => format!("{}{name}", trimmed(value, 1)),
        _ => format!("{}{name}", trimmed(value, 2)),
    };
    match whole {
        0..100_000 => human_count(whole),
        100_000..999_500 => three(whole as f64 / 1e3, 'k'),
        999_500..999_500_000 => three(whole as f64 / 1e6, 'M'),
        999_500_000..=999_499_999_999 => three(whole as f64 / 1e9, 'G'),
        _ => format!("{:.2e}", whole as f64),
    }
}

/// A number on an axis: `0`, `2.5`, `7,500`, `12k`, `1.5M`.
fn thousands(value: f64) -> String {
    match value {
        1e15.. => format!("{value:.0e}"),
        1e9.. => format!("{}G", trimmed(value / 1e9, 2)),
        1e6.. => format!("{}M", trimmed(value / 1e6, 2)),
        1e4.. => format!("{}k", trimmed(value / 1e3, 2)),
        1e3.. => human_count(value.round() as u64),
        _ => trimmed(value, 4),
    }
}

/// Three significant digits below a hundred, whole and with separated thousands above: `0.5`, `12.3`, `4,000`.
fn significant(value: f64) -> String {
    match value.abs() {
        1e15.. => format!("{value:.2e}"),
        99.95.. => human_count(value.abs().round() as u64),
        9.995.. => trimmed(value, 1),
        1.0.. => trimmed(value, 2),
        _ => trimmed(value, 3),
    }
}

/// Bytes in binary units: `512 B`, `64 MiB`, `1.5 GiB`.
fn bytes(value: f64) -> String {
    const NAMES: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut value, mut name) = (value, 0);
    while value >= 1023.5 && name + 1 < NAMES.len() {
        value /= 1024.0;
        name += 1;
    }
    format!(
        "{} {}",
        trimmed(value, usize::from(value < 99.95)),
        NAMES[name]
    )
}

/// A number with at most so many decimals, without zeros at their end.
fn trimmed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_short() {
        let ms = |value: f64| Unit::Nanoseconds.tick(value * 1e6);
        assert_eq!(
            [ms(0.0), ms(0.005), ms(5.0), ms(1_500.0)],
            ["0", "5 µs", "5 ms", "1.5 s"]
        );
        assert_eq!(tick_time(9.8e8, 1.02e9), "0.98 s");
        let count = |value| Unit::Count.tick(value);
        assert_eq!(
            [count(2.5), count(7_500.0), count(12_000.0), count(2.5e6)],
            ["2.5", "7,500", "12k", "2.5M"]
        );
        assert_eq!(Unit::Bytes.tick(67_108_864.0), "64 MiB");
        assert_eq!(Unit::Percent.tick(50.0), "50 %");
    }

    #[test]
    fn sums_stay_short() {
        let told = [99_999, 692_289, 999_499, 999_500, 12_345_678, 4_000_000_000].map(short_count);
        assert_eq!(told, ["99,999", "692k", "999k", "1M", "12.3M", "4G"]);
    }

    #[test]
    fn a_clock_grows_with_the_run() {
        let told = [0.0, 5.0, 0.5, 90.0, 90.5, 3_599.0, 7_200.0].map(clock);
        assert_eq!(
            told,
            ["0 s", "5 s", "0.5 s", "1:30", "1:30.5", "59:59", "2:00:00"]
        );
    }

    #[test]
    fn values_have_their_unit() {
        assert_eq!(Unit::PerSecond.value(3_999.6), "4,000/s");
        assert_eq!(Unit::PerSecond.value(0.5), "0.5/s");
        assert_eq!(Unit::Percent.value(12.34), "12.3 %");
        assert_eq!(Unit::Nanoseconds.value(264_000.0), "264 µs");
        assert_eq!(Unit::Bytes.value(1_610_612_736.0), "1.5 GiB");
    }
}

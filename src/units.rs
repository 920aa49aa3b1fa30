//! Values with units in the notation of users: `"20/s"`, `"4KiB"`, `"250ms"`, `"0.1%"`.
//! A leaf module: converts text to values and back. Below it, the points and lengths of time of a run.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

mod nanos;

/// A length of time in its two largest units, such as `2days 3h`; in seconds where it is shorter than a minute.
pub fn roughly(length: Duration) -> String {
    if length < Duration::from_secs(60) {
        return human_ns(Nanos::from(length).0);
    }
    let whole = humantime::format_duration(Duration::from_secs(length.as_secs())).to_string();
    let largest: Vec<&str> = whole.split(' ').take(2).collect();
    largest.join(" ")
}

#[cfg(test)]
pub(crate) use nanos::after;
pub use nanos::{Nanos, Timestamp};

/// Why a text is not a value with a unit. Fits after "failed to read".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UnitError {
    message: String,
}

impl UnitError {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}

/// A frequency of events, from once in 30 days to 1,000,000,000 times a second.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rate {
    per_second: f64,
}

impl Rate {
    /// The highest rate: one event per nanosecond, the resolution of the clock.
    pub const MAX_PER_SECOND: f64 = 1e9;

    /// The lowest rate: once in [`MAX_DURATION`].
    pub const MIN_PER_SECOND: f64 = 1.0 / MAX_DURATION.as_secs() as f64;

    /// A rate of this many events per second; `None` unless it is from [`Self::MIN_PER_SECOND`] to
    /// [`Self::MAX_PER_SECOND`].
    pub fn per_second(per_second: f64) -> Option<Self> {
        let legal = Self::MIN_PER_SECOND..=Self::MAX_PER_SECOND;
        legal.contains(&per_second).then_some(Self { per_second })
    }

    /// The number of events per second.
    pub fn hertz(self) -> f64 {
        self.per_second
    }

    /// The mean time between two events, in nanoseconds.
    pub fn gap_ns(self) -> f64 {
        1e9 / self.per_second
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    /// Reads `<number>/<unit>` with the unit `s`, `m` (or `min`) or `h`.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || {
            UnitError::new(format!(
                "`{text}` is not a rate; write a number, a slash and `s`, `m` or `h`, like \"20/s\""
            ))
        };
        let (number, unit) = text.split_once('/').ok_or_else(wrong)?;
        let number: f64 = number.trim().parse().map_err(|_| wrong())?;
        let seconds = match unit.trim() {
            "s" | "sec" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            other => {
                return Err(UnitError::new(format!(
                    "`{other}` is not a unit of time for a rate; use `s`, `m` or `h`"
                )));
            }
        };
        if number.is_nan() || number <= 0.0 {
            return Err(UnitError::new(format!("`{text}` must be above zero")));
        }
        let per_second = number / seconds;
        Self::per_second(per_second).ok_or_else(|| {
            UnitError::new(match per_second < Self::MIN_PER_SECOND {
                true => format!("`{text}` is less than once in 30 days; write a higher rate"),
                false => format!("`{text}` is more than 1000000000/s; write a lower rate"),
            })
        })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |value: f64| (value - value.round()).abs() < 1e-9;
        let (value, unit) = [
            (self.per_second, "s"),
            (self.per_second * 60.0, "m"),
            (self.per_second * 3600.0, "h"),
        ]
        .into_iter()
        .find(|(value, _)| whole(*value) && *value >= 1.0)
        .map_or((self.per_second, "s"), |(value, unit)| {
            (value.round(), unit)
        });
        write!(f, "{value}/{unit}")
    }
}

/// A number of bytes. A size read from text is at most [`ByteSize::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// The largest size that a 64-bit system can address: 8 EiB less one byte.
    pub const MAX: Self = Self(i64::MAX as u64);

    /// The number of bytes as a `usize`, saturating where a `usize` is smaller.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for ByteSize {
    type Err = UnitError;

    /// Reads a number with `B`, `KB`, `KiB`, `MB`, `MiB`, `GB` or `GiB`. The unit is required.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || {
            UnitError::new(format!(
                "`{text}` is not a size; write a number and `B`, `KiB`, `MiB` or `GiB`, like \"4KiB\""
            ))
        };
        let trimmed = text.trim();
        if !trimmed.ends_with(['B', 'b']) {
            return Err(wrong());
        }
        let size: bytesize::ByteSize = trimmed.parse().map_err(|_| wrong())?;
        // A number that is too large for 64 bits was read as `u64::MAX`, so this check refuses it.
        Some(Self(size.as_u64()))
            .filter(|size| *size <= Self::MAX)
            .ok_or_else(|| {
                UnitError::new(format!(
                    "`{text}` is 8EiB or more, which no system can address; write a smaller size"
                ))
            })
    }
}

impl fmt::Display for ByteSize {
    /// Writes the exact number, in the largest binary unit that divides it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, name) = [(1u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")]
            .into_iter()
            .find(|(unit, _)| self.0 >= *unit && self.0.is_multiple_of(*unit))
            .unwrap_or((1, "B"));
        write!(f, "{}{name}", self.0 / unit)
    }
}

/// Reads a duration such as `"250ms"`, `"10s"` or `"1m 30s"`. Zero is allowed; both `"0"` and `"0s"` are zero.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let trimmed = text.trim();
    if trimmed == "0" {
        return Ok(Duration::ZERO);
    }
    let duration = humantime::parse_duration(trimmed).map_err(|_| {
        UnitError::new(format!(
            "`{text}` is not a duration; write a number and `ms`, `s`, `m` or `h`, like \"250ms\""
        ))
    })?;
    if duration > MAX_DURATION {
        return Err(UnitError::new(format!(
            "`{text}` is longer than 30 days; write a shorter time"
        )));
    }
    Ok(duration)
}

/// Reads a duration that is not shorter than `least`.
pub fn parse_at_least(least: Duration, text: &str) -> Result<Duration, UnitError> {
    let duration = parse_duration(text)?;
    if duration < least {
        let least = format_duration(least);
        return Err(UnitError::new(format!(
            "`{text}` is shorter than {least}; write \"{least}\" or longer"
        )));
    }
    Ok(duration)
}

/// The least time that something lasts, is repeated after, or is waited for. With less, a run measures nothing, times
/// out at once, or does nothing but send.
pub const MIN_DURATION: Duration = Duration::from_millis(1);

/// The longest duration in a scenario. Keeps every sum of times far from overflow.
pub const MAX_DURATION: Duration = Duration::from_secs(30 * 24 * 3600);

/// Writes a duration in the notation of a scenario file: `10s`, `1.25s`, `1m30s`, `250ms`. Exact.
pub fn format_duration(duration: Duration) -> String {
    let (minutes, rest) = minutes(duration);
    let (number, unit) = decimal(rest);
    match (minutes.as_str(), rest.is_zero()) {
        ("", _) => format!("{number}{unit}"),
        (minutes, true) => minutes.to_owned(),
        (minutes, false) => format!("{minutes}{number}{unit}"),
    }
}

/// Writes a configured duration for people: `10 s`, `1.25 s`, `1m30s`, `250 ms`. Exact.
pub fn plain_duration(duration: Duration) -> String {
    match decimal(duration) {
        _ if duration >= Duration::from_secs(60) => format_duration(duration),
        (number, unit) => format!("{number} {unit}"),
    }
}

/// The whole hours and minutes as text, and the rest.
fn minutes(duration: Duration) -> (String, Duration) {
    let whole = duration.as_secs() / 60 * 60;
    let rest = duration - Duration::from_secs(whole);
    let text = match whole {
        0 => String::new(),
        _ => humantime::format_duration(Duration::from_secs(whole)).to_string(),
    };
    (text.replace(' ', ""), rest)
}

/// The duration as a number without trailing zeros, in the largest unit up to seconds in which it is at least 1.
fn decimal(duration: Duration) -> (String, &'static str) {
    let ns = duration.as_nanos();
    let (unit, digits, name) = match ns {
        0 | 1_000_000_000.. => (1_000_000_000, 9, "s"),
        1_000_000.. => (1_000_000, 6, "ms"),
        1_000.. => (1_000, 3, "us"),
        _ => (1, 0, "ns"),
    };
    let (whole, part) = (ns / unit, ns % unit);
    if part == 0 {
        return (whole.to_string(), name);
    }
    let part = format!("{part:0digits$}");
    (format!("{whole}.{}", part.trim_end_matches('0')), name)
}

/// Writes a time span for people, with three significant digits: `74.0 µs`, `1.25 ms`, `12.3 s`.
pub fn human_ns(ns: u64) -> String {
    // 999,999 ns are 1.00 ms and not 1000 µs.
    let (value, unit) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..999_500 => (ns as f64 / 1e3, "µs"),
        999_500..999_500_000 => (ns as f64 / 1e6, "ms"),
        _ => (ns as f64 / 1e9, "s"),
    };
    match value {
        99.95.. => format!("{value:.0} {unit}"),
        9.995.. => format!("{value:.1} {unit}"),
        _ => format!("{value:.2} {unit}"),
    }
}

/// The text, cut to at most this many characters (at least one); if it was cut, the last one shows it.
pub fn cut(text: &str, most: usize) -> String {
    match text.chars().nth(most) {
        None => text.to_owned(),
        Some(_) => text
            .chars()
            .take(most.saturating_sub(1))
            .chain(['…'])
            .collect(),
    }
}

/// Whether a character is safe to show: it does not control the terminal, and does not change the direction of the text
/// around it (Unicode Standard Annex 9).
pub fn is_harmless(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !c.is_control() && !turns
}

/// A text from an untrusted source with each unsafe character shown by its number: `\x1b`, `\u{202e}`.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            _ if is_harmless(c) => out.push(c),
            '\t' | '\r' | '\n' => out.extend(c.escape_default()),
            '\0'..='\u{ff}' => out += &format!("\\x{:02x}", u32::from(c)),
            _ => out.extend(c.escape_unicode()),
        }
    }
    out
}

/// The beginning of a text from an untrusted source: at most this many characters, on one line and safe to show.
pub fn one_line(text: &str, most: usize) -> String {
    let spaced: String = (text.chars())
        .map(|c| if is_harmless(c) { c } else { ' ' })
        .collect();
    let words: Vec<&str> = spaced.split_whitespace().collect();
    cut(&words.join(" "), most)
}

/// Writes a whole number with separated thousands: `12,345`.
pub fn human_count(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Writes a count with its noun, which is given in the singular: `1 ping`, `12,345 pings`, `0 addresses`.
pub fn counted(count: u64, noun: &str) -> String {
    let ending = match (count, noun.ends_with(['s', 'x'])) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{} {noun}{ending}", human_count(count))
}

/// The verb after so many: `is` or `are`.
pub const fn are(count: u64) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

/// The verb after so many: `was` or `were`.
pub const fn were(count: u64) -> &'static str {
    if count == 1 { "was" } else { "were" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_moves_a_cursor_or_turns_the_order_is_shown() {
        let text = "a\x1b]0;x\u{7}\r\n\u{9b}2J\u{202e}é";
        assert_eq!(visible(text), r"a\x1b]0;x\x07\r\n\x9b2J\u{202e}é");
    }

    #[test]
    fn rates_read_in_every_unit() {
        assert_eq!("20/s".parse::<Rate>().unwrap().hertz(), 20.0);
        assert_eq!("30/m".parse::<Rate>().unwrap().hertz(), 0.5);
        assert_eq!("36/h".parse::<Rate>().unwrap().to_string(), "36/h");
        assert_eq!("0.5/s".parse::<Rate>().unwrap().to_string(), "30/m");
    }

    #[test]
    fn wrong_rates_say_what_to_write() {
        for text in [
            "20",
            "x/s",
            "0/s",
            "-1/s",
            "NaN/s",
            "inf/s",
            "5/fortnight",
            "2e9/s",
            "1e-300/s",
            "1e-3/h",
        ] {
            let error = text.parse::<Rate>().unwrap_err().to_string();
            assert!(error.contains('`'), "{text}: {error}");
        }
    }

    #[test]
    fn sizes_want_a_unit() {
        assert_eq!("4KiB".parse::<ByteSize>().unwrap(), ByteSize(4096));
        assert_eq!("64B".parse::<ByteSize>().unwrap(), ByteSize(64));
        assert!("64".parse::<ByteSize>().is_err());
        assert!("64 potatoes".parse::<ByteSize>().is_err());
        for text in ["8EiB", "16EiB", "99999999EB"] {
            let error = text.parse::<ByteSize>().unwrap_err().to_string();
            assert!(error.contains("; write a smaller size"), "{text}: {error}");
        }
    }

    #[test]
    fn durations_want_a_unit_and_have_a_ceiling() {
        assert_eq!(parse_duration("1m 30s").unwrap(), Duration::from_secs(90));
        assert_eq!(parse_duration("0").unwrap(), Duration::ZERO);
        assert!(parse_duration("10").is_err());
        assert!(parse_duration("-1s").is_err());
        assert!(parse_duration("40days").is_err());
    }

    #[test]
    fn times_have_three_digits_and_the_right_unit() {
        let seen = [
            0,
            999,
            74_000,
            264_432,
            999_949,
            999_500,
            1_250_000,
            12_345_678_900,
            786_000_000,
        ];
        let told = [
            "0 ns", "999 ns", "74.0 µs", "264 µs", "1.00 ms", "1.00 ms", "1.25 ms", "12.3 s",
            "786 ms",
        ];
        assert_eq!(seen.map(human_ns), told);
    }

    #[test]
    fn human_numbers_keep_three_digits() {
        assert_eq!(human_ns(999), "999 ns");
        assert_eq!(human_ns(74_000), "74.0 µs");
        assert_eq!(human_ns(1_250_000), "1.25 ms");
        assert_eq!(human_count(1_234_567), "1,234,567");
        assert_eq!(human_count(12), "12");
    }

    #[test]
    fn one_is_singular_and_all_else_plural() {
        let all = [0, 1, 2, 1_000].map(|count| counted(count, "ping"));
        assert_eq!(all, ["0 pings", "1 ping", "2 pings", "1,000 pings"]);
        assert_eq!(counted(3, "address"), "3 addresses");
        assert_eq!([0, 1, 2].map(were), ["were", "was", "were"]);
    }

    #[test]
    fn durations_are_written_as_a_person_would() {
        for (ms, file, people) in [
            (0, "0s", "0 s"),
            (250, "250ms", "250 ms"),
            (1_250, "1.25s", "1.25 s"),
            (10_000, "10s", "10 s"),
            (90_000, "1m30s", "1m30s"),
            (3_600_000, "1h", "1h"),
        ] {
            let duration = Duration::from_millis(ms);
            assert_eq!(format_duration(duration), file);
            assert_eq!(plain_duration(duration), people);
        }
        assert_eq!(format_duration(Duration::from_micros(1_500)), "1.5ms");
    }

    proptest! {
        #[test]
        fn size_text_round_trips(bytes in 0u64..1 << 50) {
            prop_assert_eq!(ByteSize(bytes).to_string().parse::<ByteSize>().unwrap(), ByteSize(bytes));
        }

        #[test]
        fn duration_text_round_trips(ns in 0u64..86_400_000_000_000) {
            let duration = Duration::from_nanos(ns);
            prop_assert_eq!(parse_duration(&format_duration(duration)).unwrap(), duration);
        }

        #[test]
        fn rate_text_round_trips(count in 1u32..100_000) {
            let rate = Rate::per_second(f64::from(count)).unwrap();
            prop_assert_eq!(rate.to_string().parse::<Rate>().unwrap(), rate);
        }

        #[test]
        fn no_text_panics(text in ".{0,20}") {
            let _ = text.parse::<Rate>();
            let _ = text.parse::<ByteSize>();
            let _ = parse_duration(&text);
        }
    }

    #[test]
    fn what_a_stranger_wrote_is_one_harmless_line() {
        let text = "<html>\r\n\t<b>no\x1b[2J\u{202e}\u{9b}way ü";
        assert_eq!(one_line(text, 80), "<html> <b>no [2J way ü");
        assert_eq!(one_line(text, 10), "<html> <b…");
    }
}

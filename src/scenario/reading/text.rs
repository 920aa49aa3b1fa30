//! Values in the notation of a scenario file: durations, sizes and rates as text, whole numbers in a range.
//! Each refuses an invalid value with a message that says what to write.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

use crate::scenario::contract::Between;
use crate::scenario::section::{Lasts, Lifetime};
use crate::units::{ByteSize, MIN_DURATION, Rate, format_duration, parse_at_least, parse_duration};

/// A duration that something lasts, is repeated after, or is waited for: at least [`MIN_DURATION`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scenario) struct Time(pub(in crate::scenario) Duration);

/// A delay on the path, or a promised time: at least a microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scenario) struct ShortTime(pub(in crate::scenario) Duration);

/// A duration that may be zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scenario) struct TimeOrZero(pub(in crate::scenario) Duration);

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(in crate::scenario) struct Whole<const MIN: u32, const MAX: u32>(pub(in crate::scenario) u32);

impl Time {
    /// A number of seconds, at least one.
    pub(in crate::scenario) const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// A number of milliseconds, at least one.
    pub(in crate::scenario) const fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }
}

impl TimeOrZero {
    /// No time.
    pub(in crate::scenario) const ZERO: Self = Self(Duration::ZERO);

    /// A number of seconds.
    pub(in crate::scenario) const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// A number of milliseconds.
    pub(in crate::scenario) const fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }
}

impl ShortTime {
    const LEAST: Duration = Duration::from_micros(1);
}

impl From<ShortTime> for Duration {
    fn from(time: ShortTime) -> Self {
        time.0
    }
}

impl From<Time> for Duration {
    fn from(time: Time) -> Self {
        time.0
    }
}

impl From<TimeOrZero> for Duration {
    fn from(time: TimeOrZero) -> Self {
        time.0
    }
}

impl<const MIN: u32, const MAX: u32> From<Whole<MIN, MAX>> for u32 {
    fn from(number: Whole<MIN, MAX>) -> Self {
        number.0
    }
}

impl<const MIN: u32, const MAX: u32> From<Whole<MIN, MAX>> for u64 {
    fn from(number: Whole<MIN, MAX>) -> Self {
        number.0.into()
    }
}

/// Two durations, the earliest and the latest. The first may be zero, and is not above the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scenario) struct Window(pub(in crate::scenario) Between);

/// A number from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::scenario) struct Fraction(pub(in crate::scenario) f64);

/// A probability above zero, as a percentage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::scenario) struct Percent(pub(in crate::scenario) f64);

impl Percent {
    /// Always.
    pub(in crate::scenario) const ALL: Self = Self(1.0);
}

/// A value that is written as text with a unit.
pub(in crate::scenario) trait Text: Sized {
    /// The name of the type in the JSON Schema.
    const NAME: &'static str;
    /// What the user should have written.
    const EXPECTING: &'static str;
    /// A regular expression for editors, which accepts more than [`Text::read`].
    const PATTERN: &'static str;

    /// Reads the value; the error says what is wrong.
    fn read(text: &str) -> Result<Self, String>;

    /// Writes the value so that [`Text::read`] reads the same.
    fn written(&self) -> String;
}

impl Text for Time {
    const NAME: &'static str = "Duration";
    const EXPECTING: &'static str = "a duration such as \"30s\"";
    const PATTERN: &'static str =
        r"^\s*[0-9]+(\.[0-9]+)?\s*[a-zA-Z]+(\s*[0-9]+(\.[0-9]+)?\s*[a-zA-Z]+)*\s*$";

    fn read(text: &str) -> Result<Self, String> {
        let time = parse_at_least(MIN_DURATION, text).map_err(|error| error.to_string())?;
        Ok(Self(time))
    }

    fn written(&self) -> String {
        format_duration(self.0)
    }
}

impl Text for ShortTime {
    const NAME: &'static str = "ShortDuration";
    const EXPECTING: &'static str = Time::EXPECTING;
    const PATTERN: &'static str = Time::PATTERN;

    fn read(text: &str) -> Result<Self, String> {
        let time = parse_at_least(Self::LEAST, text).map_err(|error| error.to_string())?;
        Ok(Self(time))
    }

    fn written(&self) -> String {
        format_duration(self.0)
    }
}

impl Text for TimeOrZero {
    const NAME: &'static str = "DurationOrZero";
    const EXPECTING: &'static str = Time::EXPECTING;
    const PATTERN: &'static str =
        r"^\s*(0|[0-9]+(\.[0-9]+)?\s*[a-zA-Z]+(\s*[0-9]+(\.[0-9]+)?\s*[a-zA-Z]+)*)\s*$";

    fn read(text: &str) -> Result<Self, String> {
        let duration = parse_duration(text).map_err(|error| error.to_string())?;
        Ok(Self(duration))
    }

    fn written(&self) -> String {
        format_duration(self.0)
    }
}

impl Text for Rate {
    const NAME: &'static str = "Rate";
    const EXPECTING: &'static str = "a rate such as \"20/s\"";
    const PATTERN: &'static str = r"^\s*[0-9.eE+-]+\s*/\s*(s|sec|m|min|h)\s*$";

    fn read(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|error: crate::units::UnitError| error.to_string())
    }

    fn written(&self) -> String {
        self.to_string()
    }
}

impl Text for ByteSize {
    const NAME: &'static str = "Size";
    const EXPECTING: &'static str = "a size such as \"4KiB\"";
    const PATTERN: &'static str = r"^\s*[0-9.]+\s*([kKmMgGtTpPeE][iI]?)?[bB]\s*$";

    fn read(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|error: crate::units::UnitError| error.to_string())
    }

    fn written(&self) -> String {
        self.to_string()
    }
}

impl Text for Percent {
    const NAME: &'static str = "Percent";
    const EXPECTING: &'static str = "a percentage such as \"10%\"";
    const PATTERN: &'static str = r"^\s*[0-9.]+\s*%\s*$";

    fn read(text: &str) -> Result<Self, String> {
        let number = text.trim().strip_suffix('%');
        let percent: Option<f64> = number.and_then(|number| number.trim().parse().ok());
        match percent {
            Some(percent) if percent > 0.0 && percent <= 100.0 => Ok(Self(percent / 100.0)),
            _ => Err(format!(
                "`{text}` is not above 0% and at most 100%; write it like \"10%\""
            )),
        }
    }

    fn written(&self) -> String {
        format!("{}%", self.0 * 100.0)
    }
}

/// Implements deserialisation and the schema of a type by its [`Text`].
macro_rules! written_as_text {
    ($($type:ty),+) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(TextVisitor(std::marker::PhantomData))
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.written())
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                <Self as Text>::NAME.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "description": format!("Write {}.", Self::EXPECTING),
                    "pattern": Self::PATTERN,
                })
            }
        }
    )+};
}

written_as_text!(
    Time, ShortTime, TimeOrZero, Rate, ByteSize, Percent, Lasts, Lifetime
);

struct TextVisitor<T>(std::marker::PhantomData<T>);

impl<T: Text> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTING)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::read(text).map_err(E::custom)
    }
}

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Whole<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_u64(WholeVisitor::<MIN, MAX>)
    }
}

struct WholeVisitor<const MIN: u32, const MAX: u32>;

impl<const MIN: u32, const MAX: u32> Visitor<'_> for WholeVisitor<MIN, MAX> {
    type Value = Whole<MIN, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from {MIN} to {MAX}")
    }

    fn visit_i128<E: de::Error>(self, number: i128) -> Result<Self::Value, E> {
        u32::try_from(number)
            .ok()
            .filter(|number| (MIN..=MAX).contains(number))
            .map(Whole)
            .ok_or_else(|| E::custom(format!("`{number}` is not from {MIN} to {MAX}")))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        self.visit_i128(i128::from(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        self.visit_i128(i128::from(number))
    }
}

impl<const MIN: u32, const MAX: u32> JsonSchema for Whole<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Whole_{MIN}_{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(WindowVisitor)
    }
}

struct WindowVisitor;

impl<'de> Visitor<'de> for WindowVisitor {
    type Value = Window;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("two durations such as [\"20s\", \"40s\"]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Window, A::Error> {
        let mut next = || items.next_element::<TimeOrZero>();
        let (Some(lo), Some(hi), None) = (next()?, next()?, next()?) else {
            let what =
                "not two durations; write the soonest and the latest, like [\"20s\", \"40s\"]";
            return Err(de::Error::custom(what));
        };
        let window = Between { lo: lo.0, hi: hi.0 };
        if window.hi.is_zero() || window.lo > window.hi {
            let what = "the second duration is not the longer one; write the soonest first, like [\"20s\", \"40s\"]";
            return Err(de::Error::custom(what));
        }
        Ok(Window(window))
    }
}

impl JsonSchema for Window {
    fn schema_name() -> Cow<'static, str> {
        "Window".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "description": "Not sooner and not later, such as [\"20s\", \"40s\"].",
            "items": generator.subschema_for::<TimeOrZero>(),
            "minItems": 2,
            "maxItems": 2,
        })
    }
}

impl<'de> Deserialize<'de> for Fraction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_f64(FractionVisitor)
    }
}

struct FractionVisitor;

impl Visitor<'_> for FractionVisitor {
    type Value = Fraction;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number from 0 to 1")
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Fraction, E> {
        if (0.0..=1.0).contains(&number) {
            return Ok(Fraction(number));
        }
        Err(E::custom(format!("`{number}` is not from 0 to 1")))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Fraction, E> {
        self.visit_f64(number as f64)
    }
}

impl JsonSchema for Fraction {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Fraction".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0, "maximum": 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'de, T: Deserialize<'de>>(toml: &'de str) -> Result<T, String> {
        toml::de::ValueDeserializer::parse(toml)
            .and_then(T::deserialize)
            .map_err(|error| error.message().to_owned())
    }

    #[test]
    fn values_with_units_are_read() {
        assert_eq!(read("\"1m30s\""), Ok(Time(Duration::from_secs(90))));
        assert_eq!(read("\"0s\""), Ok(TimeOrZero(Duration::ZERO)));
        assert_eq!(read("\"4KiB\""), Ok(ByteSize(4096)));
        assert_eq!(read("7"), Ok(Whole::<1, 9>(7)));
    }

    #[test]
    fn a_window_is_two_durations_in_order() {
        let (lo, hi) = (Duration::ZERO, Duration::from_secs(1));
        assert_eq!(read("[\"0s\", \"1s\"]"), Ok(Window(Between { lo, hi })));
        for wrong in [
            "[]",
            "[\"1s\"]",
            "[\"1s\", \"2s\", \"3s\"]",
            "[\"2s\", \"1s\"]",
            "[\"0s\", \"0s\"]",
        ] {
            let said = read::<Window>(wrong).unwrap_err();
            assert!(said.contains("; write the soonest"), "{wrong}: {said}");
        }
    }

    #[test]
    fn a_fraction_may_be_whole_and_is_never_more_than_one() {
        assert_eq!(read("1"), Ok(Fraction(1.0)));
        assert_eq!(read("0.25"), Ok(Fraction(0.25)));
        for wrong in ["1.01", "-1", "nan"] {
            assert!(read::<Fraction>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_held_says_what_to_write() {
        assert_eq!(
            read::<Time>("\"999us\"").unwrap_err(),
            "`999us` is shorter than 1ms; write \"1ms\" or longer"
        );
        assert_eq!(
            read::<ShortTime>("\"0s\"").unwrap_err(),
            "`0s` is shorter than 1us; write \"1us\" or longer"
        );
        assert_eq!(
            read::<Time>("30").unwrap_err(),
            "invalid type: integer `30`, expected a duration such as \"30s\""
        );
        assert_eq!(
            read::<Whole<1, 9>>("-1").unwrap_err(),
            "`-1` is not from 1 to 9"
        );
        assert_eq!(
            read::<Whole<1, 9>>("1.5").unwrap_err(),
            "invalid type: floating point `1.5`, expected a whole number from 1 to 9"
        );
    }
}

//! A value with its place, so that a problem found later can point to it.
//! The place is a range of the scenario's text, or an option of the command line.

use std::borrow::Cow;
use std::ops::Range;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

/// The place where a value was written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(in crate::scenario) enum Place {
    /// A range of bytes of the scenario's text.
    Text(Range<usize>),
    /// An option of the command line.
    Option(&'static str),
    /// A line of another file, from 1.
    Line(String, u64),
    /// None, as the value was left out.
    #[default]
    Nowhere,
}

impl Place {
    /// The range of bytes, if the place is in the scenario's text.
    pub(in crate::scenario) fn span(&self) -> Option<Range<usize>> {
        match self {
            Self::Text(span) => Some(span.clone()),
            Self::Option(_) | Self::Line(..) | Self::Nowhere => None,
        }
    }
}

/// A value and its place.
#[derive(Debug, Clone, Default)]
pub(in crate::scenario) struct At<T> {
    pub(in crate::scenario) value: T,
    pub(in crate::scenario) place: Place,
}

impl<T> At<T> {
    /// A value given by an option of the command line.
    pub(in crate::scenario) fn option(option: &'static str, value: T) -> Self {
        Self {
            value,
            place: Place::Option(option),
        }
    }
}

/// The place of a part of a string, if the string is in the file unchanged, without escapes.
pub(in crate::scenario) fn inside(source: &str, text: &At<String>, part: Range<usize>) -> Place {
    // A line break after the opening quotes is no part of the string.
    const OPENINGS: [&str; 6] = ["'''\n", "'''", "\"\"\"\n", "\"\"\"", "'", "\""];
    let Some(span) = text.place.span() else {
        return text.place.clone();
    };
    let written = source.get(span.clone()).unwrap_or_default();
    let inner = OPENINGS.iter().find_map(|opening| {
        let inner = written.strip_prefix(opening)?;
        inner
            .starts_with(&text.value)
            .then_some(span.start + opening.len())
    });
    match inner {
        Some(inner) => Place::Text(inner + part.start..inner + part.end),
        None => text.place.clone(),
    }
}

/// The value of a key that may be left out, and its place.
pub(in crate::scenario) type Key<T> = Option<At<T>>;

/// Methods of a key that may be left out.
pub(in crate::scenario) trait Given<T> {
    /// The value; `None` if the key was left out.
    fn value<U>(&self) -> Option<U>
    where
        T: Copy + Into<U>;

    /// The value, or this default.
    fn value_or<U>(&self, default: U) -> U
    where
        T: Copy + Into<U>,
    {
        self.value().unwrap_or(default)
    }

    /// The place; `None` if the key was left out.
    fn place(&self) -> Option<&Place>;
}

impl<T> Given<T> for Key<T> {
    fn value<U>(&self) -> Option<U>
    where
        T: Copy + Into<U>,
    {
        self.as_ref().map(|at| at.value.into())
    }

    fn place(&self) -> Option<&Place> {
        self.as_ref().map(|at| &at.place)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = toml::Spanned::<T>::deserialize(deserializer)?;
        Ok(Self {
            place: Place::Text(spanned.span()),
            value: spanned.into_inner(),
        })
    }
}

/// The schema of the value alone: its place is not part of the language.
impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

//! Keys that accept different forms: a table or a word that switches it off, one value or a list of several.
//! Implemented by hand, so that messages name both valid forms.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use super::place::{At, Key, Place};

/// A table that can be replaced by a word that switches it off.
pub(in crate::scenario) trait Switched {
    /// The word that switches it off.
    const OFF: &'static str;
    /// Both valid forms.
    const EXPECTING: &'static str;
}

/// A table, or the word that switches it off.
#[derive(Debug, Clone)]
pub(in crate::scenario) enum Switch<T> {
    Off,
    On(T),
}

impl<'de, T: Deserialize<'de> + Switched> Deserialize<'de> for Switch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SwitchVisitor(PhantomData))
    }
}

impl<T: Clone> Switch<T> {
    /// The table and its place, if it is given and not switched off.
    pub(in crate::scenario) fn on(key: &Key<Self>) -> Option<At<T>> {
        let At { value, place } = key.as_ref()?;
        match value {
            Self::Off => None,
            Self::On(table) => Some(At {
                value: table.clone(),
                place: place.clone(),
            }),
        }
    }
}

struct SwitchVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Switched> Visitor<'de> for SwitchVisitor<T> {
    type Value = Switch<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTING)
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Self::Value, E> {
        if word == T::OFF {
            return Ok(Switch::Off);
        }
        Err(E::invalid_value(de::Unexpected::Str(word), &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Switch::On)
    }
}

impl<T: JsonSchema + Switched> JsonSchema for Switch<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Switch_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<T>();
        json_schema!({ "oneOf": [{ "type": "string", "const": T::OFF }, table] })
    }
}

/// A list. One table in its place is most likely a header with single brackets by mistake.
#[derive(Debug, Clone)]
pub(in crate::scenario) struct List<T>(pub(in crate::scenario) Vec<T>);

/// The items of a list that may be left out.
pub(in crate::scenario) trait Items<T> {
    /// The items, none if the list was left out.
    fn items(&self) -> &[T];
}

impl<T> Items<T> for Key<List<T>> {
    fn items(&self) -> &[T] {
        self.as_ref().map_or(&[], |list| &list.value.0)
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list in `[` and `]`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Err(de::Error::custom(
            "one table where a list of them is wanted; \
             write its name in double brackets, or the table in `[` and `]`",
        ))
    }
}

impl<T: JsonSchema> JsonSchema for List<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("List_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<T>::json_schema(generator)
    }
}

/// Passes a plain value on to another type, so that the messages of that type say what was expected.
macro_rules! hand_on {
    ($($visit:ident: $value:ty),+ => $wrap:expr) => {$(
        fn $visit<E: de::Error>(self, value: $value) -> Result<Self::Value, E> {
            Deserialize::deserialize(value.into_deserializer()).map($wrap)
        }
    )+};
}

/// One value, or a list of several.
#[derive(Debug, Clone)]
pub(in crate::scenario) enum OneOrMany<T> {
    One(T),
    Many(Vec<At<T>>),
}

impl<T> OneOrMany<T> {
    /// The values and their places, in order. A single value has the place of the whole.
    pub(in crate::scenario) fn each(whole: &At<Self>) -> Vec<(&Place, &T)> {
        whole.value.each_in(&whole.place)
    }

    /// The same for a whole whose place is passed separately.
    pub(in crate::scenario) fn each_in<'a>(&'a self, whole: &'a Place) -> Vec<(&'a Place, &'a T)> {
        match self {
            Self::One(one) => vec![(whole, one)],
            Self::Many(list) => list.iter().map(|at| (&at.place, &at.value)).collect(),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor(PhantomData))
    }
}

struct OneOrManyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrManyVisitor<T> {
    type Value = OneOrMany<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one or a list of several")
    }

    hand_on!(visit_str: &str, visit_i64: i64, visit_f64: f64, visit_bool: bool => OneOrMany::One);

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(OneOrMany::One)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(OneOrMany::Many(list))
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        let many = Vec::<T>::json_schema(generator);
        json_schema!({ "anyOf": [one, many] })
    }
}

/// A table, or as a short form its most important value alone.
#[derive(Debug, Clone)]
pub(in crate::scenario) enum Shorthand<S, T> {
    Value(S),
    Table(T),
}

impl<'de, S: Deserialize<'de>, T: Deserialize<'de>> Deserialize<'de> for Shorthand<S, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShorthandVisitor(PhantomData))
    }
}

struct ShorthandVisitor<S, T>(PhantomData<(S, T)>);

impl<'de, S: Deserialize<'de>, T: Deserialize<'de>> Visitor<'de> for ShorthandVisitor<S, T> {
    type Value = Shorthand<S, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one value or a table")
    }

    hand_on!(visit_str: &str, visit_i64: i64, visit_f64: f64, visit_bool: bool => Shorthand::Value);

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Shorthand::Table)
    }
}

impl<S: JsonSchema, T: JsonSchema> JsonSchema for Shorthand<S, T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Shorthand_{}_{}", S::schema_name(), T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<S>();
        let table = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [value, table] })
    }
}

//! A table that takes other keys beside its own, and keeps where each was written.
//! What serde calls "flatten" would forget the places.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::StringDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor};

use super::place::At;

/// The keys a table has by itself, and all others.
#[derive(Debug, Clone, Default)]
pub(in crate::scenario) struct Open<T, O> {
    pub(in crate::scenario) keys: T,
    pub(in crate::scenario) others: BTreeMap<String, At<O>>,
}

impl<'de, T: Deserialize<'de>, O: Deserialize<'de>> Deserialize<'de> for Open<T, O> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OpenVisitor(PhantomData))
    }
}

struct OpenVisitor<T, O>(PhantomData<(T, O)>);

impl<'de, T: Deserialize<'de>, O: Deserialize<'de>> Visitor<'de> for OpenVisitor<T, O> {
    type Value = Open<T, O>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let mut others = BTreeMap::new();
        let own = Own {
            map,
            fields: &[],
            others: &mut others,
        };
        let keys = T::deserialize(own)?;
        Ok(Open { keys, others })
    }
}

/// A map that shows only those of its keys that a struct asks for, and puts the others aside.
struct Own<'a, A, O> {
    map: A,
    fields: &'static [&'static str],
    others: &'a mut BTreeMap<String, At<O>>,
}

impl<'de, A: MapAccess<'de>, O: Deserialize<'de>> Deserializer<'de> for Own<'_, A, O> {
    type Error = A::Error;

    fn deserialize_any<W: Visitor<'de>>(self, visitor: W) -> Result<W::Value, A::Error> {
        visitor.visit_map(self)
    }

    fn deserialize_struct<W: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: W,
    ) -> Result<W::Value, A::Error> {
        visitor.visit_map(Self { fields, ..self })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl<'de, A: MapAccess<'de>, O: Deserialize<'de>> MapAccess<'de> for Own<'_, A, O> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(key) = self.map.next_key::<String>()? {
            if self.fields.contains(&key.as_str()) {
                let key: StringDeserializer<A::Error> = key.into_deserializer();
                return seed.deserialize(key).map(Some);
            }
            let value = self.map.next_value()?;
            self.others.insert(key, value);
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

impl<T: JsonSchema, O: JsonSchema> JsonSchema for Open<T, O> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = T::json_schema(generator);
        let other = O::json_schema(generator);
        schema.insert("additionalProperties".into(), other.into());
        schema
    }
}

//! `[contract]` and `[cohort.contract]` as the user wrote them: a key for each promise, and the settings of a preset as
//! further keys. Each value knows its place in the file.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr as _;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use strum::VariantArray as _;

use super::Origin;
use super::promise::PromiseKind;
use super::value::{End, Form, Promised};
use crate::scenario::preset::{self, Setting};
use crate::scenario::reading::{
    At, Fraction, Key, OneOrMany, ShortTime, Switched, Text as _, Time, Whole, Window, keys,
};
use crate::units::ByteSize;

/// The key `tcp_end_within = "1s"`, which means the same as `tcp_end_between = ["0s", "1s"]`.
pub(super) const TCP_END_WITHIN: &str = "tcp_end_within";

/// A contract.
#[derive(Debug, Clone, Default)]
pub(in crate::scenario) struct ContractTable {
    /// The server whose settings determine its promises. The other keys of the contract override these promises.
    pub(super) preset: Key<String>,
    pub(super) from: Key<Origin>,
    pub(super) promises: BTreeMap<PromiseKind, At<Value>>,
    pub(super) tcp_end_within: Key<ShortTime>,
    /// Which of the servers that share the name of the preset.
    pub(super) server: Key<String>,
    /// The settings of the preset.
    pub(super) settings: BTreeMap<String, At<Setting>>,
}

/// A promised value as it was written. Where more than its form must be checked, it keeps the places of its parts.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Plain(Promised),
    Codes(Codes),
    Ends(OneOrMany<End>),
    True(bool),
    Back(BackTable),
}

keys! {
    /// When so much of a cohort is back. At least one key.
    #[serde(expecting = "a table such as { p50 = \"1s\", all = \"10s\" }")]
    BackTable = "Back" {
        /// Half of it.
        p50: ShortTime,
        /// 90 %.
        p90: ShortTime,
        /// 99 %.
        p99: ShortTime,
        /// Every connection.
        all: ShortTime,
    }
}

type Count = Whole<0, { u32::MAX }>;
type Codes = OneOrMany<Whole<1000, 4999>>;

impl Form {
    /// Reads the next value of a table.
    fn read<'de, A: MapAccess<'de>>(self, map: &mut A) -> Result<At<Value>, A::Error> {
        fn next<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
            map: &mut A,
            value_of: fn(T) -> Value,
        ) -> Result<At<Value>, A::Error> {
            let At { value, place } = map.next_value::<At<T>>()?;
            let value = value_of(value);
            Ok(At { value, place })
        }
        match self {
            Self::Count => next(map, |most: Count| Value::Plain(u64::from(most.0).into())),
            Self::Within | Self::AtLeast => {
                next(map, |time: ShortTime| Value::Plain(time.0.into()))
            }
            Self::Window => next(map, |window: Window| Value::Plain(window.0.into())),
            Self::Codes => next(map, Value::Codes),
            Self::Ends => next(map, Value::Ends),
            Self::Fraction => next(map, |most: Fraction| Value::Plain(most.0.into())),
            Self::True => next(map, Value::True),
            Self::Back => next(map, Value::Back),
            Self::Size => next(map, |most: ByteSize| Value::Plain(most.into())),
        }
    }

    fn schema(self, generator: &mut SchemaGenerator) -> Schema {
        match self {
            Self::Count => generator.subschema_for::<Count>(),
            Self::Within | Self::AtLeast => generator.subschema_for::<ShortTime>(),
            Self::Window => generator.subschema_for::<Window>(),
            Self::Codes => generator.subschema_for::<Codes>(),
            Self::Ends => generator.subschema_for::<OneOrMany<End>>(),
            Self::Fraction => generator.subschema_for::<Fraction>(),
            Self::True => generator.subschema_for::<bool>(),
            Self::Back => generator.subschema_for::<BackTable>(),
            Self::Size => generator.subschema_for::<ByteSize>(),
        }
    }
}

impl Switched for ContractTable {
    const OFF: &'static str = "off";
    const EXPECTING: &'static str = "\"off\" or a table such as { closed = 0 }";
}

impl<'de> Deserialize<'de> for ContractTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TableVisitor)
    }
}

struct TableVisitor;

impl<'de> Visitor<'de> for TableVisitor {
    type Value = ContractTable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ContractTable, A::Error> {
        let mut table = ContractTable::default();
        while let Some(key) = map.next_key::<String>()? {
            match (key.as_str(), PromiseKind::from_str(&key)) {
                ("preset", _) => table.preset = Some(map.next_value()?),
                ("from", _) => table.from = Some(map.next_value()?),
                (TCP_END_WITHIN, _) => table.tcp_end_within = Some(map.next_value()?),
                (preset::SERVER, _) => table.server = Some(map.next_value()?),
                (_, Ok(kind)) => {
                    let value = kind.rule().form.read(&mut map)?;
                    table.promises.insert(kind, value);
                }
                (_, Err(_)) => {
                    table.settings.insert(key, map.next_value()?);
                }
            }
        }
        Ok(table)
    }
}

impl JsonSchema for ContractTable {
    fn schema_name() -> Cow<'static, str> {
        "Contract".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let described = |mut schema: Schema, text: &str| {
            schema.insert("description".into(), text.into());
            schema.to_value()
        };
        let preset = "The server whose own settings say what it promises, such as \"websockets\". \
            Other promises win over its.";
        let from = "Where the times begin. Default: \"ping\" with a fault that keeps pongs back, \"close\" with the \
            fault `close`, \"fault\" with any other, \"open\" without.";
        let tcp_end = "TCP ends so soon after its decision.";
        let texts = PromiseKind::json_schema(generator);
        let texts = texts
            .get("oneOf")
            .and_then(|words| words.as_array().cloned());
        let mut keys = serde_json::Map::new();
        let mut put = |key: &str, schema| keys.insert(key.into(), schema);
        put(
            "preset",
            described(generator.subschema_for::<String>(), preset),
        );
        put("from", described(generator.subschema_for::<Origin>(), from));
        for kind in PromiseKind::VARIANTS {
            if *kind == PromiseKind::TcpEndBetween {
                let time = generator.subschema_for::<ShortTime>();
                put(TCP_END_WITHIN, described(time, tcp_end));
            }
            let words = texts.iter().flatten();
            let mut own = words.filter(|word| word["const"] == kind.key());
            let text = own.next().and_then(|word| word["description"].as_str());
            let schema = kind.rule().form.schema(generator);
            put(kind.key(), described(schema, text.unwrap_or_default()));
        }
        let setting = Setting::json_schema(generator);
        json_schema!({
            "description": "What the server promises about connections, judged over the whole record of each. Durations \
                are pairs where the soonest matters as much as the latest. Other keys are settings of the preset.",
            "type": "object",
            "properties": keys,
            "additionalProperties": setting,
        })
    }
}

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SettingVisitor)
    }
}

struct SettingVisitor;

impl Visitor<'_> for SettingVisitor {
    type Value = Setting;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"20s\" or a whole number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Setting, E> {
        let time = Time::read(text).map_err(E::custom)?;
        Ok(Setting::Time(time.0))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Setting, E> {
        let count = u32::try_from(number)
            .map_err(|_| E::custom(format!("`{number}` is not from 0 to {}", u32::MAX)))?;
        Ok(Setting::Count(count))
    }
}

impl JsonSchema for Setting {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Setting".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let time = generator.subschema_for::<Time>();
        let servers = preset::servers();
        json_schema!({ "anyOf": [time, { "type": "integer", "minimum": 0 }, { "enum": servers }] })
    }
}

//! `[contract]` and `[cohort.contract]` as the user wrote them: a key for each promise of the server.
//! Keys that are none of these are settings of the preset.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use super::Key;
use crate::scenario::model::{End, Origin};
use crate::scenario::preset::Setting;
use crate::scenario::reading::{Fraction, Open, Several, Switched, Text as _, Time, Whole, Window};
use crate::units::ByteSize;

/// The promises, and the settings of the preset.
pub(in crate::scenario) type ContractTable = Open<ContractKeys, SettingValue>;

impl Switched for ContractTable {
    const OFF: &'static str = "off";
    const EXPECTING: &'static str = "\"off\" or a table such as { closed = 0 }";
}

/// What the server promises about connections, judged over the whole life of each. Durations are pairs where the
/// soonest matters as much as the latest. Other keys are settings of the preset.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
#[schemars(rename = "Contract")]
pub(in crate::scenario) struct ContractKeys {
    /// The server whose own settings say what it promises, such as "websockets". Other promises win over its.
    pub(in crate::scenario) preset: Key<String>,
    /// Where the times begin. Default: "ping" with a fault that keeps pongs back, "close" with the fault `close`,
    /// "fault" with any other, "open" without.
    pub(in crate::scenario) from: Key<Origin>,
    /// The server ends at most so many connections before their time.
    pub(in crate::scenario) closed: Key<Whole<0, { u32::MAX }>>,
    /// Each time the target or the path stands still costs at most so many connections.
    pub(in crate::scenario) closed_per_stall: Key<Whole<0, { u32::MAX }>>,
    /// The server ends no connection sooner than this.
    pub(in crate::scenario) alive_for: Key<Time>,
    /// The server decides to end each connection between these two times: its Close frame, or the end of TCP without one.
    pub(in crate::scenario) closed_between: Key<Window>,
    /// Its Close frame has this code, or one of these; 1005 is an empty one.
    pub(in crate::scenario) code: Key<Several<Whole<1000, 4999>>>,
    /// What its end of a connection looks like: one of these, or a list.
    pub(in crate::scenario) ends_with: Key<Several<End>>,
    /// TCP ends so soon after its decision.
    pub(in crate::scenario) tcp_end_within: Key<Time>,
    /// TCP ends between these two times after its decision.
    pub(in crate::scenario) tcp_end_between: Key<Window>,
    /// The server gives up a connection that cannot see it between these two times.
    pub(in crate::scenario) reaped_between: Key<Window>,
    /// The server's socket is gone so soon. Only with a target on this machine.
    pub(in crate::scenario) released_within: Key<Time>,
    /// Pongs later than some time between these two are too late, found by a sweep of `late_pong`.
    pub(in crate::scenario) effective_timeout: Key<Window>,
    /// 99 % of the server's pongs come so soon. Needs a `heartbeat`.
    pub(in crate::scenario) pong_within: Key<Time>,
    /// The time between two pings of the server.
    pub(in crate::scenario) pings_between: Key<Window>,
    /// How much the server's pings to several clients may fall together: from 0 (evenly spread) to 1 (all at once).
    pub(in crate::scenario) max_ping_sync: Key<Fraction>,
    /// From our Close to the server's.
    pub(in crate::scenario) close_answered_within: Key<Time>,
    /// The server answers our Close with the same code. Only `true`.
    pub(in crate::scenario) close_code_echoed: Key<bool>,
    /// No frame follows the server's Close. Only `true`.
    pub(in crate::scenario) silent_after_close: Key<bool>,
    /// This client's heartbeat notices a silent server between these two times. Needs a `heartbeat`.
    pub(in crate::scenario) detected_between: Key<Window>,
    /// From the end of a fault to the next pong. Needs a `heartbeat`.
    pub(in crate::scenario) recovers_within: Key<Time>,
    /// From the loss of a connection to the first answer on the next one. Needs `reconnect`.
    pub(in crate::scenario) back_within: Key<BackTable>,
    /// How much more memory the target has after the run than before. Only with a target on this machine.
    pub(in crate::scenario) max_rss_growth: Key<ByteSize>,
    /// How many more descriptors it has. Only with a target on this machine.
    pub(in crate::scenario) max_descriptor_growth: Key<Whole<0, { u32::MAX }>>,
}

/// When so much of a cohort is back. At least one key.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { p50 = \"1s\", all = \"10s\" }"
)]
#[schemars(rename = "Back")]
pub(in crate::scenario) struct BackTable {
    /// Half of it.
    pub(in crate::scenario) p50: Key<Time>,
    /// 90 %.
    pub(in crate::scenario) p90: Key<Time>,
    /// 99 %.
    pub(in crate::scenario) p99: Key<Time>,
    /// Every connection.
    pub(in crate::scenario) all: Key<Time>,
}

/// A setting of a preset: a duration or a number.
#[derive(Debug, Clone, Copy)]
pub(in crate::scenario) struct SettingValue(pub(in crate::scenario) Setting);

impl<'de> Deserialize<'de> for SettingValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SettingVisitor)
    }
}

struct SettingVisitor;

impl Visitor<'_> for SettingVisitor {
    type Value = SettingValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"20s\" or a whole number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<SettingValue, E> {
        let time = Time::read(text).map_err(E::custom)?;
        Ok(SettingValue(Setting::Time(time.0)))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<SettingValue, E> {
        let count = u32::try_from(number)
            .map_err(|_| E::custom(format!("`{number}` is not from 0 to {}", u32::MAX)))?;
        Ok(SettingValue(Setting::Count(count)))
    }
}

impl JsonSchema for SettingValue {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Setting".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let time = generator.subschema_for::<Time>();
        json_schema!({ "anyOf": [time, { "type": "integer", "minimum": 0 }] })
    }
}

//! `[path]` as the user wrote it: what a relay does to the connections to the target.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Key;
use crate::scenario::model::Direction;
use crate::scenario::reading::{At, List, Several, Short, Time, TimeOrZero};
use crate::units::ByteSize;

/// What happens on the way to the target. Each key is one fault, or a list of them.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
#[schemars(rename = "Path")]
pub(in crate::scenario) struct PathTable {
    /// Bytes arrive later in both directions; "150ms" is the short form.
    pub(in crate::scenario) delay: Key<Several<Short<Time, DelayTable>>>,
    /// A random part of this time is added to each delay; alone, or beside the short form of `delay`.
    pub(in crate::scenario) jitter: Key<Time>,
    /// Nothing is passed on in either direction until the freeze ends; then everything is.
    pub(in crate::scenario) freeze: Key<Several<SpellTable>>,
    /// What is sent in one direction is thrown away.
    pub(in crate::scenario) drop: Key<Several<SpellTable>>,
    /// The relay ends one half of TCP (FIN), and goes on with the other.
    pub(in crate::scenario) half_close: Key<Several<SpellTable>>,
    /// The relay resets both of its connections.
    pub(in crate::scenario) reset: Key<Several<SpellTable>>,
    /// The relay forgets both of its connections without sending anything, as a NAT does.
    pub(in crate::scenario) forget: Key<Several<SpellTable>>,
    /// The relay ends both connections in the middle of a frame from the server.
    pub(in crate::scenario) cut: Key<Several<SpellTable>>,
    /// At most this many bytes per second pass in each direction; "10KiB" is the short form.
    pub(in crate::scenario) throttle: Key<Several<Short<ByteSize, ThrottleTable>>>,
}

impl PathTable {
    /// Each `after` that is given, with the name of its fault.
    pub(in crate::scenario) fn starts(
        &self,
    ) -> impl Iterator<Item = (&'static str, &At<TimeOrZero>)> {
        let spells = [
            ("freeze", &self.freeze),
            ("drop", &self.drop),
            ("half_close", &self.half_close),
            ("reset", &self.reset),
            ("forget", &self.forget),
            ("cut", &self.cut),
        ];
        let spells = spells.into_iter().flat_map(|(name, given)| {
            let tables = given.iter().flat_map(Several::each);
            tables.filter_map(move |(_, table)| Some((name, table.after.as_ref()?)))
        });
        let delays = self.delay.iter().flat_map(Several::each);
        let delays = delays.filter_map(|(_, one)| match one {
            Short::Table(table) => Some(("delay", table.after.as_ref()?)),
            Short::Value(_) => None,
        });
        let throttles = self.throttle.iter().flat_map(Several::each);
        let throttles = throttles.filter_map(|(_, one)| match one {
            Short::Table(table) => Some(("throttle", table.after.as_ref()?)),
            Short::Value(_) => None,
        });
        spells.chain(delays).chain(throttles)
    }
}

/// A delay.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
#[schemars(rename = "Delay")]
pub(in crate::scenario) struct DelayTable {
    /// How much later. Default "0s", with `jitter`.
    pub(in crate::scenario) by: Key<TimeOrZero>,
    /// A random part of this time is added. Default "0s".
    pub(in crate::scenario) jitter: Key<TimeOrZero>,
    /// From the start of measuring. Default: from the first byte on.
    pub(in crate::scenario) after: Key<TimeOrZero>,
    /// How long it lasts. Default: to the end.
    #[serde(rename = "for")]
    pub(in crate::scenario) lasts: Key<Time>,
    /// The names of the cohorts it happens to. Default: all.
    pub(in crate::scenario) cohorts: Key<List<At<String>>>,
}

/// A limit on how much passes.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
#[schemars(rename = "Throttle")]
pub(in crate::scenario) struct ThrottleTable {
    /// The most bytes per second in each direction. Required.
    pub(in crate::scenario) rate: Key<ByteSize>,
    /// From the start of measuring. Default: from the first byte on.
    pub(in crate::scenario) after: Key<TimeOrZero>,
    /// How long it lasts. Default: to the end.
    #[serde(rename = "for")]
    pub(in crate::scenario) lasts: Key<Time>,
    /// The names of the cohorts it happens to. Default: all.
    pub(in crate::scenario) cohorts: Key<List<At<String>>>,
}

/// Something that happens at a time, and to some cohorts.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { after = \"5s\" }, or a list of them"
)]
#[schemars(rename = "Spell")]
pub(in crate::scenario) struct SpellTable {
    /// From the start of measuring. Required.
    pub(in crate::scenario) after: Key<TimeOrZero>,
    /// How long it lasts. Only with `freeze` and `drop`. Default: to the end.
    #[serde(rename = "for")]
    pub(in crate::scenario) lasts: Key<Time>,
    /// Which way. Required with `drop` and `half_close`, only there.
    pub(in crate::scenario) direction: Key<Direction>,
    /// The names of the cohorts it happens to. Default: all.
    pub(in crate::scenario) cohorts: Key<List<At<String>>>,
}

//! The keys of a scenario file as the user wrote them, before any default or check between sections.
//! The doc comments here are the descriptions in the JSON Schema.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::contract::ContractTable;
use super::reading::{At, List, Several, Switch, Time, Whole};
use crate::units::ByteSize;

mod fault;
mod path;

pub(super) use fault::{ServerHeartbeatTable, TargetFaultTable};
pub(super) use path::{DelayTable, PathTable, SpellTable};

pub(super) use super::reading::Key;
pub(super) use super::section::cohort::CohortTable;
pub(super) use super::section::{HeartbeatTable, LoadTable, MessageTable};

/// A wsbench scenario: whom to connect to, with how much load, and what must hold.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
#[schemars(title = "wsbench scenario", rename = "Scenario")]
pub(super) struct File {
    /// Names the report folder: 1 to 64 letters, digits, `-` and `_`.
    pub(super) name: Key<String>,
    /// One line for people.
    pub(super) description: Key<String>,
    /// The server under test.
    pub(super) target: Key<TargetTable>,
    /// A relay between wsbench and the target, and its faults. Without it connections go directly to the target.
    pub(super) path: Key<PathTable>,
    /// How many connections, when, and for how long.
    pub(super) load: Key<LoadTable>,
    /// The messages that each connection sends repeatedly, independently of each other.
    pub(super) message: Key<List<At<MessageTable>>>,
    /// How each connection checks that the server is alive; "off" if left out.
    pub(super) heartbeat: Key<Switch<HeartbeatTable>>,
    /// What the server promises about the connections of each cohort that has no contract of its own and no fault.
    pub(super) contract: Key<Switch<ContractTable>>,
    /// What must hold.
    pub(super) gates: Key<GatesTable>,
    /// Groups of connections that behave alike and run side by side; one called `main` where left out.
    pub(super) cohort: Key<List<At<CohortTable>>>,
}

/// The server under test.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
#[schemars(rename = "Target")]
pub(super) struct TargetTable {
    /// `ws://…` or `wss://…`, or "embedded" for the built-in echo server. `${NAME}` comes from the environment.
    pub(super) url: Key<String>,
    /// From the dial to the checked 101. Default "10s".
    pub(super) connect_timeout: Key<Time>,
    /// From our Close to the end of TCP. Default "5s".
    pub(super) close_timeout: Key<Time>,
    /// Extra request headers. `${NAME}` in a value comes from the environment; so it does in `origin`, `subprotocols` and
    /// the texts of payloads. Such values are shown nowhere, from four characters on.
    pub(super) headers: Key<BTreeMap<String, At<String>>>,
    /// The `Origin` header.
    pub(super) origin: Key<String>,
    /// Subprotocols to offer, in this order.
    pub(super) subprotocols: Key<List<At<String>>>,
    /// A PEM file with the only certificates to trust; relative to the scenario file.
    pub(super) ca: Key<String>,
    /// Trust any certificate. Default false.
    pub(super) insecure: Key<bool>,
    /// Local addresses to dial from, used in turn: "127.0.0.1" or "127.0.0.1-127.0.0.8".
    pub(super) source_addresses: Key<List<At<String>>>,
    /// The longest message the server may send. Default: four times the longest payload, at least "1MiB".
    pub(super) max_message: Key<ByteSize>,
    /// The built-in server sends every client a message this often. Only with `url = "embedded"`.
    pub(super) push: Key<Time>,
    /// The built-in server pings its clients, and ends those that do not answer. Only with `url = "embedded"`.
    pub(super) heartbeat: Key<ServerHeartbeatTable>,
    /// The program and its arguments: wsbench starts the target, and ends it after the run. Only on this machine.
    pub(super) command: Key<List<At<String>>>,
    /// The process of a target that runs already on this machine.
    pub(super) pid: Key<Whole<1, { i32::MAX as u32 }>>,
    /// What is done to the target. Needs `command`, `pid` or `url = "embedded"`.
    pub(super) fault: Key<Several<TargetFaultTable>>,
}

/// What must hold.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
#[schemars(rename = "Gates")]
pub(super) struct GatesTable {
    /// All of these must hold at the end, such as "p99(latency.echo) < 50ms".
    pub(super) pass: Key<List<At<String>>>,
    /// Any of these that holds ends the run at once, and fails it.
    pub(super) abort: Key<List<At<String>>>,
}

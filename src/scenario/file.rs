//! What the user wrote, key by key, before any default or cross-check.
//! The doc comments here are the descriptions in the JSON Schema.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::contract::ContractTable;
use super::fault::FaultTable;
use super::model::{AliveOn, Expect, FrameKind, Gaps, Jitter, OnDead, Pace, Phase};
use super::reading::{At, List, Several, Switch, Switched, Time, TimeOrZero, Whole};
use crate::units::{ByteSize, Rate};

mod fault;
mod path;

pub(super) use fault::{ServerHeartbeatTable, TargetFaultTable};
pub(super) use path::{DelayTable, PathTable, SpellTable};

/// A key that may be left out, and where it was written.
pub(super) type Key<T> = Option<At<T>>;
/// How many connections, one at least.
pub(super) type Connections = Whole<1, 10_000_000>;
/// How many connections at the end of a stage; none is allowed.
pub(super) type StageConnections = Whole<0, 10_000_000>;

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
    /// What happens on the way there, by a relay that wsbench puts between. Without it there is none.
    pub(super) path: Key<PathTable>,
    /// How many connections, when, and for how long.
    pub(super) load: Key<LoadTable>,
    /// What each connection sends again and again, side by side.
    pub(super) message: Key<List<At<MessageTable>>>,
    /// How each connection watches the server; "off" where left out.
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
    /// Extra request headers. `${NAME}` in a value comes from the environment.
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

/// How many connections, when, and for how long.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
#[schemars(rename = "Load")]
pub(super) struct LoadTable {
    /// How many in all, never multiplied by workers or machines.
    pub(super) connections: Key<Connections>,
    /// Connections open evenly over this time. Default "1s".
    pub(super) ramp_up: Key<TimeOrZero>,
    /// Not measured; starts when each planned connection is open or has failed. Default "0s".
    pub(super) warm_up: Key<TimeOrZero>,
    /// The measured window. Default "30s".
    pub(super) duration: Key<Time>,
    /// Closes at the end are spread over this time. Default "1s".
    pub(super) ramp_down: Key<TimeOrZero>,
    /// How a worker waits for the next deadline. Default "steady".
    pub(super) pace: Key<Pace>,
    /// What to do when a connection is lost. Default "none".
    pub(super) reconnect: Key<Switch<ReconnectTable>>,
    /// The number of connections moves linearly from stage to stage, from zero. Instead of `connections`, `ramp_up`, `warm_up` and `duration`.
    pub(super) stages: Key<List<At<StageTable>>>,
    /// Connections come at a rate, stay for a while and go. Instead of `connections` and `ramp_up`.
    pub(super) arrivals: Key<ArrivalsTable>,
}

/// Dial again after a delay that doubles.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
#[schemars(rename = "Reconnect")]
pub(super) struct ReconnectTable {
    /// The first delay; "0s" dials again at once, every time. Default "500ms".
    pub(super) initial: Key<TimeOrZero>,
    /// The longest delay. Default "30s"; "0s" where `initial` is.
    pub(super) max: Key<TimeOrZero>,
    /// How the delay is spread. Default "full".
    pub(super) jitter: Key<Jitter>,
}

impl Switched for ReconnectTable {
    const OFF: &'static str = "none";
    const EXPECTING: &'static str =
        "\"none\" or a table such as { initial = \"500ms\", max = \"30s\" }";
}

/// One leg of a ramp.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a stage such as { duration = \"30s\", connections = 500 }"
)]
#[schemars(rename = "Stage")]
pub(super) struct StageTable {
    /// How long it takes. Required.
    pub(super) duration: Key<Time>,
    /// How many are open at its end. Required.
    pub(super) connections: Key<StageConnections>,
}

/// Connections that come at a rate, stay for a while and go.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { rate = \"200/s\", lifetime = \"5s\" }"
)]
#[schemars(rename = "Arrivals")]
pub(super) struct ArrivalsTable {
    /// New connections. Required.
    pub(super) rate: Key<Rate>,
    /// From the 101 to our Close. Required.
    pub(super) lifetime: Key<Time>,
    /// Not more than this many at once. Default: twice what `rate` and `lifetime` come to.
    pub(super) max_open: Key<Connections>,
}

/// A message that is sent again and again by every connection.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
#[schemars(rename = "Message")]
pub(super) struct MessageTable {
    /// Names its metrics, as in `latency.<name>`: 1 to 64 letters, digits, `-` and `_`. Required.
    pub(super) name: Key<String>,
    /// What is sent. Default { size = "64B" }.
    pub(super) payload: Key<PayloadTable>,
    /// As text or as binary. Default "text".
    pub(super) frame: Key<FrameKind>,
    /// For each connection, whether the server answers or not (open model).
    pub(super) rate: Key<Rate>,
    /// How the gaps vary. Only with `rate`. Default "constant".
    pub(super) gaps: Key<Gaps>,
    /// Where in the gap a connection starts. Only with `rate`. Default "spread".
    pub(super) phase: Key<Phase>,
    /// So many unanswered at a time: alone the closed model, with `rate` a limit.
    pub(super) in_flight: Key<Whole<1, 1_000_000>>,
    /// From an answer to the next send. Only without `rate`. Default "0s".
    pub(super) think: Key<TimeOrZero>,
    /// Stop after so many on each connection.
    pub(super) count: Key<Whole<1, { u32::MAX }>>,
    /// What must come back. Default "echo".
    pub(super) expect: Key<Expect>,
    /// From the send to the answer. Default "5s".
    pub(super) timeout: Key<Time>,
}

/// What is sent: exactly one of these keys.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a table with `size`, `text`, `hex` or `file`, such as { size = \"64B\" }"
)]
#[schemars(rename = "Payload")]
pub(super) struct PayloadTable {
    /// So many bytes made by wsbench; from 48 bytes on they carry a stamp that names the message.
    pub(super) size: Key<ByteSize>,
    /// This text; `{{stamp}}` in it is replaced by a stamp that names the message, and `{{{{` writes `{{`.
    pub(super) text: Key<String>,
    /// Exactly these bytes, two hexadecimal digits each.
    pub(super) hex: Key<String>,
    /// The bytes of this file; relative to the scenario file.
    pub(super) file: Key<String>,
}

/// How a connection watches the server.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
#[schemars(rename = "Heartbeat")]
pub(super) struct HeartbeatTable {
    /// Between two pings. Default "10s".
    pub(super) interval: Key<Time>,
    /// From a ping to its pong; each ping has its own. Default "5s".
    pub(super) timeout: Key<Time>,
    /// So many deadlines in a row missed, and the connection is dead. Default 1.
    pub(super) max_missed: Key<Whole<1, 1000>>,
    /// Where in the interval a connection starts. Default "spread".
    pub(super) phase: Key<Phase>,
    /// What counts as a sign of life. Default "pong".
    pub(super) alive_on: Key<AliveOn>,
    /// What to do with a dead connection. Default "close".
    pub(super) on_dead: Key<OnDead>,
    /// Answer the server's pings. Default true.
    pub(super) auto_pong: Key<bool>,
    /// Ping and pong frames of RFC 6455, or text messages. Default "frames".
    pub(super) kind: Key<HeartbeatWord>,
    /// The text that is sent. Required with `kind = "text"`.
    pub(super) send: Key<String>,
    /// The text that must come back. Required with `kind = "text"`.
    pub(super) expect: Key<String>,
}

impl Switched for HeartbeatTable {
    const OFF: &'static str = "off";
    const EXPECTING: &'static str =
        "\"off\" or a table such as { interval = \"10s\", timeout = \"5s\" }";
}

/// Control frames or text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum HeartbeatWord {
    Frames,
    Text,
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

/// A group of connections that behave alike.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
#[schemars(rename = "Cohort")]
pub(super) struct CohortTable {
    /// Names its rows in reports: 1 to 64 letters, digits, `-` and `_`. Required.
    pub(super) name: Key<String>,
    /// How many. Required.
    pub(super) connections: Key<Connections>,
    /// Replaces the `message`s above; `[]` removes them.
    pub(super) message: Key<List<At<MessageTable>>>,
    /// Merges key by key with the `heartbeat` above; "off" removes it.
    pub(super) heartbeat: Key<Switch<HeartbeatTable>>,
    /// Replaces `load.reconnect`.
    pub(super) reconnect: Key<Switch<ReconnectTable>>,
    /// What these clients do wrong on purpose: one fault or a list. Default: nothing.
    pub(super) fault: Key<Several<FaultTable>>,
    /// What the server promises about these connections. Replaces the `contract` above; "off" removes it.
    pub(super) contract: Key<Switch<ContractTable>>,
}

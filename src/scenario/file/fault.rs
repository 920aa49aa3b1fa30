//! The faults of the target as the user wrote them: `[[target.fault]]`, and the heartbeat of the built-in server with
//! its defects.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Key;
use crate::scenario::model::{Defect, Signal};
use crate::scenario::reading::{Time, TimeOrZero, Whole};

/// One thing that is done to the target.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a fault such as { kind = \"sigstop\", for = \"3s\" }"
)]
#[schemars(rename = "TargetFault")]
pub(in crate::scenario) struct TargetFaultTable {
    /// "sigstop": it stands still for a time; "sigterm": it shall end in an orderly way. Required.
    pub(in crate::scenario) kind: Key<Signal>,
    /// From the start of measuring. Default "0s".
    pub(in crate::scenario) after: Key<TimeOrZero>,
    /// How long it stands still. Required with "sigstop", only there.
    #[serde(rename = "for")]
    pub(in crate::scenario) lasts: Key<Time>,
    /// How often it is done. Only with "sigstop". Default 1.
    pub(in crate::scenario) repeat: Key<Whole<1, 10_000>>,
    /// From one start to the next. Only with `repeat`. Default: twice `for`, and a second more than it at least.
    pub(in crate::scenario) every: Key<Time>,
    /// The starts are spread over this time, against the server's own timers. Only with `repeat`. Default "0s".
    pub(in crate::scenario) phase: Key<TimeOrZero>,
}

/// How the built-in server watches its clients.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { interval = \"1s\", timeout = \"1s\" }"
)]
#[schemars(rename = "ServerHeartbeat")]
pub(in crate::scenario) struct ServerHeartbeatTable {
    /// Between two pings to one client. Default "10s".
    pub(in crate::scenario) interval: Key<Time>,
    /// From a ping to its pong. Default "5s".
    pub(in crate::scenario) timeout: Key<Time>,
    /// What it does wrong on purpose, so that a contract can be seen to fail. Default: nothing.
    pub(in crate::scenario) defect: Key<Defect>,
}

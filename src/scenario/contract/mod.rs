//! `[cohort.contract]`: what a server promises about the connections of a cohort. The table of all promises stands in
//! `promise`; the rest reads them, fills in what a preset says, and refuses what this run could not judge.

mod judgeable;
mod length;
mod preset;
mod promise;
mod resolve;
mod table;
mod value;

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

pub(super) use judgeable::Around;
pub(super) use length::faults as faults_in_time;
pub use promise::{Promise, PromiseKind};
pub(super) use resolve::contracts;
pub(super) use table::ContractTable;
pub use value::{Back, Between, End, Promised, Span};

/// What a server promises about the connections of a cohort. Judged over the whole life of each.
#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    /// Where the times of its promises begin.
    pub from: Origin,
    /// The settings it was computed from, as `websockets (interval 20s, timeout 20s)`.
    pub preset: Option<String>,
    /// Each is judged on its own. Never empty, no kind twice.
    pub promises: Vec<Promise>,
}

impl Contract {
    /// Whether it has a promise of this kind.
    pub fn has(&self, kind: PromiseKind) -> bool {
        self.promises.iter().any(|promise| promise.kind == kind)
    }

    /// The latest time of a promise of this kind; `None` where there is none.
    pub fn latest(&self, kind: PromiseKind) -> Option<Duration> {
        let promise = self.promises.iter().find(|promise| promise.kind == kind)?;
        promise.span()?.hi
    }
}

/// Where the times of a contract begin.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Origin {
    /// The 101 was received.
    Open,
    /// The client's fault began; of a client without one, the target's or the path's.
    Fault,
    /// The first ping came that this client did not answer.
    Ping,
    /// The last byte that this client sent.
    LastByte,
    /// This client sent the first Close frame.
    Close,
}

impl Origin {
    /// The stable name, as in scenarios and `contracts.csv`.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

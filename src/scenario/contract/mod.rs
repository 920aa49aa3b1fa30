//! `[cohort.contract]`: what a server promises about the connections of a cohort. `promise` holds the table of all
//! promises; the other modules read contracts, add the promises of a preset, and refuse what this run cannot judge.

mod judgeable;
mod length;
mod preset;
mod promise;
mod resolve;
mod table;
mod value;

use std::time::Duration;

pub(super) use judgeable::Environment;
pub use promise::{Promise, PromiseKind};
pub(super) use resolve::contracts;
pub(super) use table::ContractTable;
pub use value::{Back, Between, End, Promised, Span};

use super::reading::words;

/// What a server promises about the connections of a cohort, judged over the whole life of each connection.
#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    /// The event from which the times of its promises count.
    pub from: Origin,
    /// The preset and the settings from which it was computed, such as `websockets (interval 20s, timeout 20s)`.
    pub preset: Option<String>,
    /// The promises, each judged on its own. Never empty, no kind twice.
    pub promises: Vec<Promise>,
}

impl Contract {
    /// Whether it has a promise of this kind.
    pub fn has(&self, kind: PromiseKind) -> bool {
        self.promises.iter().any(|promise| promise.kind == kind)
    }

    /// The latest time of the promise of this kind; `None` if there is no such promise.
    pub fn latest(&self, kind: PromiseKind) -> Option<Duration> {
        let promise = self.promises.iter().find(|promise| promise.kind == kind)?;
        promise.span()?.hi
    }
}

words! {
    /// Where the times of a contract begin.
    pub enum Origin {
        /// The 101 was received.
        Open,
        /// The client was ready: the last step of its set-up was done. Without one that is the 101.
        Ready,
        /// The client's fault began; of a client without one, the target's or the path's.
        Fault,
        /// The first ping came that this client did not answer.
        Ping,
        /// The last byte that this client sent.
        LastByte,
        /// This client sent the first Close frame.
        Close,
    }
}

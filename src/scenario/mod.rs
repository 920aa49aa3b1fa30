//! Turns TOML text into a [`Scenario`], in which nothing invalid can be expressed.
//! Pure: uses no clock, no socket and no environment except the one it is given.

mod contract;
mod fault;
mod file;
mod gate;
mod model;
mod overrides;
mod parse;
mod preset;
mod reading;
mod resolve;
mod secrets;
mod section;
pub mod shipped;

pub use contract::{Back, Between, Contract, End, Origin, Promise, PromiseKind, Promised, Span};
pub use fault::{Activity, Fault, FaultKind, Illegal, Sweep};
pub use model::*;
pub use overrides::Overrides;
pub use parse::parse;
pub use preset::{PresetInWords, in_words as presets};
pub(crate) use reading::nearest;
pub use reading::{Outside, Problem, Problems, Source, schema};
pub use resolve::as_address;
pub(crate) use secrets::secret_parts;
pub use secrets::{Secrets, shown_address};
pub use shipped::{from_url, starter};

//! TOML text to a [`Scenario`] in which nothing invalid can be expressed.
//! Pure: knows no clock, no socket and no environment but the one it is handed.

mod document;
mod file;
mod gate;
mod model;
mod open;
mod overrides;
mod parse;
mod place;
mod preset;
mod problem;
mod resolve;
mod schema;
pub mod shipped;
mod source;
mod text;
mod union;
mod words;

pub use model::*;
pub use overrides::Overrides;
pub use parse::parse;
pub use preset::{PresetInWords, in_words as presets};
pub use problem::{Problem, Problems};
pub use resolve::as_address;
pub use schema::schema;
pub use shipped::{from_url, starter};
pub use source::{Outside, Source};
pub(crate) use words::nearest;

//! TOML text to a [`Scenario`] in which nothing invalid can be expressed.
//! Pure: knows no clock, no socket and no environment but the one it is handed.

mod model;

pub use model::*;

//! Resolves what the user wrote: fills in defaults, checks the sections against each other, and notes each problem with
//! its place.
//! One file for each section.

mod gates;
mod path;
mod process;
mod scenario;
mod target;
mod url;

pub(super) use scenario::resolve;
pub use url::as_address;

//! What the user wrote to what is true: defaults, cross-checks, every problem with its place.
//! One file for each section.

mod gates;
mod path;
mod process;
mod scenario;
mod target;
mod url;

pub(super) use scenario::resolve;
pub use url::as_address;

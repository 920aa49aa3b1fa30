//! What the user wrote to what is true: defaults, cross-checks, every problem with its place.
//! One file for each section.

mod cohort;
mod gates;
mod heartbeat;
mod load;
mod message;
mod path;
mod process;
mod scenario;
mod streams;
mod target;
mod template;
mod url;

pub(super) use scenario::resolve;
pub use url::as_address;

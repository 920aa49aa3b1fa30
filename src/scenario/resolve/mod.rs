//! What the user wrote to what is true: defaults, cross-checks, every problem with its place.
//! One file for each section.

mod check;
mod cohort;
mod gates;
mod heartbeat;
mod load;
mod message;
mod scenario;
mod streams;
mod target;
mod url;

pub(super) use scenario::resolve;

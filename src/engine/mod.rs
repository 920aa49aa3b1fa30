//! Runs the plan and records what happens; prints nothing.
//!
//! ```text
//! prepare, preflight ─ supervisor ─ crew ─ worker ─ client ─ session
//!                       ├ phases (pure)    │       └ dial
//!                       └ merging          └ shared: what the connections of a worker share
//! play, heart: what is due, what an answer means (pure)
//! ```

mod client;
mod crew;
mod dial;
mod error;
mod fanout;
mod heart;
mod merging;
mod observer;
mod once;
mod phases;
mod play;
mod preflight;
mod prepare;
mod sample;
mod saved;
mod session;
mod shared;
mod supervisor;
mod traced;
mod worker;

pub use error::EngineError;
pub use observer::{Finished, Observer, Second};
pub use play::Rehearsal;
pub use preflight::{LimitError, Limits, check_devices, check_sources, cores, workers};
pub use prepare::Prepared;

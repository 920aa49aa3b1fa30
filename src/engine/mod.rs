//! Runs the plan and records what happens; prints nothing.
//!
//! ```text
//! prepare, preflight ─ supervisor ─ crew ─ worker ─ client ─ session
//!                       ├ phases (pure)    │       └ dial
//!                       └ intake, merging  └ shared: what the connections of a worker share
//! supervisor ─ crew ─ fleet: the same supervisor, of workers in other processes
//! replay ─ the same intake, of the recorded shards of several processes
//! play, heart: what is due, what an answer means (pure)
//! ```

mod client;
mod crew;
mod dial;
mod error;
mod fanout;
mod heart;
mod intake;
mod merging;
mod observer;
mod once;
mod parts;
mod phases;
mod play;
mod preflight;
mod prepare;
mod rehearsal;
mod replay;
mod sample;
mod saved;
mod session;
mod shared;
mod supervisor;
mod traced;
mod worker;

pub use crew::{Command, Led, News, Orders};
pub use error::EngineError;
pub use observer::{Closed, Finished, Observer, Second};
pub use play::Rehearsal;
pub use preflight::{LimitError, Limits, check_devices, check_sources, cores, workers};
pub use prepare::Prepared;
pub use rehearsal::rehearse;
pub use replay::{Recorded, Replayed, replay};
pub use supervisor::{known_orders, lead};

#[cfg(test)]
mod endless_tests;

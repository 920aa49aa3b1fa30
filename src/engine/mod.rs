//! The only place with sockets, tasks and time. Does what the plan says and records what happens; prints nothing.
//!
//! ```text
//! supervisor ─ worker ─ client ─ session ─ transport ─ filter ─ link (TLS) ─ wire (TCP)
//!                │        │         ├ exchange, heart: what is due, what an answer means (pure)
//!                │        │         └ cause: why it ended (pure)
//!                │        └ dial, handshake
//!                └ deadline, timer, clock
//! ```

mod cause;
mod client;
mod clock;
mod deadline;
mod dial;
mod error;
mod exchange;
mod filter;
mod handshake;
mod heart;
mod inbox;
mod link;
mod merging;
mod outbox;
mod preflight;
mod prepare;
mod raw;
mod sample;
mod session;
#[cfg(test)]
mod session_tests;
mod shared;
mod supervisor;
mod sys;
mod timer;
mod transport;
mod websocket;
mod wire;
mod worker;

pub use error::EngineError;
pub use preflight::{LimitError, Limits};
pub use prepare::Prepared;
pub(crate) use raw::{RawConnection, RawDialer, RawFailure};
pub use supervisor::{Finished, Second};
pub use sys::TCP_VIEW;
pub use timer::PRECISE;

//! The only place with sockets, tasks and time. Does what the plan says and records what happens; prints nothing.
//!
//! ```text
//! supervisor ─ worker ─ client ─ session ─ transport ─ link (TLS) ─ wire (TCP)
//!                │        │         ├ taking, ending: takes what comes; comes to its end
//!                │        │         ├ fault, misconduct: what it does wrong on purpose; life: what is kept of it
//!                │        │         ├ exchange, heart: what is due, what an answer means (pure)
//!                │        │         └ cause: why it ended (pure)
//!                │        └ dial: connect (TCP), handshake
//!                └ deadline, timer, clock
//! ```

mod cause;
mod client;
mod clock;
mod connect;
mod deadline;
mod dial;
mod ending;
mod error;
mod exchange;
mod fault;
mod handshake;
mod heart;
mod inbox;
mod life;
mod link;
mod merging;
mod misconduct;
mod observer;
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
mod taking;
mod timer;
mod transport;
mod wall;
mod websocket;
mod wire;
#[cfg(test)]
mod wire_tests;
mod worker;

// What the relay waits with.
pub(crate) use deadline::{Deadlines, NEVER};
pub use error::EngineError;
pub use observer::{Finished, Observer, Second};
// The built-in server has the same table to fill.
pub(crate) use preflight::make_room;
pub use preflight::{LimitError, Limits, can_vanish};
pub use prepare::{Prepared, cores};
pub(crate) use raw::{RawConnection, RawDialer, RawFailure};
pub use sys::TCP_VIEW;
pub use timer::PRECISE;
pub(crate) use timer::Timer;

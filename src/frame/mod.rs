//! Frames of a client, as bytes and back (RFC 6455 section 5). Pure: knows no socket and no clock, and answers nothing
//! by itself.
//!
//! ```text
//! bytes read ─► Room ─► Reader ─► Frame, lent out of the room
//! Frame ─► Writer ─► bytes to be written
//! ```
//!
//! A connection that has nothing to say holds no buffer to read into: all connections of a thread read into one
//! [`Room`], and what one has not taken when its turn ends goes with it.

mod header;
mod mask;
#[cfg(any(test, fuzzing))]
pub(crate) mod peer;
mod reader;
mod room;
#[cfg(test)]
mod tests;
mod writer;

pub use header::{Broken, Header, Opcode};
pub use mask::mask;
pub use reader::{Found, Reader};
pub use room::Room;
pub use writer::{Writer, put};

/// A message or a control frame, whole: what a session speaks of, whichever side sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A text message, valid UTF-8.
    Text(&'a [u8]),
    /// A binary message.
    Binary(&'a [u8]),
    /// At most 125 bytes. Wants to be answered.
    Ping(&'a [u8]),
    /// At most 125 bytes; those of the ping, where it answers one.
    Pong(&'a [u8]),
    /// No frame of the same side may follow.
    Close {
        /// As it is on the wire (RFC 6455 section 7.4); `None` for an empty one.
        code: Option<u16>,
        /// At most 123 bytes; may be empty.
        reason: &'a str,
    },
}

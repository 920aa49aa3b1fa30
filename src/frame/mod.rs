//! Frames of a client, as bytes and back (RFC 6455 section 5). Pure: knows no socket and no clock, and answers nothing
//! by itself.
//!
//! ```text
//! bytes read ─► Room ─► Reader ─► Event, lent out of the room
//! Frame ─► Writer ─► bytes to be written
//! ```
//!
//! A connection that has nothing to say holds no buffer to read into: all connections of a thread read into one
//! [`Room`], and what one has not taken when its turn ends goes with it.

mod header;
mod mask;
mod reader;
mod room;
#[cfg(test)]
mod tests;
mod writer;

pub use header::{Broken, Header, Opcode};
pub use mask::mask;
pub use reader::{Event, Found, Reader};
pub use room::Room;
pub use writer::{Frame, Writer, put};

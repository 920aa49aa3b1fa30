//! Encodes a client's frames, and decodes a server's (RFC 6455 section 5), compressed ones too (RFC 7692). Pure: uses no
//! socket and no clock, and answers nothing by itself.
//!
//! ```text
//! bytes read ─► Room ─► Reader ─► Frame, borrowed from the room
//! Frame ─► Writer ─► bytes to be written
//! ```
//!
//! An idle connection has no read buffer: all connections of a thread read into one [`Room`]. Bytes that a connection
//! has not taken when its turn ends are kept with the connection.

mod close;
mod deflate;
mod header;
mod mask;
#[cfg(any(test, fuzzing))]
pub(crate) mod peer;
mod prepared;
mod reader;
mod room;
#[cfg(test)]
mod tests;
mod writer;

pub use close::{BROKEN, answer_to, may_be_sent};
#[cfg(any(test, fuzzing))]
pub(crate) use deflate::assert_bounded;
pub use deflate::{Deflater, Inflater, Inflation, Packed};
pub use header::{Broken, Header, Opcode};
pub use mask::mask;
pub use prepared::{Packer, Packing, Prepared};
pub use reader::{FoundFrame, Reader};
pub use room::Room;
pub use writer::{Writer, put};

/// A complete message or control frame, sent by either side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A text message, valid UTF-8.
    Text(&'a [u8]),
    /// A binary message.
    Binary(&'a [u8]),
    /// At most 125 bytes. Asks for a pong.
    Ping(&'a [u8]),
    /// At most 125 bytes; the bytes of the ping that it answers, if there is one.
    Pong(&'a [u8]),
    /// No frame of the same side may follow it.
    Close {
        /// The code on the wire (RFC 6455 section 7.4); `None` for an empty frame.
        code: Option<u16>,
        /// At most 123 bytes; may be empty.
        reason: &'a str,
    },
}

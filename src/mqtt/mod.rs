//! Packets of MQTT 3.1.1 (docs.oasis-open.org/mqtt/mqtt/v3.1.1) as texts and back. Pure: uses no socket and no clock.
//!
//! ```text
//! PUBLISH          the name of the packet
//! topic:room       its fields, each in a line
//! qos:1
//! id:7
//!                  an empty line, and behind it what is published, byte by byte
//! hello
//! ```
//!
//! So a packet is matched like any other message, what is published is found as it is, and no byte of it is escaped.
//!
//! | packet | its fields, in the order in which they are read |
//! |---|---|
//! | `CONNECT` | `client-id`, `keep-alive` in seconds, `clean-session`; `username`, `password` where there are some |
//! | `CONNACK` | `code` (0 is accepted), `session-present` |
//! | `PUBLISH` | `topic`, `qos` (0 or 1), `id` with QoS 1; `retain`, `dup` where they are true |
//! | `PUBACK`, `UNSUBACK` | `id` |
//! | `SUBSCRIBE` | `id`, `topic`, `qos` |
//! | `SUBACK` | `id`, and `granted` (the QoS) or `refused` (the code) |
//! | `UNSUBSCRIBE` | `id`, `topic` |
//! | `PINGREQ`, `PINGRESP`, `DISCONNECT` | |
//!
//! Packets of QoS 2 are not there, and a packet subscribes to one topic.

mod error;
mod ids;
mod kind;
#[cfg(any(test, fuzzing))]
pub(crate) mod peer;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use error::{Malformed, Unwritable};
use ids::Ids;
pub use reader::Packet;
use reader::Reader;

/// The packets of one connection.
#[derive(Debug)]
pub struct Packets {
    reader: Reader,
    ids: Ids,
}

impl Packets {
    /// For a connection with so many exchanges, each of which has ids of its own.
    pub fn new(exchanges: u64) -> Self {
        Self {
            reader: Reader::default(),
            ids: Ids::new(exchanges),
        }
    }

    /// Puts the packet that a text stands for into its place. Its id becomes a packet identifier.
    ///
    /// # Errors
    /// The text stands for none; then it is left as it is.
    pub fn write(&mut self, message: &mut Vec<u8>) -> Result<(), Unwritable> {
        writer::write(&mut self.ids, message)
    }

    /// Takes the next packet from the beginning of a frame, and puts its text into `text`; `None` if the rest of the frame
    /// holds no whole packet. The packet identifier of an answer becomes the id of what it answers. Packets of more than
    /// `most` bytes are refused.
    ///
    /// # Errors
    /// The bytes are no packets. Nothing that follows can be read.
    pub fn next(
        &mut self,
        frame: &mut &[u8],
        most: usize,
        text: &mut Vec<u8>,
    ) -> Result<Option<Packet>, Malformed> {
        self.reader.next(frame, most, &self.ids, text)
    }
}

//! The records between the first byte and the last.

use serde::{Deserialize, Serialize};

use super::head::{End, Head};
use crate::measure::Bytes;
use crate::units::Timestamp;

/// A record.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Record {
    /// The first.
    Head(Box<Head>),
    /// A second, or a piece of one.
    Second(Piece),
    /// The last.
    End(Box<End>),
}

/// A piece of the shard of one second.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Piece {
    /// The second of the run, from 0.
    pub(super) interval: u64,
    /// The number of this piece of it, from 0.
    pub(super) piece: u32,
    /// How many pieces it has.
    pub(super) pieces: u32,
    /// When measuring began or will, if that was known by then.
    pub(super) measured_from_ns: Option<Timestamp>,
    /// The processor time that the process used, in percent of one core.
    pub(super) cpu: Option<f64>,
    /// Its memory, in bytes.
    pub(super) rss: Option<f64>,
    /// How much its memory has grown for each connection, in bytes.
    pub(super) bytes_per_connection: Option<f64>,
    /// These bytes of the encoded shard.
    pub(super) shard: Bytes,
}

//! What one process of a run recorded, as a file and back: a head that says which part of which run it is, the merged
//! shard of each second, and an end. Knows neither a socket nor a clock.
//!
//! ```text
//! "wsbr" 2 │ length, check, record │ length, check, record │ …
//! ```
//!
//! A record is MessagePack by name. Its length and its check stand before it, so a file that was cut is told from one that
//! was damaged, and one without an end was cut between two records. A shard of more than 512 KiB takes several
//! records, so that no record is longer than a broker takes.

#[cfg(any(test, fuzzing))]
mod any;
mod assembly;
mod error;
mod frame;
mod head;
mod piece;
mod reader;
mod records;
#[cfg(any(test, fuzzing))]
mod sample;
mod writer;

#[cfg(any(test, fuzzing))]
pub(crate) use any::assert_bounded;

pub use assembly::{Assembly, Second, Taken};
pub use error::RecordError;
pub use head::{End, Head, Machine, PartOf, Recipe};
pub use reader::Reader;
pub use records::Records;
pub use writer::Writer;

/// The most bytes of a shard in one record.
const PIECE: usize = 512 << 10;

#[cfg(test)]
mod tests;

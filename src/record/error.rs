//! What can be wrong with a recorded part.

use std::io;

use super::frame::VERSION;
use crate::measure::WireError;
use crate::units::visible;

/// The way out where a file is not what was written.
const AGAIN: &str = "\nhint: copy it again from where it was written";

/// Why a recorded part cannot be read. Fits after "cannot use FILE: ".
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The system could not read or write it.
    #[error("{0}")]
    System(#[from] io::Error),
    /// It does not begin as a recorded part does.
    #[error(
        "it is no recorded part of a run\nhint: give files that `wsbench run --part --record` wrote, or those that agents kept"
    )]
    Foreign,
    /// It has another version of the format.
    #[error(
        "it has version {0} of the format, and this wsbench reads version {VERSION}\nhint: merge it with the wsbench that wrote it"
    )]
    Version(u8),
    /// It ends before its end: inside of a record, or without its last.
    #[error(
        "it is cut off: it has {0} whole seconds and no end\nhint: the process that wrote it was killed, or the file was not copied whole"
    )]
    Cut(u64),
    /// A record is not what was written.
    #[error("it is damaged: record {0} does not match its check{AGAIN}")]
    Damaged(u64),
    /// A record is longer than any that is written.
    #[error("it is damaged: record {0} is longer than any that wsbench writes{AGAIN}")]
    TooLong(u64),
    /// A record has not the format of one.
    #[error("record {at} is none that wsbench writes: {}{AGAIN}", visible(why))]
    Format {
        /// The number of the record, from 0.
        at: u64,
        /// What is wrong.
        why: String,
    },
    /// A record stands where it cannot.
    #[error("record {0} is out of order{AGAIN}")]
    Order(u64),
    /// Something follows the end.
    #[error("it goes on after its end\nhint: give each part as a file of its own")]
    More,
    /// The end does not tell of as many seconds as there are.
    #[error("its end tells of {told} seconds, and it has {there}{AGAIN}")]
    Count {
        /// As many as its end says.
        told: u64,
        /// As many as it has.
        there: u64,
    },
    /// It counts more than any process can.
    #[error("it counts more than a run of any length can{AGAIN}")]
    TooMuch,
    /// A shard cannot be taken in.
    #[error("failed to {}", visible(&.0.to_string()))]
    Shard(#[from] WireError),
}

//! The records of a file behind its head, one by one and as they stand there, while it is still being written.

use std::io::Read;

use super::error::RecordError;
use super::frame::{self, Next};

/// The records of a file.
#[derive(Debug)]
pub struct Records<R> {
    from: Counted<R>,
    number: u64,
}

#[derive(Debug)]
struct Counted<R> {
    from: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

impl<R: Read> Records<R> {
    /// Reads the head of a file and leaves it.
    ///
    /// # Errors
    /// When it is no recorded part, or has no whole head.
    pub fn behind_head(from: R) -> Result<Self, RecordError> {
        let mut from = Counted { from, bytes: 0 };
        frame::check_begin(&mut from)?;
        let mut records = Self { from, number: 0 };
        records.read()?;
        Ok(records)
    }

    /// How many bytes of the file were read: the whole records so far.
    pub fn position(&self) -> u64 {
        self.from.bytes
    }

    /// Reads the next record. Call it only where the file is known to go on.
    ///
    /// # Errors
    /// When it does not, or is damaged.
    pub fn read(&mut self) -> Result<Vec<u8>, RecordError> {
        match frame::read(&mut self.from, self.number)? {
            Next::Record(record) => {
                self.number += 1;
                Ok(record)
            }
            Next::Nothing | Next::Cut => Err(RecordError::Cut(0)),
        }
    }
}

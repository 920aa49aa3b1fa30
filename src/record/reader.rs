//! Reads a part from its file, second by second.

use std::io::Read;

use super::assembly::{Assembly, Second, Taken};
use super::error::RecordError;
use super::frame::{self, Next};
use super::head::{End, Head};
use super::piece::Record;
use crate::measure::Layout;

/// Reads one part. Holds one second at most.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    head: Head,
    records: u64,
    assembly: Assembly,
    end: Option<End>,
}

impl<R: Read> Reader<R> {
    /// Begins to read a part.
    ///
    /// # Errors
    /// When it is none, or has no whole head.
    pub fn begin(mut from: R) -> Result<Self, RecordError> {
        frame::check_begin(&mut from)?;
        let record = next(&mut from, 0, 0)?;
        let record = rmp_serde::from_slice(&record).map_err(|error| RecordError::Format {
            at: 0,
            why: error.to_string(),
        })?;
        let Record::Head(head) = record else {
            return Err(RecordError::Order(0));
        };
        if let Some(why) = head.contradiction() {
            let why = why.to_owned();
            return Err(RecordError::Format { at: 0, why });
        }
        Ok(Self {
            from,
            head: *head,
            records: 1,
            assembly: Assembly::behind(1),
            end: None,
        })
    }

    /// Which part of which run it is.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// How the part ended; `None` until its last second was read.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Reads the next second, of shards with this layout; `None` after the last.
    ///
    /// # Errors
    /// When it is cut, damaged, or not a part of this plan.
    pub fn second(&mut self, layout: &Layout) -> Result<Option<Second>, RecordError> {
        if self.end.is_some() {
            return Ok(None);
        }
        loop {
            let record = next(&mut self.from, self.records, self.assembly.seconds())?;
            self.records += 1;
            match self.assembly.take(&record, layout)? {
                Taken::Piece => {}
                Taken::Second(second) => return Ok(Some(*second)),
                Taken::End(end) => {
                    match frame::read(&mut self.from, self.records) {
                        Ok(Next::Nothing) => {}
                        Ok(Next::Record(_) | Next::Cut) | Err(_) => return Err(RecordError::More),
                    }
                    self.end = Some(*end);
                    return Ok(None);
                }
            }
        }
    }
}

/// Reads the record with this number; the file has so many whole seconds until then.
fn next(from: &mut impl Read, at: u64, seconds: u64) -> Result<Vec<u8>, RecordError> {
    match frame::read(from, at)? {
        Next::Record(record) => Ok(record),
        Next::Nothing | Next::Cut => Err(RecordError::Cut(seconds)),
    }
}

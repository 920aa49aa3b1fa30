//! Puts the records of a part together to seconds, in their order, and believes nothing of them.

use super::error::RecordError;
use super::head::{End, LATEST};
use super::piece::{Piece, Record};
use super::writer::opened_in;
use crate::measure::{Layout, Sample, Shard};
use crate::units::Timestamp;

/// The most that a part may count in all: the sums of as many parts as there can be fit.
const MOST: u64 = 1 << 53;

/// One second of a part.
#[derive(Debug)]
pub struct Second {
    /// The merged shards of its workers.
    pub shard: Shard,
    /// The resources that it used.
    pub sample: Sample,
    /// When measuring began or will, if that was known by then.
    pub measured_from: Option<Timestamp>,
}

/// What a record completed.
#[derive(Debug)]
pub enum Taken {
    /// Nothing yet: there are more pieces of this second.
    Piece,
    /// A second.
    Second(Box<Second>),
    /// The part.
    End(Box<End>),
}

/// The records behind the head of a part, so far. Holds one second at most.
#[derive(Debug, Default)]
pub struct Assembly {
    /// The pieces of a second that is not whole, and the last of them.
    begun: Option<(Piece, Vec<u8>)>,
    /// How many records there were.
    records: u64,
    seconds: u64,
    opened: u64,
    weight: u64,
    last: Option<u64>,
    is_over: bool,
}

impl Assembly {
    /// Nothing yet; so many records came before.
    pub(super) fn behind(records: u64) -> Self {
        Self {
            records,
            ..Self::default()
        }
    }

    /// How many whole seconds there were.
    pub fn seconds(&self) -> u64 {
        self.seconds
    }

    /// Takes the next record, as it was written, of shards with this layout.
    ///
    /// # Errors
    /// When it is none, or cannot be the next of a part of this plan.
    pub fn take(&mut self, record: &[u8], layout: &Layout) -> Result<Taken, RecordError> {
        let at = self.records;
        self.records += 1;
        let record = rmp_serde::from_slice(record).map_err(|error| RecordError::Format {
            at,
            why: error.to_string(),
        })?;
        match record {
            _ if self.is_over => Err(RecordError::More),
            Record::Second(piece) => self.piece(piece, layout),
            Record::End(end) if self.begun.is_none() => self.over(end),
            Record::Head(_) | Record::End(_) => Err(RecordError::Order(at)),
        }
    }

    fn piece(&mut self, mut piece: Piece, layout: &Layout) -> Result<Taken, RecordError> {
        let out_of_order = RecordError::Order(self.records - 1);
        let mut bytes = match self.begun.take() {
            None => {
                let is_later = self.last.is_none_or(|last| piece.interval > last);
                if piece.piece != 0 || piece.pieces == 0 || !is_later {
                    return Err(out_of_order);
                }
                Vec::new()
            }
            Some((last, bytes)) => {
                let expected = (last.interval, last.piece + 1, last.pieces);
                let is_next = (piece.interval, piece.piece, piece.pieces) == expected;
                if !is_next || bytes.len() + piece.shard.0.len() > Shard::MAX_BYTES {
                    return Err(out_of_order);
                }
                bytes
            }
        };
        bytes.append(&mut piece.shard.0);
        if piece.piece + 1 < piece.pieces {
            self.begun = Some((piece, bytes));
            return Ok(Taken::Piece);
        }
        let shard = Shard::decode(&bytes, layout)?;
        if shard.interval != piece.interval {
            return Err(out_of_order);
        }
        self.last = Some(shard.interval);
        self.seconds += 1;
        self.opened = self.opened.saturating_add(opened_in(&shard));
        self.weight = self.weight.saturating_add(shard.weight(layout));
        if self.weight > MOST {
            return Err(RecordError::TooMuch);
        }
        let sample = Sample {
            cpu: finite(piece.cpu),
            rss: finite(piece.rss),
            bytes_per_connection: finite(piece.bytes_per_connection),
            target: None,
        };
        let measured_from = piece.measured_from_ns;
        if measured_from.is_some_and(|from| from >= LATEST) {
            return Err(RecordError::TooMuch);
        }
        Ok(Taken::Second(Box::new(Second {
            shard,
            sample,
            measured_from,
        })))
    }

    fn over(&mut self, end: Box<End>) -> Result<Taken, RecordError> {
        if !end.is_possible() {
            return Err(RecordError::TooMuch);
        }
        if (end.seconds, end.opened) != (self.seconds, self.opened) {
            return Err(RecordError::Count {
                told: end.seconds,
                there: self.seconds,
            });
        }
        self.is_over = true;
        Ok(Taken::End(end))
    }
}

/// A number that can be added up.
fn finite(number: Option<f64>) -> Option<f64> {
    number.filter(|number| (0.0..1e18).contains(number))
}

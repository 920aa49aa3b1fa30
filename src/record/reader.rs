//! Reads a part, second by second, and believes nothing of it.

use std::io::Read;

use super::error::RecordError;
use super::frame::{self, Next};
use super::head::{End, Head};
use super::piece::Record;
use super::writer::opened_in;
use crate::measure::{Layout, Sample, Shard};

/// The most that a part may count in all: the sums of as many parts as there can be fit.
const MOST: u64 = 1 << 53;

/// One second of a part.
#[derive(Debug)]
pub struct Second {
    /// The merged shards of its workers.
    pub shard: Shard,
    /// The resources that it used.
    pub sample: Sample,
}

/// Reads one part. Holds one second at most.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    head: Head,
    records: u64,
    seconds: u64,
    opened: u64,
    weight: u64,
    last: Option<u64>,
    end: Option<End>,
}

impl<R: Read> Reader<R> {
    /// Begins to read a part.
    ///
    /// # Errors
    /// When it is none, or has no whole head.
    pub fn begin(mut from: R) -> Result<Self, RecordError> {
        frame::check_begin(&mut from)?;
        let mut records = 0;
        let Record::Head(head) = next(&mut from, &mut records, 0)? else {
            return Err(RecordError::Order(0));
        };
        if let Some(why) = head.contradiction() {
            let why = why.to_owned();
            return Err(RecordError::Format { at: 0, why });
        }
        Ok(Self {
            from,
            head: *head,
            records,
            weight: 0,
            seconds: 0,
            opened: 0,
            last: None,
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
        let first = match self.next()? {
            Record::End(end) => return self.over(*end).map(|()| None),
            Record::Second(piece) => piece,
            Record::Head(_) => return Err(self.out_of_order()),
        };
        let is_later = self.last.is_none_or(|last| first.interval > last);
        if first.piece != 0 || first.pieces == 0 || !is_later {
            return Err(self.out_of_order());
        }
        let sample = Sample {
            cpu: finite(first.cpu),
            rss: finite(first.rss),
            bytes_per_connection: finite(first.bytes_per_connection),
            target: None,
        };
        let mut bytes = first.shard.0;
        for number in 1..first.pieces {
            let Record::Second(next) = self.next()? else {
                return Err(self.out_of_order());
            };
            let is_next =
                (next.interval, next.piece, next.pieces) == (first.interval, number, first.pieces);
            if !is_next || bytes.len() + next.shard.0.len() > Shard::MAX_BYTES {
                return Err(self.out_of_order());
            }
            bytes.extend_from_slice(&next.shard.0);
        }
        let shard = Shard::decode(&bytes, layout)?;
        if shard.interval != first.interval {
            return Err(self.out_of_order());
        }
        self.last = Some(shard.interval);
        self.seconds += 1;
        self.opened = self.opened.saturating_add(opened_in(&shard));
        self.weight = self.weight.saturating_add(shard.weight(layout));
        if self.weight > MOST {
            return Err(RecordError::TooMuch);
        }
        Ok(Some(Second { shard, sample }))
    }

    fn over(&mut self, end: End) -> Result<(), RecordError> {
        if !end.is_possible() {
            return Err(RecordError::TooMuch);
        }
        if (end.seconds, end.opened) != (self.seconds, self.opened) {
            return Err(RecordError::Count {
                told: end.seconds,
                there: self.seconds,
            });
        }
        match frame::read(&mut self.from, self.records) {
            Ok(Next::Nothing) => {}
            Ok(Next::Record(_) | Next::Cut) | Err(_) => return Err(RecordError::More),
        }
        self.end = Some(end);
        Ok(())
    }

    fn next(&mut self) -> Result<Record, RecordError> {
        next(&mut self.from, &mut self.records, self.seconds)
    }

    /// The last record stands where it cannot.
    fn out_of_order(&self) -> RecordError {
        RecordError::Order(self.records - 1)
    }
}

/// Reads a record, of which so many came before; the file has so many whole seconds until then.
fn next(from: &mut impl Read, records: &mut u64, seconds: u64) -> Result<Record, RecordError> {
    let at = *records;
    let record = match frame::read(from, at)? {
        Next::Record(record) => record,
        Next::Nothing | Next::Cut => return Err(RecordError::Cut(seconds)),
    };
    *records += 1;
    rmp_serde::from_slice(&record).map_err(|error| RecordError::Format {
        at,
        why: error.to_string(),
    })
}

/// A number that can be added up.
fn finite(number: Option<f64>) -> Option<f64> {
    number.filter(|number| (0.0..1e18).contains(number))
}

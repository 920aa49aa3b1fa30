//! Writes a part, second by second.

use std::io::{self, Write};

use super::PIECE;
use super::frame;
use super::head::{End, Head};
use super::piece::{Piece, Record};
use crate::measure::{Bytes, Layout, Sample, Shard};
use crate::metric::Counter;
use crate::units::Timestamp;

/// Writes one part.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    layout: Layout,
    seconds: u64,
    opened: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a part whose shards have this layout.
    ///
    /// # Errors
    /// When the system cannot write.
    pub fn begin(mut out: W, head: &Head, layout: Layout) -> io::Result<Self> {
        frame::begin(&mut out)?;
        frame::write(&mut out, &packed(&Record::Head(Box::new(head.clone()))))?;
        out.flush()?;
        Ok(Self {
            out,
            layout,
            seconds: 0,
            opened: 0,
        })
    }

    /// Writes the merged shard of one second, so that a process that is killed leaves all whole seconds. `measured_from` is
    /// when measuring began or will, if that is known.
    ///
    /// # Errors
    /// When the system cannot write.
    pub fn second(
        &mut self,
        shard: &Shard,
        sample: &Sample,
        measured_from: Option<Timestamp>,
    ) -> io::Result<()> {
        let bytes = shard.encode(&self.layout);
        if bytes.len() > Shard::MAX_BYTES {
            return Err(io::Error::other("the numbers of a second are too many"));
        }
        let pieces = bytes.chunks(PIECE);
        let count = pieces.len() as u32;
        for (piece, bytes) in (0..).zip(pieces) {
            let piece = Piece {
                interval: shard.interval,
                piece,
                pieces: count,
                measured_from_ns: measured_from,
                cpu: sample.cpu,
                rss: sample.rss,
                bytes_per_connection: sample.bytes_per_connection,
                shard: Bytes(bytes.to_vec()),
            };
            frame::write(&mut self.out, &packed(&Record::Second(piece)))?;
        }
        self.seconds += 1;
        self.opened = self.opened.saturating_add(opened_in(shard));
        self.out.flush()
    }

    /// Where it writes to.
    pub fn out(&self) -> &W {
        &self.out
    }

    /// Writes the end, with the seconds and connections that were told of.
    ///
    /// # Errors
    /// When the system cannot write.
    pub fn end(mut self, end: End) -> io::Result<W> {
        let end = End {
            seconds: self.seconds,
            opened: self.opened,
            ..end
        };
        frame::write(&mut self.out, &packed(&Record::End(Box::new(end))))?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// How many connections opened in a second.
pub(super) fn opened_in(shard: &Shard) -> u64 {
    let opened = Counter::ConnectionsOpened;
    let cohorts = shard.cohorts.iter();
    let each = cohorts.map(|cohort| cohort.whole.counter(opened));
    each.fold(0, u64::saturating_add)
}

fn packed(record: &Record) -> Vec<u8> {
    rmp_serde::to_vec_named(record).expect("writing to a vector does not fail")
}

//! What must hold for any bytes whatever that are given as a part: they are read or refused, and what was read can be
//! added up.

use super::frame;
use super::piece::{Piece, Record};
use super::sample::head;
use super::{Reader, Writer};
use crate::measure::{Bytes, Collector, Health, Layout, Phase};
use crate::metric::Timed;
use crate::units::Timestamp;

fn layout() -> Layout {
    Layout {
        cohorts: vec![("main".to_owned(), vec![Timed::sent("echo")])],
        stages: 2,
        topics: Default::default(),
    }
}

/// Takes bytes as a file, as a record behind a good head, and as a shard in a good record.
pub(crate) fn assert_bounded(data: &[u8]) {
    read(data);
    let mut file = begun();
    if frame::write(&mut file, data).is_ok() {
        read(&file);
    }
    let mut file = begun();
    let piece = Record::Second(Piece {
        interval: 1,
        piece: 0,
        pieces: 1,
        measured_from_ns: None,
        cpu: None,
        rss: None,
        bytes_per_connection: None,
        shard: Bytes(data.to_vec()),
    });
    let record = rmp_serde::to_vec_named(&piece).unwrap_or_default();
    if frame::write(&mut file, &record).is_ok() {
        read(&file);
    }
}

/// A file with nothing but its head.
fn begun() -> Vec<u8> {
    let mut file = Vec::new();
    Writer::begin(&mut file, &head(), layout()).expect("writing to a vector does not fail");
    file
}

fn read(file: &[u8]) {
    let mut reader = match Reader::begin(file) {
        Ok(reader) => reader,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let mut collector = Collector::new(layout());
    let mut health = Health::new(&layout());
    loop {
        match reader.second(&layout()) {
            Ok(Some(second)) => {
                health.add(&second.shard, &second.sample);
                collector.interval(Phase::Measure, &second.shard, second.sample);
            }
            Ok(None) => break,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                break;
            }
        }
    }
    let at = Timestamp::from_nanos(2_000_000_000);
    let (all, own) = (
        collector.summary(2.0, &[1.0, 1.0]),
        health.summary(at, &[1.0, 1.0], None),
    );
    assert_eq!(all.count("messages.sent"), own.count("messages.sent"));
}

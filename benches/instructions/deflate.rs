//! Compressed messages, as a session writes and reads them.

use std::hint::black_box;

use wsbench::frame::{Deflater, Frame, Inflation, Packing, Reader, Room, Writer};
use wsbench::plan::{Series, Slice, Template};
use wsbench::scenario::{FrameKind, Payload, Segment};
use wsbench::units::Timestamp;

use crate::stream::PAYLOAD;

/// See [`crate::PATHS`].
pub(crate) fn prepared(count: u64) {
    let text = (0..).map(|n: u64| format!("{{\"id\":{},\"name\":\"{n}\"}},", n * n));
    let text: String = text.take(60).collect();
    let segments = [
        Segment::Stamp,
        Segment::Literal(text.as_bytes()[..1024].into()),
    ];
    let payload = Payload::Template(segments.into());
    let template = Template::new(&payload, FrameKind::Text, &Slice::filler(0));
    let packing = Packing {
        bits: 15,
        threshold: 64,
    };
    let series = Series::new(1, 2, 3, 4);
    let (mut out, mut writer) = (Vec::new(), Writer::new(1));
    for sequence in 0..count {
        let prepared = template
            .prepared(black_box(packing))
            .expect("it is long enough");
        let stamp = || series.stamp(sequence, Timestamp::from_nanos(sequence));
        let values = || unreachable!("there are no placeholders");
        let plain = template.pack(prepared, stamp, values, b"", &mut out);
        assert_eq!(plain, 48 + 1024);
        writer.add_packed(true, black_box(&out));
        let written = writer.unwritten().len();
        writer.wrote(written);
    }
}

/// See [`crate::PATHS`].
pub(crate) fn inflate(count: u64) {
    let mut packed = Vec::new();
    Deflater::new(1, 15).message(PAYLOAD.as_bytes(), &mut packed);
    let frame = [&[0xC1, packed.len() as u8], &packed[..]].concat();
    let (mut reader, mut inflation) = (Reader::new(64 * 1024), Inflation::new(true));
    let (mut room, mut left) = (Room::default(), Vec::new());
    for _ in 0..count {
        room.enter(&mut left);
        room.space()[..frame.len()].copy_from_slice(black_box(&frame));
        room.filled(frame.len());
        let found = reader.next(&mut room, Some(&mut inflation));
        let found = found
            .expect("the frame breaks no rule")
            .expect("it is whole");
        assert!(black_box(found.lend(&room)) == Frame::Text(PAYLOAD.as_bytes()));
        room.leave(&mut left);
    }
}

//! Frames by wsbench's own hand, as a session reads and writes them.

use std::hint::black_box;
use std::io::{Read as _, Write as _};

use wsbench::frame::{FoundFrame, Frame, Reader, Room, Writer};

use crate::stream::{PAYLOAD, Stream};

/// Header, mask and payload of a client's frame.
const FRAME: u64 = 2 + 4 + PAYLOAD.len() as u64;

/// See [`crate::PATHS`].
pub(crate) fn read(count: u64) {
    let (mut stream, mut reader) = (Stream::new(), Reader::new(64 * 1024));
    let (mut room, mut left) = (Room::default(), Vec::new());
    let mut seen = 0;
    for _ in 0..count {
        stream.answer();
        room.enter(&mut left);
        while let Some(found) = next(black_box(&mut stream), &mut reader, &mut room) {
            seen += u64::from(black_box(found.lend(&room)) == Frame::Text(PAYLOAD.as_bytes()));
        }
        room.leave(&mut left);
    }
    assert_eq!(seen, count);
}

/// What has come next, until there is no more to read.
fn next(stream: &mut Stream, reader: &mut Reader, room: &mut Room) -> Option<FoundFrame> {
    loop {
        let found = reader.next(room, None).expect("the frames break no rule");
        if found.is_some() {
            return found;
        }
        let came = stream.read(room.space()).ok()?;
        room.filled(came);
    }
}

/// See [`crate::PATHS`].
pub(crate) fn write(count: u64) {
    let (mut stream, mut writer) = (Stream::new(), Writer::new(1));
    for _ in 0..count {
        writer.add(Frame::Text(black_box(PAYLOAD.as_bytes())));
        let written = black_box(&mut stream).write(writer.unwritten());
        writer.wrote(written.expect("the stream takes everything"));
    }
    assert_eq!(stream.written, count * FRAME);
}

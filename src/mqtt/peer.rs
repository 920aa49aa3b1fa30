//! Holds reader and writer to each other, for the tests and the fuzzer.

use super::ids::Ids;
use super::reader::Reader;
use super::writer::write;
use super::{Malformed, Unwritable};

const MOST: usize = 1 << 20;

/// The packet of a text.
pub(super) fn written(ids: &mut Ids, text: &[u8]) -> Result<Vec<u8>, Unwritable> {
    let mut message = text.to_vec();
    write(ids, &mut message).map(|()| message)
}

/// The texts of packets with the identifiers to acknowledge, and the malformed packet behind them, if there is one.
type Seen = (Vec<(Vec<u8>, Option<u16>)>, Option<Malformed>);

/// All packets in these frames.
pub(super) fn read(ids: &Ids, frames: &[&[u8]]) -> Seen {
    let (mut reader, mut text) = (Reader::default(), Vec::new());
    let mut seen = Vec::new();
    for frame in frames {
        let mut rest = *frame;
        loop {
            match reader.next(&mut rest, MOST, ids, &mut text) {
                Ok(Some(packet)) => seen.push((text.clone(), packet.to_acknowledge)),
                Ok(None) => break,
                Err(why) => return (seen, Some(why)),
            }
        }
        assert!(rest.is_empty());
    }
    (seen, None)
}

/// Asserts that the packets in any bytes are the same in one frame and in frames of this size, and that each is written as
/// it was read.
pub(crate) fn assert_same(bytes: &[u8], size: usize) {
    let ids = &mut Ids::new(3);
    let frames: Vec<&[u8]> = bytes.chunks(size).collect();
    let seen = read(ids, &[bytes]);
    assert_eq!(seen, read(ids, &frames));
    for (text, to_acknowledge) in seen.0 {
        // An answer to nothing has no id.
        if let Ok(packet) = written(&mut Ids::new(1), &text) {
            let again = read(ids, &[&packet]);
            assert_eq!(again, (vec![(text, to_acknowledge)], None));
        }
    }
}

//! The frames that a bad client sends, as bytes (RFC 6455 section 5.2).

use std::sync::LazyLock;

use crate::frame::{Deflater, Frame, Header, Opcode, put};
use crate::scenario::Illegal;

const CONTINUATION: u8 = Opcode::Continuation as u8;
const TEXT: u8 = Opcode::Text as u8;
const BINARY: u8 = Opcode::Binary as u8;
const CLOSE: u8 = Opcode::Close as u8;
pub(super) const PING: u8 = Opcode::Ping as u8;
pub(super) const PONG: u8 = Opcode::Pong as u8;
const RESERVED: u8 = 0xB;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
const MASK: [u8; 4] = *b"mask";

/// The longest payload of a frame with a two-byte length field. A message this long takes many steps when it is sent
/// byte by byte.
const LONG: u16 = u16::MAX;
const LONG_HEADER: usize = 8;

/// 16 MiB of zeros, compressed: one after the other, messages that refer to nothing before them are one message.
static BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut part = Vec::new();
    Deflater::new(9, 15).message(&vec![0; 1 << 20], &mut part);
    let end = [0x00, 0x00, 0xFF, 0xFF];
    let parts = vec![part; 16];
    parts.join(&end[..])
});

/// Returns a whole frame.
pub(super) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    masked(true, opcode, payload)
}

/// Returns the frame that answers a ping, or one of its length that says something else.
pub(super) fn pong(pong: &Frame<'_>, is_wrong: bool) -> Vec<u8> {
    let (opcode, payload) = match *pong {
        Frame::Text(payload) => (TEXT, payload),
        Frame::Binary(payload) => (BINARY, payload),
        Frame::Ping(payload) | Frame::Pong(payload) => (PONG, payload),
        Frame::Close { .. } => (PONG, b"".as_slice()),
    };
    match (is_wrong, opcode) {
        (false, _) => frame(opcode, payload),
        (true, _) if payload.is_empty() => frame(opcode, b"!"),
        // Stays UTF-8.
        (true, TEXT) => {
            let other = match payload.iter().all(|byte| *byte == b'!') {
                true => b'?',
                false => b'!',
            };
            frame(opcode, &vec![other; payload.len()])
        }
        (true, _) => {
            let other: Vec<u8> = payload.iter().map(|byte| !byte).collect();
            frame(opcode, &other)
        }
    }
}

/// Returns a whole text message.
pub(super) fn text(payload: &str) -> Vec<u8> {
    frame(TEXT, payload.as_bytes())
}

/// Returns one of the two fragments of a message.
pub(super) fn fragment(is_last: bool) -> Vec<u8> {
    if is_last {
        masked(true, CONTINUATION, b"second")
    } else {
        masked(false, TEXT, b"first ")
    }
}

/// Returns a frame for which a server has to fail the connection.
pub(super) fn illegal(illegal: Illegal) -> Vec<u8> {
    match illegal {
        Illegal::LongPing => frame(PING, &[b'x'; 126]),
        Illegal::FragmentedPing => masked(false, PING, b"part"),
        Illegal::BadCloseCode => frame(CLOSE, &1005u16.to_be_bytes()),
        Illegal::BadUtf8 => frame(TEXT, &[0xC3, 0x28]),
        Illegal::Unmasked => [&[FIN | TEXT, 5], b"plain".as_slice()].concat(),
        Illegal::ReservedOpcode => frame(RESERVED, b""),
        Illegal::Rsv1Ping => frame(Header::PACKED | PING, b""),
        // A block of the kind that is reserved (RFC 1951 section 3.2.3).
        Illegal::BadDeflate => frame(Header::PACKED | TEXT, &[0b110, 0xFF]),
        Illegal::DeflateBomb => frame(Header::PACKED | TEXT, &BOMB),
    }
}

/// Returns `bytes` bytes, from offset `from` on, of a sequence of long text messages.
pub(super) fn long_message(from: u64, bytes: usize) -> Vec<u8> {
    let length = LONG_HEADER as u64 + u64::from(LONG);
    let [high, low] = LONG.to_be_bytes();
    let [a, b, c, d] = MASK;
    let header: [u8; LONG_HEADER] = [FIN | TEXT, MASKED | 126, high, low, a, b, c, d];
    (from..from + bytes as u64)
        .map(|place| {
            let place = (place % length) as usize;
            let payload = place.wrapping_sub(LONG_HEADER);
            let byte = || b'x' ^ MASK[payload % MASK.len()];
            header.get(place).copied().unwrap_or_else(byte)
        })
        .collect()
}

/// The number of bytes of a long message after which only its payload can follow: its header.
pub(super) const LONG_BEGINS: usize = LONG_HEADER;

fn masked(fin: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, fin, opcode, MASK, payload);
    out
}

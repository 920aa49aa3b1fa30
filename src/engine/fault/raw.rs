//! Frames that the library would not send, as bytes (RFC 6455 section 5.2).

use crate::scenario::Illegal;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
pub(super) const PING: u8 = 0x9;
pub(super) const PONG: u8 = 0xA;
const RESERVED: u8 = 0xB;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
const MASK: [u8; 4] = *b"mask";

/// The longest payload of a frame whose length has two bytes: a message that takes a byte at a time for long.
const LONG: u16 = u16::MAX;
const LONG_HEADER: usize = 8;

/// A whole frame with a payload of at most 65,535 bytes.
pub(super) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    masked(FIN | opcode, payload)
}

/// A whole text message.
pub(super) fn text(payload: &str) -> Vec<u8> {
    frame(TEXT, payload.as_bytes())
}

/// A message in two fragments.
pub(super) fn fragment(is_last: bool) -> Vec<u8> {
    if is_last {
        masked(FIN | CONTINUATION, b"second")
    } else {
        masked(TEXT, b"first ")
    }
}

/// A frame that a server has to fail the connection for.
pub(super) fn illegal(illegal: Illegal) -> Vec<u8> {
    match illegal {
        Illegal::LongPing => frame(PING, &[b'x'; 126]),
        Illegal::FragmentedPing => masked(PING, b"part"),
        Illegal::BadCloseCode => frame(CLOSE, &1005u16.to_be_bytes()),
        Illegal::BadUtf8 => frame(TEXT, &[0xC3, 0x28]),
        Illegal::Unmasked => [&[FIN | TEXT, 5], b"plain".as_slice()].concat(),
        Illegal::ReservedOpcode => frame(RESERVED, b""),
    }
}

/// The bytes of a long text message, and of another one behind it, from one place on.
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

/// What begins a long message: its header, and so nothing but its payload can follow.
pub(super) const LONG_BEGINS: usize = LONG_HEADER;

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        short @ 0..126 => out.push(MASKED | short as u8),
        long => {
            out.push(MASKED | 126);
            out.extend((long as u16).to_be_bytes());
        }
    }
    out.extend(MASK);
    let mask = MASK.iter().cycle();
    out.extend(payload.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
    out
}

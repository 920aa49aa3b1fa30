//! Raw bytes for [`Act::Send`](super::Act::Send) that a server should not send.
//! Unless marked as legal, each breaks exactly one rule of RFC 6455.

use super::frame::{BINARY, CONTINUATION, Frame, PING, PONG, TEXT};

/// An unsolicited text message. Legal.
pub fn text(text: &str) -> Vec<u8> {
    Frame::new(TEXT, text).encode()
}

/// A pong that answers no ping. Legal.
pub fn unsolicited_pong() -> Vec<u8> {
    Frame::new(PONG, "nobody asked").encode()
}

/// Text that is not UTF-8 (section 8.1).
pub fn bad_utf8() -> Vec<u8> {
    Frame::new(TEXT, [0x68, 0xc3, 0x28]).encode()
}

/// A reserved data opcode (section 5.2).
pub fn reserved_opcode() -> Vec<u8> {
    Frame::new(0x3, "what is this").encode()
}

/// A reserved bit without an extension that gives it a meaning (section 5.2).
pub fn rsv_bit() -> Vec<u8> {
    let frame = Frame::new(TEXT, "compressed?");
    Frame { rsv: 4, ..frame }.encode()
}

/// A frame masked by the server (section 5.1).
pub fn masked() -> Vec<u8> {
    Frame::new(TEXT, "masked").encode_masked([1, 2, 3, 4])
}

/// A ping of 126 bytes (section 5.5).
pub fn long_ping() -> Vec<u8> {
    Frame::new(PING, [b'x'; 126]).encode()
}

/// A continuation without a message to continue (section 5.4).
pub fn stray_continuation() -> Vec<u8> {
    Frame::new(CONTINUATION, "of what").encode()
}

/// The header of a binary message of 1 TiB, and its first bytes.
pub fn one_tebibyte() -> Vec<u8> {
    let mut bytes = vec![0x80 | BINARY, 127];
    bytes.extend((1u64 << 40).to_be_bytes());
    bytes.extend([0; 1024]);
    bytes
}

/// The first half of a frame, without the rest.
pub fn half_a_frame() -> Vec<u8> {
    let mut bytes = Frame::new(TEXT, [b'x'; 100]).encode();
    bytes.truncate(50);
    bytes
}

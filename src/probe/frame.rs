//! Frames as in RFC 6455 section 5.2, read from the wire: a probe must see what a message library would hide.

use std::hash::{BuildHasher as _, RandomState};

use super::breach::Breach;
pub(super) use crate::frame::Opcode;
use crate::frame::{Header, put};

/// The longest frame accepted from a server: 1 MiB.
pub(super) const MAX_PAYLOAD: u64 = 1 << 20;

/// One frame, unmasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// Whether it is the last frame of its message.
    pub(super) fin: bool,
    pub(super) opcode: Opcode,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    /// A message in one frame, or a control frame.
    pub(super) fn new(opcode: Opcode, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            fin: true,
            opcode,
            payload: payload.into(),
        }
    }

    /// A Close frame; without a code it is empty.
    pub(super) fn close(code: Option<u16>) -> Self {
        let payload = code.map_or_else(Vec::new, |code| code.to_be_bytes().to_vec());
        Self::new(Opcode::Close, payload)
    }

    /// A frame that is not the last of its message.
    pub(super) fn part(opcode: Opcode, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            fin: false,
            ..Self::new(opcode, payload)
        }
    }

    /// The bytes on the wire, masked as a client must (section 5.3).
    pub(super) fn bytes(&self) -> Vec<u8> {
        // Uses a fresh, unpredictable masking key for each frame (RFC 6455 section 5.3).
        let random = RandomState::new().hash_one(self.payload.len());
        let key = (random as u32).to_be_bytes();
        let mut bytes = Vec::new();
        let opcode = self.opcode as u8;
        put(&mut bytes, self.fin, opcode, key, &self.payload);
        bytes
    }
}

/// How an answer of HTTP begins. As a frame it would have a reserved bit.
const HTTP: &[u8] = b"HTTP/";

/// Removes the first complete frame from the bytes and returns it; `None` while the frame is incomplete.
///
/// # Errors
/// The rule that the server broke.
pub(super) fn take(bytes: &mut Vec<u8>) -> Result<Option<Frame>, Breach> {
    if !bytes.is_empty() && (bytes.starts_with(HTTP) || HTTP.starts_with(bytes)) {
        return match bytes.len() < HTTP.len() {
            true => Ok(None),
            false => Err(Breach::Http),
        };
    }
    let Some(header) = Header::read(bytes, false)? else {
        return Ok(None);
    };
    if header.payload > MAX_PAYLOAD {
        return Err(Breach::TooLong);
    }
    let end = header.length + header.payload as usize;
    let Some(payload) = bytes.get(header.length..end) else {
        return Ok(None);
    };
    let payload = payload.to_vec();
    bytes.drain(..end);
    Ok(Some(Frame {
        fin: header.fin,
        opcode: header.opcode,
        payload,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Unmasks the bytes of a client's frame, as a server does.
    fn unmasked(bytes: &[u8]) -> Vec<u8> {
        let length = match bytes[1] & 0x7f {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        let mask = &bytes[length..length + 4];
        let mut plain = bytes[..length].to_vec();
        plain[1] &= 0x7f;
        let payload = bytes[length + 4..].iter().zip(mask.iter().cycle());
        plain.extend(payload.map(|(byte, key)| byte ^ key));
        plain
    }

    #[test]
    fn frames_of_every_length_survive_in_any_pieces() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let frame = Frame::new(Opcode::Binary, vec![7; length]);
            let wire = unmasked(&frame.bytes());
            let mut bytes = wire[..wire.len() - 1].to_vec();
            assert_eq!(take(&mut bytes), Ok(None), "{length}");
            bytes.extend([*wire.last().unwrap(), 0x81]);
            assert_eq!(take(&mut bytes), Ok(Some(frame)), "{length}");
            assert_eq!(bytes, [0x81], "what follows stays");
        }
    }

    #[test]
    fn two_frames_have_two_masks() {
        let frame = Frame::new(Opcode::Text, "hello");
        assert_ne!(frame.bytes()[2..6], frame.bytes()[2..6]);
    }

    #[test]
    fn each_broken_rule_is_named() {
        for (bytes, rule) in [
            (vec![0x81, 0x80], Breach::Masked),
            (vec![0xc1, 0x00], Breach::ReservedBits),
            (vec![0x83, 0x00], Breach::ReservedOpcode),
            (vec![0x09, 0x00], Breach::Control),
            (vec![0x89, 126, 0, 126], Breach::Control),
            (vec![0x82, 126, 0, 5], Breach::Length),
            (vec![0x82, 127, 0, 0, 0, 0, 1, 0, 0, 0], Breach::TooLong),
            (b"HTTP/1.1 200 OK\r\n".to_vec(), Breach::Http),
        ] {
            let mut bytes = bytes;
            assert_eq!(take(&mut bytes), Err(rule));
        }
        assert_eq!(take(&mut b"HTT".to_vec()), Ok(None), "more may tell");
    }
}

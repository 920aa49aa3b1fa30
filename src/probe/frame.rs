//! Frames of RFC 6455 section 5.2, as they are on the wire: what a message library would hide, a probe must see.

use std::hash::{BuildHasher as _, RandomState};

/// The longest frame that is taken from a server: 1 MiB.
pub(super) const MAX_PAYLOAD: u64 = 1 << 20;

/// The opcodes of RFC 6455 section 11.8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    const ALL: [(Self, u8); 6] = [
        (Self::Continuation, 0x0),
        (Self::Text, 0x1),
        (Self::Binary, 0x2),
        (Self::Close, 0x8),
        (Self::Ping, 0x9),
        (Self::Pong, 0xA),
    ];

    const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }

    fn from_bits(bits: u8) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, known)| *known == bits);
        found.map(|(opcode, _)| *opcode)
    }

    const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// One frame, unmasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// The last of its message.
    pub(super) fin: bool,
    pub(super) opcode: Opcode,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    /// A whole message or control frame.
    pub(super) fn new(opcode: Opcode, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            fin: true,
            opcode,
            payload: payload.into(),
        }
    }

    /// A Close frame; empty without a code.
    pub(super) fn close(code: Option<u16>) -> Self {
        let payload = code.map_or_else(Vec::new, |code| code.to_be_bytes().to_vec());
        Self::new(Opcode::Close, payload)
    }

    /// Its bytes, masked as those of a client must be (section 5.3).
    pub(super) fn bytes(&self) -> Vec<u8> {
        let first = u8::from(self.fin) << 7 | self.opcode.bits();
        let length = self.payload.len();
        let mut bytes = vec![first];
        match u16::try_from(length) {
            Ok(length @ 0..=125) => bytes.push(0x80 | length as u8),
            Ok(length) => {
                bytes.push(0x80 | 126);
                bytes.extend(length.to_be_bytes());
            }
            Err(_) => {
                bytes.push(0x80 | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        // Keyed anew each time, so nobody can foresee it.
        let random = RandomState::new().hash_one(length).to_be_bytes();
        let mask = [random[0], random[1], random[2], random[3]];
        bytes.extend(mask);
        let masked = self.payload.iter().zip(mask.iter().cycle());
        bytes.extend(masked.map(|(byte, key)| byte ^ key));
        bytes
    }
}

/// Takes the first whole frame off the bytes that came; `None` while it is not all there.
///
/// # Errors
/// The rule of RFC 6455 that the server broke.
pub(super) fn take(bytes: &mut Vec<u8>) -> Result<Option<Frame>, &'static str> {
    let &[first, second, ref rest @ ..] = bytes.as_slice() else {
        return Ok(None);
    };
    if second & 0x80 != 0 {
        return Err("it masked a frame (section 5.1)");
    }
    let (length, extended) = match second {
        126 => match rest.first_chunk::<2>() {
            Some(length) => (u64::from(u16::from_be_bytes(*length)), 2),
            None => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(length) => (u64::from_be_bytes(*length), 8),
            None => return Ok(None),
        },
        length => (u64::from(length), 0),
    };
    if first & 0x70 != 0 {
        return Err("it set a reserved bit (section 5.2)");
    }
    let opcode = Opcode::from_bits(first & 0xf).ok_or("it sent a reserved opcode (section 5.2)")?;
    let fin = first & 0x80 != 0;
    if opcode.is_control() && (!fin || length > 125) {
        return Err("it sent a control frame in fragments or over 125 bytes (section 5.5)");
    }
    if length > MAX_PAYLOAD {
        return Err("it sent more than 1 MiB in one frame, which is all that a probe takes");
    }
    let start = 2 + extended;
    let end = start + length as usize;
    let Some(payload) = bytes.get(start..end) else {
        return Ok(None);
    };
    let payload = payload.to_vec();
    bytes.drain(..end);
    Ok(Some(Frame {
        fin,
        opcode,
        payload,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Unmasks what a client wrote, as a server would.
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
            (vec![0x81, 0x80], "masked"),
            (vec![0xc1, 0x00], "reserved bit"),
            (vec![0x83, 0x00], "reserved opcode"),
            (vec![0x09, 0x00], "control frame"),
            (vec![0x89, 126, 0, 126], "control frame"),
            (vec![0x82, 127, 0, 0, 0, 0, 1, 0, 0, 0], "1 MiB"),
        ] {
            let mut bytes = bytes;
            assert!(take(&mut bytes).unwrap_err().contains(rule), "{rule}");
        }
    }
}

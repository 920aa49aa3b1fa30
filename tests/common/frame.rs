//! WebSocket frames (RFC 6455 section 5.2), implemented without the code under test, as an independent check.
//! [`Frame::encode`] writes what a server sends, [`Reader`] reads what a client sends and checks its masks.

/// Opcodes as in RFC 6455.
pub const CONTINUATION: u8 = 0x0;
pub const TEXT: u8 = 0x1;
pub const BINARY: u8 = 0x2;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xA;

/// The longest payload accepted from a client.
const MAX_PAYLOAD: u64 = 256 << 20;

/// One frame, unmasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub fin: bool,
    /// The three reserved bits, as a number from 0 to 7.
    pub rsv: u8,
    pub opcode: u8,
    pub payload: Vec<u8>,
}

impl Frame {
    /// A message in one frame, or a control frame.
    pub fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            fin: true,
            rsv: 0,
            opcode,
            payload: payload.into(),
        }
    }

    /// A Close frame; without a code its payload is empty.
    pub fn close(code: Option<u16>, reason: &str) -> Self {
        let mut payload = Vec::new();
        if let Some(code) = code {
            payload.extend(code.to_be_bytes());
            payload.extend(reason.as_bytes());
        }
        Self::new(CLOSE, payload)
    }

    /// The code of a Close frame; `None` if the frame is empty.
    pub fn close_code(&self) -> Option<u16> {
        let code = self.payload.first_chunk::<2>()?;
        (self.opcode == CLOSE).then_some(u16::from_be_bytes(*code))
    }

    /// Whether it is a ping, pong or Close.
    pub fn is_control(&self) -> bool {
        self.opcode >= CLOSE
    }

    /// The bytes as a server sends them: without a mask.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.header(0);
        bytes.extend(&self.payload);
        bytes
    }

    /// The bytes as a client must send them, and a server must not.
    pub fn encode_masked(&self, mask: [u8; 4]) -> Vec<u8> {
        let mut bytes = self.header(0x80);
        bytes.extend(mask);
        bytes.extend(masked(&self.payload, mask));
        bytes
    }

    fn header(&self, mask_bit: u8) -> Vec<u8> {
        let first = u8::from(self.fin) << 7 | self.rsv << 4 | self.opcode;
        let len = self.payload.len();
        match len {
            0..=125 => vec![first, mask_bit | len as u8],
            126..=0xffff => {
                let mut bytes = vec![first, mask_bit | 126];
                bytes.extend((len as u16).to_be_bytes());
                bytes
            }
            _ => {
                let mut bytes = vec![first, mask_bit | 127];
                bytes.extend((len as u64).to_be_bytes());
                bytes
            }
        }
    }
}

fn masked(payload: &[u8], mask: [u8; 4]) -> impl Iterator<Item = u8> {
    let keys = mask.into_iter().cycle();
    payload.iter().zip(keys).map(|(byte, key)| byte ^ key)
}

/// Splits a client's bytes into frames.
#[derive(Debug, Default)]
pub struct Reader {
    bytes: Vec<u8>,
}

impl Reader {
    /// Adds bytes as they came.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next complete frame; `None` while it is incomplete; an error names the rule that the client broke.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, String> {
        let Some(head) = Head::read(&self.bytes)? else {
            return Ok(None);
        };
        let end = head.start + head.len;
        if self.bytes.len() < end {
            return Ok(None);
        }
        let payload = masked(&self.bytes[head.start..end], head.mask).collect();
        self.bytes.drain(..end);
        Ok(Some(Frame {
            payload,
            ..head.frame
        }))
    }
}

/// The part of a frame before its payload.
struct Head {
    /// The frame, still without its payload.
    frame: Frame,
    mask: [u8; 4],
    /// The offset and the length of the payload.
    start: usize,
    len: usize,
}

impl Head {
    fn read(bytes: &[u8]) -> Result<Option<Self>, String> {
        let &[first, second, ref rest @ ..] = bytes else {
            return Ok(None);
        };
        let (len, len_bytes) = match second & 0x7f {
            126 => match rest.first_chunk() {
                Some(len) => (u64::from(u16::from_be_bytes(*len)), 2),
                None => return Ok(None),
            },
            127 => match rest.first_chunk() {
                Some(len) => (u64::from_be_bytes(*len), 8),
                None => return Ok(None),
            },
            len => (u64::from(len), 0),
        };
        let frame = Frame {
            fin: first & 0x80 != 0,
            rsv: first >> 4 & 0x7,
            opcode: first & 0xf,
            payload: Vec::new(),
        };
        check(&frame, second & 0x80 != 0, len, len_bytes)?;
        let Some(mask) = rest[len_bytes..].first_chunk::<4>() else {
            return Ok(None);
        };
        Ok(Some(Self {
            frame,
            mask: *mask,
            start: 2 + len_bytes + 4,
            len: len as usize,
        }))
    }
}

/// The rules of RFC 6455 for a client that negotiated no extension.
fn check(frame: &Frame, is_masked: bool, len: u64, len_bytes: usize) -> Result<(), String> {
    let known = matches!(
        frame.opcode,
        CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG
    );
    let shortest = match len {
        0..=125 => 0,
        126..=0xffff => 2,
        _ => 8,
    };
    let broken = if !is_masked {
        "not masked"
    } else if frame.rsv != 0 {
        "a reserved bit set"
    } else if !known {
        "an unknown opcode"
    } else if frame.is_control() && (!frame.fin || len > 125) {
        "a control frame in pieces, or over 125 bytes"
    } else if len_bytes != shortest {
        "a length written longer than it needs to be"
    } else if len > MAX_PAYLOAD {
        "more than this server takes"
    } else {
        return Ok(());
    };
    Err(format!("frame of opcode {:#x}: {broken}", frame.opcode))
}

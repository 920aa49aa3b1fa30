//! The header of a frame (RFC 6455 section 5.2), and the rules that a server can break.

use thiserror::Error;

/// The rule that a server broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Broken {
    /// Section 5.1: a server must not mask.
    #[error("a masked frame from the server")]
    Masked,
    /// Section 5.2: these bits have no meaning there. The first one says that a message is compressed, if that was agreed
    /// on (RFC 7692 section 6).
    #[error("reserved bits that are not zero")]
    ReservedBits,
    /// Section 5.2.
    #[error("the reserved opcode {0:#x}")]
    ReservedOpcode(u8),
    /// Section 5.5.
    #[error("a control frame in fragments")]
    FragmentedControl,
    /// Section 5.5.
    #[error("a control frame of more than 125 bytes")]
    LongControl,
    /// Section 5.2.
    #[error("a length in more bytes than it needs")]
    LongLength,
    /// Section 5.2: the first bit of a length in eight bytes is zero.
    #[error("a length whose first bit is set")]
    NegativeLength,
    /// Section 5.4.
    #[error("a continuation of no message")]
    NothingToContinue,
    /// Section 5.4.
    #[error("a new message in the middle of another one")]
    Interleaved,
    /// Section 5.5.1: a code has two bytes.
    #[error("a Close frame with one byte")]
    HalfCloseCode,
    /// Section 8.1.
    #[error("a text message that is not valid UTF-8")]
    BadUtf8,
    /// RFC 7692 section 7.2.2: the bytes are no DEFLATE data (RFC 1951).
    #[error("a compressed message that is no DEFLATE data")]
    BadDeflate,
    /// Section 5.5.1.
    #[error("a close reason that is not valid UTF-8")]
    BadReason,
    /// Not a rule of the protocol, but our limit (section 10.4).
    #[error("a message of at least {bytes} bytes, where {max} may be")]
    TooBig {
        /// The length of the message, as far as it is known, in bytes.
        bytes: u64,
        /// The longest message that is accepted, in bytes.
        max: usize,
    },
}

/// The kind of a frame (RFC 6455 section 11.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// The next part of a message.
    Continuation = 0x0,
    /// A text message (UTF-8), or the first part of one.
    Text = 0x1,
    /// A binary message, or the first part of one.
    Binary = 0x2,
    /// The sender sends nothing more.
    Close = 0x8,
    /// Asks for a pong.
    Ping = 0x9,
    /// Answers a ping, or is unsolicited.
    Pong = 0xA,
}

impl Opcode {
    /// Returns the opcode of these four bits; `None` for a reserved one.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    /// Returns whether it is a control frame. Those are not fragmented, and may come between the parts of a message
    /// (section 5.5).
    pub const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

/// The header of a server's frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Whether the frame is the last of its message.
    pub fin: bool,
    /// Whether it begins a compressed message.
    pub is_packed: bool,
    /// The kind of the frame.
    pub opcode: Opcode,
    /// The length of its payload in bytes.
    pub payload: u64,
    /// The length of the header itself in bytes.
    pub length: usize,
}

impl Header {
    /// The longest header of a server's frame in bytes.
    pub const LONGEST: usize = 10;

    /// The longest payload of a control frame in bytes (section 5.5).
    pub const LONGEST_CONTROL: u64 = 125;

    /// The first reserved bit: the message is compressed (RFC 7692 section 6).
    pub const PACKED: u8 = 0x40;

    /// Reads the header at the start of these bytes; `None` while it is incomplete. `may_pack` says whether messages may
    /// be compressed.
    ///
    /// # Errors
    /// When a server must not send such a frame.
    pub fn read(bytes: &[u8], may_pack: bool) -> Result<Option<Self>, Broken> {
        let &[first, second, ref rest @ ..] = bytes else {
            return Ok(None);
        };
        let is_packed = first & 0x70 != 0;
        if is_packed {
            // Only the first frame of a message says it (RFC 7692 section 6.1).
            let begins = matches!(
                Opcode::from_bits(first & 0x0F),
                Some(Opcode::Text | Opcode::Binary)
            );
            if first & 0x70 != Self::PACKED || !may_pack || !begins {
                return Err(Broken::ReservedBits);
            }
        }
        let opcode = Opcode::from_bits(first & 0x0F).ok_or(Broken::ReservedOpcode(first & 0x0F))?;
        let fin = first & 0x80 != 0;
        if second & 0x80 != 0 {
            return Err(Broken::Masked);
        }
        if opcode.is_control() {
            if !fin {
                return Err(Broken::FragmentedControl);
            }
            if u64::from(second) > Self::LONGEST_CONTROL {
                return Err(Broken::LongControl);
            }
        }
        let (payload, length) = match second {
            126 => match rest.first_chunk() {
                Some(payload) => (length_from(u16::from_be_bytes(*payload).into(), 126)?, 4),
                None => return Ok(None),
            },
            127 => match rest.first_chunk() {
                Some(payload) => (length_from(u64::from_be_bytes(*payload), 1 << 16)?, 10),
                None => return Ok(None),
            },
            short => (u64::from(short), 2),
        };
        Ok(Some(Self {
            fin,
            is_packed,
            opcode,
            payload,
            length,
        }))
    }
}

/// A length in a field that is only for lengths from `least` on.
fn length_from(payload: u64, least: u64) -> Result<u64, Broken> {
    match payload {
        short if short < least => Err(Broken::LongLength),
        negative if negative >> 63 != 0 => Err(Broken::NegativeLength),
        payload => Ok(payload),
    }
}

//! The rules of RFC 6455 that a server breaks by what it sends: each with its section and its words.

use serde::{Serialize, Serializer};

use crate::frame::{Broken, may_be_sent};

/// What a server must not send. Serialized as its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breach {
    /// A masked frame.
    Masked,
    /// A reserved bit without a meaning.
    ReservedBits,
    /// An opcode without a meaning.
    ReservedOpcode,
    /// A length in more bytes than it needs, or with its first bit set.
    Length,
    /// A control frame in fragments, or one of more than 125 bytes.
    Control,
    /// A message within another one.
    Interleaved,
    /// A continuation of no message.
    NothingToContinue,
    /// A Close frame with one byte.
    HalfCode,
    /// HTTP where frames belong.
    Http,
    /// More bytes in one message than a probe takes. No rule of the protocol (section 10.4).
    TooLong,
}

impl Breach {
    /// What the server did, with the section of the rule.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Masked => "it masked a frame (section 5.1)",
            Self::ReservedBits => "it set a reserved bit (section 5.2)",
            Self::ReservedOpcode => "it sent a reserved opcode (section 5.2)",
            Self::Length => "it wrote a length in a form that is not allowed (section 5.2)",
            Self::Control => "it sent a control frame in fragments or over 125 bytes (section 5.5)",
            Self::Interleaved => "it began a message within another (section 5.4)",
            Self::NothingToContinue => "it continued a message that it had not begun (section 5.4)",
            Self::HalfCode => "it sent a Close frame with half a code (section 5.5.1)",
            Self::Http => "it sent an answer of HTTP where only frames may come (section 5.2)",
            Self::TooLong => {
                "it sent more than 1 MiB in one message, which is all that a probe takes"
            }
        }
    }
}

impl From<Broken> for Breach {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Masked => Self::Masked,
            Broken::ReservedBits => Self::ReservedBits,
            Broken::ReservedOpcode(_) => Self::ReservedOpcode,
            Broken::LongLength | Broken::NegativeLength => Self::Length,
            Broken::Interleaved => Self::Interleaved,
            Broken::NothingToContinue => Self::NothingToContinue,
            Broken::HalfCloseCode => Self::HalfCode,
            Broken::TooBig { .. } => Self::TooLong,
            // No header breaks the last three.
            Broken::FragmentedControl
            | Broken::LongControl
            | Broken::BadUtf8
            | Broken::BadDeflate
            | Broken::BadReason => Self::Control,
        }
    }
}

impl Serialize for Breach {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.words())
    }
}

/// What is wrong with the code of a Close frame, if it must not be sent.
pub(super) fn code_breach(code: Option<u16>) -> Option<String> {
    let code = code.filter(|code| !may_be_sent(*code))?;
    Some(format!("the code {code} must not be sent (section 7.4)"))
}

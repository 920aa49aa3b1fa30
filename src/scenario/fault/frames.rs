//! The frames that clients with a fault send.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::scenario::reading::words;

words! {
    /// The one kind of frame a client sends.
    pub enum Activity {
        /// Nothing at all.
        Nothing,
        /// Pongs that answer pings.
        Pong,
        /// Pongs nobody asked for (RFC 6455 section 5.5.3).
        UnsolicitedPong,
        /// Pings.
        Ping,
        /// Text messages.
        Text,
        /// Text messages without a byte in them.
        EmptyText,
        /// One more byte of a frame that is never complete.
        Byte,
    }
}

words! {
    /// A frame that RFC 6455 forbids, or compression (RFC 7692) that a server should not take.
    pub enum Illegal {
        /// A ping with 126 bytes (section 5.5).
        LongPing,
        /// A ping in fragments (section 5.5).
        FragmentedPing,
        /// A Close with the code 1005 (section 7.4.1).
        BadCloseCode,
        /// A text message that is not UTF-8 (section 8.1).
        BadUtf8,
        /// A frame without a mask (section 5.1).
        Unmasked,
        /// An opcode that is reserved (section 5.2).
        ReservedOpcode,
        /// A ping that says it is compressed, which only messages are (RFC 7692 section 6.1).
        Rsv1Ping,
        /// A compressed message that is no DEFLATE data. Needs `compression`.
        BadDeflate,
        /// A compressed message of 16 KiB that becomes 16 MiB of zeros. Needs `compression`.
        DeflateBomb,
    }
}

impl Illegal {
    /// Whether it is a compressed message.
    pub(super) fn is_packed(self) -> bool {
        matches!(self, Self::BadDeflate | Self::DeflateBomb)
    }
}

/// A kind of frame: for `only` or for `illegal_frame`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Frame")]
pub(in crate::scenario) enum FrameWord {
    Legal(Activity),
    Illegal(Illegal),
}

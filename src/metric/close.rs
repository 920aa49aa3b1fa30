//! How a connection ended on the wire.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The side that ended a connection, as far as the wire shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The other side.
    Peer,
    /// wsbench.
    Local,
}

impl Side {
    /// The stable name, as in `closes.1000.local`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Local => "local",
        }
    }
}

/// How a connection ended: by a Close frame with a code, or without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseKind {
    /// A Close frame with this code; 1005 for an empty one (RFC 6455 section 7.1.5).
    Code(u16),
    /// A FIN without a Close frame.
    Fin,
    /// A RST.
    Rst,
    /// Neither a Close frame nor an end of TCP before the timeout.
    Timeout,
}

impl fmt::Display for CloseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "{code}"),
            Self::Fin => f.write_str("fin"),
            Self::Rst => f.write_str("rst"),
            Self::Timeout => f.write_str("timeout"),
        }
    }
}

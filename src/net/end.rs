//! How a peer ends a TCP connection.

use crate::metric::Cause;

/// How the peer ended TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TcpEnd {
    /// By a FIN.
    Fin,
    /// By a RST.
    Rst,
}

impl TcpEnd {
    /// The cause of a connection that was ended so before it was open.
    pub(crate) fn before_open(self) -> Cause {
        match self {
            Self::Fin => Cause::HandshakeEof,
            Self::Rst => Cause::HandshakeReset,
        }
    }
}

//! How a peer ends a TCP connection.

/// How the peer ended TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TcpEnd {
    /// By a FIN.
    Fin,
    /// By a RST.
    Rst,
}

//! What client and server agreed on in a handshake.

use rustls::{CommonState, HandshakeKind};

use super::certificate::Certificate;

/// The outcome of a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsAgreed {
    /// Such as "TLS 1.3".
    pub(crate) version: String,
    /// The cipher suite, by the name that IANA gave it.
    pub(crate) cipher: String,
    /// What keys were exchanged by; `None` where it is not known.
    pub(crate) group: Option<String>,
    /// The protocol that the server chose (ALPN, RFC 7301).
    pub(crate) alpn: Option<String>,
    /// The server's own certificate, where it can be read.
    pub(crate) certificate: Option<Certificate>,
    /// Whether a session was resumed.
    pub(crate) is_resumed: bool,
}

impl TlsAgreed {
    /// Reads it from a connection; `None` before the end of its handshake.
    pub(super) fn of(session: &CommonState) -> Option<Self> {
        // Its name has the form `TLSv1_3`.
        let version = format!("{:?}", session.protocol_version()?);
        let chain = session.peer_certificates().unwrap_or_default();
        Some(Self {
            version: version.replace("TLSv", "TLS ").replace('_', "."),
            cipher: format!("{:?}", session.negotiated_cipher_suite()?.suite()),
            group: (session.negotiated_key_exchange_group())
                .map(|group| format!("{:?}", group.name())),
            alpn: (session.alpn_protocol())
                .map(|protocol| String::from_utf8_lossy(protocol).into_owned()),
            certificate: chain.first().and_then(|der| Certificate::read(der)),
            is_resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
        })
    }
}

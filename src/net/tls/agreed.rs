//! What client and server agreed on in a handshake.

use std::borrow::Cow;

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
        let chain = session.peer_certificates().unwrap_or_default();
        Some(Self {
            version: format!("TLS {}", version(session)?),
            cipher: cipher(session)?,
            group: group(session),
            alpn: (session.alpn_protocol())
                .map(|protocol| String::from_utf8_lossy(protocol).into_owned()),
            certificate: chain.first().and_then(|der| Certificate::read(der)),
            is_resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
        })
    }
}

/// What is counted of a handshake, by what it is.
pub(super) fn counted(
    session: &CommonState,
) -> impl Iterator<Item = (&'static str, Cow<'static, str>)> {
    let all = [
        ("tls.version", version(session)),
        ("tls.cipher", cipher(session)),
        ("tls.group", group(session)),
    ];
    (all.into_iter()).filter_map(|(what, value)| Some((what, value?.into())))
}

/// The version, and how the session began: such as "1.3 full". `None` before the end of its handshake.
pub(super) fn began(session: &CommonState) -> Option<String> {
    let how = match session.handshake_kind()? {
        HandshakeKind::Full => "full",
        HandshakeKind::FullWithHelloRetryRequest => "retried",
        HandshakeKind::Resumed => "resumed",
    };
    Some(format!("{} {how}", version(session)?))
}

/// Such as "1.3".
fn version(session: &CommonState) -> Option<String> {
    // Its name has the form `TLSv1_3`.
    let name = format!("{:?}", session.protocol_version()?);
    Some(name.replace("TLSv", "").replace('_', "."))
}

fn cipher(session: &CommonState) -> Option<String> {
    Some(format!("{:?}", session.negotiated_cipher_suite()?.suite()))
}

fn group(session: &CommonState) -> Option<String> {
    Some(format!(
        "{:?}",
        session.negotiated_key_exchange_group()?.name()
    ))
}

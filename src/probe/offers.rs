//! What a server offers to those who ask for it, and what a scenario can make of it.

use serde::Serialize;

use super::findings::Findings;
use super::handshake::Handshake;
use super::tls::{ClientCertificate, OtherVersion};
use crate::net::Agreed;

/// The most streams on a TCP connection that a scenario is written with: what gateways commonly allow.
const MAX_STREAMS: u32 = 100;
const STREAMS: &str = "streams_per_connection";

/// What a server offers to those who ask for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offers {
    /// What it made of an offer of permessage-deflate.
    pub compression: CompressionOffer,
    /// Whether it has WebSockets over HTTP/2; `None` where that was not looked at: without TLS, unless asked to.
    pub http2: Option<Http2Offer>,
}

/// What a server made of an offer of permessage-deflate (RFC 7692).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CompressionOffer {
    /// It agreed.
    Agreed {
        /// The extension, with all parameters that are not those by default.
        extension: String,
        /// Whether it refers to messages that it sent before, so that a client has to keep what it received.
        keeps_context: bool,
        /// Whether a client may refer to messages that it sent before.
        takes_context: bool,
        /// The logarithm of the window that it compresses with, 8 to 15.
        server_bits: u8,
        /// The logarithm of the window that a client may compress with, 8 to 15.
        client_bits: u8,
    },
    /// It opened the connection without.
    Declined,
    /// It opened no connection to who offers it.
    Refused(String),
}

/// What a server makes of a client that asks for HTTP/2 (RFC 8441).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Http2Offer {
    /// It has WebSockets over it.
    #[serde(rename = "websockets")]
    WebSockets {
        /// The most on a TCP connection at a time; `None`: any number.
        max_streams: Option<u32>,
    },
    /// It speaks HTTP/2 without WebSockets: without SETTINGS_ENABLE_CONNECT_PROTOCOL.
    #[serde(rename = "no_websockets")]
    NoWebSockets {
        /// The most requests on a TCP connection at a time; `None`: any number.
        max_streams: Option<u32>,
    },
    /// It does not choose HTTP/2.
    NotSpoken,
    /// No WebSocket opened over it, for another reason.
    Unknown(String),
}

impl From<Agreed> for CompressionOffer {
    fn from(agreed: Agreed) -> Self {
        Self::Agreed {
            extension: agreed.to_string(),
            keeps_context: !agreed.server_forgets,
            takes_context: !agreed.client_forgets,
            server_bits: agreed.server_bits,
            client_bits: agreed.client_bits,
        }
    }
}

impl Offers {
    /// In words, a line each.
    pub(super) fn words(&self) -> Vec<String> {
        let http2 = self.http2.iter().map(Http2Offer::words);
        self.compression.words().into_iter().chain(http2).collect()
    }
}

impl CompressionOffer {
    fn words(&self) -> Vec<String> {
        match self {
            Self::Agreed {
                extension,
                keeps_context,
                takes_context,
                ..
            } => {
                let keeps = match keeps_context {
                    true => "it refers to what it sent before: each client has to keep that",
                    false => "it sends each message compressed by itself",
                };
                let takes = match takes_context {
                    true => "",
                    false => ", and wants the same of clients",
                };
                vec![
                    format!("compression: {extension}"),
                    format!("{keeps}{takes}"),
                ]
            }
            Self::Declined => vec!["no compression".to_owned()],
            Self::Refused(why) => vec![format!("compression: not known, {why}")],
        }
    }
}

impl Http2Offer {
    fn words(&self) -> String {
        let most = |max_streams: &Option<u32>| match max_streams {
            Some(most) => format!("at most {most} on a TCP connection"),
            None => "any number on a TCP connection".to_owned(),
        };
        match self {
            Self::WebSockets { max_streams } => {
                format!("WebSockets over HTTP/2 (RFC 8441), {}", most(max_streams))
            }
            Self::NoWebSockets { max_streams } => format!(
                "HTTP/2 without WebSockets: no SETTINGS_ENABLE_CONNECT_PROTOCOL; requests: {}",
                most(max_streams)
            ),
            Self::NotSpoken => "no HTTP/2: it is not chosen by ALPN".to_owned(),
            Self::Unknown(why) => format!("WebSockets over HTTP/2: not known, {why}"),
        }
    }
}

/// Lines of `[target]` about what the server offers: what the scenario needs to get there, and comments with keys that
/// it may take or leave. `is_secure`: whether the address is that of TLS; `asked` are the keys that stand there already.
pub(super) fn keys(findings: &Findings, is_secure: bool, asked: &[&str]) -> String {
    let mut text = findings.handshake.as_ref().map(seen).unwrap_or_default();
    let mut choice = |key: &str, value: &str, why: &str| {
        if !asked.contains(&key) {
            text += &format!("# {key} = {value}   # {why}\n");
        }
    };
    if let Some(Offers { compression, http2 }) = &findings.offers {
        if let CompressionOffer::Agreed { extension, .. } = compression {
            let why = format!("the server agrees to {extension}");
            choice("compression", "true", &why);
        }
        // Over HTTP/2 no redirect is followed.
        let is_there = (findings.handshake.as_ref()).is_none_or(|found| found.redirects.is_empty());
        if let Some(Http2Offer::WebSockets { max_streams }) = http2
            && is_there
            && !asked.contains(&STREAMS)
        {
            let streams = max_streams.unwrap_or(MAX_STREAMS).clamp(1, MAX_STREAMS);
            choice("http", "\"2\"", "the server has WebSockets over HTTP/2");
            let why = "1 is a connection for each, as browsers have";
            choice(STREAMS, &streams.to_string(), why);
        }
    }
    let Some(tls) = findings.tls.as_ref().filter(|_| is_secure) else {
        return text;
    };
    if let Some(OtherVersion::Spoken { version, .. }) = &tls.other {
        let value = format!("[\"{}\"]", version.trim_start_matches("TLS "));
        let why = format!("the server speaks both, and chooses {}", tls.version);
        choice("tls.versions", &value, &why);
    }
    if tls.client_certificate == ClientCertificate::NotNeeded {
        let why = "the server asks for one, and opens without";
        choice("tls.certificate", "\"client.pem\"", why);
        choice("tls.key", "\"client.key\"", "not encrypted");
    }
    if let Some(certificate) = &tls.certificate {
        let day = certificate.last_day();
        text += &format!("# The server's certificate ends on {day}.\n");
    }
    text
}

/// What the answer to the upgrade request said.
fn seen(found: &Handshake) -> String {
    let mut text = String::new();
    if let Some(last) = found.redirects.last() {
        text += &format!("redirects = {}   # to {}\n", found.redirects.len(), last.to);
    }
    for cookie in &found.cookies {
        let name = cookie.split('=').next().unwrap_or_default();
        text += &format!(
            "# The server sets the cookie {name}, which clients bring only where `headers` has it.\n"
        );
    }
    if let Some(chosen) = &found.subprotocol {
        text += &format!("# Of the subprotocols the server chooses {chosen}.\n");
    }
    text
}

//! What a server's TLS is: its versions, its certificate, and whether it resumes sessions.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::words::listed;
use crate::net::TlsAgreed;
use crate::units::{counted, is_harmless};

const DAY: i64 = 86_400;
/// How many days before its end a certificate should be renewed.
const SOON: i64 = 14;

/// What TLS was agreed on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct TlsOffer {
    /// The version, such as "TLS 1.3".
    pub version: String,
    /// The cipher suite, as in `ciphers` of a scenario.
    pub cipher: String,
    /// What keys were exchanged by, as in `groups` of a scenario.
    pub group: Option<String>,
    /// The protocol that the server chose by ALPN (RFC 7301), where "http/1.1" was offered.
    pub alpn: Option<String>,
    /// The server's certificate, where it can be read.
    pub certificate: Option<ServerCertificate>,
    /// Whether the server resumed the session of a client that dialled again; `None` where that connection did not open.
    pub resumes: Option<bool>,
    /// What the server makes of a client that speaks only the other version of TLS.
    pub other: Option<OtherVersion>,
    /// Whether the server asks clients for a certificate.
    pub client_certificate: ClientCertificate,
}

/// What a server makes of a client that speaks only this version of TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OtherVersion {
    /// It speaks it, too.
    Spoken {
        /// Such as "TLS 1.2".
        version: String,
        /// The cipher suite.
        cipher: String,
        /// As of the first connection.
        resumes: Option<bool>,
    },
    /// It has no version in common with this client.
    NotSpoken {
        /// Such as "TLS 1.2".
        version: String,
    },
    /// No connection opened, for another reason.
    Unknown {
        /// Such as "TLS 1.2".
        version: String,
        /// The reason.
        failed: String,
    },
}

/// What a server does about the certificate of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientCertificate {
    /// It asks for none.
    #[default]
    NotAsked,
    /// It asked for one, and was shown one.
    Shown,
    /// It asked for one, and went on without.
    NotNeeded,
}

/// A server's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ServerCertificate {
    /// The names and addresses that it is for.
    pub names: Vec<String>,
    /// The end of its validity, in seconds since 1970.
    pub expires: i64,
    /// Whole days from the probe until then; negative where it has expired.
    pub in_days: i64,
}

impl TlsOffer {
    /// What the first connection agreed on, at a time in seconds since 1970.
    pub(super) fn new(agreed: TlsAgreed, client_certificate: ClientCertificate, now: i64) -> Self {
        let certificate = agreed.certificate.map(|certificate| {
            let safe = |name: String| name.chars().filter(|c| is_harmless(*c)).collect();
            ServerCertificate {
                names: certificate.names.into_iter().map(safe).collect(),
                expires: certificate.expires,
                in_days: (certificate.expires - now).div_euclid(DAY),
            }
        });
        let safe = |text: String| text.chars().filter(|c| is_harmless(*c)).collect();
        Self {
            version: agreed.version,
            cipher: agreed.cipher,
            group: agreed.group,
            alpn: agreed.alpn.map(safe),
            certificate,
            resumes: None,
            other: None,
            client_certificate,
        }
    }

    /// In words, a line each.
    pub(super) fn words(&self) -> Vec<String> {
        let alpn = match &self.alpn {
            Some(protocol) => format!("ALPN {protocol}"),
            None => "no ALPN".to_owned(),
        };
        let agreed = [&self.version, &self.cipher].into_iter().chain(&self.group);
        let agreed: Vec<&str> = agreed.map(String::as_str).chain([alpn.as_str()]).collect();
        let mut lines = vec![agreed.join(" · ")];
        lines.extend(self.certificate.as_ref().map(ServerCertificate::words));
        lines.extend(self.other.as_ref().map(OtherVersion::words));
        lines.push(self.resumption());
        let asks = match self.client_certificate {
            ClientCertificate::NotAsked => None,
            ClientCertificate::Shown => Some("asked for a certificate, and was shown one"),
            ClientCertificate::NotNeeded => Some("asks for a certificate, and opens without one"),
        };
        lines.extend(asks.map(str::to_owned));
        lines
    }
}

impl TlsOffer {
    /// Whether sessions are resumed, in words.
    fn resumption(&self) -> String {
        let other = match &self.other {
            Some(OtherVersion::Spoken {
                version,
                resumes: Some(resumes),
                ..
            }) => Some((version, *resumes)),
            _ => None,
        };
        let resumes = "resumes the session of a client that dials again";
        match (self.resumes, other) {
            (Some(true), Some((_, true))) => format!("{resumes}, under both versions"),
            (Some(true), Some((other, false))) => format!("{resumes}, but not under {other}"),
            (Some(false), Some((other, true))) => format!("{resumes}, but only under {other}"),
            (Some(true), None) => resumes.to_owned(),
            (Some(false), _) => "resumes no session: each handshake is a full one".to_owned(),
            (None, _) => "whether it resumes sessions is not known".to_owned(),
        }
    }

    /// Whether it resumes sessions, under any version.
    pub(super) fn resumes(&self) -> bool {
        let other = matches!(
            self.other,
            Some(OtherVersion::Spoken {
                resumes: Some(true),
                ..
            })
        );
        other || self.resumes == Some(true)
    }
}

impl OtherVersion {
    fn words(&self) -> String {
        match self {
            Self::Spoken {
                version, cipher, ..
            } => format!("{version} too, with {cipher}"),
            Self::NotSpoken { version } => format!("no {version}"),
            Self::Unknown { version, failed } => {
                format!("whether it speaks {version} is not known: {failed}")
            }
        }
    }
}

impl ServerCertificate {
    /// The day of its end, such as 2027-02-03.
    pub(super) fn last_day(&self) -> String {
        let since = Duration::from_secs(self.expires.max(0).unsigned_abs());
        let at = humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + since).to_string();
        at.split('T').next().unwrap_or_default().to_owned()
    }

    fn words(&self) -> String {
        let names = match self.names.is_empty() {
            true => "no name".to_owned(),
            false => listed(&self.names, "name"),
        };
        let day = self.last_day();
        let days = counted(self.in_days.unsigned_abs(), "day");
        let until = match self.in_days {
            0..SOON => format!("in {days}: renew it soon"),
            SOON.. => format!("in {days}"),
            _ => format!("{days} ago"),
        };
        format!("certificate for {names}; until {day} ({until})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Certificate;

    fn offer(expires: i64, names: usize) -> TlsOffer {
        let agreed = TlsAgreed {
            version: "TLS 1.2".to_owned(),
            cipher: "TLS_X".to_owned(),
            group: None,
            alpn: Some("h\x1b2".to_owned()),
            certificate: Some(Certificate {
                names: (1..=names).map(|n| format!("h{n}")).collect(),
                expires,
            }),
            is_resumed: false,
        };
        TlsOffer::new(agreed, ClientCertificate::NotNeeded, 0)
    }

    #[test]
    fn a_certificate_is_told_with_its_names_and_the_days_that_are_left() {
        for (expires, names, line) in [
            (
                33 * DAY + 1,
                0,
                "certificate for no name; until 1970-02-03 (in 33 days)",
            ),
            (
                DAY,
                2,
                "certificate for 2 names: h1, h2; until 1970-01-02 (in 1 day: renew it soon)",
            ),
            (
                0,
                7,
                "certificate for 7 names: h1, h2, h3, h4, h5 and 2 more; until 1970-01-01 (in 0 days: renew it soon)",
            ),
        ] {
            assert_eq!(offer(expires, names).words()[1], line);
        }
        let expired = offer(-1, 1).words();
        assert!(expired[1].ends_with("(1 day ago)"), "{expired:?}");
        assert_eq!(expired[0], "TLS 1.2 · TLS_X · ALPN h2");
        assert_eq!(expired.len(), 4);
    }
}

//! Translates errors of TLS to a cause of the catalogue and a description.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

use super::trust::NotPinned;
use crate::metric::Cause;
use crate::net::failure::Failure;

/// The most names of a certificate that are shown.
const MAX_NAMES: usize = 5;
const DAY: u64 = 24 * 3600;

/// Returns the failure for an error; `None` if TLS did not fail.
pub(super) fn of(error: &io::Error) -> Option<Failure> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    Some(failure(error))
}

/// Returns the failure for an alert in plain text (RFC 8446 section 5.1: type 21, two bytes); `None` for other bytes.
pub(super) fn of_plain_alert(bytes: &[u8]) -> Option<Failure> {
    match bytes {
        [21, 3, _, 0, 2, _, number, ..] => Some(alert(AlertDescription::from(*number))),
        _ => None,
    }
}

/// Returns the failure of a server that requires a client certificate.
pub(super) fn client_certificate() -> Failure {
    Failure::new(
        Cause::TlsClientCert,
        "the server requires a client certificate",
    )
}

pub(super) fn failure(error: &Error) -> Failure {
    match error {
        Error::InvalidCertificate(error) => certificate(error),
        Error::AlertReceived(alert) => self::alert(*alert),
        Error::PeerIncompatible(_) => Failure::new(
            Cause::TlsVersion,
            "the server and wsbench have no version or cipher of TLS in common",
        ),
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => Failure::new(Cause::TlsNotSpoken, "the server's answer is not TLS"),
        Error::NoApplicationProtocol => no_protocol(),
        Error::InvalidMessage(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::PeerMisbehaved(_) => Failure::new(
            Cause::Tls,
            "the server sent what TLS does not allow at this point",
        ),
        Error::DecryptError => {
            Failure::new(Cause::Tls, "a record of the server could not be decrypted")
        }
        Error::NoCertificatesPresented => {
            Failure::new(Cause::TlsUntrusted, "the server has no certificate")
        }
        _ => Failure::new(Cause::Tls, "the TLS library refused to go on"),
    }
}

/// Returns the failure of a server that does not speak what was offered.
pub(super) fn no_protocol() -> Failure {
    let detail = "the server does not offer what is asked for on this port (ALPN)";
    Failure::new(Cause::TlsAlpn, detail)
}

fn alert(alert: AlertDescription) -> Failure {
    let number = u8::from(alert);
    let said = format!("alert {number}, {}", words(&format!("{alert:?}")));
    match number {
        42..=46 | 48 | 49 | 116 => {
            let Failure { cause, detail, .. } = client_certificate();
            Failure::new(cause, format!("{detail} ({said})"))
        }
        40 | 70 | 71 => Failure::new(
            Cause::TlsVersion,
            format!(
                "the server and wsbench have no version or cipher of TLS in common, or it refuses this client ({said})"
            ),
        ),
        120 => no_protocol(),
        _ => Failure::new(Cause::TlsAlert, format!("the server refused: {said}")),
    }
}

fn certificate(error: &CertificateError) -> Failure {
    use CertificateError as Wrong;
    if let Wrong::Other(other) = error
        && let Some(pin) = other.0.downcast_ref::<NotPinned>()
    {
        return Failure::new(Cause::TlsPin, format!("the server's certificate: {pin}"));
    }
    let (cause, what) = match error {
        Wrong::Expired => (Cause::TlsExpired, "it has expired".to_owned()),
        Wrong::ExpiredContext { time, not_after } => {
            let since = time.as_secs().saturating_sub(not_after.as_secs());
            (Cause::TlsExpired, format!("it expired {} ago", days(since)))
        }
        Wrong::NotValidYet => (Cause::TlsExpired, "it is not valid yet".to_owned()),
        Wrong::NotValidYetContext { time, not_before } => {
            let until = not_before.as_secs().saturating_sub(time.as_secs());
            let what = format!("it is not valid yet, but in {}", days(until));
            (Cause::TlsExpired, what)
        }
        Wrong::NotValidForName => (Cause::TlsName, "it is for another name".to_owned()),
        Wrong::NotValidForNameContext {
            expected,
            presented,
        } => {
            let what = match names(presented) {
                names if names.is_empty() => "it names no server".to_owned(),
                names => format!("it is for {names}, not for {}", expected.to_str()),
            };
            (Cause::TlsName, what)
        }
        Wrong::UnknownIssuer => (
            Cause::TlsUntrusted,
            "no authority that is trusted has issued it".to_owned(),
        ),
        Wrong::BadSignature => (
            Cause::TlsUntrusted,
            "a signature in its chain is wrong".to_owned(),
        ),
        Wrong::Revoked => (Cause::TlsUntrusted, "it was revoked".to_owned()),
        Wrong::BadEncoding => (Cause::TlsUntrusted, "it cannot be read".to_owned()),
        Wrong::InvalidPurpose | Wrong::InvalidPurposeContext { .. } => {
            (Cause::TlsUntrusted, "it is not for servers".to_owned())
        }
        // webpki returns such an error for a self-signed certificate as `openssl req -x509` makes it, and for X.509
        // version 1.
        _ => (
            Cause::TlsUntrusted,
            "it is self-signed, or of a kind that is not trusted".to_owned(),
        ),
    };
    Failure::new(cause, format!("the server's certificate: {what}"))
}

/// Returns the first names, without the wrapper that they have in `DnsName("example.org")`.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| {
        let inside = name.split_once('(').map_or(name.as_str(), |(_, rest)| rest);
        inside.trim_end_matches(')').trim_matches('"').to_owned()
    };
    let mut names: Vec<String> = presented.iter().take(MAX_NAMES).map(bare).collect();
    if presented.len() > MAX_NAMES {
        names.push(format!("{} more", presented.len() - MAX_NAMES));
    }
    names.join(", ")
}

fn days(seconds: u64) -> String {
    match seconds / DAY {
        0 => "less than a day".to_owned(),
        1 => "a day".to_owned(),
        days => format!("{days} days"),
    }
}

/// Turns `UnknownIssuer` into "unknown issuer".
fn words(name: &str) -> String {
    let mut words = String::new();
    let mut was_small = false;
    for c in name.chars() {
        if c.is_uppercase() && was_small {
            words.push(' ');
        }
        was_small = c.is_lowercase();
        words.extend(c.to_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::PeerIncompatible;
    use rustls::pki_types::{ServerName, UnixTime};
    use std::time::Duration;

    fn said(error: Error) -> (Cause, String) {
        let Failure { cause, detail, .. } = of(&io::Error::other(error)).unwrap();
        (cause, detail)
    }

    #[test]
    fn each_alert_has_its_cause() {
        for (alert, cause) in [
            (AlertDescription::CertificateRequired, Cause::TlsClientCert),
            (AlertDescription::BadCertificate, Cause::TlsClientCert),
            (AlertDescription::UnknownCA, Cause::TlsClientCert),
            (AlertDescription::AccessDenied, Cause::TlsClientCert),
            (AlertDescription::HandshakeFailure, Cause::TlsVersion),
            (AlertDescription::ProtocolVersion, Cause::TlsVersion),
            (AlertDescription::InsufficientSecurity, Cause::TlsVersion),
            (AlertDescription::NoApplicationProtocol, Cause::TlsAlpn),
            (AlertDescription::InternalError, Cause::TlsAlert),
            (AlertDescription::UnrecognisedName, Cause::TlsAlert),
        ] {
            assert_eq!(said(Error::AlertReceived(alert)).0, cause, "{alert:?}");
        }
        assert_eq!(
            said(Error::AlertReceived(AlertDescription::InternalError)).1,
            "the server refused: alert 80, internal error"
        );
    }

    #[test]
    fn each_fault_of_a_certificate_has_its_cause_and_says_what_is_wrong() {
        let at = |days: u64| UnixTime::since_unix_epoch(Duration::from_secs(days * DAY));
        let expired = CertificateError::ExpiredContext {
            time: at(13),
            not_after: at(10),
        };
        let early = CertificateError::NotValidYetContext {
            time: at(1),
            not_before: at(2),
        };
        let other = CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("10.0.0.1").unwrap(),
            presented: vec![
                "DnsName(\"a.example\")".into(),
                "IpAddress(10.0.0.2)".into(),
            ],
        };
        for (error, cause, what) in [
            (expired, Cause::TlsExpired, "it expired 3 days ago"),
            (
                early,
                Cause::TlsExpired,
                "it is not valid yet, but in a day",
            ),
            (
                other,
                Cause::TlsName,
                "it is for a.example, 10.0.0.2, not for 10.0.0.1",
            ),
            (
                CertificateError::UnknownIssuer,
                Cause::TlsUntrusted,
                "no authority that is trusted has issued it",
            ),
        ] {
            let detail = format!("the server's certificate: {what}");
            assert_eq!(said(Error::InvalidCertificate(error)), (cause, detail));
        }
    }

    #[test]
    fn what_is_no_tls_or_none_that_is_spoken_here_is_told_apart() {
        let not_tls = Error::InvalidMessage(InvalidMessage::InvalidContentType);
        assert_eq!(said(not_tls).0, Cause::TlsNotSpoken);
        let old = Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13);
        assert_eq!(said(old).0, Cause::TlsVersion);
        assert_eq!(of(&io::ErrorKind::ConnectionReset.into()), None);
    }
}

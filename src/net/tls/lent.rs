//! TLS of connections that another library makes: the same trust as towards targets, and the same words for what fails.

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;

use super::trust::Verifier;
use super::{TlsError, cause, provider};
use crate::metric::Cause;
use crate::net::failure::Failure;
use crate::scenario::{TlsSettings, Trust};

/// Settings that trust the certificates of this file, each as an authority and as a server's own.
///
/// # Errors
/// When they cannot be read, or there are none.
pub fn trusting(certificates: &Path) -> Result<ClientConfig, TlsError> {
    let settings = TlsSettings {
        trust: Trust::File(certificates.to_owned()),
        ..TlsSettings::default()
    };
    let provider = Arc::new(provider(&settings));
    let verifier = Verifier::new(&settings, provider.clone())?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Setup(error.to_string()))?;
    let config = config
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    Ok(config.with_no_client_auth())
}

/// Why there is no TLS with a server, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsRefusal {
    /// Its certificate is not taken, for this reason.
    Untrusted(String),
    /// What it says is no TLS.
    NotSpoken,
    /// Anything else.
    Other(String),
}

impl TlsRefusal {
    /// What an error of a connection, or one of its causes, says of TLS; `None` if TLS did not fail.
    #[must_use]
    pub fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            // One of the system holds what went wrong beside its source.
            let inner = error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref);
            let inner = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
            if let Some(error) = error.downcast_ref::<rustls::Error>().or(inner) {
                return Some(Self::in_words(error));
            }
            next = error.source();
        }
        None
    }

    fn in_words(error: &rustls::Error) -> Self {
        let Failure { cause, detail, .. } = cause::failure(error);
        match error {
            rustls::Error::InvalidCertificate(_) => {
                Self::Untrusted(detail.replacen("the server's", "its", 1))
            }
            _ if cause == Cause::TlsNotSpoken => Self::NotSpoken,
            _ => Self::Other(detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use rustls::{CertificateError, InvalidMessage};

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] io::Error);

    #[test]
    fn what_tls_says_is_found_below_other_errors() {
        let of = |error: rustls::Error| TlsRefusal::of(&Outer(io::Error::other(error)));
        let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let Some(TlsRefusal::Untrusted(why)) = of(unknown) else {
            panic!("it is another refusal");
        };
        assert_eq!(
            why,
            "its certificate: no authority that is trusted has issued it"
        );
        let plain = rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType);
        assert_eq!(of(plain), Some(TlsRefusal::NotSpoken));
        assert_eq!(
            TlsRefusal::of(&io::Error::from(io::ErrorKind::TimedOut)),
            None
        );
    }
}

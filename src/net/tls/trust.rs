//! Selects which certificates to trust: any, those of the system's authorities, those in a file, or those whose public
//! key is pinned.

use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use sha2::{Digest as _, Sha256};

use super::TlsError;
use crate::scenario::{TlsSettings, Trust};

/// Checks a server's certificate. The signatures of the handshake are checked in all cases.
#[derive(Debug)]
pub(super) struct Verifier {
    provider: Arc<CryptoProvider>,
    /// `None` trusts any certificate, of those whose key is pinned.
    chain: Option<Arc<WebPkiServerVerifier>>,
    /// Certificates that are trusted as the server's own, whoever issued them.
    own: Vec<CertificateDer<'static>>,
    /// SHA-256 of the public keys that are accepted; any, if it is empty.
    pins: Vec<[u8; 32]>,
    /// Chains that were found good in this run. To check them again would cost more than the rest of a handshake.
    good: Mutex<Vec<Good>>,
}

/// The most chains that are remembered.
const MAX_GOOD: usize = 16;

/// A chain that was found good.
#[derive(Debug)]
struct Good {
    name: ServerName<'static>,
    chain: Vec<CertificateDer<'static>>,
}

impl Good {
    fn is(&self, name: &ServerName<'_>, chain: &[&CertificateDer<'_>]) -> bool {
        self.name == *name
            && self.chain.len() == chain.len()
            && self.chain.iter().zip(chain).all(|(good, one)| good == *one)
    }
}

impl Verifier {
    /// # Errors
    /// When certificates cannot be read, or there are none.
    pub(super) fn new(
        settings: &TlsSettings,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, TlsError> {
        let (roots, own) = match &settings.trust {
            Trust::Anyone | Trust::Pinned => (None, Vec::new()),
            Trust::File(path) => {
                let (roots, own) = of_file(path)?;
                (Some(Arc::new(roots)), own)
            }
            Trust::System => (Some(of_system()?), Vec::new()),
        };
        let chain = roots.map(|roots| {
            WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
                .build()
                .map_err(|error| TlsError::Setup(error.to_string()))
        });
        Ok(Self {
            provider,
            chain: chain.transpose()?,
            own,
            pins: settings.pins.clone(),
            good: Mutex::default(),
        })
    }

    /// Not held while a chain is checked, so that no thread waits for another one's check.
    fn good(&self) -> MutexGuard<'_, Vec<Good>> {
        self.good.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks that the public key of the certificate is one of those that are pinned.
    fn check_pin(&self, end_entity: &CertificateDer<'_>) -> Result<(), Error> {
        if self.pins.is_empty() {
            return Ok(());
        }
        let key = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
        let hash: [u8; 32] = Sha256::digest(&*key).into();
        match self.pins.contains(&hash) {
            true => Ok(()),
            false => Err(Error::InvalidCertificate(CertificateError::Other(
                OtherError(Arc::new(NotPinned(hash))),
            ))),
        }
    }

    /// What the check of a chain found, save that one of our own certificates needs no issuer.
    fn or_own(
        &self,
        checked: Result<ServerCertVerified, Error>,
        end_entity: &CertificateDer<'_>,
        server_name: &ServerName<'_>,
    ) -> Result<(), Error> {
        match checked {
            // `openssl req -x509` makes an authority's certificate, which webpki does not accept from a server. Its
            // validity period has been checked before.
            Err(Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::Other(_),
            )) if self.own.contains(end_entity) => {
                let parsed = ParsedCertificate::try_from(end_entity)?;
                verify_server_name(&parsed, server_name)
            }
            checked => checked.map(|_| ()),
        }
    }
}

/// The public key of a server is not one of those that are pinned. Has the SHA-256 of the one that it has.
#[derive(Debug, thiserror::Error)]
#[error("its public key is sha256//{}, which is not pinned", STANDARD.encode(.0))]
pub(super) struct NotPinned([u8; 32]);

/// Returns the system's authorities. They are read once: there are many, and a list of servers asks for them again and again.
fn of_system() -> Result<Arc<RootCertStore>, TlsError> {
    static ROOTS: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        Arc::new(roots)
    });
    match ROOTS.is_empty() {
        true => Err(TlsError::NoSystemRoots),
        false => Ok(ROOTS.clone()),
    }
}

/// Reads a file of certificates: each is trusted as an authority and as a server's own.
fn of_file(path: &Path) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), TlsError> {
    let unreadable = |why: String| TlsError::Certificates {
        path: path.to_owned(),
        why,
    };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in &certificates {
        roots
            .add(certificate.clone())
            .map_err(|error| unreadable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unreadable("no certificate in it".to_owned()));
    }
    Ok((roots, certificates))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let all: Vec<_> = [end_entity].into_iter().chain(intermediates).collect();
        let is_good = |good: &[Good]| good.iter().any(|good| good.is(server_name, &all));
        if is_good(&self.good()) {
            return Ok(ServerCertVerified::assertion());
        }
        self.check_pin(end_entity)?;
        if let Some(chain) = &self.chain {
            let checked = chain.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            );
            self.or_own(checked, end_entity, server_name)?;
        }
        // Another thread may have checked the same chain meanwhile.
        let mut good = self.good();
        if good.len() < MAX_GOOD && !is_good(&good) {
            good.push(Good {
                name: server_name.to_owned(),
                chain: all
                    .into_iter()
                    .map(|one| one.clone().into_owned())
                    .collect(),
            });
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authorities_of_the_system_are_read_once() {
        match (of_system(), of_system()) {
            (Ok(one), Ok(again)) => assert!(Arc::ptr_eq(&one, &again)),
            (one, again) => assert!(one.is_err() && again.is_err(), "there are some, or none"),
        }
    }
}

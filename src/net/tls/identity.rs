//! The certificates that clients show to a server that asks for one.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, SignatureScheme};

use super::TlsError;
use super::client::Client;
use crate::scenario::Identities;

/// The certificates with their keys, read once; remembers whether one was asked for.
#[derive(Debug)]
pub(super) struct ClientCertificates {
    all: Vec<Arc<CertifiedKey>>,
    was_asked: AtomicBool,
}

impl ClientCertificates {
    /// Reads the files.
    ///
    /// # Errors
    /// When one cannot be used: the file, and why.
    pub(super) fn read(of: &Identities, provider: &CryptoProvider) -> Result<Self, TlsError> {
        let all = match of {
            Identities::None => Vec::new(),
            Identities::One { certificate, key } => vec![one(certificate, key, provider)?],
            Identities::Each(files) => {
                let files = files.iter();
                files
                    .map(|file| one(file, file, provider))
                    .collect::<Result<_, _>>()?
            }
        };
        Ok(Self {
            all,
            was_asked: AtomicBool::new(false),
        })
    }

    /// Whether a server has asked for a certificate.
    pub(super) fn were_asked_for(&self) -> bool {
        self.was_asked.load(Ordering::Relaxed)
    }

    /// Whether a server has asked for a certificate, and there was none.
    pub(super) fn are_missed(&self) -> bool {
        self.all.is_empty() && self.were_asked_for()
    }
}

fn one(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, TlsError> {
    let unusable = |path: &Path, why: String| TlsError::Identity {
        path: path.to_owned(),
        why,
    };
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
    let chain = chain.map_err(|error| unusable(certificate, error.to_string()))?;
    let private = PrivateKeyDer::from_pem_file(key);
    let private = private.map_err(|error| unusable(key, error.to_string()))?;
    let pair = CertifiedKey::from_der(chain, private, provider);
    pair.map(Arc::new).map_err(|error| {
        let why = match error {
            Error::InconsistentKeys(_) => "the key is not that of the certificate".to_owned(),
            error => error.to_string(),
        };
        unusable(key, why)
    })
}

impl ResolvesClientCert for ClientCertificates {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.was_asked.store(true, Ordering::Relaxed);
        let number = Client::now() as usize;
        self.all.get(number.checked_rem(self.all.len())?).cloned()
    }

    fn has_certs(&self) -> bool {
        !self.all.is_empty()
    }
}

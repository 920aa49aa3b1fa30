//! TLS: whom to trust, and the handshake over a bare link.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    DigitallySignedStruct, Error as RustlsError, RootCertStore, SignatureScheme,
};

use super::end::TcpEnd;
use super::failure::Failure;
use super::link::Link;
use crate::metric::Cause;
use crate::scenario::Trust;

/// What keeps TLS from being set up. Fits after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificates in `ca` are no use.
    #[error("read the certificates of `target.ca` from {}: {why}", path.display())]
    Certificates {
        /// As in the scenario.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// `wss://` and no certificate to trust.
    #[error(
        "find any certificate of the system's to check `target.url` with\nhint: install the system's certificates (package ca-certificates), or name a file in `target.ca`"
    )]
    NoSystemRoots,
    /// The library refused the settings, or the host is no name for TLS.
    #[error("set up TLS: {0}")]
    Setup(String),
}

/// The TLS settings that all connections of a run share.
///
/// # Errors
/// When the certificates to trust cannot be read, or there are none.
pub(crate) fn tls_config(trust: &Trust) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Setup(error.to_string()))?;
    let mut config = match trust {
        Trust::Anyone => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth(),
        Trust::File(path) => {
            let unreadable = |why: String| TlsError::Certificates {
                path: path.clone(),
                why,
            };
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_file_iter(path)
                .map_err(|error| unreadable(error.to_string()))?
            {
                let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
                roots
                    .add(certificate)
                    .map_err(|error| unreadable(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(unreadable("no certificate in it".to_owned()));
            }
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        Trust::System => {
            let mut roots = RootCertStore::empty();
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                return Err(TlsError::NoSystemRoots);
            }
            builder.with_root_certificates(roots).with_no_client_auth()
        }
    };
    // RFC 6455 is spoken over HTTP/1.1.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// `insecure = true`: any certificate will do, but the handshake's signatures are still checked.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, RustlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Puts TLS over a bare link.
pub(crate) async fn secure(
    link: Link,
    config: &Arc<ClientConfig>,
    name: &ServerName<'static>,
) -> Result<Link, Failure> {
    let Link::Plain(wire) = link else {
        return Ok(link);
    };
    let connector = TlsConnector::from(config.clone());
    match connector.connect(name.clone(), wire).into_fallible().await {
        Ok(stream) => Ok(Link::Tls(Box::new(stream))),
        Err((error, wire)) => Err(match wire.end() {
            Some(TcpEnd::Rst) => Failure::new(Cause::HandshakeReset, "during the TLS handshake"),
            _ => Failure::new(Cause::Tls, error.to_string()),
        }),
    }
}

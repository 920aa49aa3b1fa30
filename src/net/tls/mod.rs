//! TLS: its settings, and the handshake over a plain link.

mod cause;
mod trust;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::AsyncReadExt as _;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::{ResolvesClientCert, Resumption};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{ClientConfig, SignatureScheme};

use self::trust::Verifier;
use super::end::TcpEnd;
use super::failure::Failure;
use super::link::Link;
use super::wire::Wire;
use crate::metric::{Cause, TLS_STEP};
use crate::scenario::Trust;

/// Why TLS could not be set up. Fits after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificates in `ca` cannot be used.
    #[error("read the certificates of `target.ca` from {}: {why}", path.display())]
    Certificates {
        /// The path in the scenario.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The URL is `wss://`, and there is no certificate to trust.
    #[error(
        "find any certificate of the system's to check `target.url` with\nhint: install the system's certificates (package ca-certificates), or name a file in `target.ca`"
    )]
    NoSystemRoots,
    /// The library refused the settings, or the host is not a valid name for TLS.
    #[error("set up TLS: {0}")]
    Setup(String),
}

/// The settings of TLS for one server; shared by all connections of a run.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    client: Arc<NoClientCertificate>,
}

impl Tls {
    /// Makes the settings for a server with this name or address.
    ///
    /// # Errors
    /// When the certificates to trust cannot be read, or there are none.
    pub(crate) fn new(host: &str, trust: &Trust) -> Result<Self, TlsError> {
        let setup = |why: String| TlsError::Setup(why);
        let name =
            ServerName::try_from(host.to_owned()).map_err(|error| setup(error.to_string()))?;
        let provider = Arc::new(ring::default_provider());
        let client = Arc::new(NoClientCertificate::default());
        let mut config = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| setup(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier::new(trust, provider)?))
            .with_client_cert_resolver(client.clone());
        // RFC 6455 runs over HTTP/1.1.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // All connections share the library's session store, so one would resume the session of another.
        config.resumption = Resumption::disabled();
        Ok(Self {
            config: Arc::new(config),
            name,
            client,
        })
    }

    /// Returns whether the server has asked for a client certificate.
    pub(crate) fn asks_for_certificate(&self) -> bool {
        self.client.asked.load(Ordering::Relaxed)
    }

    /// Runs the TLS handshake over a plain link.
    ///
    /// # Errors
    /// The cause and a description.
    pub(crate) async fn secure(&self, link: Link) -> Result<Link, Failure> {
        let Link::Plain(wire) = link else {
            return Ok(link);
        };
        let connector = TlsConnector::from(self.config.clone());
        match connector
            .connect(self.name.clone(), wire)
            .into_fallible()
            .await
        {
            Ok(stream) => Ok(Link::Tls(Box::new(stream))),
            Err((error, mut wire)) => {
                let said = read_last_alert(&mut wire).await;
                Err(self.failure(said, &error, wire.end()))
            }
        }
    }

    /// Returns the failure for an error in the handshake; `said` is an alert of the server, `end` is how it ended TCP.
    fn failure(&self, said: Option<Failure>, error: &io::Error, end: Option<TcpEnd>) -> Failure {
        let when = || format!("during {TLS_STEP}");
        let failure = match (cause::of(error).or(said), end) {
            (Some(failure), _) => failure,
            (None, Some(TcpEnd::Rst)) => Failure::new(Cause::HandshakeReset, when()),
            (None, Some(TcpEnd::Fin)) => Failure::new(Cause::HandshakeEof, when()),
            (None, None) => Failure::new(Cause::Io, error.to_string()),
        };
        // A TLS 1.2 server gives no other reason when it misses a client certificate.
        if failure.cause == Cause::TlsVersion && self.asks_for_certificate() {
            return cause::client_certificate();
        }
        failure
    }
}

/// Reads what a server sent before its end and was not read, because writing failed first. Returns the failure if it is
/// an alert.
async fn read_last_alert(wire: &mut Wire) -> Option<Failure> {
    wire.end().filter(|end| *end == TcpEnd::Rst)?;
    let mut bytes = [0; 64];
    let read = wire.read(&mut bytes).await.ok()?;
    cause::of_plain_alert(&bytes[..read])
}

/// Returns why TLS ended an open connection; `None` if it did not.
pub(super) fn broken(error: &io::Error) -> Option<Failure> {
    cause::of(error)
}

/// Has no certificate to send, and remembers whether one was asked for.
#[derive(Debug, Default)]
struct NoClientCertificate {
    asked: AtomicBool,
}

impl ResolvesClientCert for NoClientCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

//! TLS: its settings, and the handshake over a plain link.

mod agreed;
mod cause;
mod certificate;
mod client;
mod identity;
mod key_log;
mod lent;
mod records;
#[cfg(test)]
mod records_tests;
mod tickets;
mod trust;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::{Resumption as Sessions, UnbufferedClientConnection};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

pub(crate) use self::agreed::TlsAgreed;
#[cfg(test)]
pub(crate) use self::certificate::Certificate;
use self::client::Client;
use self::identity::ClientCertificates;
use self::key_log::KeyFile;
pub use self::lent::{TlsRefusal, trusting};
pub(super) use self::records::TlsLink;
use self::tickets::Tickets;
use self::trust::Verifier;
use super::end::TcpEnd;
use super::failure::Failure;
use super::link::Link;
use super::wire::Wire;
use crate::http::first_line;
use crate::metric::{Cause, TLS_STEP};
use crate::scenario::{Resumption, Scenario, ServerNameIs, TlsSettings, TlsVersion, WsUrl};

/// Why TLS could not be set up. Fits after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificates in `ca` cannot be used.
    #[error(
        "read the certificates of `target.ca` from {}: {why}\nhint: `openssl x509 -in {} -noout -subject` tells whether the first one is whole",
        path.display(), path.display()
    )]
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
    /// A certificate of the clients cannot be used.
    #[error(
        "use {} as a client's certificate or key: {why}\nhint: `openssl x509 -in CERTIFICATE -pubkey -noout` and `openssl pkey -in KEY -pubout` print the same for a certificate and its key",
        path.display()
    )]
    Identity {
        /// The path in the scenario.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The key log cannot be written to.
    #[error("open the key log {}", path.display())]
    KeyLog {
        /// The path on the command line.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// No cipher suite belongs to a version.
    #[error(
        "offer any cipher of TLS: those of `target.tls.ciphers` do not belong to `target.tls.versions`\nhint: ciphers of TLS 1.3 begin with TLS13"
    )]
    NothingToOffer,
    /// The library refused the settings, or the host is not a valid name for TLS.
    #[error("set up TLS: {0}")]
    Setup(String),
}

/// What is spoken under TLS, which the server is told in the handshake (RFC 7301).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alpn {
    Http1,
    Http2,
}

impl Alpn {
    fn name(self) -> &'static str {
        match self {
            Self::Http1 => "http/1.1",
            Self::Http2 => "h2",
        }
    }
}

/// The settings of TLS for one server; shared by all connections of a run.
#[derive(Debug, Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    client: Arc<ClientCertificates>,
}

impl Tls {
    /// Makes the settings for a server with this name or address. `resumes` says whether its clients dial again.
    ///
    /// # Errors
    /// When certificates cannot be used, or there are none to trust.
    pub fn new(host: &str, settings: &TlsSettings, resumes: bool) -> Result<Self, TlsError> {
        let setup = |why: String| TlsError::Setup(why);
        let name = match &settings.server_name {
            ServerNameIs::Given(name) => name,
            ServerNameIs::Address | ServerNameIs::Unsaid => host,
        };
        let name =
            ServerName::try_from(name.to_owned()).map_err(|error| setup(error.to_string()))?;
        let provider = Arc::new(provider(settings));
        let client = Arc::new(ClientCertificates::read(&settings.identities, &provider)?);
        let versions: Vec<&SupportedProtocolVersion> = (settings.versions.iter())
            .map(|version| match version {
                TlsVersion::V13 => &TLS13,
                TlsVersion::V12 => &TLS12,
            })
            .collect();
        let verifier = Verifier::new(settings, provider.clone())?;
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .map_err(|_| TlsError::NothingToOffer)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(client.clone());
        config.enable_sni = settings.server_name != ServerNameIs::Unsaid;
        config.resumption = match settings.resumption {
            // Only who dials again has a use for a ticket.
            Resumption::Own if resumes => Sessions::store(Arc::new(Tickets::default())),
            Resumption::Own | Resumption::Off => Sessions::disabled(),
        };
        if let Some(path) = &settings.key_log {
            let opened = KeyFile::open(path).map_err(|source| TlsError::KeyLog {
                path: path.clone(),
                source,
            });
            config.key_log = Arc::new(opened?);
        }
        Ok(Self {
            config: Arc::new(config),
            name,
            client,
        })
    }

    /// Returns whether the server has asked for a client certificate.
    pub(crate) fn asks_for_certificate(&self) -> bool {
        self.client.were_asked_for()
    }

    /// Returns whether the server has asked for a client certificate, and there is none.
    pub(crate) fn misses_certificate(&self) -> bool {
        self.client.are_missed()
    }

    /// Begins TLS over a stream, for the client with this number in the run.
    fn begin<L>(&self, below: L, client: u32, alpn: Alpn) -> Result<TlsLink<L>, rustls::Error>
    where
        L: AsyncRead + AsyncWrite + Unpin,
    {
        let client = Client(client);
        client.enter();
        let (config, name) = (self.config.clone(), self.name.clone());
        let protocols = vec![alpn.name().into()];
        let session = UnbufferedClientConnection::new_with_alpn(config, name, protocols)?;
        Ok(TlsLink::new(below, session, client))
    }

    /// Runs the handshake over any stream, for the client with this number in the run.
    ///
    /// # Errors
    /// Those of the stream and of TLS.
    pub async fn over<L>(
        &self,
        below: L,
        client: u32,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Unpin + use<L>>
    where
        L: AsyncRead + AsyncWrite + Unpin,
    {
        let mut tls = (self.begin(below, client, Alpn::Http1)).map_err(io::Error::other)?;
        tls.shake_hands().await?;
        Ok(tls)
    }

    /// Runs the TLS handshake over a link, for the client with this number in the run.
    ///
    /// # Errors
    /// The cause and a description.
    pub(crate) async fn secure(
        &self,
        link: Link,
        client: u32,
        alpn: Alpn,
    ) -> Result<Link, Failure> {
        let begun = self.begin(link, client, alpn);
        let mut tls = Box::new(begun.map_err(|error| cause::failure(&error))?);
        let failure = match tls.shake_hands().await {
            // A server that names no protocol speaks HTTP/1.1.
            Ok(()) if alpn == Alpn::Http1 || tls.protocol() == Some(alpn.name().as_bytes()) => {
                return Ok(Link::Tls(tls));
            }
            Ok(()) => cause::no_protocol(),
            Err(error) => {
                let wire = tls.below_mut().wire_mut();
                let said = read_last_alert(wire).await;
                let mut failure = self.failure(said, &error, wire.end());
                if failure.cause == Cause::TlsNotSpoken {
                    failure.detail += &format!(": {}", first_line(tls.unread()));
                }
                failure
            }
        };
        Err(match failure.cause {
            Cause::TlsAlpn => {
                let protocol = alpn.name();
                let detail = format!("the server does not offer `{protocol}` on this port (ALPN)");
                Failure::new(Cause::TlsAlpn, detail)
            }
            _ => failure,
        })
    }

    /// Returns the failure for an error in the handshake; `said` is an alert of the server, `end` is how it ended TCP.
    fn failure(&self, said: Option<Failure>, error: &io::Error, end: Option<TcpEnd>) -> Failure {
        let when = || format!("during {TLS_STEP}");
        let failure = match (cause::of(error).or(said), end) {
            (Some(failure), _) => failure,
            (None, Some(end)) => Failure::new(end.before_open(), when()),
            (None, None) => Failure::new(Cause::Io, error.to_string()),
        };
        // A TLS 1.2 server gives no other reason when it misses a client certificate.
        if failure.cause == Cause::TlsVersion && self.misses_certificate() {
            return cause::client_certificate();
        }
        failure
    }
}

/// Reads the certificates and keys of a scenario, as a run would.
///
/// # Errors
/// When one cannot be used, or there is none to trust.
pub fn check_tls(scenario: &Scenario) -> Result<(), TlsError> {
    let target = scenario.target.url.servers();
    for cohort in &scenario.cohorts {
        let dialled = cohort.servers.as_ref().or(target);
        let dialled = dialled
            .iter()
            .flat_map(|servers| servers.urls())
            .map(WsUrl::origin);
        let servers = cohort.other_servers().chain(dialled);
        let settings = TlsSettings {
            // Only a run writes one.
            key_log: None,
            ..cohort.access.tls.clone()
        };
        // Where redirects lead is not known yet: what is said of TLS there is read by any name.
        let leads_on = cohort.access.redirects > 0 && settings != TlsSettings::default();
        for server in servers.filter(|server| server.secure || leads_on) {
            Tls::new(&server.host, &settings, false)?;
        }
    }
    Ok(())
}

/// What the library offers: all that it knows, or what the scenario names.
fn provider(settings: &TlsSettings) -> CryptoProvider {
    let mut provider = ring::default_provider();
    fn chosen<T: Copy>(all: &mut Vec<T>, names: &[&str], name: impl Fn(&T) -> String) {
        if !names.is_empty() {
            let find = |wanted: &&str| all.iter().find(|one| name(one) == **wanted).copied();
            *all = names.iter().filter_map(find).collect();
        }
    }
    chosen(&mut provider.cipher_suites, &settings.ciphers, |suite| {
        format!("{:?}", suite.suite())
    });
    chosen(&mut provider.kx_groups, &settings.groups, |group| {
        format!("{:?}", group.name())
    });
    provider
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

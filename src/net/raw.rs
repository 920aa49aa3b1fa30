//! One open connection as plain bytes under its handshake, for the probe: what it writes goes out as it is,
//! and what the server answered can be shown.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::end::TcpEnd;
use super::failure::{Failure, of_connect};
use super::handshake::Request;
use super::link::Link;
use super::tls::{TlsError, secure, tls_config};
use super::wire::Wire;
use crate::measure::TcpEnding;
use crate::metric::Cause;
use crate::scenario::{Target, WsUrl};

/// What dials need; made once.
pub(crate) struct RawDialer {
    url: WsUrl,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    timeout: Duration,
}

/// How long each step of a handshake took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawSteps {
    /// The look-up of the name; `None` where the host is an address.
    pub(crate) dns: Option<Duration>,
    pub(crate) tcp: Duration,
    pub(crate) tls: Option<Duration>,
    pub(crate) upgrade: Duration,
}

/// An open connection, and how it came to be.
pub(crate) struct RawConnection {
    link: Link,
    pub(crate) address: SocketAddr,
    pub(crate) steps: RawSteps,
    /// The head of the server's answer.
    pub(crate) head: Vec<u8>,
    /// What came right behind it.
    pub(crate) early: Vec<u8>,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) struct RawFailure {
    pub(crate) cause: Cause,
    /// The status line, the wrong header, the system's error.
    pub(crate) detail: String,
    /// What the server answered, as far as it did.
    pub(crate) answer: Vec<u8>,
}

impl From<Failure> for RawFailure {
    fn from(failure: Failure) -> Self {
        Self {
            cause: failure.cause,
            detail: failure.detail,
            answer: Vec::new(),
        }
    }
}

impl RawDialer {
    /// # Errors
    /// When the certificates to trust cannot be read, or the host is no name for TLS.
    pub(crate) fn new(url: &WsUrl, target: &Target) -> Result<Self, TlsError> {
        let tls = if url.secure {
            let name = ServerName::try_from(url.host.clone())
                .map_err(|error| TlsError::Setup(error.to_string()))?;
            Some((tls_config(&target.trust)?, name))
        } else {
            None
        };
        Ok(Self {
            url: url.clone(),
            tls,
            timeout: target.connect_timeout,
        })
    }

    /// Opens one connection, with the headers of this target.
    ///
    /// # Errors
    /// The cause, and what the server said.
    pub(crate) async fn open(&self, target: &Target) -> Result<RawConnection, RawFailure> {
        let mut reached = "the look-up of the name";
        match tokio::time::timeout(self.timeout, self.steps(target, &mut reached)).await {
            Ok(done) => done,
            Err(_) => {
                Err(Failure::new(Cause::ConnectTimeout, format!("waited for {reached}")).into())
            }
        }
    }

    async fn steps(
        &self,
        target: &Target,
        reached: &mut &'static str,
    ) -> Result<RawConnection, RawFailure> {
        let (addresses, dns) = self.resolve().await?;
        *reached = "the TCP connection";
        let start = Instant::now();
        let (tcp, address) = connect(&addresses).await?;
        let connected = Instant::now();
        let mut link = Link::Plain(Wire::new(tcp));
        let mut secured = None;
        if let Some((config, name)) = &self.tls {
            *reached = "the TLS handshake";
            link = secure(link, config, name).await?;
            secured = Some(Instant::now());
        }
        *reached = "the answer to the upgrade request";
        let request = Request::new(&self.url, target);
        let (mut head, checked) = request.ask(&mut link, |link| link.wire().end()).await;
        let upgraded = Instant::now();
        let length = match checked {
            Ok(length) => length,
            Err(failure) => {
                return Err(RawFailure {
                    answer: head,
                    ..failure.into()
                });
            }
        };
        let early = head.split_off(length);
        let steps = RawSteps {
            dns,
            tcp: connected - start,
            tls: secured.map(|secured| secured - connected),
            upgrade: upgraded - secured.unwrap_or(connected),
        };
        Ok(RawConnection {
            link,
            address,
            steps,
            head,
            early,
        })
    }

    async fn resolve(&self) -> Result<(Vec<SocketAddr>, Option<Duration>), Failure> {
        if let Ok(address) = self.url.host.parse() {
            return Ok((vec![SocketAddr::new(address, self.url.port)], None));
        }
        let start = Instant::now();
        let host = self.url.host.as_str();
        match tokio::net::lookup_host((host, self.url.port)).await {
            Ok(addresses) => Ok((addresses.collect(), Some(start.elapsed()))),
            Err(error) => Err(Failure::new(Cause::Dns, format!("{host}: {error}"))),
        }
    }
}

/// The first address that takes a connection; or why the first one did not.
async fn connect(addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), Failure> {
    let mut first = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(tcp) => {
                tcp.set_nodelay(true).map_err(|error| of_connect(&error))?;
                return Ok((tcp, *address));
            }
            Err(error) => {
                first.get_or_insert_with(|| of_connect(&error));
            }
        }
    }
    Err(first.unwrap_or_else(|| Failure::new(Cause::Dns, "the name has no address")))
}

impl RawConnection {
    /// The version of TLS, where there is TLS.
    pub(crate) fn tls_version(&self) -> Option<String> {
        match &self.link {
            Link::Plain(_) => None,
            Link::Tls(tls) => tls.get_ref().1.protocol_version().map(|v| format!("{v:?}")),
        }
    }

    /// Writes these bytes, and has them sent.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.link.write_all(bytes).await?;
        self.link.flush().await
    }

    /// Adds what comes next to `bytes`; zero is the end.
    pub(crate) async fn read(&mut self, bytes: &mut Vec<u8>) -> io::Result<usize> {
        self.link.read_buf(bytes).await
    }

    /// How the server ended TCP, once that was seen.
    pub(crate) fn end(&self) -> Option<TcpEnding> {
        self.link.wire().end().map(|end| match end {
            TcpEnd::Fin => TcpEnding::Fin,
            TcpEnd::Rst => TcpEnding::Rst,
        })
    }
}

//! One open connection as plain bytes below its handshake, for the probe: bytes are written unchanged, and the server's
//! answer can be shown.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::channel::Channel;
use super::end::TcpEnd;
use super::first_hop::Peer;
use super::h2::{Alone, Serving};
use super::handshake::Request;
use super::resolvers::Resolvers;
use super::steps::Steps;
use super::tcp_dialer::{Dial, Progress};
use super::tls::{TlsAgreed, TlsError};
use super::way::{NotOpened, Opened, Way};
use crate::measure::TcpEnding;
use crate::metric::{Cause, Timer};
use crate::scenario::{HttpVersion, Target, WsUrl};
use crate::time::{Clock, Monotonic};
use crate::units::Nanos;

/// Everything that dials need; made once.
pub(crate) struct RawDialer {
    url: WsUrl,
    way: Way,
    /// How long the look-up of the name took; `None` if the host is an address.
    looked_up: Option<Duration>,
    timeout: Duration,
}

/// An open connection, and how it was opened.
pub(crate) struct RawConnection {
    channel: Channel,
    /// What has to be polled beside it, if it is a stream.
    serving: Option<Serving>,
    pub(crate) peer: Peer,
    /// Addresses that accepted no connection before this one, and why.
    pub(crate) passed: Vec<(SocketAddr, Cause)>,
    pub(crate) steps: Steps,
    /// The head of the server's answer.
    pub(crate) head: Vec<u8>,
    /// Bytes that came right after the head.
    pub(crate) early: Vec<u8>,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) struct RawFailure {
    pub(crate) cause: Cause,
    /// The status line, the wrong header, or the system's error.
    pub(crate) detail: String,
    /// The server's answer, as far as it came.
    pub(crate) answer: Vec<u8>,
}

impl From<NotOpened> for RawFailure {
    fn from(failed: NotOpened) -> Self {
        Self {
            cause: failed.failure.cause,
            detail: failed.failure.detail,
            answer: failed.answer,
        }
    }
}

impl RawDialer {
    /// Looks the name up, for at most `connect_timeout`. If the name has no address, each dial fails.
    ///
    /// # Errors
    /// When the certificates to trust cannot be read, or TLS does not accept the host's name.
    pub(crate) fn new(url: &WsUrl, target: &Target) -> Result<Self, TlsError> {
        let (origin, access) = (url.origin(), &target.access);
        let names = Resolvers::of_one(&origin, access, target.connect_timeout);
        let way = Way::new(&origin, access, &target.source_addresses, &names, true)?;
        Ok(Self {
            url: url.clone(),
            looked_up: way.take_look_ups().first().copied(),
            way,
            timeout: target.connect_timeout,
        })
    }

    /// Returns the addresses of the name that is dialled, which is the proxy's where there is one.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.way.addresses()
    }

    /// Returns whether the server has asked for a client certificate.
    pub(crate) fn asks_for_certificate(&self) -> bool {
        self.way.asks_for_certificate()
    }

    /// Opens one connection, with the headers of this target and its offer of
    /// compression. Under TLS all are those of one client, so each resumes the
    /// session of one before where the server lets it.
    ///
    /// # Errors
    /// The cause, and what the server answered.
    pub(crate) async fn open(&self, target: &Target) -> Result<RawConnection, RawFailure> {
        let request = Request::new(&self.url, target);
        let (clock, mut progress) = (Monotonic::start(), Progress::default());
        let opening = self.opened(&request, target, &clock, &mut progress);
        let opened = match tokio::time::timeout(self.timeout, opening).await {
            Ok(opened) => opened,
            Err(_) => Err(NotOpened::from(progress.timed_out())),
        };
        let mut connection = opened?;
        connection.passed = progress.passed;
        if let Some(took) = self.looked_up {
            (connection.steps).add(Timer::HandshakeDns, Nanos::from(took));
        }
        Ok(connection)
    }

    async fn opened(
        &self,
        request: &Request,
        target: &Target,
        clock: &dyn Clock,
        progress: &mut Progress,
    ) -> Result<RawConnection, NotOpened> {
        let compression = target.access.compression.as_ref();
        let HttpVersion::Two(sharing) = &target.access.http else {
            let opened = (self.way).open(request, compression, Dial::default(), clock, progress);
            let Opened {
                link,
                peer,
                steps,
                head,
                early,
                ..
            } = opened.await?;
            return Ok(RawConnection {
                channel: link.into(),
                serving: None,
                peer,
                passed: Vec::new(),
                steps,
                head,
                early,
            });
        };
        let asked = (request, self.url.secure, compression);
        let Alone {
            stream,
            serving,
            peer,
            steps,
            head,
        } = Alone::open(&self.way, asked, sharing, clock, progress).await?;
        Ok(RawConnection {
            channel: stream.into(),
            serving: Some(serving),
            peer,
            passed: Vec::new(),
            steps,
            head,
            early: Vec::new(),
        })
    }
}

/// Runs something that may wait for what is served meanwhile.
async fn beside<T>(serving: &mut Option<Serving>, what: impl Future<Output = T>) -> T {
    let Some(task) = serving else {
        return what.await;
    };
    let mut what = std::pin::pin!(what);
    tokio::select! {
        biased;
        done = &mut what => return done,
        () = task => {}
    }
    *serving = None;
    what.await
}

impl RawConnection {
    /// Returns what TLS agreed on, if there is TLS.
    pub(crate) fn agreed(&self) -> Option<TlsAgreed> {
        self.channel.tls_agreed()
    }

    /// Writes these bytes and flushes.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Self {
            channel, serving, ..
        } = self;
        let written = async {
            channel.write_all(bytes).await?;
            channel.flush().await
        };
        beside(serving, written).await
    }

    /// Appends the next bytes to `bytes`. Returns their number; zero is the end.
    pub(crate) async fn read(&mut self, bytes: &mut Vec<u8>) -> io::Result<usize> {
        let Self {
            channel, serving, ..
        } = self;
        beside(serving, channel.read_buf(bytes)).await
    }

    /// Returns how the server ended TCP, once that was seen.
    pub(crate) fn end(&self) -> Option<TcpEnding> {
        self.channel.end().map(|end| match end {
            TcpEnd::Fin => TcpEnding::Fin,
            TcpEnd::Rst => TcpEnding::Rst,
        })
    }
}

//! One open connection as plain bytes below its handshake, for the probe: bytes are written unchanged, and the server's
//! answer can be shown.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::asking::address;
use super::channel::Channel;
use super::end::TcpEnd;
use super::first_hop::Peer;
use super::h2::{Alone, Serving};
use super::handshake::{Agreed, Request};
use super::redirect::{Redirect, is_same_origin, remove_credentials};
use super::resolvers::Resolvers;
use super::steps::Steps;
use super::tcp_dialer::{Dial, Progress};
use super::tls::{TlsAgreed, TlsError};
use super::way::{NotOpened, Opened, Way};
use crate::http::{Cookies, take_cookies};
use crate::measure::TcpEnding;
use crate::metric::{Cause, Timer};
use crate::scenario::{HttpVersion, Target, WsUrl};
use crate::time::{Clock, Monotonic, unix_seconds};
use crate::units::Nanos;

/// Everything that dials need; made once.
pub(crate) struct RawDialer {
    url: WsUrl,
    names: Arc<Resolvers>,
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
    /// The compression that was agreed on.
    pub(crate) compression: Option<Agreed>,
    /// How many streams the server allows on a connection at a time, over HTTP/2; `u32::MAX`: any number.
    pub(crate) max_streams: Option<u32>,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) struct RawFailure {
    pub(crate) cause: Cause,
    /// The status line, the wrong header, or the system's error.
    pub(crate) detail: String,
    /// The server's answer, as far as it came.
    pub(crate) answer: Vec<u8>,
    /// For how long the server wants to be left alone, if it says so.
    pub(crate) retry_after: Option<Duration>,
    /// As of an open connection.
    pub(crate) max_streams: Option<u32>,
}

impl RawFailure {
    /// Whoever dials has no more time.
    pub(crate) fn cut() -> Self {
        Self {
            cause: Cause::ConnectTimeout,
            detail: "the time of the probe was over".to_owned(),
            answer: Vec::new(),
            retry_after: None,
            max_streams: None,
        }
    }

    fn new(failed: NotOpened, max_streams: Option<u32>) -> Self {
        let NotOpened { failure, answer } = failed;
        let seconds = failure.retry_after.map(|seconds| seconds.get().into());
        Self {
            cause: failure.cause,
            detail: failure.detail,
            answer,
            retry_after: seconds.map(Duration::from_secs),
            max_streams,
        }
    }
}

impl RawDialer {
    /// Looks the name up, for at most `connect_timeout`. If the name has no address, each dial fails.
    ///
    /// # Errors
    /// When the certificates to trust cannot be read, or TLS does not accept the host's name.
    pub(crate) fn new(url: &WsUrl, target: &Target) -> Result<Self, TlsError> {
        let names = Resolvers::of_one(&url.origin(), &target.access, target.connect_timeout);
        Self::by(url, target, Arc::new(names))
    }

    /// Dials the same server as another client, with the access of this target.
    ///
    /// # Errors
    /// When TLS cannot be set up so.
    pub(crate) fn another(&self, target: &Target) -> Result<Self, TlsError> {
        Self::by(&self.url, target, self.names.clone())
    }

    fn by(url: &WsUrl, target: &Target, names: Arc<Resolvers>) -> Result<Self, TlsError> {
        let way = Way::new(&url.origin(), &target.access, &names, true)?;
        Ok(Self {
            url: url.clone(),
            names,
            looked_up: way.take_look_ups().first().copied(),
            way,
            timeout: target.connect_timeout,
        })
    }

    /// Follows a redirect: returns what dials the server that it leads to, and changes `target` to what may be said there.
    /// `None` if the answer is no redirect.
    ///
    /// # Errors
    /// Why it is not followed.
    pub(crate) fn follow(
        &self,
        failed: &RawFailure,
        target: &mut Target,
    ) -> Option<Result<Self, String>> {
        let redirect = Redirect::read(failed.cause, &failed.answer)?;
        let (asked, resource) = (self.url.origin(), &self.url.resource);
        let mut next = match redirect.address(&asked, resource) {
            Ok(next) => next,
            Err(why) => return Some(Err(why.to_owned())),
        };
        if is_same_origin(&next.origin(), &asked) {
            next.unix.clone_from(&self.url.unix);
        } else {
            remove_credentials(&mut target.access.ask.headers);
        }
        let (mut cookies, now) = (Cookies::default(), unix_seconds());
        for cookie in &redirect.cookies {
            cookies.set(address(&asked, resource), cookie, now);
        }
        let kept = cookies.header(address(&next.origin(), &next.resource), now);
        if let Some(all) = take_cookies(&mut target.access.ask.headers, kept) {
            let all = String::from_utf8_lossy(&all).into_owned();
            let headers = &mut target.access.ask.headers;
            headers.push(("Cookie".to_owned(), all));
        }
        Some(Self::new(&next, target).map_err(|error| error.to_string()))
    }

    /// Returns the address of the server.
    pub(crate) fn url(&self) -> &WsUrl {
        &self.url
    }

    /// Returns the addresses of the name that is dialled, which is the proxy's where there is one.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.way.addresses()
    }

    /// Returns whether the server has asked for a client certificate.
    pub(crate) fn asks_for_certificate(&self) -> bool {
        self.way.asks_for_certificate()
    }

    /// Opens one connection for the client with this number, with the headers of this target and its offer of compression.
    /// Under TLS each resumes the session of one before of the same client, where the server lets it.
    ///
    /// # Errors
    /// The cause, and what the server answered.
    pub(crate) async fn open(
        &self,
        target: &Target,
        client: u32,
    ) -> Result<RawConnection, RawFailure> {
        let request = Request::new(&self.url, &target.access.ask);
        let (clock, mut progress) = (Monotonic::start(), Progress::default());
        let opening = self.opened(&request, target, client, &clock, &mut progress);
        let opened = match tokio::time::timeout(self.timeout, opening).await {
            Ok(opened) => opened,
            Err(_) => Err(NotOpened::from(progress.timed_out())),
        };
        let max_streams = progress.max_streams;
        let mut connection = opened.map_err(|failed| RawFailure::new(failed, max_streams))?;
        connection.max_streams = max_streams;
        connection.passed = progress.passed;
        if let Some(took) = self.looked_up {
            (connection.steps).add(Timer::HandshakeDns, Nanos::from(took));
        }
        Ok(connection)
    }

    /// Says these bytes to the server on a connection of their own, over HTTP/1.1, and returns what it answers: the head of an
    /// answer of HTTP with what came with it, or what came until the connection ended or `limit` was over; at most 16 KiB.
    ///
    /// # Errors
    /// The cause, where no connection opens.
    pub(crate) async fn ask(&self, said: &[u8], limit: Duration) -> Result<Vec<u8>, RawFailure> {
        let (clock, mut progress) = (Monotonic::start(), Progress::default());
        let linked = (self.way).link(Dial::default(), &clock, &mut progress);
        let linked = match tokio::time::timeout(self.timeout, linked).await {
            Ok(linked) => linked,
            Err(_) => Err(progress.timed_out()),
        };
        let mut link = linked
            .map_err(|failure| RawFailure::new(NotOpened::from(failure), None))?
            .link;
        let mut answer = Vec::new();
        let asked = async {
            let _ = link.write_all(said).await;
            let _ = link.flush().await;
            while answer.len() < LONGEST_ANSWER && !has_head(&answer) {
                // An error is an end like any other: what came before it is the answer.
                if !matches!(link.read_buf(&mut answer).await, Ok(1..)) {
                    break;
                }
            }
        };
        // What has come when the time is over is the answer.
        let _ = tokio::time::timeout(limit, asked).await;
        answer.truncate(LONGEST_ANSWER);
        Ok(answer)
    }

    async fn opened(
        &self,
        request: &Request,
        target: &Target,
        client: u32,
        clock: &dyn Clock,
        progress: &mut Progress,
    ) -> Result<RawConnection, NotOpened> {
        let compression = target.access.compression.as_ref();
        let HttpVersion::Two(sharing) = &target.access.http else {
            let dial = Dial {
                number: client,
                ..Dial::default()
            };
            let opened = (self.way).open(request, compression, dial, clock, progress);
            let Opened {
                link,
                peer,
                steps,
                head,
                early,
                compressed,
            } = opened.await?;
            return Ok(RawConnection {
                channel: link.into(),
                serving: None,
                peer,
                passed: Vec::new(),
                steps,
                head,
                early,
                compression: compressed.map(|compressed| compressed.agreed),
                max_streams: None,
            });
        };
        let asked = (request, self.url.secure, compression);
        let Alone {
            stream,
            serving,
            peer,
            steps,
            head,
            compressed,
        } = Alone::open(&self.way, asked, (client, sharing), clock, progress).await?;
        Ok(RawConnection {
            channel: stream.into(),
            serving: Some(serving),
            peer,
            passed: Vec::new(),
            steps,
            head,
            early: Vec::new(),
            compression: compressed.map(|compressed| compressed.agreed),
            max_streams: None,
        })
    }
}

/// The longest answer to bytes of the probe, in bytes.
const LONGEST_ANSWER: usize = 16 << 10;

/// Whether the head of an answer is complete.
fn has_head(answer: &[u8]) -> bool {
    answer.windows(4).any(|end| end == b"\r\n\r\n")
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

//! The way through a proxy: TCP to it, perhaps TLS, and a tunnel to the server. And what is said of a client to a server
//! behind a load balancer.

mod announce;
mod http;
mod socks;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use self::socks::Host;
use super::failure::Failure;
use super::link::Link;
use super::resolver::Resolver;
use super::tcp_dialer::{self, Dial, Progress};
use super::tls::{Alpn, Tls, TlsError};
use crate::http::HeadReader;
use crate::metric::{Cause, LOOK_UP_STEP};
use crate::scenario::{AddressOrder, Announce, AnnounceVersion, Proxy, ProxyKind, WebOrigin};

/// What has come of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Not all of it.
    More,
    /// All of it: so many bytes.
    Done(usize),
}

/// Why there is no tunnel, in the words of the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Refused {
    /// Because of who asks.
    Credentials(String),
    /// Because of the server that was asked for.
    Target(String),
    /// It is no proxy of this kind.
    NoProxy(String),
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Credentials(said) => Self::new(Cause::ProxyAuth, said),
            Refused::Target(said) => Self::new(Cause::ProxyRefused, said),
            Refused::NoProxy(said) => Self::new(Cause::ProxyGarbage, said),
        }
    }
}

/// A proxy, and what it is asked for; made once and shared by all dials to a server.
#[derive(Debug)]
pub(super) struct Tunnel {
    kind: ProxyKind,
    credentials: Option<(String, String)>,
    /// TLS to the proxy itself.
    tls: Option<Tls>,
    /// The request of HTTP; empty for SOCKS5.
    request: Vec<u8>,
    /// The server's name or address, and its port.
    host: String,
    port: u16,
    /// Looks the server's name up, if we have to; and where dials begin with its addresses.
    names: Option<(Arc<Resolver>, AddressOrder)>,
}

impl Tunnel {
    /// Sets up the way through a proxy to a server. `names` looks the server's name up, if the proxy does not, and says
    /// where to begin with its addresses.
    ///
    /// # Errors
    /// When TLS to the proxy cannot be set up.
    pub(super) fn new(
        proxy: &Proxy,
        origin: &WebOrigin,
        names: Option<(Arc<Resolver>, AddressOrder)>,
    ) -> Result<Self, TlsError> {
        let is_secure = proxy.kind == ProxyKind::Https;
        let tls = is_secure.then(|| Tls::new(&proxy.host, &proxy.tls, false));
        let credentials = proxy.credentials.as_ref();
        let told = credentials.map(|(user, password)| (user.as_str(), password.as_str()));
        let authority = format!("{}:{}", origin.bracketed(), origin.port);
        let request = match proxy.kind {
            ProxyKind::Http | ProxyKind::Https => http::request(&authority, told, &proxy.headers),
            ProxyKind::Socks5 | ProxyKind::Socks5h => Vec::new(),
        };
        Ok(Self {
            kind: proxy.kind,
            credentials: credentials.cloned(),
            tls: tls.transpose()?,
            request,
            host: origin.host.clone(),
            port: origin.port,
            names,
        })
    }

    /// Makes a tunnel over a connection to the proxy, for this dial. Has no time limit of its own.
    ///
    /// # Errors
    /// The cause, and what the proxy said.
    pub(super) async fn through(
        &self,
        mut link: Link,
        dial: Dial,
        progress: &mut Progress,
    ) -> Result<Link, Failure> {
        if let Some(tls) = &self.tls {
            let secured = tls.secure(link, dial.number, Alpn::Http1).await;
            link = secured.map_err(|failure| unreachable(&failure))?;
        }
        match self.kind {
            ProxyKind::Http | ProxyKind::Https => {
                self.send(&mut link, &self.request).await?;
                let mut head = HeadReader::default();
                self.receive(&mut link, |came| http::answer(came, &mut head))
                    .await?;
            }
            ProxyKind::Socks5 | ProxyKind::Socks5h => {
                self.socks(&mut link, dial.turn, progress).await?;
            }
        }
        Ok(link)
    }

    async fn socks(
        &self,
        link: &mut Link,
        turn: u32,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        let host = self.host(turn, progress).await?;
        let has_credentials = self.credentials.is_some();
        self.send(link, &socks::greeting(has_credentials)).await?;
        let mut wants_credentials = false;
        self.receive(link, |bytes| {
            let chosen = socks::choice(bytes, has_credentials)?;
            wants_credentials = chosen == Some(true);
            Ok(chosen.map_or(Asked::More, |_| Asked::Done(2)))
        })
        .await?;
        if let (true, Some((user, password))) = (wants_credentials, &self.credentials) {
            self.send(link, &socks::credentials(user, password)).await?;
            let admitted = |bytes: &mut Vec<u8>| {
                let admitted = socks::admitted(bytes)?;
                Ok(admitted.map_or(Asked::More, |()| Asked::Done(2)))
            };
            self.receive(link, admitted).await?;
        }
        self.send(link, &socks::request(&host, self.port)).await?;
        self.receive(link, |came| socks::reply(came)).await
    }

    /// Where the tunnel leads: an address, or a name that the proxy looks up.
    async fn host(&self, turn: u32, progress: &mut Progress) -> Result<Host, Failure> {
        if let Ok(address) = self.host.parse() {
            return Ok(Host::Address(address));
        }
        let Some((resolver, order)) = &self.names else {
            return Ok(Host::Name(self.host.clone()));
        };
        let mut known = resolver.known();
        if known.addresses.is_err() {
            let waited_for = std::mem::replace(&mut progress.reached, LOOK_UP_STEP);
            known = resolver.again(known.round).await.unwrap_or(known);
            progress.reached = waited_for;
        }
        let known = known.addresses;
        let known = known.map_err(|error| Failure::new(Cause::Dns, error.to_string()))?;
        let (_, mut in_order) = tcp_dialer::order(turn, &[], &known, *order);
        let first = in_order.next();
        let address = first.ok_or_else(|| Failure::new(Cause::Dns, "the name has no address"))?;
        Ok(Host::Address(address.ip()))
    }

    /// Returns how long look-ups of the server's name took since the last call.
    pub(super) fn take_look_ups(&self) -> Vec<Duration> {
        let resolver = self.names.as_ref().map(|(resolver, _)| resolver);
        resolver.map_or_else(Vec::new, |resolver| resolver.take_times())
    }

    async fn send(&self, link: &mut Link, bytes: &[u8]) -> Result<(), Failure> {
        let sent = async {
            link.write_all(bytes).await?;
            link.flush().await
        };
        sent.await.map_err(|error| ended(&error))
    }

    /// Reads an answer. A server that is asked by a tunnel says nothing before it is spoken to, so nothing follows it.
    async fn receive(
        &self,
        link: &mut Link,
        mut look: impl FnMut(&mut Vec<u8>) -> Result<Asked, Refused>,
    ) -> Result<(), Failure> {
        let mut bytes = Vec::with_capacity(512);
        loop {
            let read = link.read_buf(&mut bytes).await;
            let is_end = read.map_err(|error| ended(&error))? == 0;
            match look(&mut bytes)? {
                Asked::Done(length) if length == bytes.len() => return Ok(()),
                Asked::Done(_) => {
                    let said = "it went on behind its answer, before the server was spoken to";
                    return Err(Failure::new(Cause::ProxyGarbage, said));
                }
                Asked::More if is_end => {
                    let said = match bytes.is_empty() {
                        true => "it ended the connection without an answer",
                        false => "it ended the connection within its answer",
                    };
                    return Err(Failure::new(Cause::ProxyGarbage, said));
                }
                Asked::More => {}
            }
        }
    }
}

/// A proxy that could not be reached, with the cause that it would have been without one.
pub(super) fn unreachable(failure: &Failure) -> Failure {
    let Failure { cause, detail, .. } = failure;
    Failure::new(Cause::ProxyUnreachable, format!("{cause}: {detail}"))
}

fn ended(error: &io::Error) -> Failure {
    Failure::new(
        Cause::ProxyGarbage,
        format!("it ended the connection: {error}"),
    )
}

/// What is said to a server of the client with this number, before anything else: the header of the PROXY protocol. The
/// port that it claims follows from its number.
pub(super) fn announced(
    announce: &Announce,
    number: u32,
    local: Option<SocketAddr>,
    server: SocketAddr,
) -> Vec<u8> {
    const FIRST_PORT: u32 = 1024;
    let client = match announce.claim(number) {
        // Fibonacci hashing: neighbours get ports far apart.
        Some(claimed) => {
            let port = number.wrapping_mul(2_654_435_769) % (65_536 - FIRST_PORT) + FIRST_PORT;
            SocketAddr::new(claimed, port as u16)
        }
        None => local.unwrap_or(server),
    };
    match announce.version {
        AnnounceVersion::One => announce::text(client, server),
        AnnounceVersion::Two => announce::binary(client, server),
    }
}

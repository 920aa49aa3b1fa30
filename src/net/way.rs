//! The way from a name to an open connection: address, TCP, TLS, upgrade. Each step is timed.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::compressed::Compressed;
use super::failure::Failure;
use super::first_hop::{FirstHop, Peer};
use super::handshake::{Request, Switched};
use super::link::Link;
use super::proxy::{self, Tunnel, announced};
use super::resolvers::{Resolvers, needed};
use super::steps::Steps;
use super::tcp_dialer::{Dial, Progress, TcpDialer};
use super::tls::{Alpn, Tls, TlsError};
use super::wire::Wire;
use crate::metric::{ASKS_FOR_CERTIFICATE, Cause, PROXY_STEP, TLS_STEP, Timer, UPGRADE_STEP};
use crate::scenario::{Access, Announce, Compression, WebOrigin};
use crate::time::Clock;
use crate::units::Timestamp;

/// How to connect to one server; made once and shared by all dials.
#[derive(Debug)]
pub(crate) struct Way {
    /// To the proxy, if there is one.
    first: FirstHop,
    tunnel: Option<Tunnel>,
    announce: Option<Announce>,
    tls: Option<Tls>,
}

/// A connection to which nothing was said yet, and how it was opened.
pub(crate) struct Linked {
    pub(crate) link: Link,
    pub(crate) peer: Peer,
    /// TCP and TLS.
    pub(crate) steps: Steps,
    /// When its dial began.
    pub(crate) dialled: Timestamp,
    /// When it was open.
    pub(crate) opened: Timestamp,
}

/// An open connection, and how it was opened.
pub(crate) struct Opened {
    pub(crate) link: Link,
    pub(crate) peer: Peer,
    pub(crate) steps: Steps,
    /// The head of the server's answer.
    pub(crate) head: Vec<u8>,
    /// Bytes that came right after the head.
    pub(crate) early: Vec<u8>,
    /// The compression that was agreed on.
    pub(crate) compressed: Option<Box<Compressed>>,
}

/// Why there is no open connection.
#[derive(Debug)]
pub(crate) struct NotOpened {
    pub(crate) failure: Failure,
    /// The server's answer, as far as it came.
    pub(crate) answer: Vec<u8>,
}

impl From<Failure> for NotOpened {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            answer: Vec::new(),
        }
    }
}

impl Way {
    /// Sets up the way to a server. `names` has looked up the names on it. `resumes` says whether its clients dial again.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(crate) fn new(
        origin: &WebOrigin,
        access: &Access,
        names: &Resolvers,
        resumes: bool,
    ) -> Result<Self, TlsError> {
        let tls = (origin.secure).then(|| Tls::new(&origin.host, &access.tls, resumes));
        let (first, behind) = needed(origin, access);
        let first = match (&origin.unix, first) {
            (None, Some(lookup)) => {
                let dialer = TcpDialer::new(names.get(&lookup), &access.sources);
                FirstHop::Tcp(dialer.by(&access.addresses))
            }
            (path, _) => FirstHop::Unix(path.clone().unwrap_or_default()),
        };
        let behind = behind.map(|lookup| (names.get(&lookup), access.addresses.order));
        let tunnel = (access.proxy.as_ref()).map(|proxy| Tunnel::new(proxy, origin, behind));
        Ok(Self {
            first,
            tunnel: tunnel.transpose()?,
            announce: access.announce.clone(),
            tls: tls.transpose()?,
        })
    }

    /// Opens one connection, and asks for the upgrade, with compression if it is offered. Has no time limit of its own.
    ///
    /// # Errors
    /// The cause, and what the server answered.
    pub(crate) async fn open(
        &self,
        request: &Request,
        compression: Option<&Compression>,
        dial: Dial,
        clock: &dyn Clock,
        progress: &mut Progress,
    ) -> Result<Opened, NotOpened> {
        let Linked {
            mut link,
            peer,
            mut steps,
            dialled,
            opened,
        } = self.link(dial, clock, progress).await?;
        progress.reached = UPGRADE_STEP;
        let (mut head, checked) = request.ask(&mut link, compression).await;
        let now = clock.now();
        steps.add(Timer::HandshakeUpgrade, now.saturating_since(opened));
        steps.add(Timer::HandshakeTotal, now.saturating_since(dialled));
        match checked {
            Ok(Switched { length, agreed }) => {
                let compressed = Compressed::agreed(compression, agreed, progress);
                Ok(Opened {
                    early: head.split_off(length),
                    link,
                    peer,
                    steps,
                    head,
                    compressed,
                })
            }
            Err(failure) => Err(NotOpened {
                failure: self.explained(failure),
                answer: head,
            }),
        }
    }

    /// Opens TCP, and TLS where the address asks for it. Has no time limit of its own.
    ///
    /// # Errors
    /// The cause.
    pub(crate) async fn link(
        &self,
        dial: Dial,
        clock: &dyn Clock,
        progress: &mut Progress,
    ) -> Result<Linked, Failure> {
        let dialled = clock.now();
        let opened = self.first.open(dial, progress).await;
        let (tcp, peer) = opened.map_err(|failure| match &self.tunnel {
            Some(_) => proxy::unreachable(&failure),
            None => failure,
        })?;
        let mut wire = Wire::new(tcp);
        if dial.is_watched {
            wire.watch();
        } else if dial.is_lazy {
            wire.stamp();
        }
        let mut opened = clock.now();
        let mut steps = Steps::default();
        steps.add(Timer::HandshakeTcp, opened.saturating_since(dialled));
        let mut link = Link::Plain(wire);
        if let Some(tunnel) = &self.tunnel {
            progress.reached = PROXY_STEP;
            link = tunnel.through(link, dial, progress).await?;
            let through = clock.now();
            steps.add(Timer::HandshakeProxy, through.saturating_since(opened));
            opened = through;
        }
        if let Some(announce) = &self.announce {
            let header = announced(announce, dial.number, link.wire().local(), peer.address());
            // What is wrong with it shows where the server is asked for something.
            let _ = link.write_all(&header).await;
        }
        if let Some(tls) = &self.tls {
            progress.reached = TLS_STEP;
            let alpn = match dial.is_shared {
                true => Alpn::Http2,
                false => Alpn::Http1,
            };
            let secured = tls.secure(link, dial.number, alpn).await;
            link = secured.map_err(|failure| self.explained(failure))?;
            let secured = clock.now();
            let took = secured.saturating_since(opened);
            steps.add(Timer::HandshakeTls, took);
            if let Link::Tls(tls) = &link {
                tls.tell(took, &mut steps, &mut progress.counts);
                progress.agreed.extend(tls.counted());
            }
            opened = secured;
        }
        Ok(Linked {
            link,
            peer,
            steps,
            dialled,
            opened,
        })
    }

    /// Returns the addresses that the first connection may lead to, as far as they are known.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        match &self.first {
            FirstHop::Tcp(dialer) => match dialer.resolver.known().addresses {
                Ok(known) => known.to_vec(),
                Err(_) => Vec::new(),
            },
            FirstHop::Unix(_) => Vec::new(),
        }
    }

    /// Returns whether the server has asked for a client certificate.
    pub(crate) fn asks_for_certificate(&self) -> bool {
        self.tls.as_ref().is_some_and(Tls::asks_for_certificate)
    }

    /// Returns how long look-ups took since the last call: first those of the name that is dialled, then those of the
    /// server's name where it is looked up for a proxy.
    pub(crate) fn take_look_ups(&self) -> Vec<Duration> {
        let mut times = match &self.first {
            FirstHop::Tcp(dialer) => dialer.resolver.take_times(),
            FirstHop::Unix(_) => Vec::new(),
        };
        times.extend(self.tunnel.iter().flat_map(Tunnel::take_look_ups));
        times
    }

    /// Adds an explanation: some servers finish the TLS handshake, and then refuse clients without a certificate, or with
    /// one that they do not trust, by HTTP (nginx: 400); others end TCP without an alert.
    pub(super) fn explained(&self, mut failure: Failure) -> Failure {
        let Some(tls) = self.tls.as_ref().filter(|tls| tls.asks_for_certificate()) else {
            return failure;
        };
        let misses = tls.misses_certificate();
        let may_be_why = match failure.cause {
            // Other answers do not come from who looks at certificates: a 502 is of a proxy that passed it on.
            Cause::HttpStatus => match failure.detail.split([' ', ';', ':']).nth(1) {
                Some("400") => true,
                Some("401" | "403") => misses,
                _ => false,
            },
            Cause::HandshakeEof | Cause::HandshakeReset => true,
            _ => false,
        };
        if may_be_why {
            failure.detail += &format!("; {ASKS_FOR_CERTIFICATE}");
            if !misses {
                failure.detail += ", and was shown one";
            }
        }
        failure
    }
}

//! The way from a name to an open connection: address, TCP, TLS, upgrade. Each step is timed. If an address accepts no
//! connection, the next one is tried.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::connect::{self, ConnectError};
use super::failure::Failure;
use super::handshake::Request;
use super::link::Link;
use super::resolver::{Known, Resolver};
use super::steps::Steps;
use super::tls::{Tls, TlsError};
use super::wire::Wire;
use crate::metric::{Cause, TLS_STEP, Timer};
use crate::scenario::{Target, WsUrl};
use crate::time::Clock;

/// The steps that a dial can wait for.
const LOOK_UP: &str = "the look-up of the name";
const TCP: &str = "the TCP connection";
const UPGRADE: &str = "the answer to the upgrade request";

/// How to connect to one server; made once and shared by all dials.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) resolver: Arc<Resolver>,
    sources: Vec<IpAddr>,
    tls: Option<Tls>,
}

/// The options of one dial.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Dial {
    /// Selects its address and its source address.
    pub(crate) number: u32,
    /// The address to connect to instead of the target, with an unchanged handshake.
    pub(crate) route: Option<SocketAddr>,
    /// The receive buffer, in bytes; `None` leaves it to the system.
    pub(crate) receives: Option<usize>,
    /// Whether to record when bytes arrive.
    pub(crate) is_watched: bool,
}

/// An open connection, and how it was opened.
pub(crate) struct Opened {
    pub(crate) link: Link,
    pub(crate) address: SocketAddr,
    pub(crate) steps: Steps,
    /// The head of the server's answer.
    pub(crate) head: Vec<u8>,
    /// Bytes that came right after the head.
    pub(crate) early: Vec<u8>,
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

/// How far a dial has come. Can be read after a timeout, too.
#[derive(Debug)]
pub(crate) struct Progress {
    /// The step that it waits for.
    reached: &'static str,
    /// Addresses that accepted no connection and were followed by another one, and why.
    pub(crate) passed: Vec<(SocketAddr, Failure)>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            reached: LOOK_UP,
            passed: Vec::new(),
        }
    }
}

impl Progress {
    /// Returns the failure of a dial that ran out of time.
    pub(crate) fn timed_out(&self) -> Failure {
        Failure::new(
            Cause::ConnectTimeout,
            format!("waited for {}", self.reached),
        )
    }
}

impl Way {
    /// Sets up the way to the server of `url`. `resolver` resolves its name.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(crate) fn new(
        url: &WsUrl,
        target: &Target,
        resolver: Arc<Resolver>,
    ) -> Result<Self, TlsError> {
        let tls = url.secure.then(|| Tls::new(&url.host, &target.trust));
        Ok(Self {
            resolver,
            sources: target.source_addresses.clone(),
            tls: tls.transpose()?,
        })
    }

    /// Opens one connection. Has no time limit of its own.
    ///
    /// # Errors
    /// The cause, and what the server answered.
    pub(crate) async fn open(
        &self,
        request: &Request,
        dial: Dial,
        clock: &dyn Clock,
        progress: &mut Progress,
    ) -> Result<Opened, NotOpened> {
        let start = clock.now();
        let (mut wire, address) = self.tcp(dial, progress).await?;
        if dial.is_watched {
            wire.watch();
        }
        let mut last = start;
        let mut steps = Steps::default();
        let mut done = |step: Timer| {
            let now = clock.now();
            steps.add(step, now.saturating_since(last));
            last = now;
        };
        done(Timer::HandshakeTcp);
        let mut link = Link::Plain(wire);
        if let Some(tls) = &self.tls {
            progress.reached = TLS_STEP;
            link = tls.secure(link).await?;
            done(Timer::HandshakeTls);
        }
        progress.reached = UPGRADE;
        let (mut head, checked) = request.ask(&mut link, |link| link.wire().end()).await;
        done(Timer::HandshakeUpgrade);
        steps.add(Timer::HandshakeTotal, last.saturating_since(start));
        match checked {
            Ok(length) => Ok(Opened {
                early: head.split_off(length),
                link,
                address,
                steps,
                head,
            }),
            Err(failure) => Err(NotOpened {
                failure: self.explained(failure),
                answer: head,
            }),
        }
    }

    /// Adds an explanation: some servers finish the TLS handshake, and then refuse clients without a certificate by
    /// HTTP (nginx: 400).
    fn explained(&self, mut failure: Failure) -> Failure {
        let asks = self.tls.as_ref().is_some_and(Tls::asks_for_certificate);
        if asks && failure.cause == Cause::HttpStatus {
            failure.detail += "; the server has asked for a client certificate";
        }
        failure
    }

    /// Connects to the first address that accepts a connection. If there is none, looks the name up again and tries the
    /// new addresses. Returns the failure of the first address.
    async fn tcp(
        &self,
        dial: Dial,
        progress: &mut Progress,
    ) -> Result<(Wire, SocketAddr), Failure> {
        let connected = self.tcp_anew(dial, progress).await;
        if connected.is_err() {
            // No other address followed the last one.
            progress.passed.pop();
        }
        connected
    }

    async fn tcp_anew(
        &self,
        dial: Dial,
        progress: &mut Progress,
    ) -> Result<(Wire, SocketAddr), Failure> {
        if let Some(route) = dial.route {
            progress.reached = TCP;
            return self.first_of(&[route], dial, progress).await;
        }
        let Known { round, addresses } = self.resolver.known();
        let known = addresses.as_deref().unwrap_or_default();
        let failure = match &addresses {
            Err(error) => Failure::new(Cause::Dns, error.to_string()),
            Ok(known) => {
                progress.reached = TCP;
                match self.first_of(known, dial, progress).await {
                    Err(failure) if goes_on(failure.cause) => failure,
                    other => return other,
                }
            }
        };
        progress.reached = LOOK_UP;
        let again = self.resolver.again(round).await;
        let found = again.and_then(|again| again.addresses.ok());
        let new: Vec<SocketAddr> = (found.iter().flat_map(|found| found.iter()))
            .copied()
            .filter(|address| !known.contains(address))
            .collect();
        if new.is_empty() {
            return Err(failure);
        }
        progress.reached = TCP;
        let connected = self.first_of(&new, dial, progress).await;
        connected.map_err(|_| failure)
    }

    async fn first_of(
        &self,
        addresses: &[SocketAddr],
        dial: Dial,
        progress: &mut Progress,
    ) -> Result<(Wire, SocketAddr), Failure> {
        let (source, order) = order(dial.number, &self.sources, addresses);
        let mut first: Option<Failure> = None;
        for address in order {
            let failure = match connect::tcp(address, source, dial.receives).await {
                Ok(tcp) => return Ok((Wire::new(tcp), address)),
                Err(error) => of_connect(address, &error),
            };
            if !goes_on(failure.cause) {
                return Err(failure);
            }
            progress.passed.push((address, failure.clone()));
            first.get_or_insert(failure);
        }
        Err(first.unwrap_or_else(|| {
            let why = "the name has no address of the family of `source_addresses`";
            Failure::new(Cause::Unreachable, why)
        }))
    }
}

/// Returns whether another address may work after this failure. The system reports an address of a family that this
/// machine does not have as `no_local_port`.
fn goes_on(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::Refused | Cause::Unreachable | Cause::NoLocalPort
    )
}

fn of_connect(address: SocketAddr, error: &ConnectError) -> Failure {
    match error {
        ConnectError::Source(source, error) => Failure::new(
            Cause::NoLocalPort,
            format!("{source} of `source_addresses`: {error}"),
        ),
        ConnectError::Connect(error) => {
            let Failure { cause, detail } = super::failure::of_connect(error);
            Failure::new(cause, format!("{address}: {detail}"))
        }
    }
}

/// Returns the source of a dial and the addresses to try, in order. The first addresses are spread over all pairs of
/// sources and addresses of the first family, because local ports are counted for each pair.
fn order(
    number: u32,
    sources: &[IpAddr],
    addresses: &[SocketAddr],
) -> (Option<IpAddr>, impl Iterator<Item = SocketAddr>) {
    let is_reachable = |address: &SocketAddr| {
        (sources.first()).is_none_or(|source| source.is_ipv4() == address.is_ipv4())
    };
    let usable: Vec<SocketAddr> = addresses.iter().copied().filter(is_reachable).collect();
    let first_is_v4 = usable.first().is_some_and(SocketAddr::is_ipv4);
    let front = (usable.iter())
        .take_while(|address| address.is_ipv4() == first_is_v4)
        .count();
    let (source, turn) = pair(number, sources.len(), front);
    let mut ordered = usable;
    ordered[..front].rotate_left(turn);
    (sources.get(source).copied(), ordered.into_iter())
}

/// Returns the indices of the source and the address of a connection. All pairs are used in turn.
fn pair(connection: u32, sources: usize, addresses: usize) -> (usize, usize) {
    let (turn, addresses) = (connection as usize, addresses.max(1));
    (turn / addresses % sources.max(1), turn % addresses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_source_dials_each_address() {
        for (sources, addresses) in [(2, 2), (3, 2), (2, 4), (1, 3), (3, 1)] {
            let all = sources * addresses;
            let pairs: BTreeSet<_> = (0..all as u32)
                .map(|connection| pair(connection, sources, addresses))
                .collect();
            assert_eq!(pairs.len(), all, "{sources} and {addresses}");
        }
        assert_eq!(pair(5, 0, 0), (0, 0));
    }

    #[test]
    fn the_first_family_is_spread_and_the_other_comes_last() {
        let addresses: Vec<SocketAddr> = ["[::1]:1", "[::2]:1", "127.0.0.1:1"]
            .map(|text| text.parse().unwrap())
            .into();
        let dialled = |number, sources: &[IpAddr]| -> Vec<String> {
            let (_, order) = order(number, sources, &addresses);
            order.map(|address| address.ip().to_string()).collect()
        };
        assert_eq!(dialled(0, &[]), ["::1", "::2", "127.0.0.1"]);
        assert_eq!(dialled(1, &[]), ["::2", "::1", "127.0.0.1"]);
        let v4 = ["127.0.0.3".parse().unwrap()];
        assert_eq!(dialled(1, &v4), ["127.0.0.1"]);
        let (source, mut none) = order(0, &v4, &addresses[..2]);
        assert_eq!((source, none.next()), (Some(v4[0]), None));
    }
}

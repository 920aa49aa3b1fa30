//! Opens TCP to the first address of a server that accepts a connection. Each address that did not is told.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpStream;

use super::connect::{self, ConnectError, Device};
use super::failure::Failure;
use super::resolver::{LookedUp, Resolver};
use crate::metric::{Cause, Counter, LOOK_UP_STEP, TCP_STEP};
use crate::scenario::{AddressOrder, Addresses};

/// The options of one dial.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Dial {
    /// The number of its client, or of the TCP connection that clients share, which decides what it shows.
    pub(crate) number: u32,
    /// How many with lower numbers dial the same server. Selects the server's address, and its source address.
    pub(crate) turn: u32,
    /// The address to connect to instead of the target, with an unchanged handshake.
    pub(crate) route: Option<SocketAddr>,
    /// The receive buffer, in bytes; `None` leaves it to the system.
    pub(crate) receives: Option<usize>,
    /// Whether to record when bytes arrive.
    pub(crate) is_watched: bool,
    /// Whether to record when bytes arrive if the kernel tells.
    pub(crate) is_lazy: bool,
    /// Whether HTTP/2 is spoken on it.
    pub(crate) is_shared: bool,
}

/// How far a dial has come. Can be read after a timeout, too.
#[derive(Debug)]
pub(crate) struct Progress {
    /// The step that it waits for.
    pub(super) reached: &'static str,
    /// What there was to count on the way, each by one.
    pub(crate) counts: Vec<Counter>,
    /// What was agreed on with the server, by what it is.
    pub(crate) agreed: Vec<(&'static str, Cow<'static, str>)>,
    /// How many streams the server allows on this connection at a time, once that is known; `u32::MAX`: any number.
    pub(crate) max_streams: Option<u32>,
    /// Addresses that accepted no connection and were followed by another one, and why.
    pub(crate) passed: Vec<(SocketAddr, Cause)>,
    /// The newest address that accepted no connection, until another one follows.
    failed: Option<(SocketAddr, Cause)>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            reached: LOOK_UP_STEP,
            counts: Vec::new(),
            agreed: Vec::new(),
            max_streams: None,
            passed: Vec::new(),
            failed: None,
        }
    }
}

impl Progress {
    /// A dial that waits for this step.
    pub(crate) fn waiting(reached: &'static str) -> Self {
        Self {
            reached,
            ..Self::default()
        }
    }

    /// Returns the failure of a dial that ran out of time.
    pub(crate) fn timed_out(&self) -> Failure {
        Failure::new(
            Cause::ConnectTimeout,
            format!("waited for {}", self.reached),
        )
    }
}

/// How to open TCP to one server; made once and shared by all dials.
#[derive(Debug, Clone)]
pub struct TcpDialer {
    pub(crate) resolver: Arc<Resolver>,
    sources: Vec<IpAddr>,
    order: AddressOrder,
    device: Option<Device>,
}

impl TcpDialer {
    /// Dials the addresses of `resolver`, from `sources` in turn; if there are none, the system chooses the source.
    pub fn new(resolver: Arc<Resolver>, sources: &[IpAddr]) -> Self {
        Self {
            resolver,
            sources: sources.to_vec(),
            order: AddressOrder::Spread,
            device: None,
        }
    }

    /// The same in this order, over this device.
    #[must_use]
    pub fn by(self, addresses: &Addresses) -> Self {
        Self {
            order: addresses.order,
            device: addresses.device.as_deref().map(Device::named),
            ..self
        }
    }

    /// Connects to the first address that accepts a connection. If there is none, looks the name up again and tries the
    /// new addresses. Has no time limit of its own.
    ///
    /// # Errors
    /// The failure of the first address.
    pub(crate) async fn open(
        &self,
        dial: Dial,
        progress: &mut Progress,
    ) -> Result<(TcpStream, SocketAddr), Failure> {
        if let Some(route) = dial.route {
            progress.reached = TCP_STEP;
            let near = |source: &IpAddr| source.is_ipv4() == route.is_ipv4();
            let sources: Vec<IpAddr> = self.sources.iter().copied().filter(near).collect();
            // The route begins on this machine, and the relay dials over the device.
            let near = Self::new(self.resolver.clone(), &sources);
            return near.first_of(&[route], dial, progress).await;
        }
        let LookedUp { round, addresses } = self.resolver.known();
        let known = addresses.as_deref().unwrap_or_default();
        let failure = match &addresses {
            Err(error) => Failure::new(Cause::Dns, error.to_string()),
            Ok(known) => {
                progress.reached = TCP_STEP;
                match self.first_of(known, dial, progress).await {
                    Err(failure) if goes_on(failure.cause) => failure,
                    other => return other,
                }
            }
        };
        progress.reached = LOOK_UP_STEP;
        let again = self
            .resolver
            .again(round)
            .await
            .map(|again| again.addresses);
        let found = match (again, &addresses) {
            (Some(Ok(found)), _) => Some(found),
            // What failed now is newer than what failed before.
            (Some(Err(error)), Err(_)) => {
                return Err(Failure::new(Cause::Dns, error.to_string()));
            }
            _ => None,
        };
        let new: Vec<SocketAddr> = (found.iter().flat_map(|found| found.iter()))
            .copied()
            .filter(|address| !known.contains(address))
            .collect();
        if new.is_empty() {
            return Err(failure);
        }
        progress.reached = TCP_STEP;
        let connected = self.first_of(&new, dial, progress).await;
        connected.map_err(|_| failure)
    }

    async fn first_of(
        &self,
        addresses: &[SocketAddr],
        dial: Dial,
        progress: &mut Progress,
    ) -> Result<(TcpStream, SocketAddr), Failure> {
        let (source, order) = order(dial.turn, &self.sources, addresses, self.order);
        let mut first: Option<Failure> = None;
        for address in order {
            progress.passed.extend(progress.failed.take());
            let device = self.device.as_ref();
            let failure = match connect::tcp(address, source, device, dial.receives).await {
                Ok(tcp) => return Ok((tcp, address)),
                Err(error) => of_connect(address, &error),
            };
            if !goes_on(failure.cause) {
                return Err(failure);
            }
            progress.failed = Some((address, failure.cause));
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
        ConnectError::Device(name, error) => Failure::new(
            Cause::Unreachable,
            format!("over the device {name}: {error}"),
        ),
        ConnectError::Connect(error) => {
            let Failure { cause, detail, .. } = super::failure::of_connect(error);
            Failure::new(cause, format!("{address}: {detail}"))
        }
    }
}

/// Returns the source of a dial and the addresses to try, in order. The first addresses are spread over all pairs of
/// sources and addresses of the first family, because local ports are counted for each pair; or all dials begin with the
/// first one.
pub(super) fn order(
    turn: u32,
    sources: &[IpAddr],
    addresses: &[SocketAddr],
    begin: AddressOrder,
) -> (Option<IpAddr>, impl Iterator<Item = SocketAddr>) {
    let is_reachable = |address: &SocketAddr| {
        (sources.first()).is_none_or(|source| source.is_ipv4() == address.is_ipv4())
    };
    let usable: Vec<SocketAddr> = addresses.iter().copied().filter(is_reachable).collect();
    let first_is_v4 = usable.first().is_some_and(SocketAddr::is_ipv4);
    let front = (usable.iter())
        .take_while(|address| address.is_ipv4() == first_is_v4)
        .count();
    let (source, turn) = match begin {
        AddressOrder::Spread => pair(turn, sources.len(), front),
        AddressOrder::First => pair(turn, sources.len(), 1),
    };
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
            let (_, order) = order(number, sources, &addresses, AddressOrder::Spread);
            order.map(|address| address.ip().to_string()).collect()
        };
        assert_eq!(dialled(0, &[]), ["::1", "::2", "127.0.0.1"]);
        assert_eq!(dialled(1, &[]), ["::2", "::1", "127.0.0.1"]);
        let v4 = ["127.0.0.3".parse().unwrap()];
        assert_eq!(dialled(1, &v4), ["127.0.0.1"]);
        let (source, mut none) = order(0, &v4, &addresses[..2], AddressOrder::Spread);
        assert_eq!((source, none.next()), (Some(v4[0]), None));
        let (source, mut first) = order(3, &v4, &addresses, AddressOrder::First);
        assert_eq!((source, first.next()), (Some(v4[0]), Some(addresses[2])));
        let (_, first) = order(3, &[], &addresses, AddressOrder::First);
        assert_eq!(Vec::from_iter(first), addresses);
    }
}

//! From an address to an open WebSocket connection, each step timed.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::shared::Shared;
use crate::metric::Cause;
use crate::net::{
    Failure, Link, Request, Steps, Transport, WebSocket, Wire, connect, of_connect, secure,
};
use crate::plan::Conduct;
use crate::scenario::{Target, WsUrl};
use crate::time::{Clock, nanos};
use crate::units::human_ns;

/// The receive buffer of a client that is going to stop reading, in bytes.
const SMALL: usize = 4096;

/// Everything a dial needs; made once for a run and shared by all workers.
#[derive(Debug)]
pub(super) struct Dialer {
    /// Those of the target, or why there are none.
    addresses: Result<Vec<SocketAddr>, String>,
    /// By cohort: where to connect to instead.
    routes: Vec<Option<SocketAddr>>,
    sources: Vec<IpAddr>,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    request: Request,
    timeout: Duration,
    /// The longest message that is taken from the server, in bytes.
    max_message: usize,
}

impl Dialer {
    /// `addresses` are those of the target, or why its name could not be resolved. `routes` are, by cohort, where to
    /// connect to instead; a cohort beyond them has none.
    pub(super) fn new(
        url: &WsUrl,
        target: &Target,
        addresses: Result<Vec<SocketAddr>, String>,
        routes: Vec<Option<SocketAddr>>,
        tls: Option<Arc<ClientConfig>>,
    ) -> Result<Self, String> {
        let tls = match tls {
            Some(config) => {
                let name =
                    ServerName::try_from(url.host.clone()).map_err(|error| error.to_string())?;
                Some((config, name))
            }
            None => None,
        };
        Ok(Self {
            addresses,
            routes,
            sources: target.source_addresses.clone(),
            tls,
            request: Request::new(url, target),
            timeout: target.connect_timeout,
            max_message: target.max_message.as_usize(),
        })
    }

    async fn steps(
        &self,
        addresses: &[SocketAddr],
        connection: u32,
        conduct: &Conduct,
        clock: &dyn Clock,
        reached: &mut &'static str,
    ) -> Result<(WebSocket, Steps), Failure> {
        let start = clock.now();
        let tcp = self
            .open_tcp(addresses, connection, conduct)
            .await
            .map_err(|error| of_connect(&error))?;
        let connected = clock.now();
        let mut wire = Wire::new(tcp);
        if conduct.watched {
            wire.watch();
        }
        let mut link = Link::Plain(wire);
        let mut secured = None;
        if let Some((config, name)) = &self.tls {
            *reached = "the TLS handshake";
            link = secure(link, config, name).await?;
            secured = Some(clock.now());
        }
        *reached = "the answer to the upgrade request";
        let ended = |link: &Link| link.wire().end();
        let (mut answer, checked) = self.request.ask(&mut link, ended).await;
        let already_read = answer.split_off(checked?);
        let upgraded = clock.now();
        let steps = Steps {
            tcp: connected - start,
            tls: secured.map(|secured| secured - connected),
            upgrade: upgraded - secured.unwrap_or(connected),
        };
        let socket = WebSocket::new(link, already_read, self.max_message);
        Ok((socket, steps))
    }

    async fn open_tcp(
        &self,
        addresses: &[SocketAddr],
        connection: u32,
        conduct: &Conduct,
    ) -> io::Result<TcpStream> {
        let (source, address) = pair(connection, self.sources.len(), addresses.len());
        let Some(address) = addresses.get(address).copied() else {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        };
        let source = self.sources.get(source).copied();
        // Little fits into the window of a client that does not read.
        let receives = conduct.stops_reading().then_some(SMALL);
        let stream = connect::tcp(address, source, receives).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Opens connections. Cheap to clone: every client has its own.
pub(crate) trait Connector: Clone {
    /// What it opens.
    type Transport: Transport;

    /// Opens one connection of a cohort, within `connect_timeout`, that will behave like this.
    async fn connect(
        &self,
        cohort: usize,
        connection: u32,
        conduct: Conduct,
        shared: &Shared,
    ) -> Result<(Self::Transport, Steps), Failure>;
}

impl Connector for Arc<Dialer> {
    type Transport = WebSocket;

    async fn connect(
        &self,
        cohort: usize,
        connection: u32,
        conduct: Conduct,
        shared: &Shared,
    ) -> Result<(WebSocket, Steps), Failure> {
        let route = self.routes.get(cohort).and_then(Option::as_ref);
        let addresses = match (route, &self.addresses) {
            (Some(route), _) => std::slice::from_ref(route),
            (None, Ok(addresses)) => addresses,
            (None, Err(why)) => return Err(Failure::new(Cause::Dns, why.clone())),
        };
        let mut reached = "the TCP connection";
        let clock = &*shared.clock;
        tokio::select! {
            biased;
            done = self.steps(addresses, connection, &conduct, clock, &mut reached) => done,
            lost = shared.attend(nanos(self.timeout)) => {
                let own = match lost {
                    0 => String::new(),
                    _ => format!("; wsbench itself was not there for {}, which does not count", human_ns(lost)),
                };
                Err(Failure::new(Cause::ConnectTimeout, format!("waited for {reached}{own}")))
            }
        }
    }
}

/// Which of so many sources and addresses a connection has. All pairs have their turn, because local ports are counted
/// for each.
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
}

//! The listener of the built-in server: accepts connections up to the limit of descriptors, and stops gracefully.

use std::future::{Future, pending};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::behaviour::Behaviour;
use super::counts::{Counter, Counts};
use super::rooms::Rooms;
use super::session::{self, Terms};
use crate::{net, sys};

/// Descriptors that are not used for connections: the listener, the runtime, standard streams.
const RESERVED_DESCRIPTORS: u64 = 32;
/// The most descriptors that space is reserved for in advance: each takes a few bytes of kernel memory.
const ROOM: u64 = 65_536;
/// The longest time from the stop to the end of the last connection.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// The time between two closes during a stop, so that not all clients reconnect at once. `MAX_SPREAD` limits the total
/// to one second.
const BETWEEN_CLOSES: Duration = Duration::from_micros(100);
const MAX_SPREAD: Duration = Duration::from_secs(1);
/// The wait after an accept that failed, most likely because there was no free descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// A WebSocket server that sends each message back. One thread serves all its connections.
#[derive(Debug)]
pub struct EchoServer {
    listener: TcpListener,
    address: SocketAddr,
    behaviour: Behaviour,
    counter: Counter,
    max_connections: usize,
}

impl EchoServer {
    /// Listens on an address; port 0 chooses a free port. Raises the soft limit of file descriptors to the hard
    /// limit. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The address cannot be listened on, or the behaviour names a time of zero or a share above one.
    pub fn bind(address: SocketAddr, behaviour: Behaviour) -> io::Result<Self> {
        if let Some(problem) = behaviour.problem() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        let listener = TcpListener::from_std(net::listen(address)?)?;
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            behaviour,
            counter: Counter::default(),
            max_connections: max_connections(),
        })
    }

    /// The address on which it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The URL for clients.
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// The address of the page to try servers by hand, for a browser on this machine.
    pub fn page(&self) -> String {
        let here = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        format!("http://{}/", SocketAddr::new(here, self.address.port()))
    }

    /// A handle to read the counts while the server runs.
    pub fn counter(&self) -> Counter {
        self.counter.clone()
    }

    /// Serves until `stop` completes. Then sends Close 1001 to all clients (spread over up to one second if there are
    /// many), waits for their answers, and returns the counts, at most two seconds after the stop.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Counts {
        let (stopping, stopped) = watch::channel(None);
        let started = Instant::now();
        let rooms = self.behaviour.rooms.map(|settings| {
            let counter = self.counter.clone();
            Arc::new(Rooms::new(settings, self.behaviour.seed, counter))
        });
        let mut clock = pin!(keep_time(rooms.clone()));
        let mut sessions = JoinSet::new();
        let mut stop = pin!(stop);
        let mut connection = 0;
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                () = &mut clock => {}
                Some(_) = sessions.join_next() => {}
                accepted = self.listener.accept(), if sessions.len() < self.max_connections => {
                    let Ok((socket, _)) = accepted else {
                        sleep(ACCEPT_PAUSE).await;
                        continue;
                    };
                    let rooms = rooms.clone();
                    let open = sessions.len();
                    let is_full = (self.behaviour.admits).is_some_and(|most| open >= most as usize);
                    let terms = Terms { behaviour: self.behaviour, started, connection, rooms, is_full };
                    sessions.spawn(session::serve(socket, terms, self.counter.clone(), stopped.clone()));
                    connection += 1;
                }
            }
        }
        drop(self.listener);
        let open = u32::try_from(sessions.len()).unwrap_or(u32::MAX);
        stopping.send_replace(Some(MAX_SPREAD.min(BETWEEN_CLOSES * open)));
        let all_ended = async { while sessions.join_next().await.is_some() {} };
        if timeout(STOP_TIMEOUT, all_ended).await.is_err() {
            sessions.shutdown().await;
        }
        self.counter.counts()
    }
}

/// Ticks in the rooms, if there are any, for as long as it is polled.
async fn keep_time(rooms: Option<Arc<Rooms>>) {
    match rooms {
        Some(rooms) => rooms.keep_time().await,
        None => pending().await,
    }
}

/// The most connections at once: the limit of descriptors, with space for them reserved; more clients wait in the
/// backlog.
/// If the limit cannot be raised or read, assumes the smallest one in common use.
fn max_connections() -> usize {
    let descriptors = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(256);
    sys::make_room(descriptors.min(ROOM));
    usize::try_from(descriptors.saturating_sub(RESERVED_DESCRIPTORS).max(1)).unwrap_or(usize::MAX)
}

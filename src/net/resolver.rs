//! Looks names up. The system's look-up blocks and cannot be interrupted, so each runs on a thread of its own, and the
//! caller waits for a limited time.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::resolvers::Lookup;
use crate::scenario::Family;
use crate::units::format_duration;

/// The least time between two look-ups of a name.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);
/// The time between two checks whether the caller has given up.
const LOOK: Duration = Duration::from_millis(10);

/// Why a name has no address. Fits after "failed to".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The system reports a failure.
    #[error("look up {host}: {why}")]
    Failed {
        /// The name.
        host: String,
        /// The system's error.
        why: String,
    },
    /// The caller has given up.
    #[error("look up {host}: given up")]
    GivenUp {
        /// The name.
        host: String,
    },
    /// The system did not answer in time.
    #[error("look up {host}: no answer within {}", format_duration(*within))]
    TimedOut {
        /// The name.
        host: String,
        /// How long it was waited for.
        within: Duration,
    },
}

/// Returns the addresses of a host, at least one: first those of the family that the system prefers, then those of the
/// other. If the host is an address, returns it at once. Blocks for at most `within`, and no longer than until
/// `gives_up` says so, which is asked every ten milliseconds.
///
/// # Errors
/// When there is no address, the system does not answer in time, or the caller has given up.
pub fn resolve(
    host: &str,
    port: u16,
    within: Duration,
    gives_up: &dyn Fn() -> bool,
) -> Result<Vec<SocketAddr>, ResolveError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let failed = |why: String| ResolveError::Failed {
        host: host.to_owned(),
        why,
    };
    let (sender, found) = sync_channel(1);
    let name = host.to_owned();
    let ask = move || {
        let addresses = (name.as_str(), port).to_socket_addrs();
        // Ignores an error: the caller has gone if the look-up took too long.
        let _ = sender.send(addresses.map(Iterator::collect::<Vec<_>>));
    };
    let thread = thread::Builder::new().name("resolver".to_owned());
    thread
        .spawn(ask)
        .map_err(|error| failed(error.to_string()))?;
    let host = || host.to_owned();
    let begun = Instant::now();
    loop {
        let left = within.saturating_sub(begun.elapsed());
        match found.recv_timeout(left.min(LOOK)) {
            Ok(Ok(found)) if found.is_empty() => {
                return Err(failed("it has no address".to_owned()));
            }
            Ok(Ok(addresses)) => return Ok(in_order(addresses)),
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(failed("the look-up panicked".to_owned()));
            }
            Err(RecvTimeoutError::Timeout) if gives_up() => {
                return Err(ResolveError::GivenUp { host: host() });
            }
            Err(RecvTimeoutError::Timeout) if left <= LOOK => {
                return Err(ResolveError::TimedOut {
                    host: host(),
                    within,
                });
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Sorts the addresses: the family of the first one, then the other; each address once.
pub(super) fn in_order(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v4 = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let mut ordered: Vec<SocketAddr> = Vec::with_capacity(addresses.len());
    for is_v4 in [first_is_v4, !first_is_v4] {
        for address in addresses.iter().filter(|one| one.is_ipv4() == is_v4) {
            if !ordered.contains(address) {
                ordered.push(*address);
            }
        }
    }
    ordered
}

/// The newest result for a name.
#[derive(Debug, Clone)]
pub(crate) struct LookedUp {
    /// The number of its look-up, from 0.
    pub(crate) round: u64,
    pub(crate) addresses: Result<Arc<[SocketAddr]>, ResolveError>,
}

/// The addresses of one server, shared by all workers and the relay: looked up once, and again when no address accepts a connection.
#[derive(Debug)]
pub struct Resolver {
    lookup: Lookup,
    within: Duration,
    state: Mutex<LookUpState>,
    known: watch::Sender<LookedUp>,
}

#[derive(Debug)]
struct LookUpState {
    /// When the last look-up ended.
    asked: Instant,
    is_asking: bool,
    /// How long look-ups took that were not yet recorded.
    took: Vec<Duration>,
    /// How many look-ups failed after the first one, and the error of the last of them.
    failed: Option<(u64, String)>,
}

impl Resolver {
    /// Looks the name up for the first time. Blocks for at most `within`, which limits each later look-up too.
    pub(crate) fn new(lookup: &Lookup, within: Duration) -> Arc<Self> {
        let begun = Instant::now();
        let addresses = lookup.find(within, &|| false).map(Arc::from);
        let took = lookup.is_looked_up().then(|| begun.elapsed());
        Self::with(lookup, within, addresses, Instant::now(), took)
    }

    /// A name that is looked up by its first dial. What is not looked up at all is known at once.
    pub(crate) fn later(lookup: &Lookup, within: Duration) -> Arc<Self> {
        if !lookup.is_looked_up() {
            return Self::new(lookup, within);
        }
        let addresses = Err(ResolveError::Failed {
            host: lookup.host.clone(),
            why: "it was not looked up yet".to_owned(),
        });
        let now = Instant::now();
        let asked = now.checked_sub(AT_MOST_EVERY).unwrap_or(now);
        Self::with(lookup, within, addresses, asked, None)
    }

    fn with(
        lookup: &Lookup,
        within: Duration,
        addresses: Result<Arc<[SocketAddr]>, ResolveError>,
        asked: Instant,
        took: Option<Duration>,
    ) -> Arc<Self> {
        Arc::new(Self {
            lookup: lookup.clone(),
            within,
            state: Mutex::new(LookUpState {
                asked,
                is_asking: false,
                took: took.into_iter().collect(),
                failed: None,
            }),
            known: watch::Sender::new(LookedUp {
                round: 0,
                addresses,
            }),
        })
    }

    /// Returns how many look-ups failed after the first one, and the error of the last of them.
    pub(crate) fn failed(&self) -> Option<(u64, String)> {
        self.state().failed.clone()
    }

    /// A name with these addresses that is not looked up again.
    pub fn of(addresses: &[SocketAddr]) -> Arc<Self> {
        let lookup = Lookup {
            host: String::new(),
            port: 1,
            pinned: Some(Vec::new()),
            family: Family::Any,
            every: None,
        };
        let resolver = Self::new(&lookup, Duration::ZERO);
        (resolver.known).send_modify(|known| known.addresses = Ok(addresses.into()));
        resolver
    }

    /// Returns the newest result.
    pub(crate) fn known(&self) -> LookedUp {
        self.known.borrow().clone()
    }

    /// Returns how long the look-ups took since the last call.
    pub(crate) fn take_times(&self) -> Vec<Duration> {
        std::mem::take(&mut self.state().took)
    }

    /// Waits for a look-up that began after the one of `round`, and returns its result. `None` if there is none: an
    /// address is not looked up, and a name once a second at most. A look-up that fails keeps the old addresses.
    pub(crate) async fn again(self: &Arc<Self>, round: u64) -> Option<LookedUp> {
        let mut changed = self.known.subscribe();
        self.ask(round)?;
        let known = changed.wait_for(|known| known.round > round).await;
        known.ok().map(|known| known.clone())
    }

    /// Starts a look-up, unless one is running or has ended since `round`. `None` if none is allowed.
    fn ask(self: &Arc<Self>, round: u64) -> Option<()> {
        let mut state = self.state();
        if state.is_asking || self.known.borrow().round > round {
            return Some(());
        }
        if !self.lookup.is_looked_up() || state.asked.elapsed() < AT_MOST_EVERY {
            return None;
        }
        let this = self.clone();
        let thread = thread::Builder::new().name("resolver".to_owned());
        thread.spawn(move || this.look_up(&|| false)).ok()?;
        state.is_asking = true;
        Some(())
    }

    /// Looks the name up, for no longer than until `gives_up` says so. A look-up that fails keeps the old addresses.
    pub(super) fn look_up(&self, gives_up: &dyn Fn() -> bool) {
        let begun = Instant::now();
        let found = self.lookup.find(self.within, gives_up);
        {
            let mut state = self.state();
            state.is_asking = false;
            state.asked = Instant::now();
            state.took.push(begun.elapsed());
            match &found {
                Ok(_) | Err(ResolveError::GivenUp { .. }) => {}
                Err(error) => {
                    let before = state.failed.as_ref().map_or(0, |(count, _)| *count);
                    state.failed = Some((before + 1, error.to_string()));
                }
            }
        }
        self.known.send_modify(|known| {
            known.round += 1;
            if found.is_ok() || known.addresses.is_err() {
                known.addresses = found.map(Arc::from);
            }
        });
    }

    fn state(&self) -> std::sync::MutexGuard<'_, LookUpState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<ResolveError> for io::Error {
    fn from(error: ResolveError) -> Self {
        Self::other(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn resolving(host: &str) -> Arc<Resolver> {
        let lookup = Lookup {
            host: host.to_owned(),
            port: 80,
            pinned: None,
            family: Family::Any,
            every: None,
        };
        Resolver::new(&lookup, Duration::from_secs(20))
    }

    #[test]
    fn the_family_that_comes_first_is_tried_first() {
        let mixed = ["[::1]:1", "127.0.0.1:1", "[::2]:1", "[::1]:1"];
        let ordered = addresses(&["[::1]:1", "[::2]:1", "127.0.0.1:1"]);
        assert_eq!(in_order(addresses(&mixed)), ordered);
    }

    #[test]
    fn an_address_is_its_own_and_a_name_without_one_says_so() {
        let within = Duration::from_secs(20);
        assert_eq!(
            resolve("::1", 80, within, &|| false),
            Ok(addresses(&["[::1]:80"]))
        );
        let error = resolve("no-such-host.invalid", 80, within, &|| false).unwrap_err();
        let said = error.to_string();
        assert!(said.starts_with("look up no-such-host.invalid: "), "{said}");
    }

    #[test]
    fn a_system_that_does_not_say_in_time_is_not_waited_for() {
        let (host, within) = ("no-such-host.invalid".to_owned(), Duration::ZERO);
        let error = resolve(&host, 80, within, &|| false).unwrap_err();
        assert_eq!(error, ResolveError::TimedOut { host, within });
    }

    #[tokio::test]
    async fn a_name_is_looked_up_again_and_an_address_is_not() {
        let resolver = resolving("127.0.0.1");
        assert!(resolver.again(0).await.is_none());
        assert!(resolver.take_times().is_empty());
        let resolver = resolving("localhost");
        assert!(resolver.again(0).await.is_none(), "not twice in a second");
        resolver.state().asked -= AT_MOST_EVERY;
        let (one, other) = tokio::join!(resolver.again(0), resolver.again(0));
        assert_eq!((one.unwrap().round, other.unwrap().round), (1, 1));
        assert_eq!(resolver.take_times().len(), 2);
    }
}

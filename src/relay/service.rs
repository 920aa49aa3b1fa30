//! The relay's thread: accepts connections, dials the target for each, and wakes them when something is due.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::mpsc::SyncSender;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::watch;
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::accept::{Accepted, Acceptor};
use super::connection::{self, Connection, Environment, Traffic, shut};
use super::counts::{Passage, RelayLog};
use super::schedule::{Origins, Schedule};
use crate::metric::Cause;
use crate::net::{Dial, Progress, Route, TcpDialer};
use crate::scenario::Pace;
use crate::time::{Clock as _, Deadlines, Driver, Monotonic, Owner};
use crate::units::{Nanos, Timestamp};

/// The size of the read buffer, which all connections use in turn.
const SCRATCH: usize = 16 << 10;
/// How much longer than `connect_timeout` a dial to the target may take, so that a client's own timeout comes first: a
/// RST from the relay would be counted as one from the server.
const DIAL_LEEWAY: Duration = Duration::from_secs(1);
/// The longest wait for the other side's end of TCP after the relay's own: closing earlier would answer its bytes with
/// a RST, which could overtake the relay's FIN.
const END_TIMEOUT: Duration = Duration::from_secs(1);
/// The number of tasks that run before the runtime polls its sockets again, the same as for a worker.
const EVENT_INTERVAL: u32 = 16;

/// The orders to the thread while it runs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Orders {
    pub(super) measuring: Option<Instant>,
    pub(super) stop: bool,
}

/// The settings with which the thread starts.
pub(super) struct Setup {
    pub(super) clock: Monotonic,
    /// One listener for each cohort that uses the path.
    pub(super) listeners: Vec<(std::net::TcpListener, Led)>,
    pub(super) connect_timeout: Duration,
    pub(super) seed: u64,
    pub(super) orders: watch::Receiver<Orders>,
}

/// The result of the thread: when the clocks of the faults began, and the counters.
pub(super) struct ThreadResult {
    pub(super) origins: Origins,
    pub(super) log: RelayLog,
}

/// Relays until it is told to stop. Reports on `ready` when it is ready.
///
/// # Errors
/// The system provides no timer, or refuses a listener.
pub(super) fn run(setup: Setup, ready: &SyncSender<()>) -> io::Result<ThreadResult> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .event_interval(EVENT_INTERVAL)
        .build_local(LocalOptions::default())?;
    runtime.block_on(relay(setup, ready))
}

async fn relay(setup: Setup, ready: &SyncSender<()>) -> io::Result<ThreadResult> {
    let driver = Driver::new(Pace::Steady, Nanos::MAX)?;
    let shared = Rc::new(RelayState {
        clock: setup.clock,
        dial_timeout: setup.connect_timeout + DIAL_LEEWAY,
        seed: setup.seed,
        deadlines: Deadlines::default(),
        origins: Cell::default(),
        scratch: RefCell::new(vec![0; SCRATCH]),
        traffic: Traffic::default(),
        spare: RefCell::default(),
        log: RefCell::default(),
    });
    for (listener, led) in setup.listeners {
        let listener = TcpListener::from_std(listener)?;
        spawn_local(accept(shared.clone(), Rc::new(led), listener));
    }
    // Fails only if the owner of the relay was dropped; then `obey` returns at once.
    let _ = ready.send(());
    tokio::select! {
        result = driver.run(&shared.clock, &shared.deadlines, &*shared) => result?,
        () = obey(&shared, setup.orders) => {}
    }
    Ok(shared.outcome())
}

/// A cohort that uses the path.
pub(super) struct Led {
    /// The index of the cohort.
    pub(super) cohort: usize,
    pub(super) route: Route,
    /// Dials the target, or the proxy on the way there.
    pub(super) first_hop: TcpDialer,
    pub(super) schedule: Schedule,
}

struct RelayState {
    clock: Monotonic,
    dial_timeout: Duration,
    seed: u64,
    deadlines: Deadlines,
    origins: Cell<Origins>,
    scratch: RefCell<Vec<u8>>,
    traffic: Traffic,
    /// See [`Acceptor`].
    spare: RefCell<Option<OwnedFd>>,
    log: RefCell<RelayLog>,
}

impl Owner for RelayState {}

impl RelayState {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Counts a client that has connected; returns its number, from 0.
    fn came(&self, now: Timestamp) -> u64 {
        let mut origins = self.origins.get();
        origins.first_byte.get_or_insert(now);
        self.origins.set(origins);
        let mut log = self.log.borrow_mut();
        log.connections += 1;
        log.connections - 1
    }

    fn outcome(&self) -> ThreadResult {
        let mut log = self.log.take();
        log.bytes_to_server = self.traffic.bytes_to_server.get();
        log.bytes_to_client = self.traffic.bytes_to_client.get();
        log.bytes_lost = self.traffic.bytes_lost.get();
        log.backed_up = self.traffic.backed_up.get();
        log.cpu = cpu();
        ThreadResult {
            origins: self.origins.get(),
            log,
        }
    }
}

/// Carries out orders until the order to stop, or until their sender is dropped.
async fn obey(shared: &RelayState, mut orders: watch::Receiver<Orders>) {
    loop {
        let order = *orders.borrow_and_update();
        if order.stop {
            return;
        }
        if let Some(measuring) = order.measuring {
            let mut origins = shared.origins.get();
            origins.measuring = Some(shared.clock.at(measuring));
            shared.origins.set(origins);
            shared.deadlines.wake(0, usize::MAX);
        }
        if orders.changed().await.is_err() {
            return;
        }
    }
}

/// Accepts the connections of one cohort.
async fn accept(shared: Rc<RelayState>, led: Rc<Led>, listener: TcpListener) {
    let mut acceptor = Acceptor::new(listener, &shared.spare);
    loop {
        match acceptor.next().await {
            Accepted::Client(client) => {
                let opened = shared.now();
                let number = shared.came(opened);
                let (shared, led) = (shared.clone(), led.clone());
                spawn_local(serve(shared, led, client, opened, number));
            }
            Accepted::Refused(client) => {
                shared.came(shared.now());
                shared.log.borrow_mut().refused += 1;
                reset(client);
            }
            Accepted::Failed => shared.log.borrow_mut().accepts_failed += 1,
        }
    }
}

/// Serves one connection, from the client's connect to the end of both legs.
async fn serve(
    shared: Rc<RelayState>,
    led: Rc<Led>,
    client: TcpStream,
    opened: Timestamp,
    number: u64,
) {
    let server = match dial(&shared, &led, number).await {
        Ok(server) => server,
        Err(cause) => {
            let mut log = shared.log.borrow_mut();
            match cause {
                Cause::NoDescriptor => log.refused += 1,
                _ => log.unreachable += 1,
            }
            return reset(client);
        }
    };
    // Ignores the error: if the client has left already, the next read shows that.
    let _ = client.set_nodelay(true);
    note_passage(&shared, led.cohort, &client, &server);
    let seed = shared.seed ^ ((led.cohort as u64) << 48) ^ (number << 1);
    let mut connection = Connection::new(client, server, opened, [seed, seed ^ 1]);
    let slot = shared.deadlines.join();
    let last = poll_fn(|cx| {
        let around = Environment {
            schedule: &led.schedule,
            origins: shared.origins.get(),
            now: shared.now(),
            traffic: &shared.traffic,
        };
        match connection.step(&around, &mut shared.scratch.borrow_mut(), cx) {
            connection::Progress::Wait(until) => {
                shared.deadlines.set(slot, until, cx.waker());
                Poll::Pending
            }
            last => Poll::Ready(last),
        }
    });
    let last = last.await;
    shared.deadlines.leave(slot);
    let [client, server] = connection.into_legs();
    match last {
        connection::Progress::Wait(_) => {}
        connection::Progress::Reset => {
            reset(client.0);
            reset(server.0);
        }
        connection::Progress::Ended => {
            tokio::join!(end(client), end(server));
        }
        connection::Progress::Forgotten => {
            tokio::join!(forget(client), forget(server));
        }
    }
}

/// Dials the first hop as a client without a path does. Tells on the route which addresses were passed by.
async fn dial(shared: &RelayState, led: &Led, number: u64) -> Result<TcpStream, Cause> {
    let dial = Dial {
        number: number as u32,
        turn: number as u32,
        ..Dial::default()
    };
    let mut noted = Noted {
        route: &led.route,
        progress: Progress::default(),
    };
    let opening = led.first_hop.open(dial, &mut noted.progress);
    match timeout(shared.dial_timeout, opening).await {
        Ok(Ok((server, _))) => Ok(server),
        Ok(Err(failure)) => Err(failure.cause),
        Err(_) => Err(Cause::ConnectTimeout),
    }
}

/// The progress of a dial. When the dial ends, even by the end of the relay, the addresses that it passed by are noted
/// on the route.
struct Noted<'a> {
    route: &'a Route,
    progress: Progress,
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        self.route.add_passed(&self.progress.passed);
    }
}

fn note_passage(shared: &RelayState, cohort: usize, client: &TcpStream, server: &TcpStream) {
    let (Ok(client), Ok(server)) = (client.peer_addr(), server.local_addr()) else {
        return;
    };
    let passages = &mut shared.log.borrow_mut().passages;
    if passages.len() < RelayLog::MAX_PASSAGES {
        passages.push(Passage {
            cohort,
            client_port: client.port(),
            target_port: server.port(),
            since: Instant::now(),
        });
    }
}

/// Closes a leg in order: sends a FIN if none was sent, and closes the descriptor when the other side has ended too.
async fn end((mut leg, is_silent): (TcpStream, bool)) {
    shut(&leg);
    if !is_silent {
        let mut thrown_away = [0; 1024];
        let drained = async { while matches!(leg.read(&mut thrown_away).await, Ok(1..)) {} };
        let _ = timeout(END_TIMEOUT, drained).await;
    }
}

/// Keeps a leg open and sends nothing until something comes; answers that with a RST.
async fn forget((mut leg, is_silent): (TcpStream, bool)) {
    if is_silent {
        // Waits forever: the other side has sent its FIN, so only acknowledgements can come.
        return pending().await;
    }
    let _ = leg.read(&mut [0]).await;
    reset(leg);
}

fn reset(leg: TcpStream) {
    // Fails only if there is nothing left to reset.
    let _ = leg.set_zero_linger();
}

/// The processor time of this thread.
#[cfg(target_os = "linux")]
fn cpu() -> Option<Duration> {
    use rustix::time::{ClockId, clock_gettime};
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(spent).ok()
}

/// The processor time of this thread.
#[cfg(not(target_os = "linux"))]
fn cpu() -> Option<Duration> {
    None
}

//! Tests shared connections: where they go, what they show, and how long they are waited for.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::server;
use http::Response;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinHandle, LocalSet, spawn_local, yield_now};
use tokio::time::timeout;

use super::{Connected, Connector as _, Dialer, Pools, StreamDialer, Wanted};
use crate::engine::session::tests::plan;
use crate::engine::shared::{RunState, Shared};
use crate::http::Cookies;
use crate::metric::Cause;
use crate::net::{Failure, Resolver, Resolvers, WebSocket};
use crate::plan::{FaultPlan, Opening, Until};
use crate::time::{Clock as _, Manual};
use crate::units::{Nanos, Timestamp};

const LIMIT: Duration = Duration::from_secs(20);

/// A server of WebSockets over HTTP/2, and from where it was dialled.
struct Peer {
    address: SocketAddr,
    dialled_from: Rc<RefCell<Vec<IpAddr>>>,
    /// Notified with each connection that it takes.
    took: Rc<Notify>,
    /// Lets it serve the next connection.
    serves: mpsc::UnboundedSender<()>,
}

impl Peer {
    /// Takes all connections, and lets so many streams be open on each.
    async fn start(streams: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (serves, mut may_serve) = mpsc::unbounded_channel();
        let dialled_from = Rc::<RefCell<Vec<IpAddr>>>::default();
        let took = Rc::<Notify>::default();
        let (book, taken) = (dialled_from.clone(), took.clone());
        spawn_local(async move {
            loop {
                let (tcp, from) = listener.accept().await.unwrap();
                book.borrow_mut().push(from.ip());
                taken.notify_one();
                may_serve.recv().await.unwrap();
                spawn_local(serve(tcp, streams));
            }
        });
        Self {
            address,
            dialled_from,
            took,
            serves,
        }
    }

    fn serve(&self, connections: usize) {
        (0..connections).for_each(|_| self.serves.send(()).unwrap());
    }
}

async fn serve(tcp: TcpStream, streams: u32) {
    let mut builder = server::Builder::new();
    builder
        .enable_connect_protocol()
        .max_concurrent_streams(streams);
    let Ok(mut connection) = builder.handshake::<_, Bytes>(tcp).await else {
        return;
    };
    let mut open = Vec::new();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let sends = respond.send_response(Response::new(()), false).unwrap();
        open.push((request, sends));
    }
}

/// What the clients of a run dial with.
struct Run {
    dialer: Arc<Dialer>,
    shared: Rc<Shared>,
    pools: Pools,
    clock: Manual,
}

impl Run {
    /// Of a scenario with these lines, whose server is `peer`.
    fn new(lines: &str, peer: &Peer) -> Self {
        let plan = Arc::new(plan(lines));
        let target = &plan.scenario.target;
        let servers = target.url.servers().expect("it has an address");
        let names = Arc::new(Resolvers::new(target.connect_timeout));
        for url in servers.urls() {
            let resolver = Resolver::of(&[peer.address]);
            names.put(&url.origin(), &target.access, resolver);
        }
        let cohorts = &plan.scenario.cohorts;
        let dialer = Dialer::new(servers, target, cohorts, &names, Vec::new()).unwrap();
        let clock = Manual::default();
        let state = Arc::new(RunState::new(1));
        Self {
            dialer: Arc::new(dialer),
            shared: Rc::new(Shared::new(Box::new(clock.clone()), plan.clone(), state)),
            pools: Pools::default(),
            clock,
        }
    }

    /// Opens a connection.
    fn open(&self, connection: u32) -> JoinHandle<Result<Connected<WebSocket>, Failure>> {
        let cohort = self.shared.plan.cohort_of(connection).unwrap();
        let opening = Opening {
            at: Timestamp::ORIGIN,
            connection,
            cohort,
            until: Until::End,
        };
        let shared = self.shared.clone();
        let dialer = StreamDialer::new(&self.dialer, &shared, &self.pools, &opening, (0, 1));
        let dialer = dialer.expect("its cohort shares connections");
        spawn_local(async move {
            let (cookies, fault_plan) = (Cookies::default(), FaultPlan::default());
            let wanted = Wanted {
                cohort,
                connection,
                fault_plan: &fault_plan,
                upgrade: None,
                cookies: &cookies,
            };
            dialer.connect(wanted, &shared).await
        })
    }

    /// Lets time pass.
    async fn pass(&self, time: Nanos) {
        let step = Nanos::from_millis(50);
        for _ in 0..time / step {
            self.clock.set(self.clock.now() + step);
            self.shared.deadlines.fire(self.clock.now());
            for _ in 0..20 {
                yield_now().await;
            }
        }
    }
}

#[tokio::test]
async fn shared_connections_begin_at_each_source_in_turn_whoever_opens_them() {
    let test = async {
        let peer = Peer::start(100).await;
        peer.serve(4);
        let lines = "target.http = \"2\"\ntarget.streams_per_connection = 2\n\
            target.source_addresses = [\"127.0.0.2\", \"127.0.0.3\"]\nload.connections = 8";
        let run = Run::new(lines, &peer);
        let mut open = Vec::new();
        for connection in 0..8 {
            open.push(run.open(connection).await.unwrap().unwrap());
        }
        let from: Vec<String> = (peer.dialled_from.borrow().iter())
            .map(IpAddr::to_string)
            .collect();
        assert_eq!(from, ["127.0.0.2", "127.0.0.3", "127.0.0.2", "127.0.0.3"]);
    };
    let limited = timeout(LIMIT, test);
    LocalSet::new().run_until(limited).await.expect("in time");
}

/// The first connection is there late, and has no room. The second one answers nothing.
#[tokio::test]
async fn a_dial_that_has_to_look_for_another_connection_has_no_more_time_for_that() {
    let test = async {
        let peer = Peer::start(1).await;
        let lines = "target.http = \"2\"\ntarget.streams_per_connection = 2\n\
            target.connect_timeout = \"10s\"\nload.connections = 2";
        let run = Run::new(lines, &peer);
        let (one, other) = (run.open(0), run.open(1));
        peer.took.notified().await;
        run.pass(Nanos::from_secs(6)).await;
        peer.serve(1);
        peer.took.notified().await;
        run.pass(Nanos::from_secs(5)).await;
        assert!(one.is_finished() && other.is_finished());
        let failed = [one.await.unwrap().err(), other.await.unwrap().err()];
        let causes = failed.map(|failed| failed.map(|failure| failure.cause));
        assert!(causes.contains(&None), "{causes:?}");
        assert!(causes.contains(&Some(Cause::ConnectTimeout)), "{causes:?}");
    };
    let limited = timeout(LIMIT, test);
    LocalSet::new().run_until(limited).await.expect("in time");
}

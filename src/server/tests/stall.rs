//! Tests a server that stands still for a while, as in a long garbage collection or under `SIGSTOP`: it must not give
//! up clients that answered in time.

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::running::{Bare, INTERVAL, PING, PONG, TIMEOUT, watching};
use crate::scenario::Defect;
use crate::server::session::{Session, Terms};
use crate::server::{Behaviour, Counter, EchoServer};

/// A server on its own thread, as if it were in its own process.
struct Apart {
    address: SocketAddr,
    runtime: Handle,
    _stop: oneshot::Sender<()>,
}

impl Apart {
    fn start(behaviour: Behaviour) -> Self {
        let (tell, told) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let address = (Ipv4Addr::LOCALHOST, 0).into();
                let server = EchoServer::bind(address, behaviour).unwrap();
                let (stop, stopped) = oneshot::channel();
                tell.send(Self {
                    address: server.local_addr(),
                    runtime: Handle::current(),
                    _stop: stop,
                })
                .unwrap();
                server.run(async { drop(stopped.await) }).await;
            });
        });
        told.recv().unwrap()
    }

    /// Blocks the server for this time.
    fn stall(&self, time: Duration) {
        self.runtime.spawn(async move { thread::sleep(time) });
    }
}

/// Whether a client survives if it answers a ping while the server stands still until after the deadline.
async fn survives_a_stall(defect: Option<Defect>) -> bool {
    let server = Apart::start(watching(defect));
    let mut client = Bare::connect(server.address).await;
    let payload = client.ping().await;
    server.stall(2 * (INTERVAL + TIMEOUT));
    sleep(TIMEOUT / 3).await;
    client.send(PONG, &payload).await;
    let (opcode, _) = client.frame().await.unwrap();
    opcode == PING
}

#[tokio::test]
async fn a_stall_costs_no_client_but_by_the_one_defect() {
    let all = Defect::ALL.iter().copied().map(Some).chain([None]);
    let mut tests: JoinSet<_> = all
        .map(|defect| async move { (defect, survives_a_stall(defect).await) })
        .collect();
    while let Some(test) = tests.join_next().await {
        let (defect, survives) = test.unwrap();
        let guilty = defect == Some(Defect::KillsAfterStall);
        assert_eq!(survives, !guilty, "{defect:?}");
    }
}

/// A process can be stopped anywhere, also just after the runtime has checked its sockets and before it acts on the
/// result. The test awaits nothing between the pong and the judgement, so the runtime does not know of the pong.
#[tokio::test]
async fn a_pong_counts_before_the_runtime_has_heard_of_it() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut client = Bare(
        TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap(),
    );
    let (socket, _) = listener.accept().await.unwrap();
    let socket = WebSocketStream::from_raw_socket(socket, Role::Server, None).await;
    let terms = Terms {
        behaviour: watching(None),
        started: Instant::now(),
        connection: 0,
        rooms: None,
        is_full: false,
    };
    let mut session = Session::new(socket, terms, Counter::default().open());
    let payload = tokio::select! {
        _ = session.run() => panic!("the session has ended"),
        payload = client.ping() => payload,
    };
    client.send(PONG, &payload).await;
    thread::sleep(2 * TIMEOUT);
    let judged = poll_fn(|cx| Poll::Ready(session.poll(cx).is_ready())).await;
    assert!(!judged, "given up with its pong unread");
    tokio::select! {
        _ = session.run() => panic!("the session has ended"),
        _ = client.ping() => {}
    }
}

//! A server for one test, and clients for it: one that follows the protocol, and a bare one that does only what it is
//! told.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::scenario::{Defect, HeartbeatWord, ServerHeartbeat};
use crate::server::{Behaviour, Counter, Counts, EchoServer};

pub(super) type Client = WebSocketStream<TcpStream>;

pub(super) struct Running {
    pub(super) address: SocketAddr,
    pub(super) counter: Counter,
    pub(super) stop: oneshot::Sender<()>,
    pub(super) task: JoinHandle<Counts>,
}

impl Running {
    pub(super) fn start(behaviour: Behaviour) -> Self {
        let server = EchoServer::bind((Ipv4Addr::LOCALHOST, 0).into(), behaviour).unwrap();
        let (stop, stopped) = oneshot::channel();
        Self {
            address: server.local_addr(),
            counter: server.counter(),
            stop,
            task: tokio::spawn(server.run(async move {
                let _ = stopped.await;
            })),
        }
    }

    pub(super) async fn client(&self) -> Client {
        let socket = TcpStream::connect(self.address).await.unwrap();
        let url = format!("ws://{}/", self.address);
        tokio_tungstenite::client_async(url, socket)
            .await
            .unwrap()
            .0
    }

    pub(super) async fn stop(self) -> Counts {
        let _ = self.stop.send(());
        soon(self.task).await.unwrap()
    }
}

pub(super) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(10), future)
        .await
        .expect("done within ten seconds")
}

pub(super) async fn next(client: &mut Client) -> Message {
    soon(client.next()).await.unwrap().unwrap()
}

/// The heartbeat of the tests: short, and with a timeout that differs from the interval.
pub(super) const INTERVAL: Duration = Duration::from_millis(200);
pub(super) const TIMEOUT: Duration = Duration::from_millis(150);

pub(super) fn watching(defect: Option<Defect>) -> Behaviour {
    Behaviour {
        heartbeat: Some(ServerHeartbeat {
            interval: INTERVAL,
            timeout: TIMEOUT,
            kind: HeartbeatWord::Frames,
            defect,
        }),
        ..Behaviour::default()
    }
}

/// The same with pings that are messages.
pub(super) fn watching_by_messages() -> Behaviour {
    let mut behaviour = watching(None);
    if let Some(heartbeat) = &mut behaviour.heartbeat {
        heartbeat.kind = HeartbeatWord::Text;
    }
    behaviour
}

pub(super) const TEXT: u8 = 1;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// A client after its handshake that answers nothing by itself.
pub(super) struct Bare(pub(super) TcpStream);

impl Bare {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        let url = format!("ws://{address}/");
        let (client, _) = tokio_tungstenite::client_async(url, socket).await.unwrap();
        Self(client.into_inner())
    }

    /// Reads the next frame, as opcode and payload; `None` at the end of TCP, by FIN or RST. All frames in these tests
    /// are short.
    pub(super) async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        soon(self.0.read_exact(&mut head)).await.ok()?;
        assert!(head[1] < 126, "a short frame without a mask: {head:?}");
        let mut payload = vec![0; head[1].into()];
        soon(self.0.read_exact(&mut payload)).await.ok()?;
        Some((head[0] & 0x0f, payload))
    }

    pub(super) async fn ping(&mut self) -> Vec<u8> {
        match self.frame().await {
            Some((PING, payload)) => payload,
            other => panic!("expected a ping, got {other:?}"),
        }
    }

    /// Sends a frame, masked with zeros.
    pub(super) async fn send(&mut self, opcode: u8, payload: &[u8]) {
        let length = u8::try_from(payload.len()).unwrap();
        let head = [0x80 | opcode, 0x80 | length, 0, 0, 0, 0];
        self.0.write_all(&[&head, payload].concat()).await.unwrap();
    }
}

/// The expected Close frame with this code and reason.
pub(super) fn close(code: u16, reason: &str) -> (u8, Vec<u8>) {
    (CLOSE, [&code.to_be_bytes(), reason.as_bytes()].concat())
}

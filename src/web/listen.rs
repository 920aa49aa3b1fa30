//! A server on a thread of its own: a limited number of connections, none of which keeps another waiting.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// The most connections at once, where nothing else is said.
const CLIENTS: usize = 16;
/// How long a client may take to ask for something.
const HEAD: Duration = Duration::from_secs(10);
/// How long a client may take no bytes before its connection is ended.
#[cfg(target_os = "linux")]
const STUCK: Duration = Duration::from_secs(30);
/// The longest request without its body, in bytes. Nothing that is asked here has one.
const LONGEST: usize = 16 << 10;
/// How long clients may take what is on its way when the server ends.
const PATIENCE: Duration = Duration::from_secs(2);
/// The pause after a connection could not be accepted, as where there are too many descriptors.
const PAUSE: Duration = Duration::from_millis(100);
/// What is said to one client too many.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\nretry-after: 5\r\n\r\n";

/// A socket that listens, before it serves anything.
pub struct Listening {
    listener: TcpListener,
    address: SocketAddr,
    clients: usize,
}

/// A server that runs. Ends when this is dropped.
pub struct Serving {
    over: Option<watch::Sender<bool>>,
    done: Receiver<()>,
}

impl Listening {
    /// Listens at a host and a port; port 0 takes a free one.
    ///
    /// # Errors
    /// When the host has no address, or its addresses are taken or not of this machine.
    pub fn at(host: &str, port: u16) -> io::Result<Self> {
        let addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
        let listener = TcpListener::bind(addresses.as_slice())?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self {
            listener,
            address,
            clients: CLIENTS,
        })
    }

    /// Serves so many connections at once, instead of 16.
    pub fn clients(self, clients: usize) -> Self {
        Self { clients, ..self }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves a site on a thread of its own. `site` is called there, inside of its runtime.
    ///
    /// # Errors
    /// When the system starts no thread.
    pub fn serve(self, site: impl FnOnce() -> Router + Send + 'static) -> io::Result<Serving> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (over, ends) = watch::channel(false);
        let (ended, done) = sync_channel(1);
        let serve = move || {
            runtime.block_on(async {
                if let Ok(listener) = tokio::net::TcpListener::from_std(self.listener) {
                    accept(listener, self.clients, &site(), ends).await;
                }
            });
            // What blocks goes with the process.
            runtime.shutdown_background();
            let _ = ended.send(());
        };
        thread::Builder::new().name("web".to_owned()).spawn(serve)?;
        Ok(Serving {
            over: Some(over),
            done,
        })
    }
}

impl Serving {
    /// Ends the server, once clients have taken what is on its way: two seconds at most.
    pub fn finish(mut self) {
        if let Some(over) = self.over.take() {
            let _ = over.send(true);
        }
        let _ = self.done.recv_timeout(PATIENCE * 2);
    }
}

async fn accept(
    listener: tokio::net::TcpListener,
    most: usize,
    site: &Router,
    mut ends: watch::Receiver<bool>,
) {
    let mut clients = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = ends.changed() => break,
            Some(_) = clients.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((client, _)) if clients.len() < most => {
                clients.spawn(serve(client, site.clone(), ends.clone()));
            }
            // Written where there is room at once, which a new connection has.
            Ok((client, _)) => drop(client.try_write(FULL)),
            Err(_) => sleep(PAUSE).await,
        }
    }
    drop(listener);
    let all = async { while clients.join_next().await.is_some() {} };
    let _ = timeout(PATIENCE, all).await;
}

/// Serves one client to its end. What it did wrong is its own affair.
async fn serve(client: TcpStream, site: Router, mut ends: watch::Receiver<bool>) {
    let _ = client.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(&client).set_tcp_user_timeout(Some(STUCK));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(LONGEST)
        .serve_connection(TokioIo::new(client), TowerToHyperService::new(site));
    let mut served = std::pin::pin!(served);
    tokio::select! {
        _ = served.as_mut() => return,
        _ = ends.changed() => served.as_mut().graceful_shutdown(),
    }
    let _ = served.await;
}

//! A correct echo server, with TLS or without, that records each client's upgrade request, and pings every client.
//! For tests that need no script of faults: of names, headers, addresses, certificates.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

const PING_EVERY: Duration = Duration::from_millis(70);
const SUBPROTOCOL: &str = "sec-websocket-protocol";

/// One upgrade request.
#[derive(Debug, Clone)]
pub struct Visit {
    pub from: IpAddr,
    /// The path and query.
    pub resource: String,
    headers: Vec<(String, String)>,
}

impl Visit {
    /// The value of a header; several values are joined. Names are in lower case.
    pub fn header(&self, name: &str) -> Option<String> {
        let values = self.headers.iter().filter(|(found, _)| found == name);
        let values: Vec<&str> = values.map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }
}

/// The records of the server.
#[derive(Default)]
struct Book {
    visits: Mutex<Vec<Visit>>,
    pings: AtomicU64,
    pongs: AtomicU64,
}

/// A running server on a free port of 127.0.0.1; ends when dropped.
pub struct Reception {
    address: SocketAddr,
    /// The server's own certificate as PEM, with TLS.
    certificate: Option<String>,
    book: Arc<Book>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Reception {
    /// Starts a server without TLS.
    pub fn open() -> Self {
        Self::start(None, None)
    }

    /// Starts a server with TLS and its own certificate for `localhost` and 127.0.0.1.
    pub fn secure() -> Self {
        let (tls, certificate) = tls();
        Self::start(Some(tls), Some(certificate))
    }

    fn start(tls: Option<TlsAcceptor>, certificate: Option<String>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let book = Arc::new(Book::default());
        let (stop, stopped) = oneshot::channel();
        let serving = serve(listener, tls, book.clone());
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = serving => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            certificate,
            book,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Its address with this host: `127.0.0.1` or `localhost`.
    pub fn url(&self, host: &str) -> String {
        let scheme = self.certificate.as_ref().map_or("ws", |_| "wss");
        format!("{scheme}://{host}:{}/", self.address.port())
    }

    /// Its address as a socket address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its certificate as PEM.
    pub fn certificate(&self) -> &str {
        self.certificate.as_deref().expect("a server with TLS")
    }

    /// All upgrade requests so far.
    pub fn visits(&self) -> Vec<Visit> {
        self.book.visits.lock().unwrap().clone()
    }

    /// The number of pings sent and of pongs received.
    pub fn pings_and_pongs(&self) -> (u64, u64) {
        let Book { pings, pongs, .. } = &*self.book;
        (pings.load(Ordering::SeqCst), pongs.load(Ordering::SeqCst))
    }
}

impl Drop for Reception {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the server panicked");
        }
    }
}

/// A TLS acceptor for `localhost` and 127.0.0.1, and its certificate as PEM.
pub fn tls() -> (TlsAcceptor, String) {
    tls_speaking(&[])
}

/// The same with these protocols to choose from (ALPN).
pub fn tls_speaking(protocols: &[&str]) -> (TlsAcceptor, String) {
    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .unwrap();
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    (Arc::new(config).into(), cert.pem())
}

async fn serve(listener: std::net::TcpListener, tls: Option<TlsAcceptor>, book: Arc<Book>) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let (tcp, from) = listener.accept().await.unwrap();
        tokio::spawn(receive(tcp, from.ip(), tls.clone(), book.clone()));
    }
}

/// Serves one client. Ignores a client that leaves because it does not trust the certificate: its own test checks that.
async fn receive(tcp: TcpStream, from: IpAddr, tls: Option<TlsAcceptor>, book: Arc<Book>) {
    tcp.set_nodelay(true).unwrap();
    match tls {
        None => talk(tcp, from, &book).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(tcp).await {
                talk(stream, from, &book).await;
            }
        }
    }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(stream: S, from: IpAddr, book: &Book) {
    #[expect(clippy::result_large_err, reason = "the library's type")]
    let note = |request: &Request, mut response: Response| {
        book.visits.lock().unwrap().push(visit(request, from));
        // Takes the first subprotocol that is offered.
        let offered = request.headers().get(SUBPROTOCOL);
        if let Some(first) = offered.and_then(|all| all.to_str().ok()?.split(',').next()) {
            let headers = response.headers_mut();
            headers.insert(SUBPROTOCOL, first.trim().parse().unwrap());
        }
        Ok(response)
    };
    let Ok(mut socket) = accept_hdr_async(stream, note).await else {
        return;
    };
    let mut ticks = tokio::time::interval(PING_EVERY);
    ticks.tick().await;
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                if socket.send(Message::Ping("are you there?".into())).await.is_ok() {
                    book.pings.fetch_add(1, Ordering::SeqCst);
                }
            }
            message = socket.next() => match message {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                    if socket.send(message).await.is_err() {
                        return;
                    }
                }
                Some(Ok(Message::Pong(_))) => {
                    book.pongs.fetch_add(1, Ordering::SeqCst);
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}

fn visit(request: &Request, from: IpAddr) -> Visit {
    let headers = request.headers().iter();
    Visit {
        from,
        resource: request.uri().to_string(),
        headers: headers
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            })
            .collect(),
    }
}

//! Tests streams and carriers against a server that does what a test asks of it.

use std::cell::RefCell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, server};
use http::Response;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;

use super::carrier::Told;
use super::numbers::Numbers;
use super::pool::{Place, Pool};
use crate::frame::{Frame, Room};
use crate::metric::{Cause, Counter, Timer};
use crate::net::end::TcpEnd;
use crate::net::failure::Failure;
use crate::net::handshake::Request;
use crate::net::tcp_dialer::{Dial, Progress};
use crate::net::transport::{Lost, Transport as _};
use crate::net::way::Way;
use crate::net::way_tests::way_to;
use crate::net::websocket::WebSocket;
use crate::scenario::Sharing;
use crate::time::Monotonic;

const LIMIT: Duration = Duration::from_secs(20);

mod below;

/// What the server does with a request.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Open,
    Status(u16),
    Reset(Reason),
}

/// What the server does next, when the test says so.
#[derive(Debug, Clone, Copy)]
enum Then {
    /// Ends its half of the first stream.
    End,
    Reset(Reason),
    /// Wants no more streams.
    GoAway,
    /// Ends the connection with an error.
    Abort(Reason),
    /// Ends TCP.
    Leave,
    /// Ends its half of the first stream, and TCP before anybody can answer.
    EndAndLeave,
    /// Lets its clients send so much on a stream.
    Window(u32),
    /// Ends its half of the first stream, and keeps this thread from reading that for so long.
    EndAndHold(Duration),
}

/// A server, and the addresses of the connections that it took.
struct Peer {
    address: SocketAddr,
    then: mpsc::UnboundedSender<Then>,
    connections: Rc<RefCell<usize>>,
}

impl Peer {
    /// Serves one connection after the other, with these settings.
    async fn start(builder: server::Builder, answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (then, orders) = mpsc::unbounded_channel();
        let orders = Rc::new(tokio::sync::Mutex::new(orders));
        let connections = Rc::new(RefCell::new(0));
        let count = connections.clone();
        spawn_local(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                *count.borrow_mut() += 1;
                spawn_local(serve(tcp, builder.clone(), answer, orders.clone()));
            }
        });
        Self {
            address,
            then,
            connections,
        }
    }

    async fn open() -> Self {
        Self::start(websockets(), Answer::Open).await
    }
}

/// A server with WebSockets.
fn websockets() -> server::Builder {
    let mut builder = server::Builder::new();
    builder.enable_connect_protocol();
    builder
}

async fn serve(
    tcp: TcpStream,
    builder: server::Builder,
    answer: Answer,
    orders: Rc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Then>>>,
) {
    let mut connection = builder.handshake::<_, Bytes>(tcp).await.unwrap();
    let mut open: Vec<(RecvStream, SendStream<Bytes>)> = Vec::new();
    loop {
        let order = async { orders.lock().await.recv().await };
        tokio::select! {
            asked = connection.accept() => {
                let Some(Ok((request, mut respond))) = asked else {
                    return;
                };
                match answer {
                    Answer::Reset(reason) => respond.send_reset(reason),
                    Answer::Status(status) => {
                        let refused = Response::builder().status(status).body(()).unwrap();
                        let mut words = respond.send_response(refused, false).unwrap();
                        words.send_data(Bytes::from_static(b"no such room"), true).unwrap();
                    }
                    Answer::Open => {
                        let send = respond.send_response(Response::new(()), false).unwrap();
                        open.push((request.into_body(), send));
                    }
                }
            }
            Some(then) = order => match then {
                Then::End => open[0].1.send_data(Bytes::new(), true).unwrap(),
                Then::Reset(reason) => open[0].1.send_reset(reason),
                Then::GoAway => connection.graceful_shutdown(),
                Then::Abort(reason) => connection.abrupt_shutdown(reason),
                Then::Leave => return,
                Then::EndAndLeave => {
                    open[0].1.send_data(Bytes::new(), true).unwrap();
                    let sent = poll_fn(|cx| Poll::Ready(connection.poll_accept(cx).is_pending()));
                    assert!(sent.await, "nobody asks for more");
                    return;
                }
                Then::Window(size) => connection.set_initial_window_size(size).unwrap(),
                Then::EndAndHold(time) => {
                    open[0].1.send_data(Bytes::new(), true).unwrap();
                    let sent = poll_fn(|cx| Poll::Ready(connection.poll_accept(cx).is_pending()));
                    assert!(sent.await, "nobody asks for more");
                    std::thread::sleep(time);
                }
            }
        }
    }
}

/// What opens streams, and what it was told.
struct Client {
    pool: Rc<Pool>,
    way: Rc<Way>,
    request: Request,
    told: Rc<RefCell<Vec<Told>>>,
    sharing: Sharing,
    /// Whether arrivals are recorded.
    is_watched: bool,
}

impl Client {
    fn of(server: SocketAddr, streams: u32) -> Self {
        let (way, request) = way_to("url = \"ws://h/socket\"", &[server]);
        Self {
            pool: Rc::new(Pool::new(streams, 0, 1)),
            way: Rc::new(way),
            request,
            told: Rc::default(),
            sharing: Sharing {
                streams,
                stream_window: 1 << 16,
                connection_window: 1 << 24,
            },
            is_watched: false,
        }
    }

    async fn place(&self, connection: u32) -> Result<Place, Failure> {
        loop {
            let told = self.told.clone();
            let hears = || Box::new(move |heard| told.borrow_mut().push(heard)) as Box<dyn Fn(_)>;
            let client = Numbers {
                server: 0,
                number: connection,
                turn: connection,
            };
            let (place, new) = self.pool.take(client, hears);
            if let Some(carrier) = new {
                let (way, pool, sharing) = (self.way.clone(), self.pool.clone(), self.sharing);
                let is_watched = self.is_watched;
                spawn_local(async move {
                    let (clock, mut progress) = (Monotonic::start(), Progress::default());
                    let dial = Dial {
                        is_watched,
                        is_shared: true,
                        ..Dial::default()
                    };
                    match way.carry(dial, &sharing, &clock, &mut progress).await {
                        Ok(carried) => carrier.serve(carried).await,
                        Err(failure) => carrier.fail(failure),
                    }
                    pool.forget(&carrier);
                });
            }
            if let Some(place) = self.pool.opened(place).await? {
                return Ok(place);
            }
        }
    }

    async fn open(&self, connection: u32) -> Result<WebSocket, Failure> {
        let opening = async {
            let place = self.place(connection).await?;
            let progress = &mut Progress::default();
            let asked = place.ask(&self.request, false, None, progress).await;
            let stream = asked.map_err(|failed| failed.failure)?.stream;
            Ok(WebSocket::new(stream.into(), Vec::new(), 1 << 20, None))
        };
        timeout(LIMIT, opening).await.expect("in time")
    }

    fn counted(&self, counter: Counter) -> u64 {
        let told = self.told.borrow();
        let counts = told.iter().filter_map(|told| match told {
            Told::Counted(one, count) if *one == counter => Some(*count),
            _ => None,
        });
        counts.sum()
    }
}

async fn lost(socket: &mut WebSocket) -> Lost {
    let mut room = Room::default();
    let lost = poll_fn(|cx| match socket.poll_event(cx, &mut room) {
        Poll::Ready(Err(lost)) => Poll::Ready(lost),
        Poll::Ready(Ok(frame)) => panic!("{frame:?}"),
        Poll::Pending => Poll::Pending,
    });
    timeout(LIMIT, lost).await.expect("in time")
}

/// Runs a test on one thread, as a worker does.
async fn alone(test: impl Future<Output = ()>) {
    let limited = timeout(LIMIT, test);
    LocalSet::new().run_until(limited).await.expect("in time");
}

#[tokio::test]
async fn streams_share_connections_as_many_as_may() {
    alone(async {
        let peer = Peer::open().await;
        let client = Client::of(peer.address, 2);
        let dials = (0..5).map(|connection| client.open(connection));
        let mut open = Vec::new();
        for dial in dials {
            open.push(dial.await.unwrap());
        }
        assert_eq!(*peer.connections.borrow(), 3);
        // The place that was left is taken first.
        open.remove(0);
        open.push(client.open(5).await.unwrap());
        open.push(client.open(6).await.unwrap());
        assert_eq!(*peer.connections.borrow(), 3);
    })
    .await;
}

#[tokio::test]
async fn where_the_server_allows_fewer_there_are_more_connections() {
    alone(async {
        let mut builder = websockets();
        builder.max_concurrent_streams(2);
        let peer = Peer::start(builder, Answer::Open).await;
        let client = Rc::new(Client::of(peer.address, 10));
        let dials: Vec<_> = (0..6)
            .map(|connection| {
                let client = client.clone();
                spawn_local(async move { client.open(connection).await.unwrap() })
            })
            .collect();
        let mut open = Vec::new();
        for dial in dials {
            open.push(dial.await.unwrap());
        }
        assert_eq!(*peer.connections.borrow(), 3);
    })
    .await;
}

#[tokio::test]
async fn each_refusal_has_its_cause() {
    alone(async {
        let fails = async |builder, answer| {
            let peer = Peer::start(builder, answer).await;
            let failure = Client::of(peer.address, 1).open(0).await.unwrap_err();
            (failure.cause, failure.detail)
        };
        let of = |cause, detail: &str| (cause, detail.to_owned());
        assert_eq!(
            fails(server::Builder::new(), Answer::Open).await,
            of(
                Cause::H2NoWebsocket,
                "HTTP/2 without SETTINGS_ENABLE_CONNECT_PROTOCOL"
            )
        );
        for (answer, cause, detail) in [
            (
                Answer::Reset(Reason::REFUSED_STREAM),
                Cause::H2Refused,
                "RST_STREAM, REFUSED_STREAM (7)",
            ),
            (
                Answer::Reset(Reason::CANCEL),
                Cause::HandshakeReset,
                "before any answer",
            ),
            (
                Answer::Reset(Reason::INTERNAL_ERROR),
                Cause::H2Error,
                "RST_STREAM, INTERNAL_ERROR (2)",
            ),
            (
                Answer::Status(404),
                Cause::HttpStatus,
                "HTTP/2 404: \"no such room\"",
            ),
        ] {
            assert_eq!(fails(websockets(), answer).await, of(cause, detail));
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_of_http1_is_told_from_a_broken_one() {
    alone(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        spawn_local(async move {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let _ = tcp.read(&mut [0; 4096]).await;
            let _ = tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            let _ = tcp.read(&mut [0; 4096]).await;
        });
        let failure = Client::of(address, 1).open(0).await.unwrap_err();
        assert_eq!(failure.cause, Cause::H2Error);
        assert!(
            failure.detail.contains("HTTP/1.1 400 Bad Request"),
            "{}",
            failure.detail
        );
    })
    .await;
}

#[tokio::test]
async fn each_end_of_a_stream_is_told_apart() {
    alone(async {
        let ends = async |then| {
            let peer = Peer::open().await;
            let client = Client::of(peer.address, 2);
            let mut socket = client.open(0).await.unwrap();
            peer.then.send(then).unwrap();
            // A task beside that of the connection, as a session is.
            let lost = spawn_local(async move { lost(&mut socket).await });
            (
                lost.await.unwrap(),
                client.counted(Counter::Http2CarriersLost),
            )
        };
        let error = |detail: &str| Lost::Failed(Cause::H2Error, detail.to_owned());
        assert_eq!(ends(Then::End).await, (Lost::Tcp(TcpEnd::Fin), 0));
        let reset = ends(Then::Reset(Reason::CANCEL)).await;
        assert_eq!(reset, (Lost::Tcp(TcpEnd::Rst), 0));
        let reset = ends(Then::Reset(Reason::ENHANCE_YOUR_CALM)).await;
        assert_eq!(reset, (error("RST_STREAM, ENHANCE_YOUR_CALM (11)"), 0));
        let aborted = ends(Then::Abort(Reason::INTERNAL_ERROR)).await;
        assert_eq!(aborted, (error("GOAWAY, INTERNAL_ERROR (2)"), 1));
        assert_eq!(ends(Then::Leave).await, (Lost::Tcp(TcpEnd::Fin), 1));
        assert_eq!(ends(Then::EndAndLeave).await, (Lost::Tcp(TcpEnd::Fin), 0));
    })
    .await;
}

#[tokio::test]
async fn after_a_goaway_open_streams_live_on_and_new_ones_go_elsewhere() {
    alone(async {
        let peer = Peer::open().await;
        let client = Client::of(peer.address, 10);
        let mut first = client.open(0).await.unwrap();
        peer.then.send(Then::GoAway).unwrap();
        while client.counted(Counter::Http2Goaways) == 0 {
            tokio::task::yield_now().await;
        }
        let _second = client.open(1).await.unwrap();
        assert_eq!(*peer.connections.borrow(), 2);
        let mut room = Room::default();
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(first.poll_event(cx, &mut room).is_pending());
        assert_eq!(client.counted(Counter::Http2Goaways), 1);
        assert_eq!(client.counted(Counter::Http2CarriersLost), 0);
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_ends_ends_all_its_streams() {
    alone(async {
        let peer = Peer::open().await;
        let client = Client::of(peer.address, 10);
        let mut open = Vec::new();
        for connection in 0..3 {
            open.push(client.open(connection).await.unwrap());
        }
        peer.then.send(Then::Leave).unwrap();
        for socket in &mut open {
            assert_eq!(lost(socket).await, Lost::Tcp(TcpEnd::Fin));
        }
        while client.counted(Counter::Http2CarriersLost) == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(client.counted(Counter::Http2CarriersLost), 1);
    })
    .await;
}

#[tokio::test]
async fn a_window_that_is_full_blocks_like_a_full_socket() {
    alone(async {
        let mut builder = websockets();
        builder.initial_window_size(0);
        let peer = Peer::start(builder, Answer::Open).await;
        let client = Client::of(peer.address, 1);
        let mut socket = client.open(0).await.unwrap();
        socket.feed(Frame::Text(b"hello"));
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(socket.poll_flush(cx).is_pending());
        assert_eq!(socket.take_bytes(), (0, 0));
        peer.then.send(Then::Window(1024)).unwrap();
        let sent = poll_fn(|cx| socket.poll_flush(cx));
        timeout(LIMIT, sent).await.expect("in time").unwrap();
        assert_eq!(socket.take_bytes(), (2 + 4 + 5, 0));
        let told = client.told.borrow();
        let is_blocked = |told: &Told| matches!(told, Told::Took(Timer::Http2Blocked, _));
        assert_eq!(told.iter().filter(|told| is_blocked(told)).count(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_last_stream_takes_its_connection_with_it() {
    alone(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::of(listener.local_addr().unwrap(), 10);
        let ended = spawn_local(async move {
            let (tcp, _) = listener.accept().await.unwrap();
            let mut connection = websockets().handshake::<_, Bytes>(tcp).await.unwrap();
            let mut open = Vec::new();
            while let Some(asked) = connection.accept().await {
                let (request, mut respond) = asked.unwrap();
                let send = respond.send_response(Response::new(()), false).unwrap();
                open.push((request, send));
            }
            open.len()
        });
        let (first, second) = (client.open(0).await.unwrap(), client.open(1).await.unwrap());
        drop(first);
        drop(second);
        assert_eq!(timeout(LIMIT, ended).await.expect("in time").unwrap(), 2);
        while client.counted(Counter::BytesSent) == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(client.counted(Counter::Http2CarriersLost), 0);
    })
    .await;
}

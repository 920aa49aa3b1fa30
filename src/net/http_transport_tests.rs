//! Tests the transport of HTTP against servers on this machine that do what a script says.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::end::TcpEnd;
use super::failure::{Failure, of_connect};
use super::http_transport::{Dialling, HttpTransport};
use super::link::Link;
use super::transport::{Lost, Transport as _};
use super::wire::Wire;
use crate::frame::{Frame, Room};
use crate::http::Cookies;
use crate::metric::Cause;
use crate::scenario::WebOrigin;

const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
const EMPTY: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const LAST: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";

/// Returns an answer that is kept alive.
fn ok(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn origin() -> (WebOrigin, Cookies) {
    let origin = WebOrigin {
        unix: None,
        secure: false,
        host: "x".to_owned(),
        port: 80,
    };
    (origin, Cookies::default())
}

/// What a server does on one connection: it reads a request before each of these answers, and ends behind the last one.
type Answers = Vec<String>;

/// A client and the server that it asks.
struct Talk<D> {
    transport: HttpTransport<D>,
    room: Room,
    /// How often it has dialled again.
    dials: Rc<Cell<u32>>,
}

async fn link(server: SocketAddr) -> Result<Link, Failure> {
    let tcp = TcpStream::connect(server).await;
    let tcp = tcp.map_err(|error| of_connect(&error))?;
    Ok(Link::Plain(Wire::new(tcp)))
}

/// Dials a server that takes so many connections, and then none.
async fn dial(keeps: bool, connections: Vec<Answers>) -> Talk<impl Fn() -> Dialling> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for answers in connections {
            let (mut tcp, _) = listener.accept().await.unwrap();
            for answer in answers {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    if tcp.read_buf(&mut request).await.unwrap() == 0 {
                        break;
                    }
                }
                let _ = tcp.write_all(answer.as_bytes()).await;
            }
        }
    });
    let dials = Rc::new(Cell::new(0));
    let counted = dials.clone();
    let first = link(server).await.unwrap();
    let again = move || -> Dialling {
        counted.set(counted.get() + 1);
        Box::pin(link(server))
    };
    Talk {
        transport: HttpTransport::new(first, origin(), again, keeps),
        room: Room::default(),
        dials,
    }
}

impl<D: Fn() -> Dialling> Talk<D> {
    /// Asks, and returns the status and the body of the answer.
    async fn ask(&mut self, request: &str) -> Result<(u16, String), Lost> {
        self.transport.feed(Frame::Text(request.as_bytes()));
        self.hear().await
    }

    /// Waits for a message, as a session does: reads, then sends.
    async fn hear(&mut self) -> Result<(u16, String), Lost> {
        let Self {
            transport, room, ..
        } = self;
        let heard = poll_fn(|cx| {
            let mut heard = match transport.poll_event(cx, room) {
                Poll::Ready(Ok(Frame::Text(body))) => {
                    Poll::Ready(Ok(String::from_utf8_lossy(body).into_owned()))
                }
                Poll::Ready(Ok(frame)) => panic!("{frame:?}"),
                Poll::Ready(Err(lost)) => Poll::Ready(Err(lost)),
                Poll::Pending => Poll::Pending,
            };
            transport.leave(room);
            if heard.is_pending()
                && let Poll::Ready(Err(lost)) = transport.poll_flush(cx)
            {
                heard = Poll::Ready(Err(lost));
            }
            heard
        });
        let heard = tokio::time::timeout(Duration::from_secs(10), heard).await;
        let body = heard.expect("in time")?;
        let answer = self.transport.answer().expect("it is HTTP");
        assert!(answer.body.is_empty());
        Ok((answer.status, body))
    }

    /// Waits until the end of the connection was noticed.
    async fn notices_the_end(&mut self) {
        let Self {
            transport, room, ..
        } = self;
        let noticed = poll_fn(|cx| {
            assert!(transport.poll_event(cx, room).is_pending());
            transport.leave(room);
            match transport.local_port() {
                Some(_) => Poll::Pending,
                None => Poll::Ready(()),
            }
        });
        tokio::time::timeout(Duration::from_secs(10), noticed)
            .await
            .expect("in time");
    }
}

fn answered(status: u16, body: &str) -> Result<(u16, String), Lost> {
    Ok((status, body.to_owned()))
}

#[tokio::test]
async fn requests_go_over_one_connection_that_is_kept() {
    let chunked = "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
    let to_head = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n";
    let answers = vec![
        ok("a"),
        chunked.to_owned(),
        EMPTY.to_owned(),
        to_head.to_owned(),
        ok(""),
    ];
    let mut talk = dial(true, vec![answers]).await;
    assert_eq!(talk.ask(GET).await, answered(200, "a"));
    assert_eq!(talk.ask(POST).await, answered(500, "abc"));
    assert_eq!(talk.ask(GET).await, answered(204, ""));
    assert_eq!(
        talk.ask(&GET.replace("GET", "HEAD")).await,
        answered(200, "")
    );
    assert_eq!(talk.ask(GET).await, answered(200, ""));
    assert_eq!(talk.dials.get(), 0);
    let sent = 3 * GET.len() + GET.len() + 1 + POST.len();
    assert_eq!(talk.transport.take_bytes().0, sent as u64);
}

#[tokio::test]
async fn without_keep_alive_each_request_has_its_own_connection() {
    let one = || vec![ok("a"), ok("never asked")];
    let mut talk = dial(false, vec![one(), one(), one()]).await;
    for dials in 0..3 {
        assert_eq!(talk.ask(GET).await, answered(200, "a"));
        assert_eq!(talk.dials.get(), dials);
        assert_eq!(talk.transport.local_port(), None);
    }
    let sent = talk.transport.take_bytes().0;
    assert_eq!(
        sent,
        3 * GET.len() as u64,
        "of connections that have ended, too"
    );
    assert_eq!(talk.transport.take_bytes(), (0, 0));
}

#[tokio::test]
async fn a_server_that_does_not_keep_connections_is_dialled_again_and_nothing_is_lost() {
    let to_the_end = "HTTP/1.0 200 OK\r\n\r\nold".to_owned();
    let connections = vec![vec![LAST.to_owned()], vec![to_the_end], vec![ok("a")]];
    let mut talk = dial(true, connections).await;
    assert_eq!(talk.ask(POST).await, answered(200, "ok"));
    assert_eq!(talk.ask(POST).await, answered(200, "old"));
    assert_eq!(talk.ask(POST).await, answered(200, "a"));
    assert_eq!(talk.dials.get(), 2);
}

#[tokio::test]
async fn the_end_of_a_kept_connection_between_two_requests_is_no_loss() {
    let unasked = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n";
    for tail in ["", unasked] {
        let first = ok("a") + tail;
        let mut talk = dial(true, vec![vec![first], vec![ok("b")]]).await;
        assert_eq!(talk.ask(POST).await, answered(200, "a"));
        talk.notices_the_end().await;
        assert_eq!(talk.ask(POST).await, answered(200, "b"));
        assert_eq!(talk.dials.get(), 1);
    }
}

/// A server that ends a connection when the second request comes, without a word.
fn ends_unseen() -> Vec<Answers> {
    vec![vec![ok("a"), String::new()], vec![ok("b")]]
}

#[tokio::test]
async fn a_request_that_meets_the_end_is_sent_once_more_if_that_does_no_harm() {
    let mut talk = dial(true, ends_unseen()).await;
    assert_eq!(talk.ask(GET).await, answered(200, "a"));
    assert_eq!(talk.ask(GET).await, answered(200, "b"));
    assert_eq!(talk.dials.get(), 1);

    let mut talk = dial(true, ends_unseen()).await;
    assert_eq!(talk.ask(POST).await, answered(200, "a"));
    assert_eq!(talk.ask(POST).await, Err(Lost::Tcp(TcpEnd::Fin)));
}

#[tokio::test]
async fn what_was_begun_or_is_refused_twice_is_lost() {
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal".to_owned();
    let mut talk = dial(true, vec![vec![ok("a"), half], vec![ok("b")]]).await;
    assert_eq!(talk.ask(GET).await, answered(200, "a"));
    let why = "the connection ended after 3 of 9 bytes of the body".to_owned();
    assert_eq!(
        talk.ask(GET).await,
        Err(Lost::Broken(Cause::ProtocolError, why))
    );

    let mut talk = dial(
        true,
        vec![vec![ok("a"), String::new()], vec![String::new()]],
    )
    .await;
    assert_eq!(talk.ask(GET).await, answered(200, "a"));
    assert_eq!(
        talk.ask(GET).await,
        Err(Lost::Tcp(TcpEnd::Fin)),
        "a fresh connection, too"
    );
    assert_eq!(talk.dials.get(), 1);
}

#[tokio::test]
async fn a_dial_that_fails_is_a_loss_with_its_cause() {
    let mut talk = dial(true, vec![vec![LAST.to_owned()]]).await;
    assert_eq!(talk.ask(GET).await, answered(200, "ok"));
    let Err(Lost::Failed(cause, _)) = talk.ask(GET).await else {
        panic!("nobody listens");
    };
    assert_eq!(cause, Cause::Refused);
}

#[tokio::test]
async fn an_answer_that_is_late_is_not_taken_for_that_of_the_next_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (first, _) = listener.accept().await.unwrap();
        let (mut second, _) = listener.accept().await.unwrap();
        second.write_all(ok("b").as_bytes()).await.unwrap();
        drop(first);
        let _ = second.read(&mut [0; 1024]).await;
    });
    let again = move || -> Dialling { Box::pin(link(server)) };
    let mut talk = Talk {
        transport: HttpTransport::new(link(server).await.unwrap(), origin(), again, true),
        room: Room::default(),
        dials: Rc::default(),
    };
    talk.transport.feed(Frame::Text(GET.as_bytes()));
    let port = talk.transport.local_port();
    assert_eq!(talk.ask(GET).await, answered(200, "b"));
    assert_ne!(talk.transport.local_port(), port);
}

#[tokio::test]
async fn behind_a_close_nothing_is_sent_and_nothing_comes() {
    let mut talk = dial(true, vec![vec![ok("a"), ok("b")]]).await;
    assert_eq!(talk.ask(GET).await, answered(200, "a"));
    talk.transport.feed(Frame::Close {
        code: Some(1000),
        reason: "",
    });
    assert_eq!(talk.hear().await, Err(Lost::Closed));
    assert_eq!(talk.transport.local_port(), None);
}

#[tokio::test]
async fn what_is_no_http_and_what_is_too_long_is_told_apart() {
    for (answer, cause) in [
        ("hello\r\n\r\n", Cause::ProtocolError),
        (
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            Cause::ProtocolError,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n",
            Cause::MessageTooBig,
        ),
    ] {
        let mut talk = dial(true, vec![vec![answer.to_owned()]]).await;
        let Err(Lost::Broken(found, _)) = talk.ask(GET).await else {
            panic!("{answer} is wrong");
        };
        assert_eq!(found, cause, "{answer}");
    }
}

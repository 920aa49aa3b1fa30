//! The way into the built-in server: from an accepted socket to an open WebSocket, or to its end.

use std::borrow::Cow;
use std::future::pending;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::counts::Counter;
use super::page;
use super::rooms::{Asked, Rooms};

/// The longest time from the accepted socket to the 101, and for each request before the upgrade.
const TIMEOUT: Duration = Duration::from_secs(10);
const READ_BUFFER: usize = 4 << 10;
const WRITE_BUFFER: usize = 16 << 10;
/// The longest message that is accepted, in bytes.
const MAX_MESSAGE: usize = 64 << 20;
/// Who asks for this path is told the server's time each second, beside the echo.
const TIME: &str = "/time";
/// How requests to the rooms begin, but for a POST.
const POLL: &[u8] = b"GET /poll";
const LONG_POLL: &[u8] = b"GET /long-poll";
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);
/// The most bytes that are read, and not looked at, behind a request that could not be taken.
const MAX_IGNORED: u64 = 1 << 20;
/// The most bytes that the kernel holds unsent for a member of rooms.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 16 << 10;

/// What became of an accepted socket.
#[derive(Debug)]
pub(super) enum Entry {
    Open {
        socket: Box<WebSocketStream<TcpStream>>,
        /// Whether the client asked to be told the server's time.
        tells_time: bool,
    },
    /// It was answered by HTTP and ended.
    Done,
    /// It ended, and was nothing else.
    Failed,
}

/// Completes the handshake, behind the requests to the rooms if there are any. A browser that asks for a page gets it.
pub(super) async fn accept(
    mut socket: TcpStream,
    rooms: Option<&Rooms>,
    counter: &Counter,
) -> Entry {
    if let Some(rooms) = rooms {
        hold_little(&socket);
        match until_upgrade(socket, rooms).await {
            Ok(upgrade) => socket = upgrade,
            Err(ended) => return ended,
        }
    }
    if let Ok(Some(other)) = timeout(TIMEOUT, other_answer(&socket)).await {
        // Who has the answer finds it counted.
        if other.is_refusal {
            counter.failed();
        }
        let _ = timeout(TIMEOUT, answer(socket, &other.bytes)).await;
        return Entry::Done;
    }
    upgrade(socket, rooms, counter).await
}

async fn upgrade(socket: TcpStream, rooms: Option<&Rooms>, counter: &Counter) -> Entry {
    let mut tells_time = false;
    #[expect(clippy::result_large_err, reason = "the library's type")]
    let check = |request: &Request, mut response: Response| {
        if let Some(refusal) = rooms.and_then(|rooms| rooms.login.refuses(request)) {
            counter.unauthorized();
            return Err(refusal);
        }
        tells_time = request.uri().path() == TIME;
        // A browser takes no answer that chooses none of the subprotocols that it offered.
        if let Some(first) = first_subprotocol(request) {
            response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, first);
        }
        Ok(response)
    };
    let upgrade = tokio_tungstenite::accept_hdr_async_with_config(socket, check, Some(config()));
    let Ok(Ok(socket)) = timeout(TIMEOUT, upgrade).await else {
        return Entry::Failed;
    };
    Entry::Open {
        socket: Box::new(socket),
        tells_time,
    }
}

fn first_subprotocol(request: &Request) -> Option<HeaderValue> {
    let offered = request.headers().get(SEC_WEBSOCKET_PROTOCOL)?;
    let first = offered.to_str().ok()?.split(',').next()?.trim();
    HeaderValue::from_str(first)
        .ok()
        .filter(|first| !first.is_empty())
}

/// The longest request that is judged before the library reads it, in bytes. A browser sends a server of this machine the
/// cookies of all others.
const MAX_JUDGED: usize = 16 << 10;
const MAX_HEADERS: usize = 64;
/// The end of a head.
const END: &str = "\r\n\r\n";
const NO_UPGRADE: &str =
    "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
/// For somebody who looks with a browser.
const NO_SUCH_PAGE: &str = "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\
    Content-Type: text/plain; charset=utf-8\r\nContent-Length: 96\r\n\r\n\
    Here is only the page /, and a WebSocket at any path. To be polled, the server needs `--rooms`.\n";
const OTHER_VERSION: &str = "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n\
    Sec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n";

/// What a request is answered with that is not upgraded.
struct Other {
    bytes: Cow<'static, str>,
    is_refusal: bool,
}

impl Other {
    fn refusal(bytes: &'static str) -> Option<Self> {
        Some(Self {
            bytes: bytes.into(),
            is_refusal: true,
        })
    }
}

/// The answer to a request for a page, to one that is no upgrade, or to one to another version (RFC 6455 sections 4.2.1
/// and 4.2.2), which the library would end without a word. Judges only a request that has come whole, as clients send it.
/// Reads nothing.
async fn other_answer(socket: &TcpStream) -> Option<Other> {
    let mut came = vec![0; MAX_JUDGED];
    let length = socket.peek(&mut came).await.ok()?;
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    if !request
        .parse(&came[..length])
        .is_ok_and(|parsed| parsed.is_complete())
    {
        return None;
    }
    let value = |name: &str| {
        let mut headers = request.headers.iter();
        headers
            .find(|header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value)
    };
    let is_get = request.method == Some("GET");
    let is_for_page = value("Upgrade").is_none() && value("Sec-WebSocket-Key").is_none();
    if is_for_page && (is_get || request.method == Some("HEAD")) {
        let Some(page) = request.path.and_then(page::answer) else {
            return Other::refusal(NO_SUCH_PAGE);
        };
        let head = page.find(END).map_or(page.len(), |at| at + END.len());
        return Some(Other {
            bytes: if is_get {
                page
            } else {
                page[..head].to_owned()
            }
            .into(),
            is_refusal: false,
        });
    }
    if !is_get || value("Sec-WebSocket-Key").is_none() {
        return Other::refusal(NO_UPGRADE);
    }
    match value("Sec-WebSocket-Version") {
        Some(version) if version != b"13" => Other::refusal(OTHER_VERSION),
        _ => None,
    }
}

async fn answer(mut socket: TcpStream, answer: &str) {
    if socket.write_all(answer.as_bytes()).await.is_ok() {
        end(socket).await;
    }
}

/// Answers an upgrade with 503, because there is no room.
pub(super) async fn refuse(socket: TcpStream) {
    #[expect(clippy::result_large_err, reason = "the library's type")]
    let full = |_: &Request, _: Response| {
        let mut refusal = ErrorResponse::new(Some("full".to_owned()));
        *refusal.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        Err(refusal)
    };
    let upgrade = tokio_tungstenite::accept_hdr_async_with_config(socket, full, Some(config()));
    let _ = timeout(TIMEOUT, upgrade).await;
}

/// Answers requests to the rooms until one is none, and returns the socket with that one unread.
async fn until_upgrade(mut socket: TcpStream, rooms: &Rooms) -> Result<TcpStream, Entry> {
    let mut ended = Entry::Failed;
    loop {
        match timeout(TIMEOUT, is_upgrade(&socket)).await {
            Ok(Some(false)) => {}
            Ok(Some(true)) => return Ok(socket),
            _ => return Err(ended),
        }
        let Ok(Ok(asked)) = timeout(TIMEOUT, Asked::read(&mut socket)).await else {
            return Err(ended);
        };
        let answer = tokio::select! {
            answer = rooms.answer(asked) => answer,
            () = gone(&socket) => return Err(ended),
        };
        let bytes = answer.bytes();
        let Ok(Ok(())) = timeout(TIMEOUT, socket.write_all(bytes.as_bytes())).await else {
            return Err(ended);
        };
        if answer.status.is_success() {
            ended = Entry::Done;
        }
        if answer.is_last {
            let _ = timeout(TIMEOUT, end(socket)).await;
            return Err(ended);
        }
    }
}

/// Whether the next request is none to the rooms, judged by its method and path; `None` if there is none. Reads nothing.
async fn is_upgrade(socket: &TcpStream) -> Option<bool> {
    let mut first = [0; LONG_POLL.len()];
    loop {
        let came = socket
            .peek(&mut first)
            .await
            .ok()
            .filter(|came| *came > 0)?;
        let first = &first[..came];
        let begins = |path: &[u8]| first.starts_with(path) || path.starts_with(first);
        if !first.starts_with(b"G") || first.starts_with(POLL) || first == LONG_POLL {
            return Some(false);
        }
        if !begins(POLL) && !begins(LONG_POLL) {
            return Some(true);
        }
        // Whoever sends a line in pieces waits a little.
        sleep(BETWEEN_LOOKS).await;
    }
}

/// Waits until the client has ended its half of the connection.
async fn gone(socket: &TcpStream) {
    match socket.peek(&mut [0]).await {
        Ok(0) | Err(_) => {}
        // It has sent more, which is looked at behind the answer.
        Ok(_) => pending().await,
    }
}

/// Ends TCP behind an answer. Reads what still comes, since a RST would take the answer away from the client.
async fn end(mut socket: TcpStream) {
    if socket.shutdown().await.is_ok() {
        let mut rest = socket.take(MAX_IGNORED);
        let _ = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await;
    }
}

/// Keeps the kernel from holding megabytes for a peer that does not read: what waits for a member waits in its mailbox,
/// which has a limit and an order. Other systems hold what they like.
fn hold_little(socket: &TcpStream) {
    // Ignores the error: without the option, a member that does not read is found later.
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(socket).set_tcp_notsent_lowat(UNSENT);
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        // The buffer has room for one message; the next one has to wait. So this is the most that a connection can
        // hold.
        .max_write_buffer_size(WRITE_BUFFER + MAX_MESSAGE + 4096)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
}

//! The way into the built-in server: from an accepted socket to an open WebSocket, or to its end.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::counts::Counter;
use super::rooms::{Login, Rooms};

/// The longest time from the accepted socket to the 101, and for each request before the upgrade.
const TIMEOUT: Duration = Duration::from_secs(10);
const READ_BUFFER: usize = 4 << 10;
const WRITE_BUFFER: usize = 16 << 10;
/// The longest message that is accepted, in bytes.
const MAX_MESSAGE: usize = 64 << 20;
/// The most bytes that are read, and not looked at, behind a request that could not be taken.
const MAX_IGNORED: u64 = 1 << 20;
/// The most bytes that the kernel holds unsent for a member of rooms.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 16 << 10;

/// What became of an accepted socket.
#[derive(Debug)]
pub(super) enum Entry {
    Open(Box<WebSocketStream<TcpStream>>),
    /// It logged in and ended.
    Done,
    /// It ended, and was nothing else.
    Failed,
}

/// Completes the handshake, behind the login of the rooms if there are any.
pub(super) async fn accept(socket: TcpStream, rooms: Option<&Rooms>, counter: &Counter) -> Entry {
    if let Some(rooms) = rooms {
        hold_little(&socket);
        return behind_login(socket, &rooms.login, counter).await;
    }
    let upgrade = tokio_tungstenite::accept_async_with_config(socket, Some(config()));
    match timeout(TIMEOUT, upgrade).await {
        Ok(Ok(socket)) => Entry::Open(Box::new(socket)),
        _ => Entry::Failed,
    }
}

/// Answers requests until one is the upgrade.
async fn behind_login(mut socket: TcpStream, login: &Login, counter: &Counter) -> Entry {
    let mut ended = Entry::Failed;
    loop {
        let mut first = [0];
        match timeout(TIMEOUT, socket.peek(&mut first)).await {
            Ok(Ok(1)) if first == *b"G" => break,
            Ok(Ok(1)) => {}
            _ => return ended,
        }
        let Ok(Ok(answer)) = timeout(TIMEOUT, login.serve(&mut socket)).await else {
            return ended;
        };
        if answer.status == StatusCode::OK {
            counter.login();
            ended = Entry::Done;
        }
        if answer.is_last {
            let _ = timeout(TIMEOUT, end(socket)).await;
            return ended;
        }
    }
    #[expect(clippy::result_large_err, reason = "the library's type")]
    let check = |request: &Request, response: Response| match login.refuses(request) {
        None => Ok(response),
        Some(refusal) => {
            counter.unauthorized();
            Err(refusal)
        }
    };
    let upgrade = tokio_tungstenite::accept_hdr_async_with_config(socket, check, Some(config()));
    match timeout(TIMEOUT, upgrade).await {
        Ok(Ok(socket)) => Entry::Open(Box::new(socket)),
        _ => Entry::Failed,
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

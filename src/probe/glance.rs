//! One look at a server: one connection, one ping, one Close, all within a time. For monitoring that asks again and again.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::time::timeout_at;

use super::findings::How;
use super::frame::{Frame, Opcode};
use super::opener::head;
use super::talk::{Event, Talk};
use crate::metric::{Cause, Timer};
use crate::net::{RawConnection, RawDialer, RawFailure, TlsError};
use crate::scenario::{Target, WsUrl};
use crate::units::{Nanos, Timestamp, format_duration};

/// What the ping says.
const PING: &[u8] = b"wsbench";

/// What one look at a server found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Glance {
    /// Why there was no connection, or no answer to the ping: the cause, and words of the system or the server. `None` where
    /// all was well.
    pub failed: Option<(Cause, String)>,
    /// How long each step of the handshake took, in order. A step that was not taken is missing; all are, where there was no
    /// connection.
    pub steps: Vec<(Timer, Nanos)>,
    /// The status of the answer to the upgrade: 101 where the connection opened; `None` where no answer came.
    pub status: Option<u16>,
    /// From the ping to its pong; `None` where none came in time.
    pub rtt: Option<Nanos>,
    /// The address that was dialled; `None` over a Unix socket, and where there was no connection.
    pub address: Option<SocketAddr>,
    /// The end of the validity of the server's certificate, in seconds since 1970; `None` without TLS, and where there was
    /// no connection.
    pub expires: Option<i64>,
}

/// Looks at the server at this address once, for at most this time in all. Follows no redirect: who asks says where.
///
/// # Errors
/// When TLS cannot be set up.
pub async fn glance(url: &WsUrl, target: &Target, all: Duration) -> Result<Glance, TlsError> {
    let over = Instant::now() + all;
    let mut target = target.clone();
    target.connect_timeout = target.connect_timeout.min(all);
    let dialer = RawDialer::new(url, &target)?;
    let opened = timeout_at(over.into(), dialer.open(&target, 0)).await;
    Ok(match opened.unwrap_or_else(|_| Err(RawFailure::cut())) {
        Ok(connection) => Glance {
            // A Unix socket has none.
            address: (url.unix.is_none()).then(|| connection.peer.address()),
            ..ping(connection, over, all).await
        },
        Err(failure) => Glance {
            status: status(&failure.answer),
            failed: Some((failure.cause, failure.detail)),
            ..Glance::default()
        },
    })
}

/// Sends a ping over a connection that was just opened, waits for its pong, and leaves in order.
async fn ping(connection: RawConnection, over: Instant, all: Duration) -> Glance {
    let mut found = Glance {
        failed: Some((
            Cause::MissedPong,
            format!("no pong came within {} in all", format_duration(all)),
        )),
        steps: connection.steps.iter().collect(),
        status: Some(101),
        rtt: None,
        address: None,
        expires: (connection.agreed()).and_then(|agreed| Some(agreed.certificate?.expires)),
    };
    let mut talk = Talk::new(connection, true, over);
    let sent = talk.now();
    talk.send(&[Frame::new(Opcode::Ping, PING)]).await;
    if let Some(ending) = talk.ending() {
        found.failed = Some(ended(&ending.how));
    }
    while let Some((at, event)) = talk.next(Timestamp::NEVER).await {
        match event {
            Event::Pong(said) if said == PING => {
                found.rtt = Some(at.saturating_since(sent));
                found.failed = None;
                break;
            }
            Event::End(how) => {
                found.failed = Some(ended(&how));
                break;
            }
            Event::Message { .. } | Event::Ping(_) | Event::Pong(_) => {}
        }
    }
    talk.leave().await;
    found
}

/// Why a connection ended before the pong.
fn ended(how: &How) -> (Cause, String) {
    match how {
        How::Close { code, reason } => {
            let code = code.map_or_else(|| "no code".to_owned(), |code| code.to_string());
            (Cause::ClosedByPeer, format!("{code} {reason}"))
        }
        How::Fin => (Cause::Eof, "TCP ended without a Close frame".to_owned()),
        How::Rst => (Cause::Reset, "TCP was reset".to_owned()),
        How::Broken(_) => (
            Cause::ProtocolError,
            "a frame breaks a rule of RFC 6455; `wsbench probe` tells which".to_owned(),
        ),
        How::Stuck => (Cause::WriteTimeout, "the server took no bytes".to_owned()),
    }
}

/// The status of an answer of HTTP; `None` where it is none.
fn status(answer: &[u8]) -> Option<u16> {
    let (line, _) = head(answer);
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_that_of_an_answer_of_http() {
        assert_eq!(
            status(b"HTTP/1.1 503 Service Unavailable\r\n\r\n"),
            Some(503)
        );
        for other in [&b""[..], b"SSH-2.0-x 200", b"HTTP/1.1", b"HTTP/1.1 soon"] {
            assert_eq!(status(other), None);
        }
    }
}

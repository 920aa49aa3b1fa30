//! The connection below a carrier: what the library reads and writes, and what its streams look at.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::failure::Ended;
use crate::metric::{Cause, HTTP2_STEP};
use crate::net::end::TcpEnd;
use crate::net::failure::Failure;
use crate::net::link::Link;
use crate::net::tls;

/// How many of the first bytes are kept until it is known that the server speaks HTTP/2.
const FIRST_BYTES: usize = 64;

/// The connection below the library, which its streams look at as well.
pub(super) struct Below {
    pub(super) link: Link,
    /// Why TLS ended it.
    pub(super) failure: Option<Failure>,
    /// Whether nothing is written, because the client has vanished.
    pub(super) is_held: bool,
    /// Who wants to write meanwhile.
    pub(super) writer: Option<Waker>,
    /// Bytes sent and received that are not told yet.
    untold: (u64, u64),
    /// Bytes that belong to streams, not subtracted yet.
    pub(super) of_streams: (u64, u64),
    /// The first bytes that came, until it is known that the server speaks HTTP/2.
    pub(super) first: Option<Vec<u8>>,
    /// Whether bytes came that streams may not have read yet.
    is_unread: bool,
}

impl Below {
    pub(super) fn new(link: Link) -> Self {
        Self {
            link,
            failure: None,
            is_held: false,
            writer: None,
            untold: (0, 0),
            of_streams: (0, 0),
            first: Some(Vec::new()),
            is_unread: false,
        }
    }

    /// Returns the bytes sent and received since the last call that belong to no stream. What a stream has given to the
    /// library and is not sent yet is subtracted from what is sent next.
    pub(super) fn take_rest(&mut self) -> (u64, u64) {
        let (sent, received) = self.link.wire_mut().take_bytes();
        let rest = |untold: &mut u64, more: u64, of_streams: &mut u64| {
            *untold += more;
            let known = (*untold).min(*of_streams);
            *of_streams -= known;
            std::mem::take(untold) - known
        };
        (
            rest(&mut self.untold.0, sent, &mut self.of_streams.0),
            rest(&mut self.untold.1, received, &mut self.of_streams.1),
        )
    }

    pub(super) fn ended(&self, error: &h2::Error) -> Ended {
        match (&self.failure, self.link.wire().end(), error.get_io()) {
            (Some(failure), ..) => Ended::By(failure.clone()),
            (None, Some(end), _) => Ended::As(end),
            (None, None, Some(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
                Ended::By(Failure::new(Cause::Io, error.to_string()))
            }
            // Under TLS the server can end the session, and TCP goes on.
            (None, None, _) => Ended::As(TcpEnd::Fin),
        }
    }

    /// Why there is no connection of HTTP/2.
    pub(super) fn not_opened(&self, error: &h2::Error) -> Failure {
        let first = self.first.as_deref().unwrap_or_default();
        if first.starts_with(b"HTTP/") {
            let line = crate::http::first_line(first);
            let detail = format!("the server does not speak HTTP/2 on this port: {line}");
            return Failure::new(Cause::H2Error, detail);
        }
        let when = || format!("before {HTTP2_STEP}");
        if error.is_io() || error.reason() == Some(h2::Reason::NO_ERROR) {
            return match self.ended(error) {
                Ended::By(failure) => failure,
                Ended::As(end) => Failure::new(end.before_open(), when()),
            };
        }
        Failure::new(Cause::H2Error, format!("{error}, {}", when()))
    }
}

/// What the library reads and writes.
pub(super) struct Io(pub(super) Rc<RefCell<Below>>);

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let below = &mut *self.0.borrow_mut();
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut below.link).poll_read(cx, buf));
        if let Err(error) = &read {
            below.failure = tls::broken(error);
        }
        let came = &buf.filled()[before..];
        // The library forgets how a stream ended when the connection ends, so streams are polled between both.
        if read.is_ok() && came.is_empty() && std::mem::take(&mut below.is_unread) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        below.is_unread = !came.is_empty();
        if let Some(first) = &mut below.first {
            let room = FIRST_BYTES.saturating_sub(first.len()).min(came.len());
            first.extend_from_slice(&came[..room]);
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let below = &mut *self.0.borrow_mut();
        if below.is_held {
            below.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Pin::new(&mut below.link).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().link).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().link).poll_shutdown(cx)
    }
}

//! Our own reader and writer over TCP: counts bytes, and sees whether the peer ended with FIN or RST.

use std::io;
use std::os::fd::AsFd as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::sys;
use crate::measure::TcpView;

/// How the peer ended TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TcpEnd {
    /// In order.
    Fin,
    /// By a reset.
    Rst,
}

/// A TCP connection.
#[derive(Debug)]
pub(super) struct Wire {
    tcp: TcpStream,
    /// Bytes written since [`Self::take_bytes`].
    sent: u64,
    /// Bytes read since [`Self::take_bytes`].
    received: u64,
    end: Option<TcpEnd>,
}

impl Wire {
    /// Nothing read or written yet.
    pub(super) fn new(tcp: TcpStream) -> Self {
        Self {
            tcp,
            sent: 0,
            received: 0,
            end: None,
        }
    }

    /// How the peer ended it, once seen.
    pub(super) fn end(&self) -> Option<TcpEnd> {
        self.end
    }

    /// Bytes sent and received since the last call.
    pub(super) fn take_bytes(&mut self) -> (u64, u64) {
        (
            std::mem::take(&mut self.sent),
            std::mem::take(&mut self.received),
        )
    }

    /// The kernel's view of it.
    pub(super) fn tcp_view(&self) -> Option<TcpView> {
        sys::tcp_view(self.tcp.as_fd())
    }

    fn saw(&mut self, error: &io::Error) {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        if matches!(
            error.kind(),
            ConnectionReset | ConnectionAborted | BrokenPipe
        ) {
            self.end.get_or_insert(TcpEnd::Rst);
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = ready!(Pin::new(&mut self.tcp).poll_read(cx, buf));
        match &result {
            Ok(()) => {
                let read = buf.filled().len() - before;
                self.received += read as u64;
                if read == 0 && buf.remaining() > 0 {
                    self.end.get_or_insert(TcpEnd::Fin);
                }
            }
            Err(error) => self.saw(error),
        }
        Poll::Ready(result)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.tcp).poll_write(cx, bytes));
        match &result {
            Ok(written) => self.sent += *written as u64,
            Err(error) => self.saw(error),
        }
        Poll::Ready(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

//! What the frames of a WebSocket go over: a TCP connection of their own, or a stream of one that is shared.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::end::TcpEnd;
use super::h2::Stream;
use super::link::Link;
use super::tls::TlsAgreed;
use super::transport::Lost;
use crate::measure::TcpView;

/// What frames go over.
#[derive(Debug)]
pub(crate) enum Channel {
    Own(Link),
    Stream(Box<Stream>),
}

impl From<Link> for Channel {
    fn from(link: Link) -> Self {
        Self::Own(link)
    }
}

impl From<Stream> for Channel {
    fn from(stream: Stream) -> Self {
        Self::Stream(Box::new(stream))
    }
}

impl Channel {
    /// Returns how the peer ended it, once that was seen.
    pub(super) fn end(&self) -> Option<TcpEnd> {
        match self {
            Self::Own(link) => link.wire().end(),
            Self::Stream(stream) => stream.end(),
        }
    }

    /// Returns why nothing more can be read or written, after an error of either.
    #[cold]
    pub(super) fn lost(&self, error: &io::Error) -> Lost {
        match self {
            Self::Own(link) => link.lost(Some(error)),
            Self::Stream(stream) => stream.lost(error),
        }
    }

    /// Returns whether arrivals are recorded.
    pub(super) fn is_watched(&self) -> bool {
        match self {
            Self::Own(link) => link.wire().is_watched(),
            Self::Stream(stream) => stream.carrier().with_wire(|wire| wire.is_watched()),
        }
    }

    /// Returns when the last bytes, or the end, reached this machine; `None` unless that is recorded. Of a stream it is the
    /// time of its TCP connection.
    pub(super) fn arrived(&self) -> Option<Instant> {
        match self {
            Self::Own(link) => link.wire().arrived(),
            Self::Stream(stream) => stream.carrier().with_wire(|wire| wire.arrived()),
        }
    }

    /// Returns what TLS agreed on, if there is TLS.
    pub(super) fn tls_agreed(&self) -> Option<TlsAgreed> {
        match self {
            Self::Own(link) => link.tls_agreed(),
            Self::Stream(stream) => stream.carrier().tls_agreed(),
        }
    }

    /// Returns the version of TLS and how its session began, if there is TLS.
    pub(super) fn tls_began(&self) -> Option<String> {
        match self {
            Self::Own(link) => link.tls_began(),
            Self::Stream(stream) => stream.carrier().tls_began(),
        }
    }

    /// Returns the number of the TCP connection that it is a stream of.
    pub(super) fn carrier(&self) -> Option<u32> {
        match self {
            Self::Own(_) => None,
            Self::Stream(stream) => Some(stream.carrier().numbers.number),
        }
    }

    /// Returns the address that was dialled, which others share if this is a stream; `None` over a Unix socket.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        match self {
            Self::Own(link) => link.wire().peer(),
            Self::Stream(stream) => stream.carrier().with_wire(|wire| wire.peer()),
        }
    }

    /// Returns the local port, which others share if this is a stream.
    pub(super) fn local_port(&self) -> Option<u16> {
        match self {
            Self::Own(link) => link.wire().local_port(),
            Self::Stream(stream) => stream.carrier().with_wire(|wire| wire.local_port()),
        }
    }

    /// Returns the kernel's view of the TCP connection.
    pub(super) fn tcp_view(&self) -> Option<TcpView> {
        match self {
            Self::Own(link) => link.wire().tcp_view(),
            Self::Stream(stream) => stream.carrier().with_wire(|wire| wire.tcp_view()),
        }
    }

    /// Returns the bytes sent and received since the last call. Those of a stream are what its frames hold.
    pub(super) fn take_bytes(&mut self) -> (u64, u64) {
        match self {
            Self::Own(link) => link.wire_mut().take_bytes(),
            Self::Stream(stream) => stream.take_bytes(),
        }
    }

    /// Waits for the end without reading.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<TcpEnd> {
        match self {
            Self::Own(link) => link.wire_mut().poll_end(cx),
            Self::Stream(stream) => stream.poll_end(cx),
        }
    }

    /// Ends our half.
    pub(super) fn half_close(&mut self) -> io::Result<()> {
        match self {
            Self::Own(link) => link.wire_mut().half_close(),
            Self::Stream(stream) => {
                stream.half_close();
                Ok(())
            }
        }
    }

    /// Makes it end with a reset when it is dropped.
    pub(super) fn reset(&mut self) -> io::Result<()> {
        match self {
            Self::Own(link) => link.wire_mut().reset(),
            Self::Stream(stream) => {
                stream.reset();
                Ok(())
            }
        }
    }

    /// Takes and sends no more packets.
    pub(super) fn vanish(&mut self) -> io::Result<()> {
        match self {
            Self::Own(link) => link.wire_mut().vanish(),
            Self::Stream(stream) => stream.carrier().vanish(),
        }
    }

    /// Takes and sends packets again.
    pub(super) fn come_back(&mut self) -> io::Result<()> {
        match self {
            Self::Own(link) => link.wire_mut().come_back(),
            Self::Stream(stream) => stream.carrier().come_back(),
        }
    }
}

impl AsyncRead for Channel {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Own(link) => Pin::new(link).poll_read(cx, buf),
            Self::Stream(stream) => stream.poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Channel {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Own(link) => Pin::new(link).poll_write(cx, bytes),
            Self::Stream(stream) => stream.poll_write(cx, bytes),
        }
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Own(link) => Pin::new(link).poll_flush(cx),
            // What serves the carrier writes it.
            Self::Stream(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Own(link) => Pin::new(link).poll_shutdown(cx),
            Self::Stream(stream) => {
                stream.half_close();
                Poll::Ready(Ok(()))
            }
        }
    }
}

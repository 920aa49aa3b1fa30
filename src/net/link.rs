//! A TCP connection, plain or under TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::end::TcpEnd;
use super::failure::Failure;
use super::tls::{self, TlsAgreed, TlsLink};
use super::transport::Lost;
use super::wire::Wire;
use crate::metric::Cause;

/// The connection that frames are sent on.
#[derive(Debug)]
pub(crate) enum Link {
    Plain(Wire),
    Tls(Box<TlsLink>),
}

impl Link {
    /// The TCP connection below.
    pub(crate) fn wire(&self) -> &Wire {
        match self {
            Self::Plain(wire) => wire,
            Self::Tls(tls) => tls.below().wire(),
        }
    }

    /// Returns what TLS agreed on, if there is TLS.
    pub(crate) fn tls_agreed(&self) -> Option<TlsAgreed> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(tls) => tls.agreed(),
        }
    }

    /// Returns the version of TLS and how its session began, if there is TLS.
    pub(crate) fn tls_began(&self) -> Option<String> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(tls) => tls.began(),
        }
    }

    /// The TCP connection below.
    pub(crate) fn wire_mut(&mut self) -> &mut Wire {
        match self {
            Self::Plain(wire) => wire,
            Self::Tls(tls) => tls.below_mut().wire_mut(),
        }
    }

    /// Returns why nothing more can be read or written, after an error of either or its end.
    #[cold]
    pub(super) fn lost(&self, error: Option<&io::Error>) -> Lost {
        if let Some(Failure { cause, detail, .. }) = error.and_then(tls::broken) {
            return Lost::Failed(cause, detail);
        }
        match (self.wire().end(), error) {
            (Some(end), _) => Lost::Tcp(end),
            (None, Some(error)) if error.kind() != io::ErrorKind::UnexpectedEof => {
                Lost::Failed(Cause::Io, error.to_string())
            }
            // Under TLS the server can end the session, and TCP goes on.
            (None, _) => Lost::Tcp(TcpEnd::Fin),
        }
    }
}

impl AsyncRead for Link {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(wire) => Pin::new(wire).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Link {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(wire) => Pin::new(wire).poll_write(cx, bytes),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_write(cx, bytes),
        }
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(wire) => Pin::new(wire).poll_flush(cx),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(wire) => Pin::new(wire).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_shutdown(cx),
        }
    }
}

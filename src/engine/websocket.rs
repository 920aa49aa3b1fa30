//! The real transport: tungstenite over our own filter, link and wire.
//!
//! The protocol is driven directly rather than through `WebSocketStream`: that one keeps two reference-counted
//! wakers a connection and goes through them for every message, where the task's own waker will do.

use std::io::{self, ErrorKind, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{
    CloseFrame, Role, WebSocketConfig, WebSocketContext,
};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::clock::Clock;
use super::filter::FrameFilter;
use super::link::Link;
use super::outbound::Outbound;
use super::transport::{Act, Event, Frame, Lost, Transport};
use super::wire::TcpEnd;
use crate::measure::TcpView;
use crate::metric::Cause;
use crate::plan::{Conduct, Nanos};

/// Read at once behind a Close frame, and how often before others have their turn.
const REST: usize = 4096;
const READS_AT_ONCE: usize = 16;

/// What a connection may hold. Small, because it is there thousands of times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buffers {
    /// Read at once.
    pub(super) read: usize,
    /// The longest message that is taken.
    pub(super) max_message: usize,
    /// Queued and not yet taken by the kernel, at most.
    pub(super) max_write: usize,
}

/// A WebSocket connection after its handshake.
#[derive(Debug)]
pub(super) struct WebSocket {
    protocol: WebSocketContext,
    link: FrameFilter<Link>,
}

impl WebSocket {
    /// `already_read` are bytes that came with the handshake.
    pub(super) fn new(
        link: Link,
        already_read: Vec<u8>,
        conduct: &Conduct,
        buffers: Buffers,
    ) -> Self {
        let interferes = conduct.mute || !conduct.faults.is_empty();
        let config = WebSocketConfig::default()
            .read_buffer_size(buffers.read)
            // Nothing is sent before a flush: what is due together goes out together.
            .write_buffer_size(buffers.max_write - 1)
            .max_write_buffer_size(buffers.max_write)
            .max_message_size(Some(buffers.max_message))
            .max_frame_size(Some(buffers.max_message));
        Self {
            link: FrameFilter::new(link, interferes.then(Outbound::default), &already_read),
            protocol: if already_read.is_empty() {
                WebSocketContext::new(Role::Client, Some(config))
            } else {
                WebSocketContext::from_partially_read(already_read, Role::Client, Some(config))
            },
        }
    }

    #[cold]
    fn lost(&self, error: Error) -> Lost {
        let broken = |cause, why: &dyn std::fmt::Display| Lost::Broken(cause, why.to_string());
        let end = self.link.inner().wire().end();
        match (error, end) {
            (Error::ConnectionClosed | Error::AlreadyClosed, end) => {
                Lost::Tcp(end.unwrap_or(TcpEnd::Fin))
            }
            (
                Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) | Error::Io(_),
                Some(end),
            ) => Lost::Tcp(end),
            (Error::Io(error), None) if error.kind() == ErrorKind::UnexpectedEof => {
                Lost::Tcp(TcpEnd::Fin)
            }
            (Error::Io(error), None) => Lost::Io(error.to_string()),
            (Error::Protocol(error), _) => broken(Cause::ProtocolError, &error),
            (Error::Capacity(error @ CapacityError::MessageTooLong { .. }), _) => {
                broken(Cause::MessageTooBig, &error)
            }
            (Error::WriteBufferFull(_), _) => {
                broken(Cause::WriteTimeout, &"the peer takes no bytes")
            }
            (Error::Utf8(_), _) => broken(Cause::BadUtf8, &"a text message is not valid UTF-8"),
            (other, _) => Lost::Io(other.to_string()),
        }
    }

    /// Nothing more can be read. Sends a Close frame where the server broke the protocol, as far as it can be sent
    /// at once (RFC 6455 section 7.1.7).
    #[cold]
    fn fail(&mut self, error: Error, cx: &mut Context<'_>) -> Lost {
        if let Some(code) = complaint(&error) {
            let link = &mut self.link;
            let reason = Utf8Bytes::from_static("");
            let close = CloseFrame { code, reason };
            // The connection is over either way, and for another reason than this.
            let _ = self.protocol.close(&mut Polled { link, cx }, Some(close));
        }
        self.lost(error)
    }

    /// Reads to the end of TCP, and leaves it to the filter to count what comes.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Lost> {
        let mut room = [0; REST];
        for _ in 0..READS_AT_ONCE {
            let mut buffer = ReadBuf::new(&mut room);
            let read = ready!(Pin::new(&mut self.link).poll_read(cx, &mut buffer));
            match read {
                Ok(()) if !buffer.filled().is_empty() => {}
                Ok(()) => return Poll::Ready(self.lost(Error::ConnectionClosed)),
                Err(error) => return Poll::Ready(self.lost(Error::Io(error))),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Transport for WebSocket {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, Lost>> {
        // The library takes what follows a Close frame for an error. Where the connection is watched, it is counted.
        if !self.protocol.can_read() && self.link.inner().wire().is_watched() {
            return self.poll_rest(cx).map(Err);
        }
        let link = &mut self.link;
        let message = match self.protocol.read(&mut Polled { link, cx }) {
            Ok(message) => message,
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                return Poll::Pending;
            }
            Err(error) => return Poll::Ready(Err(self.fail(error, cx))),
        };
        Poll::Ready(Ok(match message {
            Message::Text(text) => Event::Text(text.into()),
            Message::Binary(bytes) => Event::Binary(bytes),
            Message::Ping(bytes) => Event::Ping(bytes),
            Message::Pong(bytes) => Event::Pong(bytes),
            // The library replaces a forbidden code, and its reason, by its own: the filter saw the real code.
            Message::Close(close) => {
                let code = self.link.close_code();
                let own = close.filter(|close| Some(u16::from(close.code)) == code);
                let reason = own.map(|close| close.reason.to_string());
                Event::Close {
                    code,
                    reason: reason.unwrap_or_default(),
                }
            }
            Message::Frame(_) => unreachable!("the library never reads a message as a raw frame"),
        }))
    }

    fn feed(&mut self, frame: Frame) -> Result<(), Lost> {
        let message = match frame {
            Frame::Text(bytes) => match Utf8Bytes::try_from(bytes) {
                Ok(text) => Message::Text(text),
                Err(error) => return Err(Lost::Io(error.to_string())),
            },
            Frame::Binary(bytes) => Message::Binary(bytes),
            Frame::Ping(bytes) => Message::Ping(bytes),
            Frame::Close { code, reason } => Message::Close(code.map(|code| CloseFrame {
                code: CloseCode::from(code),
                reason: Utf8Bytes::from_static(reason),
            })),
        };
        match self.protocol.write(&mut NotYet, message) {
            // Queued, and not sent before the flush.
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            result => result.map_err(|error| self.lost(error)),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        let link = &mut self.link;
        match self.protocol.flush(&mut Polled { link, cx }) {
            // After a Close everything went out, and nothing more may follow.
            Ok(()) | Err(Error::ConnectionClosed) => Poll::Ready(Ok(())),
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
            Err(error) => Poll::Ready(Err(self.lost(error))),
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<TcpEnd> {
        self.link.inner_mut().wire_mut().poll_end(cx)
    }

    fn act(&mut self, act: Act) -> Result<(), Lost> {
        let wire = self.link.inner_mut().wire_mut();
        let done = match &act {
            Act::Put(_) | Act::HoldClose | Act::Seal => Ok(()),
            Act::HalfClose => wire.half_close(),
            Act::Reset => wire.reset(),
            Act::Vanish => wire.vanish(),
            Act::Return => wire.come_back(),
        };
        done.map_err(|error| Lost::Io(error.to_string()))?;
        let outbound = self.link.outbound();
        let outbound = outbound.expect("a conduct with faults has what plays them");
        match act {
            Act::Put(bytes) => outbound.put(&bytes),
            Act::HoldClose => outbound.hold_close(),
            Act::Seal | Act::HalfClose => outbound.seal(),
            Act::Vanish => outbound.hold(true),
            Act::Return => outbound.hold(false),
            Act::Reset => {}
        }
        Ok(())
    }

    fn received_at(&self, clock: &dyn Clock) -> Option<Nanos> {
        let arrived = self.link.inner().wire().arrived()?;
        Some(clock.at(arrived))
    }

    fn frames_after_close(&self) -> u32 {
        self.link.frames_after_close()
    }

    fn local_port(&self) -> Option<u16> {
        self.link.inner().wire().local_port()
    }

    fn take_bytes(&mut self) -> (u64, u64) {
        self.link.inner_mut().wire_mut().take_bytes()
    }

    fn tcp_view(&self) -> Option<TcpView> {
        self.link.inner().wire().tcp_view()
    }
}

/// What to close with where the server broke the protocol (RFC 6455 section 7.4.1).
fn complaint(error: &Error) -> Option<CloseCode> {
    match error {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) => Some(CloseCode::Protocol),
        Error::Utf8(_) => Some(CloseCode::Invalid),
        Error::Capacity(CapacityError::MessageTooLong { .. }) => Some(CloseCode::Size),
        _ => None,
    }
}

/// The link as the library wants it for the length of one call: not ready is `WouldBlock`, and the task is woken
/// when it is.
struct Polled<'link, 'call, 'task> {
    link: &'link mut FrameFilter<Link>,
    cx: &'call mut Context<'task>,
}

fn or_would_block<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(ErrorKind::WouldBlock.into()),
    }
}

impl Read for Polled<'_, '_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        or_would_block(Pin::new(&mut *self.link).poll_read(self.cx, &mut buffer))?;
        Ok(buffer.filled().len())
    }
}

impl Write for Polled<'_, '_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        or_would_block(Pin::new(&mut *self.link).poll_write(self.cx, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        or_would_block(Pin::new(&mut *self.link).poll_flush(self.cx))
    }
}

/// Takes nothing: what is fed stays queued until the flush.
struct NotYet;

impl Read for NotYet {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        Err(ErrorKind::WouldBlock.into())
    }
}

impl Write for NotYet {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::WouldBlock.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(ErrorKind::WouldBlock.into())
    }
}

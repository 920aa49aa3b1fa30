//! The real transport: tokio-tungstenite over our own filter, link and wire.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::{Sink as _, Stream as _};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::filter::FrameFilter;
use super::link::Link;
use super::transport::{Event, Frame, Lost, Transport};
use super::wire::TcpEnd;
use crate::measure::TcpView;
use crate::metric::Cause;

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
    stream: WebSocketStream<FrameFilter<Link>>,
}

impl WebSocket {
    /// `already_read` are bytes that came with the handshake.
    pub(super) async fn new(
        link: Link,
        already_read: Vec<u8>,
        auto_pong: bool,
        buffers: Buffers,
    ) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(buffers.read)
            // Nothing is sent before a flush: what is due together goes out together.
            .write_buffer_size(buffers.max_write - 1)
            .max_write_buffer_size(buffers.max_write)
            .max_message_size(Some(buffers.max_message))
            .max_frame_size(Some(buffers.max_message));
        let filter = FrameFilter::new(link, !auto_pong, &already_read);
        let stream = if already_read.is_empty() {
            WebSocketStream::from_raw_socket(filter, Role::Client, Some(config)).await
        } else {
            WebSocketStream::from_partially_read(filter, already_read, Role::Client, Some(config))
                .await
        };
        Self { stream }
    }

    fn lost(&self, error: Error) -> Lost {
        let broken = |cause, why: &dyn std::fmt::Display| Lost::Broken(cause, why.to_string());
        match error {
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
            | Error::ConnectionClosed
            | Error::AlreadyClosed
            | Error::Io(_)
                if self.wire_end().is_some() =>
            {
                Lost::Tcp(self.wire_end().unwrap_or(TcpEnd::Fin))
            }
            Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Lost::Tcp(TcpEnd::Fin)
            }
            Error::Io(error) => Lost::Io(error.to_string()),
            Error::Protocol(error) => broken(Cause::ProtocolError, &error),
            Error::Capacity(error @ CapacityError::MessageTooLong { .. }) => {
                broken(Cause::MessageTooBig, &error)
            }
            Error::WriteBufferFull(_) => broken(Cause::WriteTimeout, &"the peer takes no bytes"),
            Error::Utf8(_) => broken(Cause::BadUtf8, &"a text message is not valid UTF-8"),
            other => Lost::Io(other.to_string()),
        }
    }

    fn wire_end(&self) -> Option<TcpEnd> {
        self.stream.get_ref().inner().wire().end()
    }
}

impl Transport for WebSocket {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, Lost>> {
        loop {
            let message = match ready!(Pin::new(&mut self.stream).poll_next(cx)) {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Poll::Ready(Err(self.lost(error))),
                None => return Poll::Ready(Err(Lost::Tcp(self.wire_end().unwrap_or(TcpEnd::Fin)))),
            };
            return Poll::Ready(Ok(match message {
                Message::Text(text) => Event::Text(text.into()),
                Message::Binary(bytes) => Event::Binary(bytes),
                Message::Ping(_) => Event::Ping,
                Message::Pong(bytes) => Event::Pong(bytes),
                // The library replaces a forbidden code by 1002: the filter saw the real one.
                Message::Close(close) => Event::Close {
                    code: self.stream.get_ref().close_code(),
                    reason: close
                        .map(|close| close.reason.to_string())
                        .unwrap_or_default(),
                },
                Message::Frame(_) => continue,
            }));
        }
    }

    fn feed(&mut self, frame: Frame) -> Result<(), Lost> {
        let message = match frame {
            Frame::Text(bytes) => match Utf8Bytes::try_from(bytes) {
                Ok(text) => Message::Text(text),
                Err(error) => return Err(Lost::Io(error.to_string())),
            },
            Frame::Binary(bytes) => Message::Binary(bytes),
            Frame::Ping(bytes) => Message::Ping(bytes),
            Frame::Close { code, reason } => Message::Close(Some(CloseFrame {
                code: CloseCode::from(code),
                reason: Utf8Bytes::from_static(reason),
            })),
        };
        Pin::new(&mut self.stream)
            .start_send(message)
            .map_err(|error| self.lost(error))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        Pin::new(&mut self.stream)
            .poll_flush(cx)
            .map_err(|error| self.lost(error))
    }

    fn take_bytes(&mut self) -> (u64, u64) {
        self.stream.get_mut().inner_mut().wire_mut().take_bytes()
    }

    fn tcp_view(&self) -> Option<TcpView> {
        self.stream.get_ref().inner().wire().tcp_view()
    }
}

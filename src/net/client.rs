//! One connection without a plan: its messages go to the caller, and it answers pings, Closes and broken rules as a
//! session does. `examples/conformance` shows it to a suite of others.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use tokio::time::timeout;

use super::handshake::Request;
use super::resolvers::Resolvers;
use super::tcp_dialer::{Dial, Progress};
use super::transport::{Lost, Transport as _};
use super::way::{NotOpened, Opened, Way};
use super::websocket::WebSocket;
use crate::frame::{self, Frame, Room};
use crate::scenario::{FrameKind, Target, WsUrl};
use crate::time::Monotonic;

/// An open connection.
#[derive(Debug)]
pub struct Client {
    socket: WebSocket,
    room: Room,
    close_timeout: Duration,
    /// Whether one side has sent its Close.
    is_closing: bool,
}

/// What came, without what only the connection needs.
enum Came {
    Message(FrameKind, Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<u16>),
}

impl From<Frame<'_>> for Came {
    fn from(frame: Frame<'_>) -> Self {
        match frame {
            Frame::Text(text) => Self::Message(FrameKind::Text, text.to_vec()),
            Frame::Binary(bytes) => Self::Message(FrameKind::Binary, bytes.to_vec()),
            Frame::Ping(payload) => Self::Ping(payload.to_vec()),
            Frame::Pong(_) => Self::Pong,
            Frame::Close { code, .. } => Self::Close(code),
        }
    }
}

impl Client {
    /// Opens a connection to this server, with what `target` says of it.
    ///
    /// # Errors
    /// Why it did not open, in words.
    pub async fn open(url: &WsUrl, target: &Target) -> Result<Self, String> {
        let within = target.connect_timeout;
        let names = Resolvers::new(within);
        let way = Way::new(&url.origin(), &target.access, &names, false);
        let way = way.map_err(|error| error.to_string())?;
        let request = Request::new(url, &target.access.ask);
        let (clock, mut progress) = (Monotonic::start(), Progress::default());
        let compression = target.access.compression.as_ref();
        let dial = Dial::default();
        let opening = way.open(&request, compression, dial, &clock, &mut progress);
        let opened = match timeout(within, opening).await {
            Ok(opened) => opened,
            Err(_) => Err(NotOpened::from(progress.timed_out())),
        };
        let Opened {
            link,
            early,
            compressed,
            ..
        } = opened.map_err(|NotOpened { failure, .. }| {
            format!("{}: {}", failure.cause, failure.detail)
        })?;
        Ok(Self {
            socket: WebSocket::new(
                link.into(),
                early,
                target.max_message.as_usize(),
                compressed,
            ),
            room: Room::default(),
            close_timeout: target.close_timeout,
            is_closing: false,
        })
    }

    /// Waits for the next message; `None` once the connection has ended. Messages that come after a Close are left out.
    pub async fn next(&mut self) -> Option<(FrameKind, Vec<u8>)> {
        loop {
            let came = match self.is_closing {
                false => self.came().await,
                true => timeout(self.close_timeout, self.came()).await.ok()?,
            };
            match came {
                Ok(Came::Message(kind, message)) if !self.is_closing => {
                    return Some((kind, message));
                }
                Ok(Came::Ping(payload)) => self.feed(Frame::Pong(&payload)).await,
                Ok(Came::Close(code)) => self.close(frame::answer_to(code)).await,
                Ok(Came::Message(..) | Came::Pong) => {}
                Err(lost) => {
                    if let Some(code) = lost.code() {
                        self.close(Some(code)).await;
                    }
                    return None;
                }
            }
        }
    }

    /// Sends a message. One that cannot be sent is dropped: [`Self::next`] tells the end.
    pub async fn send(&mut self, kind: FrameKind, message: &[u8]) {
        let frame = match kind {
            FrameKind::Text => Frame::Text(message),
            FrameKind::Binary => Frame::Binary(message),
        };
        self.feed(frame).await;
    }

    async fn close(&mut self, code: Option<u16>) {
        self.feed(Frame::Close { code, reason: "" }).await;
        self.is_closing = true;
    }

    /// Sends a frame, unless a Close was sent.
    async fn feed(&mut self, frame: Frame<'_>) {
        if !self.is_closing {
            self.socket.feed(frame);
            // The next read tells why it failed.
            let _ = poll_fn(|cx| self.socket.poll_flush(cx)).await;
        }
    }

    async fn came(&mut self) -> Result<Came, Lost> {
        poll_fn(|cx| {
            let came = match self.socket.poll_event(cx, &mut self.room) {
                Poll::Ready(came) => Poll::Ready(came.map(Came::from)),
                Poll::Pending => Poll::Pending,
            };
            self.socket.leave(&mut self.room);
            came
        })
        .await
    }
}

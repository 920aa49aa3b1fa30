//! What a session needs of a connection: messages in, messages out, and the evidence about its end. And what a
//! client needs to get one.

use std::task::{Context, Poll};

use bytes::Bytes;

use super::clock::Clock;
use super::dial::Steps;
use super::handshake::Failure;
use super::wire::TcpEnd;
use crate::measure::TcpView;
use crate::metric::Cause;

/// Something the peer sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// A whole text message, valid UTF-8.
    Text(Bytes),
    /// A whole binary message.
    Binary(Bytes),
    /// A ping; its answer is queued already and goes out with the next flush.
    Ping,
    /// A pong.
    Pong(Bytes),
    /// A Close frame; its answer, where one is due, is queued already. `code` is `None` for an empty one.
    Close {
        /// As it was on the wire.
        code: Option<u16>,
        /// May be empty.
        reason: String,
    },
}

/// Something we send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    /// A text message. Must be UTF-8.
    Text(Bytes),
    /// A binary message.
    Binary(Bytes),
    /// At most 125 bytes.
    Ping(Bytes),
    /// Begins the close handshake. No frame may follow.
    Close {
        /// RFC 6455 section 7.4.
        code: u16,
        /// At most 123 bytes.
        reason: &'static str,
    },
}

/// Nothing more can come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lost {
    /// The peer ended TCP.
    Tcp(TcpEnd),
    /// The peer broke the protocol; what it did, and in words.
    Broken(Cause, String),
    /// The system failed, in its words.
    Io(String),
}

/// One WebSocket connection.
pub(super) trait Transport {
    /// The next thing the peer sent.
    ///
    /// # Errors
    /// When nothing more can come. Not to be called again then.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, Lost>>;

    /// Queues a frame; it goes out with the next flush.
    ///
    /// # Errors
    /// When nothing more can be sent.
    fn feed(&mut self, frame: Frame) -> Result<(), Lost>;

    /// Sends what is queued. Pending while the peer takes no more bytes.
    ///
    /// # Errors
    /// When nothing more can be sent.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>>;

    /// Bytes sent and received since the last call.
    fn take_bytes(&mut self) -> (u64, u64);

    /// The kernel's view of it; `None` where there is none.
    fn tcp_view(&self) -> Option<TcpView>;
}

/// Opens connections. Cheap to clone: every client has its own.
pub(super) trait Connector: Clone {
    /// What it opens.
    type Transport: Transport;

    /// Opens one connection, within `connect_timeout`. Without `auto_pong` the server's pings are not answered.
    async fn connect(
        &self,
        connection: u32,
        auto_pong: bool,
        clock: &dyn Clock,
    ) -> Result<(Self::Transport, Steps), Failure>;
}

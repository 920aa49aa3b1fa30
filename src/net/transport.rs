//! What a session needs of a connection: messages in, messages out, and the evidence about its end.

use std::task::{Context, Poll};

use super::end::TcpEnd;
use crate::frame::{Frame, Room};
use crate::measure::TcpView;
use crate::metric::Cause;
use crate::time::Clock;
use crate::time::Nanos;

/// What a bad client does below the frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// These bytes go out with the next flush, between two frames.
    Put(Vec<u8>),
    /// Ends our half of TCP; nothing goes out from now on.
    HalfClose,
    /// Ends TCP by a RST as soon as the transport is dropped.
    Reset,
    /// Takes and sends no packet; dropped like this, it ends without one.
    Vanish,
    /// Takes and sends packets again, first those that waited.
    Return,
}

/// Nothing more can come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The peer ended TCP.
    Tcp(TcpEnd),
    /// The peer broke the protocol; what it did, and in words.
    Broken(Cause, String),
    /// The system or TLS failed; which of them, and in words.
    Failed(Cause, String),
}

/// One WebSocket connection.
pub(crate) trait Transport {
    /// The next thing the peer sent, lent out of the room that all connections of a worker read into. Nothing is
    /// answered by itself.
    ///
    /// # Errors
    /// When nothing more can come. Not to be called again then.
    fn poll_event<'room>(
        &mut self,
        cx: &mut Context<'_>,
        room: &'room mut Room,
    ) -> Poll<Result<Frame<'room>, Lost>>;

    /// Ends this connection's turn to read: the room is another's from now on.
    fn leave(&mut self, room: &mut Room);

    /// Queues a frame; it goes out with the next flush.
    fn feed(&mut self, frame: Frame<'_>);

    /// Sends what is queued. Pending while the peer takes no more bytes.
    ///
    /// # Errors
    /// When nothing more can be sent.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>>;

    /// Waits for the end of TCP and reads nothing: what the kernel has seen by itself.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<TcpEnd>;

    /// Does what a bad client does.
    ///
    /// # Errors
    /// When the system does not let it.
    fn act(&mut self, act: Act) -> Result<(), Lost>;

    /// When what was received last reached this machine, or the end of TCP did; `None` unless that is watched.
    fn received_at(&self, clock: &dyn Clock) -> Option<Nanos>;

    /// Frames that came after a Close frame. Where the connection is not watched, the first of them ends it.
    fn frames_after_close(&self) -> u32;

    /// Our port.
    fn local_port(&self) -> Option<u16>;

    /// Bytes sent and received since the last call.
    fn take_bytes(&mut self) -> (u64, u64);

    /// The kernel's view of it; `None` where there is none.
    fn tcp_view(&self) -> Option<TcpView>;
}

//! The interface of a connection to its session: messages in, messages out, and the evidence of its end.

use std::net::SocketAddr;
use std::task::{Context, Poll};

use super::end::TcpEnd;
use crate::frame::{BROKEN, Frame, Packed, Packing, Room};
use crate::http::Answer;
use crate::measure::{By, Fitting, TcpView};
use crate::metric::Cause;
use crate::scenario::FrameKind;
use crate::time::Clock;
use crate::units::Timestamp;

/// The actions of a bad client below the frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// Sends these bytes with the next flush, between two frames.
    Put(Vec<u8>),
    /// Ends our half of TCP; nothing is sent after that.
    HalfClose,
    /// Ends TCP by a RST when the transport is dropped.
    Reset,
    /// Takes and sends no packets. If the transport is dropped in this state, TCP ends without a packet.
    Vanish,
    /// Takes and sends packets again, first those that waited.
    Return,
}

/// Why nothing more can come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The peer ended TCP.
    Tcp(TcpEnd),
    /// The peer broke the protocol: the cause, and a description.
    Broken(Cause, String),
    /// The system or TLS failed: the cause, and a description.
    Failed(Cause, String),
    /// We ended it, in a protocol that has no Close for the peer to answer.
    Closed,
}

impl Lost {
    /// The code of the Close that the peer gets (RFC 6455 section 7.1.7); `None` where it gets none.
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            Self::Broken(Cause::BadUtf8 | Cause::BadDeflate, _) => Some(1007),
            Self::Broken(Cause::MessageTooBig, _) => Some(1009),
            Self::Broken(..) => Some(BROKEN),
            Self::Tcp(_) | Self::Failed(..) | Self::Closed => None,
        }
    }
}

/// A message that was compressed before it is fed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PackedMessage<'a> {
    pub(crate) kind: FrameKind,
    pub(crate) bytes: &'a [u8],
    /// Its length before it was compressed.
    pub(crate) plain: usize,
}

/// One connection of a client, whose messages go to its session.
pub(crate) trait Transport {
    /// Returns the next frame that the peer sent, borrowed from the room that all connections of a worker read into.
    /// Answers nothing by itself.
    ///
    /// # Errors
    /// When nothing more can come. Must not be called again after that.
    fn poll_event<'room>(
        &mut self,
        cx: &mut Context<'_>,
        room: &'room mut Room,
    ) -> Poll<Result<Frame<'room>, Lost>>;

    /// Returns the value of `Host` in requests of HTTP; `None` on a WebSocket.
    fn host(&self) -> Option<&str> {
        None
    }

    /// Returns the value of `Cookie` in a request of HTTP for this path; `None` without cookies.
    fn cookies(&self, _target: &str) -> Option<Vec<u8>> {
        None
    }

    /// Returns the HTTP answer whose body the last message is, without that body; `None` on a WebSocket.
    fn answer(&self) -> Option<&Answer> {
        None
    }

    /// Returns whether a part of a message has come, and the rest is awaited.
    fn is_amid(&self) -> bool {
        false
    }

    /// Ends this connection's turn to read: another connection uses the room after that.
    fn leave(&mut self, room: &mut Room);

    /// Names what sends the frame that is queued next. Only a connection that is traced keeps it.
    fn sends(&mut self, _by: By) {}

    /// Tells what the frame that is queued next says, where its bytes do not. Only a connection that is traced keeps it.
    fn says(&mut self, _text: &[u8]) {}

    /// Tells which message of the last frame is looked at. Only a connection that is traced keeps it.
    fn came(&mut self, _kind: FrameKind, _message: &[u8]) {}

    /// Names what took the last message, and how that fits. `saved` is what its client keeps of messages by now, which
    /// must not be shown. Only a connection that is traced keeps it.
    fn took(&mut self, _by: By, _fitting: Fitting, _saved: &[Vec<u8>]) {}

    /// Tells why the connection has ended. Only a connection that is traced keeps it.
    fn ended(&mut self, _why: &str) {}

    /// Queues a frame; it is sent with the next flush.
    fn feed(&mut self, frame: Frame<'_>);

    /// Returns the extension that was agreed on; `None` without one.
    fn extension(&self) -> Option<String> {
        None
    }

    /// Returns the version of TLS and how its session began, such as "1.3 full"; `None` without TLS.
    fn tls(&self) -> Option<String> {
        None
    }

    /// Returns the address that was dialled; `None` over a Unix socket, and where it is not known.
    fn peer(&self) -> Option<SocketAddr> {
        None
    }

    /// Returns the end of the validity of the server's certificate, in seconds since 1970; `None` without TLS.
    fn certificate_expires(&self) -> Option<i64> {
        None
    }

    /// Returns the number of the TCP connection of HTTP/2 that it is a stream of; `None`: it has one of its own.
    fn carrier(&self) -> Option<u32> {
        None
    }

    /// Returns how messages are to be compressed before they are fed; `None`: they are not.
    fn packing(&self) -> Option<Packing> {
        None
    }

    /// Queues a compressed message. Only called if [`Self::packing`] returned something.
    fn feed_packed(&mut self, _message: PackedMessage<'_>) {}

    /// Returns the compressed messages that were sent and received since the last call; `None` if none can be.
    fn take_packed(&mut self) -> Option<(Packed, Packed)> {
        None
    }

    /// Sends what is queued. Pending while the peer accepts no more bytes.
    ///
    /// # Errors
    /// When nothing more can be sent.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>>;

    /// Waits for the end of TCP without reading, as the kernel sees it.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<TcpEnd>;

    /// Ends it after both sides have said Close and the server has not ended it in time. Returns the end, if that is in
    /// order: of a stream of HTTP/2, but not of TCP.
    fn give_up(&mut self) -> Option<Lost> {
        None
    }

    /// Carries out an action of a bad client.
    ///
    /// # Errors
    /// When the system does not allow it.
    fn act(&mut self, act: Act) -> Result<(), Lost>;

    /// Returns when the last received data, or the end of TCP, reached this machine; `None` unless the transport
    /// records that.
    fn received_at(&self, clock: &dyn Clock) -> Option<Timestamp>;

    /// The number of frames that came after a Close frame. Unless arrival times are recorded, the first such frame ends
    /// the connection.
    fn frames_after_close(&self) -> u32;

    /// Returns the local port.
    fn local_port(&self) -> Option<u16>;

    /// Bytes sent and received since the last call.
    fn take_bytes(&mut self) -> (u64, u64);

    /// Returns the kernel's view of the connection; `None` if there is none.
    fn tcp_view(&self) -> Option<TcpView>;
}

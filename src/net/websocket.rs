//! The real transport: frames over a link and a wire. Answers nothing by itself.

use std::hash::{BuildHasher as _, RandomState};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use super::channel::Channel;
use super::compressed::Compressed;
use super::end::TcpEnd;
use super::transport::{Act, Lost, PackedMessage, Transport};
use crate::frame::{Broken, Frame, Packed, Packing, Reader, Room, Writer};
use crate::measure::TcpView;
use crate::metric::Cause;
use crate::scenario::FrameKind;
use crate::time::Clock;
use crate::units::Timestamp;

/// A WebSocket connection after its handshake.
#[derive(Debug)]
pub(crate) struct WebSocket {
    channel: Channel,
    reader: Reader,
    writer: Writer,
    /// Bytes that were read and not taken yet.
    left: Vec<u8>,
    /// Whether writing is suspended, because the client vanished.
    is_held: bool,
    /// What it has besides where compression was agreed on.
    compressed: Option<Box<Compressed>>,
}

impl WebSocket {
    /// Accepts messages of up to `max_message` bytes. `already_read` are bytes that came with the handshake.
    pub(crate) fn new(
        channel: Channel,
        already_read: Vec<u8>,
        max_message: usize,
        compressed: Option<Box<Compressed>>,
    ) -> Self {
        Self {
            channel,
            reader: Reader::new(max_message),
            // A new random key each time, so that the masks cannot be predicted.
            writer: Writer::new(RandomState::new().hash_one(())),
            left: already_read,
            is_held: false,
            compressed,
        }
    }

    /// Returns whether frames after a Close frame end the connection. If it is watched, they are counted instead.
    fn breaks_silence(&self) -> bool {
        self.reader.after_close() > 0 && !self.channel.is_watched()
    }
}

#[cold]
fn broken(rule: Broken) -> Lost {
    let cause = match rule {
        Broken::BadUtf8 | Broken::BadReason => Cause::BadUtf8,
        Broken::BadDeflate => Cause::BadDeflate,
        Broken::TooBig { .. } => Cause::MessageTooBig,
        _ => Cause::ProtocolError,
    };
    Lost::Broken(cause, rule.to_string())
}

impl Transport for WebSocket {
    fn poll_event<'room>(
        &mut self,
        cx: &mut Context<'_>,
        room: &'room mut Room,
    ) -> Poll<Result<Frame<'room>, Lost>> {
        let found = loop {
            room.enter(&mut self.left);
            let inflation = self.compressed.as_mut().map(|it| &mut it.inflation);
            match self.reader.next(room, inflation) {
                Ok(Some(found)) => break found,
                Ok(None) if self.breaks_silence() => {
                    let why = "a frame after its Close frame".to_owned();
                    return Poll::Ready(Err(Lost::Broken(Cause::ProtocolError, why)));
                }
                Ok(None) if !self.left.is_empty() => continue,
                Ok(None) => {}
                Err(rule) => return Poll::Ready(Err(broken(rule))),
            }
            if !room.may_read() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let mut space = ReadBuf::new(room.space());
            let read = ready!(Pin::new(&mut self.channel).poll_read(cx, &mut space));
            match (read, space.filled().len()) {
                (Ok(()), 0) => {
                    let end = self.channel.end();
                    return Poll::Ready(Err(Lost::Tcp(end.unwrap_or(TcpEnd::Fin))));
                }
                (Ok(()), read) => room.filled(read),
                (Err(error), _) => return Poll::Ready(Err(self.channel.lost(&error))),
            }
        };
        Poll::Ready(Ok(found.lend(room)))
    }

    #[inline]
    fn is_amid(&self) -> bool {
        !self.left.is_empty() || self.reader.is_amid()
    }

    fn leave(&mut self, room: &mut Room) {
        room.leave(&mut self.left);
    }

    #[inline]
    fn feed(&mut self, frame: Frame<'_>) {
        match &mut self.compressed {
            None => self.writer.add(frame),
            Some(compressed) => compressed.feed(frame, &mut self.writer),
        }
    }

    fn extension(&self) -> Option<String> {
        Some(self.compressed.as_ref()?.agreed.to_string())
    }

    fn tls(&self) -> Option<String> {
        self.channel.tls_began()
    }

    fn carrier(&self) -> Option<u32> {
        self.channel.carrier()
    }

    #[inline]
    fn packing(&self) -> Option<Packing> {
        self.compressed.as_ref()?.packing()
    }

    fn feed_packed(&mut self, message: PackedMessage<'_>) {
        if let Some(compressed) = &mut self.compressed {
            let is_text = message.kind == FrameKind::Text;
            compressed.add(is_text, message.bytes, message.plain, &mut self.writer);
        }
    }

    #[inline]
    fn take_packed(&mut self) -> Option<(Packed, Packed)> {
        Some(self.compressed.as_mut()?.take_counts())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        // Needs no waker: the call that resumes writing also flushes again.
        if self.is_held {
            return Poll::Pending;
        }
        while !self.writer.unwritten().is_empty() {
            match ready!(Pin::new(&mut self.channel).poll_write(cx, self.writer.unwritten())) {
                Ok(0) => return Poll::Ready(Err(self.channel.lost(&ErrorKind::WriteZero.into()))),
                Ok(written) => self.writer.wrote(written),
                Err(error) => return Poll::Ready(Err(self.channel.lost(&error))),
            }
        }
        let flushed = ready!(Pin::new(&mut self.channel).poll_flush(cx));
        Poll::Ready(flushed.map_err(|error| self.channel.lost(&error)))
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<TcpEnd> {
        self.channel.poll_end(cx)
    }

    fn act(&mut self, act: Act) -> Result<(), Lost> {
        let channel = &mut self.channel;
        let done = match &act {
            Act::Put(bytes) => {
                self.writer.add_raw(bytes);
                Ok(())
            }
            Act::HalfClose => {
                self.writer.clear();
                channel.half_close()
            }
            Act::Reset => channel.reset(),
            Act::Vanish => {
                self.is_held = true;
                channel.vanish()
            }
            Act::Return => {
                self.is_held = false;
                channel.come_back()
            }
        };
        done.map_err(|error| Lost::Failed(Cause::Io, error.to_string()))
    }

    fn give_up(&mut self) -> Option<Lost> {
        let Channel::Stream(stream) = &mut self.channel else {
            return None;
        };
        stream.give_up();
        Some(Lost::Closed)
    }

    fn received_at(&self, clock: &dyn Clock) -> Option<Timestamp> {
        let arrived = self.channel.arrived()?;
        Some(clock.at(arrived))
    }

    fn frames_after_close(&self) -> u32 {
        self.reader.after_close()
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.channel.peer()
    }

    fn certificate_expires(&self) -> Option<i64> {
        Some(self.channel.tls_agreed()?.certificate?.expires)
    }

    fn local_port(&self) -> Option<u16> {
        self.channel.local_port()
    }

    fn take_bytes(&mut self) -> (u64, u64) {
        self.channel.take_bytes()
    }

    fn tcp_view(&self) -> Option<TcpView> {
        self.channel.tcp_view()
    }
}

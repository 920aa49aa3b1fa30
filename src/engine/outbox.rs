//! The sending side of a session: feeds frames, flushes once for all that is due, and notices when the peer
//! takes no more.

use std::task::{Context, Poll};

use super::transport::{Frame, Lost, Transport};

/// Bytes of messages fed before a flush, at most: a backlog stays an index, it does not become a buffer.
const MESSAGES_AT_ONCE: usize = 64 * 1024;
/// Bytes of pings on top of that. They are fed to a peer that takes nothing too: their deadlines find it out.
const PINGS_AT_ONCE: usize = 16 * 1024;
/// The longest header of a frame with its mask, and the longest payload of a control frame (RFC 6455 section 5.2).
const HEADER: usize = 14;
const CONTROL: usize = 125;

/// What is fed and not flushed.
#[derive(Debug)]
pub(super) struct Outbox {
    messages: usize,
    pings: usize,
    /// Bytes fed before a flush, at most. Zero: none is to be fed any more.
    most_messages: usize,
    most_pings: usize,
    dirty: bool,
    blocked: bool,
    lost: Option<Lost>,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            messages: 0,
            pings: 0,
            most_messages: MESSAGES_AT_ONCE,
            most_pings: PINGS_AT_ONCE,
            dirty: false,
            blocked: false,
            lost: None,
        }
    }
}

impl Outbox {
    /// No more than this is fed between two flushes, for messages and pings of at most this length: the last of each
    /// may begin below its bound and end beyond. A Close and the answer to a ping come on top.
    pub(super) const fn limit(longest: usize) -> usize {
        let longest = if longest > CONTROL { longest } else { CONTROL };
        MESSAGES_AT_ONCE + PINGS_AT_ONCE + 2 * (longest + HEADER) + 2 * (CONTROL + HEADER)
    }

    /// Whether a message may be fed now.
    pub(super) fn has_room(&self) -> bool {
        !self.blocked && self.lost.is_none() && self.messages < self.most_messages
    }

    /// Whether a ping may be fed now.
    pub(super) fn has_room_for_ping(&self) -> bool {
        self.lost.is_none() && self.pings < self.most_pings
    }

    /// There is never room for a message again.
    pub(super) fn hold_messages(&mut self) {
        self.most_messages = 0;
    }

    /// There is never room for a message or a ping again.
    pub(super) fn hold_all(&mut self) {
        self.most_messages = 0;
        self.most_pings = 0;
    }

    /// Queues a message, or our Close. Failures are told by [`Self::take_lost`], after what was received before them
    /// is taken.
    pub(super) fn feed<T: Transport>(&mut self, transport: &mut T, frame: Frame) {
        self.messages += length(&frame);
        self.queue(transport, frame);
    }

    /// Queues a ping, of either kind.
    pub(super) fn feed_ping<T: Transport>(&mut self, transport: &mut T, frame: Frame) {
        self.pings += length(&frame);
        self.queue(transport, frame);
    }

    fn queue<T: Transport>(&mut self, transport: &mut T, frame: Frame) {
        if self.lost.is_some() {
            return;
        }
        self.dirty = true;
        if let Err(lost) = transport.feed(frame) {
            self.lost = Some(lost);
        }
    }

    /// Something else was queued.
    pub(super) fn ask_flush(&mut self) {
        self.dirty = true;
    }

    /// Whether a flush has something to do that it has not been refused.
    pub(super) fn wants_flush(&self) -> bool {
        self.dirty && !self.blocked && self.lost.is_none()
    }

    /// Whether the peer takes no more bytes.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Sends what is queued, and says whether there was anything.
    pub(super) fn flush<T: Transport>(&mut self, transport: &mut T, cx: &mut Context<'_>) -> bool {
        if !self.dirty || self.lost.is_some() {
            return false;
        }
        match transport.poll_flush(cx) {
            Poll::Ready(Ok(())) => {
                self.dirty = false;
                self.blocked = false;
                self.messages = 0;
                self.pings = 0;
            }
            Poll::Ready(Err(lost)) => self.lost = Some(lost),
            Poll::Pending => self.blocked = true,
        }
        true
    }

    /// Why nothing more can be sent.
    pub(super) fn take_lost(&mut self) -> Option<Lost> {
        self.lost.take()
    }
}

/// On the wire, at most.
fn length(frame: &Frame) -> usize {
    HEADER
        + match frame {
            Frame::Text(bytes) | Frame::Binary(bytes) | Frame::Ping(bytes) => bytes.len(),
            Frame::Close { .. } => CONTROL,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::clock::Clock;
    use crate::engine::transport::{Act, Event};
    use crate::engine::wire::TcpEnd;
    use crate::measure::TcpView;
    use crate::plan::Nanos;
    use bytes::Bytes;

    /// Counts bytes as they are on the wire, and takes none.
    #[derive(Default)]
    struct Full(usize);

    impl Transport for Full {
        fn poll_event(&mut self, _: &mut Context<'_>) -> Poll<Result<Event, Lost>> {
            Poll::Pending
        }

        fn feed(&mut self, frame: Frame) -> Result<(), Lost> {
            self.0 += match frame {
                Frame::Text(bytes) | Frame::Binary(bytes) | Frame::Ping(bytes) => match bytes.len()
                {
                    0..126 => 6 + bytes.len(),
                    126..65_536 => 8 + bytes.len(),
                    more => 14 + more,
                },
                Frame::Close { reason, .. } => 8 + reason.len(),
            };
            Ok(())
        }

        fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Lost>> {
            Poll::Pending
        }

        fn poll_end(&mut self, _: &mut Context<'_>) -> Poll<TcpEnd> {
            Poll::Pending
        }

        fn act(&mut self, act: Act) -> Result<(), Lost> {
            unreachable!("{act:?}")
        }

        fn received_at(&self, _: &dyn Clock) -> Option<Nanos> {
            None
        }

        fn frames_after_close(&self) -> u32 {
            0
        }

        fn local_port(&self) -> Option<u16> {
            None
        }

        fn take_bytes(&mut self) -> (u64, u64) {
            (0, 0)
        }

        fn tcp_view(&self) -> Option<TcpView> {
            None
        }
    }

    #[test]
    fn what_is_fed_stays_within_the_limit_whatever_its_length() {
        for length in [0, 1, 64, 125, 126, 5_000, 65_535, 65_536, 1_000_000] {
            let (mut outbox, mut transport) = (Outbox::default(), Full::default());
            let bytes = Bytes::from(vec![b'x'; length]);
            let mut frames = 0;
            while outbox.has_room() {
                outbox.feed(&mut transport, Frame::Text(bytes.clone()));
                frames += 1;
            }
            while outbox.has_room_for_ping() {
                outbox.feed_ping(&mut transport, Frame::Text(bytes.clone()));
                frames += 1;
            }
            assert!(frames >= 2);
            let reason = "heartbeat timeout";
            let code = Some(1011);
            outbox.feed(&mut transport, Frame::Close { code, reason });
            assert!(
                transport.0 <= Outbox::limit(length),
                "{length}: {}",
                transport.0
            );
        }
    }
}

//! The sending side of a session: feeds frames, flushes once for all that is due, and notices when the peer
//! takes no more.

use std::task::{Context, Poll};

use super::transport::{Frame, Lost, Transport};

/// Fed before a flush, at most: a backlog stays an index, it does not become a buffer.
const BYTES_AT_ONCE: usize = 64 * 1024;

/// What is fed and not flushed.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    fed: usize,
    dirty: bool,
    blocked: bool,
    lost: Option<Lost>,
}

impl Outbox {
    /// More than what is fed between two flushes, for frames this long.
    pub(super) const fn limit(longest_frame: usize) -> usize {
        BYTES_AT_ONCE + 2 * longest_frame + 4096
    }

    /// Whether a message may be fed now.
    pub(super) fn has_room(&self) -> bool {
        !self.blocked && self.lost.is_none() && self.fed < BYTES_AT_ONCE
    }

    /// Queues a frame. Failures are told by [`Self::take_lost`], after what was received before them is taken.
    pub(super) fn feed<T: Transport>(&mut self, transport: &mut T, frame: Frame) {
        if self.lost.is_some() {
            return;
        }
        self.fed += match &frame {
            Frame::Text(bytes) | Frame::Binary(bytes) | Frame::Ping(bytes) => bytes.len(),
            Frame::Close { .. } => 0,
        };
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
                self.fed = 0;
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

//! The receiving side of a session: passes messages and pongs on to the metrics; a Close frame begins the end.

use std::task::{Context, Poll};

use super::inbox;
use super::{Lazy, NORMAL, Session, State};
use crate::engine::play::Play;
use crate::engine::shared::Shared;
use crate::frame::{Frame, Room, answer_to};
use crate::measure::EndedBy;
use crate::metric::Side;
use crate::net::{Lost, Transport};
use crate::scenario::FrameKind;
use crate::units::Timestamp;

impl<T: Transport> Session<T> {
    /// Takes what has come, up to what its transport reads in one turn. Returns how the connection was lost, if it was.
    pub(super) fn receive(
        &mut self,
        play: &mut Play,
        shared: &Shared,
        cx: &mut Context<'_>,
        now: Timestamp,
    ) -> Option<Lost> {
        let mut room = shared.room.borrow_mut();
        let lost = self.receive_all(play, shared, cx, &mut room, now);
        self.transport.leave(&mut room);
        lost
    }

    fn receive_all(
        &mut self,
        play: &mut Play,
        shared: &Shared,
        cx: &mut Context<'_>,
        room: &mut Room,
        now: Timestamp,
    ) -> Option<Lost> {
        loop {
            if !self.reads() {
                return self.await_end(shared, cx, now);
            }
            match self.transport.poll_event(cx, room) {
                Poll::Ready(Ok(event)) => self.take(event, play, shared, now),
                Poll::Ready(Err(lost)) => return Some(self.outbox.take_broken().unwrap_or(lost)),
                Poll::Pending => return self.outbox.take_lost(),
            }
        }
    }

    fn take(&mut self, event: Frame<'_>, play: &mut Play, shared: &Shared, now: Timestamp) {
        let at = self.received_at(shared, now);
        self.last_received = Some(at);
        match event {
            Frame::Text(bytes) => {
                inbox::messages(self, play, shared, (bytes, FrameKind::Text), at, now);
            }
            Frame::Binary(bytes) => {
                inbox::messages(self, play, shared, (bytes, FrameKind::Binary), at, now);
            }
            Frame::Pong(bytes) => {
                self.note(|recorder| recorder.answer(at));
                self.pong(shared, bytes, at);
            }
            Frame::Ping(bytes) => self.server_ping(Some(Frame::Pong(bytes)), shared, at),
            Frame::Close { code, reason } => self.take_close(code, reason, shared, at, now),
        }
    }

    fn take_close(
        &mut self,
        code: Option<u16>,
        reason: &str,
        shared: &Shared,
        at: Timestamp,
        now: Timestamp,
    ) {
        // Counts the bytes now: what is sent after this is our answer to the Close, and no activity.
        self.count_bytes(shared, now);
        let is_answered = self.closed_by_peer(now);
        self.note(|recorder| recorder.close_received(at, code, reason));
        self.evidence.received.get_or_insert(code);
        self.evidence.reason = reason.into();
        if self.state == State::Live {
            if is_answered {
                let answer = answer_to(code);
                self.outbox.feed_close(&mut self.transport, answer, "");
            }
            self.evidence.sent = Some((code.unwrap_or(NORMAL), Side::Peer));
            self.closing(EndedBy::Server, shared, now);
        }
    }

    /// Sends what is queued, once, after nothing more can be read: the answer to the server's Close, or our Close if
    /// the server broke the protocol (RFC 6455 section 7.1.7).
    #[cold]
    pub(super) fn send_final_close(&mut self, lost: &Lost, cx: &mut Context<'_>) {
        let code = lost.code();
        if code.is_some() && !self.is_closing() {
            self.outbox.feed_close(&mut self.transport, code, "");
        }
        self.outbox.flush(&mut self.transport, cx);
    }

    /// Returns when the data that is taken now reached this machine; `now` if that is not recorded. It can be later
    /// than `now`, because the thread may be preempted between reading the clock and reading the socket.
    ///
    /// Where a segment was lost, the stamp is of the last one in order, and those before it came later. One that reads all that
    /// it finds has found nothing at its look before, so all of it cannot have been there then.
    #[inline]
    pub(super) fn received_at(&self, shared: &Shared, now: Timestamp) -> Timestamp {
        let Some(at) = self.transport.received_at(&*shared.clock) else {
            return now;
        };
        let least = match self.lazy {
            Lazy::No => self.opened,
            Lazy::Yes | Lazy::Looks => self.opened.max(shared.looks.before()),
        };
        at.max(least.min(now))
    }
}

//! Where a session takes what has come: messages and pongs go on to the numbers, a Close frame begins the end.

use std::task::{Context, Poll};

use super::exchange::Exchange;
use super::inbox;
use super::session::{EVENTS_AT_ONCE, NORMAL, Session, State};
use super::shared::Shared;
use super::transport::{Event, Lost, Transport};
use crate::measure::EndedBy;
use crate::metric::Side;
use crate::plan::Nanos;

impl<T: Transport> Session<T> {
    /// Takes what has come, up to its share. Says how the connection was lost, if it was.
    pub(super) fn receive(
        &mut self,
        exchanges: &mut [Exchange],
        shared: &Shared,
        cx: &mut Context<'_>,
        now: Nanos,
        taken: &mut usize,
    ) -> Option<Lost> {
        while *taken < EVENTS_AT_ONCE {
            if !self.reads() {
                return self.await_end(shared, cx, now);
            }
            match self.transport.poll_event(cx) {
                Poll::Ready(Ok(event)) => self.take(event, exchanges, shared, now),
                Poll::Ready(Err(lost)) => return Some(lost),
                Poll::Pending => return self.outbox.take_lost(),
            }
            *taken += 1;
        }
        None
    }

    fn take(&mut self, event: Event, exchanges: &mut [Exchange], shared: &Shared, now: Nanos) {
        let at = self.received_at(shared, now);
        self.last_received = Some(at);
        match event {
            Event::Text(bytes) => {
                self.note(|diary| diary.answer(at));
                inbox::message(self, exchanges, shared, &bytes, true, now);
            }
            Event::Binary(bytes) => {
                self.note(|diary| diary.answer(at));
                inbox::message(self, exchanges, shared, &bytes, false, now);
            }
            Event::Pong(bytes) => {
                self.note(|diary| diary.answer(at));
                inbox::pong(self, shared, &bytes, at);
            }
            Event::Ping(bytes) => {
                self.outbox.ask_flush();
                let is_answered = match &mut self.misconduct {
                    Some(misconduct) => misconduct.faults.ping(&bytes, at),
                    None => !shared.plan.is_mute(self.cohort),
                };
                self.note(|diary| diary.ping(at, is_answered));
                inbox::server_ping(self, shared, at);
            }
            Event::Close { code, reason } => self.take_close(code, reason, shared, at, now),
        }
    }

    fn take_close(
        &mut self,
        code: Option<u16>,
        reason: String,
        shared: &Shared,
        at: Nanos,
        now: Nanos,
    ) {
        // What is sent from here on is our answer, and no sign of life.
        self.count_bytes(shared, now);
        if let Err(lost) = self.closed_by_peer(now) {
            self.evidence.lost = Some(lost);
        }
        self.note(|diary| diary.close_received(at, code, &reason));
        self.evidence.received.get_or_insert(code);
        self.evidence.reason = reason;
        if self.state == State::Live {
            self.evidence.sent = Some((code.unwrap_or(NORMAL), Side::Peer));
            self.closing(EndedBy::Server, shared, now);
            self.outbox.ask_flush();
        }
    }

    /// When what is taken now reached this machine; now, where that is not watched. It can have come since this turn
    /// began, for a busy machine may put us aside between a look at the clock and a read.
    pub(super) fn received_at(&self, shared: &Shared, now: Nanos) -> Nanos {
        if self.diary.is_none() {
            return now;
        }
        let at = self.transport.received_at(&*shared.clock);
        at.map_or(now, |at| at.max(self.opened.min(now)))
    }
}

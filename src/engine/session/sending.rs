//! What a client sends on its connection, and what it asks of its session.

use super::cause::Redial;
use super::{NORMAL, Session, SessionEvent};
use crate::engine::play::{Ask, Play, Task};
use crate::engine::shared::Shared;
use crate::measure::EndedBy;
use crate::metric::{Cause, Counter, Timer};
use crate::net::Transport;
use crate::units::Timestamp;

impl<T: Transport> Session<T> {
    /// Counts the messages whose answers are overdue.
    pub(super) fn expire(&mut self, play: &mut Play, shared: &Shared, now: Timestamp) {
        if play.expires() > now {
            return;
        }
        let client = shared.plan.client(self.cohort, self.connection);
        {
            let facts = &mut *shared.facts.borrow_mut();
            while let Some(lapsed) = play.expire(client, now, facts) {
                if !lapsed.is_setup {
                    shared.record(self.cohort, lapsed.intended, |cells| {
                        cells.count(Counter::MessagesTimedOut);
                    });
                }
            }
        }
        self.book(shared, now);
    }

    /// Records what the client's part told, and changes the topics that it is in.
    #[inline]
    pub(in crate::engine) fn book(&mut self, shared: &Shared, now: Timestamp) {
        if !shared.facts.borrow().is_empty() {
            self.book_all(shared, now);
        }
    }

    #[inline(never)]
    fn book_all(&mut self, shared: &Shared, now: Timestamp) {
        let client = shared.plan.client(self.cohort, self.connection);
        let listener = self.listener.as_deref_mut();
        shared.moves(client, &mut shared.facts.borrow_mut().moves, listener, now);
        shared.book(self.cohort);
    }

    /// Lets the client's part do what it does by itself, and does what it asks for.
    #[inline(never)]
    pub(super) fn talk(
        &mut self,
        play: &mut Play,
        shared: &Shared,
        now: Timestamp,
        stop: Timestamp,
    ) -> Option<SessionEvent> {
        let client = shared.plan.client(self.cohort, self.connection);
        {
            let facts = &mut shared.facts.borrow_mut();
            if now >= stop {
                play.stop(client, stop, now, facts);
            } else {
                play.run(client, now, shared.state.measure_from(), facts);
            }
        }
        self.book(shared, now);
        match play.ask()? {
            Ask::Ready => return Some(SessionEvent::Ready),
            // What is due at the same time goes first: a planned end cuts nothing off.
            Ask::Close { code, reason } => {
                self.send(play, shared, now, stop);
                self.close(Some(code), &reason, EndedBy::Plan, shared, now);
            }
            Ask::Reconnect { after } => {
                self.send(play, shared, now, stop);
                self.evidence.dials_again = Some(Box::new(Redial::After(after)));
                self.close(Some(NORMAL), "", EndedBy::Plan, shared, now);
            }
            Ask::Fail {
                cause,
                detail,
                redials,
            } => {
                self.evidence.failed = Some(Box::new((cause, detail)));
                if redials || cause == Cause::SetupFailed {
                    self.evidence.dials_again = Some(Box::new(Redial::AsAfterLoss));
                }
                self.close(Some(NORMAL), "", EndedBy::Plan, shared, now);
            }
        }
        None
    }

    pub(super) fn send(
        &mut self,
        play: &mut Play,
        shared: &Shared,
        now: Timestamp,
        stop: Timestamp,
    ) {
        let client = shared.plan.client(self.cohort, self.connection);
        let mut turn = 0;
        let mut facts = shared.facts.borrow_mut();
        while self.outbox.has_room()
            && let Some(task) = play.due(client, &mut turn, now, stop, &mut facts)
        {
            match task {
                Task::GiveUp(lapsed) if lapsed.is_setup => {}
                Task::GiveUp(lapsed) => self.not_sent(shared, lapsed.intended, now),
                Task::Send(due) => {
                    self.feed(&due, play, shared, now);
                    play.sent(client, &due, now, &mut facts);
                    if !facts.moves.is_empty() {
                        let listener = self.listener.as_deref_mut();
                        shared.moves(client, &mut facts.moves, listener, now);
                    }
                    if due.is_setup {
                        continue;
                    }
                    let held = self.held.as_mut();
                    let is_held_up = held.is_some_and(|held| held.sends(due.intended, now));
                    shared.record(self.cohort, due.intended, |cells| {
                        cells.count(Counter::MessagesDue);
                        cells.count(Counter::MessagesSent);
                        if is_held_up {
                            cells.count(Counter::MessagesHeldUp);
                        }
                        cells.time(Timer::ScheduleLateness, now.saturating_since(due.intended));
                    });
                }
            }
        }
        drop(facts);
        self.book(shared, now);
    }

    /// Counts a message that was due on this connection and is never sent.
    pub(in crate::engine) fn not_sent(&self, shared: &Shared, intended: Timestamp, now: Timestamp) {
        unsent(shared, self.cohort, intended, Counter::MessagesNotSent);
        let held = self.held.as_ref();
        if held.is_some_and(|held| held.is_why(intended, now)) {
            shared.record(self.cohort, intended, |cells| {
                cells.count(Counter::MessagesNotTaken);
            });
        }
    }
}

/// Counts a message that was due and is never sent; `why` is the counter for the reason.
pub(in crate::engine) fn unsent(shared: &Shared, cohort: usize, intended: Timestamp, why: Counter) {
    shared.record(cohort, intended, |cells| {
        cells.count(Counter::MessagesDue);
        cells.count(why);
    });
}

//! The end of a session: when it is due, the close handshake, the end of TCP, and what is recorded of it.

use super::cause::{self, NO_CODE, Verdict};
use super::{Begin, Redial, Session, State};
use crate::engine::heart::Heart;
use crate::engine::play::Play;
use crate::engine::shared::Shared;
use crate::measure::{self, ConnectionRecord, EndedBy, Ending};
use crate::metric::{Side, Timer};
use crate::net::{Lost, Transport};
use crate::scenario::OnDead;
use crate::units::{Nanos, Timestamp};

impl<T: Transport> Session<T> {
    /// Returns when this connection stops: at the end of its own time, or at its turn in `ramp_down`, which a signal
    /// cuts short. No message is due on it from then on, and it is closed once no answer is due.
    pub(super) fn stop(&self, shared: &Shared) -> Timestamp {
        let turn = shared.state.end().saturating_add(self.ramp_down);
        self.stop_at.min(turn).min(shared.state.answers_until())
    }

    /// Returns when this connection stops if its own time ends with its steps: now, if they have just been played.
    pub(super) fn stop_behind_steps(
        &mut self,
        play: &Play,
        shared: &Shared,
        now: Timestamp,
    ) -> Timestamp {
        let client = shared.plan.client(self.cohort, self.connection);
        if play.is_played(client) {
            self.stop_at = self.stop_at.min(now);
        }
        self.stop(shared)
    }

    /// Returns until when the end of TCP is waited for. A held connection is kept to the end of the run. A signal cuts
    /// both short.
    pub(super) fn gives_up_at(
        &self,
        deadline: Timestamp,
        shared: &Shared,
        now: Timestamp,
    ) -> Timestamp {
        let gives_up_at = if self.is_held(now) {
            deadline.max(self.stop(shared))
        } else {
            deadline
        };
        gives_up_at.min(shared.state.drained_by())
    }

    /// Puts the deadline for the end of TCP off once, by a tenth of `close_timeout`, if it is checked later than that:
    /// the worker was stopped, and may not have read what came meanwhile. Returns whether it did.
    pub(super) fn puts_off(&mut self, due: Timestamp, shared: &Shared, now: Timestamp) -> bool {
        let tenth = Nanos::from(shared.plan.scenario.target.close_timeout) / 10;
        match &mut self.state {
            State::Closing {
                deadline, put_off, ..
            } if !*put_off && now.saturating_since(due) > tenth => {
                *put_off = true;
                *deadline = now.saturating_add(tenth);
                true
            }
            _ => false,
        }
    }

    /// Returns until when pings are due: to its `stop`, and on to its Close while it waits for an answer to a message,
    /// because what cuts idle connections would cut it then.
    pub(super) fn pings_until(
        &self,
        play: &Play,
        shared: &Shared,
        stop: Timestamp,
        now: Timestamp,
    ) -> Timestamp {
        let is_quiet = play.is_settled() && now >= self.listens_until(shared, stop);
        if now < stop || is_quiet {
            stop
        } else {
            Timestamp::NEVER
        }
    }

    /// Returns whether no answer is waited for, no pong to a ping that was due before `stop`, and nothing that others
    /// published; or whether a signal came, and no time is left for them.
    pub(super) fn is_settled(
        &self,
        play: &Play,
        shared: &Shared,
        stop: Timestamp,
        now: Timestamp,
    ) -> bool {
        let has_heard_all = play.is_settled()
            && (self.heart.as_ref()).is_none_or(|heart| heart.is_settled(stop))
            && now >= self.listens_until(shared, stop);
        has_heard_all || now >= shared.state.answers_until()
    }

    /// Returns until when it stays to hear what others published: only if it stays to the end of the load.
    pub(super) fn listens_until(&self, shared: &Shared, stop: Timestamp) -> Timestamp {
        let mut listener = self.listener.iter();
        match listener.any(|listener| listener.is_member()) && stop >= shared.state.end() {
            true => shared.listens_until(),
            false => Timestamp::ORIGIN,
        }
    }

    /// Leaves the topics that it is in: it hears no more, or not for certain.
    pub(in crate::engine) fn leave(&mut self, shared: &Shared, now: Timestamp) {
        shared.leave(self.listener.as_deref_mut(), now);
    }

    /// Starts the close handshake. With `None` the Close frame has no code.
    pub(super) fn close(
        &mut self,
        code: Option<u16>,
        reason: &str,
        by: EndedBy,
        shared: &Shared,
        now: Timestamp,
    ) {
        self.outbox.feed_close(&mut self.transport, code, reason);
        self.evidence.sent = Some((code.unwrap_or(NO_CODE), Side::Local));
        if let Some(fault_runner) = &mut self.fault_runner {
            fault_runner.faults.close();
        }
        self.note(|recorder| recorder.close_sent(now, code));
        self.closing(by, shared, now);
    }

    /// A Close frame was sent or received: nothing more is due, and the session waits for the end of TCP.
    pub(super) fn closing(&mut self, by: EndedBy, shared: &Shared, now: Timestamp) {
        self.note(|recorder| recorder.decided(by));
        self.leave(shared, now);
        let timeout = Nanos::from(shared.plan.scenario.target.close_timeout);
        let close_wait = match (by, &self.recorder) {
            (EndedBy::Server | EndedBy::Fault, Some(recorder)) => recorder.close_wait,
            _ => Nanos::ZERO,
        };
        self.state = State::Closing {
            since: now,
            deadline: now.saturating_add(timeout.max(close_wait)),
            put_off: false,
        };
        let mut shard = shared.shard.borrow_mut();
        let open = &mut shard.cohorts[self.cohort].open;
        open.open -= 1;
        open.ready -= u64::from(std::mem::take(&mut self.is_ready));
        open.closing += 1;
    }

    /// Records the end of TCP: nothing more can come.
    pub(super) fn end(&mut self, lost: Lost, shared: &Shared, now: Timestamp) {
        let at = self.received_at(shared, now);
        if let (State::Closing { since, .. }, Some((_, Side::Local)), Lost::Tcp(_)) =
            (self.state, self.evidence.sent, &lost)
        {
            shared.whole(self.cohort, |cells| {
                cells.time(Timer::CloseDuration, at.saturating_since(since));
            });
        }
        if let Lost::Tcp(end) = &lost {
            self.note(|recorder| recorder.tcp_ended(at, *end));
        }
        self.note(|recorder| recorder.decided(EndedBy::Server));
        self.evidence.lost = Some(Box::new(lost));
    }

    /// Returns the time from which on its schedule asked for nothing more: the end of its own time, the start of the
    /// close, or `now` if it was lost.
    pub(in crate::engine) fn due_until(&self, shared: &Shared, now: Timestamp) -> Timestamp {
        let ended = match self.state {
            State::Live => now,
            State::Closing { since, .. } => since,
        };
        ended.min(self.stop(shared))
    }

    /// Judges why it ended, by the evidence so far.
    pub(in crate::engine) fn verdict(&self) -> Verdict {
        cause::judge(&self.evidence)
    }

    /// Returns whether the peer has been declared dead.
    pub(in crate::engine) fn is_dead(&self) -> bool {
        self.evidence.dead.is_some()
    }

    /// Returns whether a connection that is kept has been declared dead, and that has not been reported yet.
    pub(in crate::engine) fn is_dead_but_kept(&self, shared: &Shared) -> bool {
        let heartbeat = shared.plan.cohort(self.cohort).heartbeat.as_ref();
        self.is_dead() && heartbeat.is_some_and(|heartbeat| heartbeat.on_dead == OnDead::Keep)
    }

    /// Returns whether nothing more can be learned about the death of a connection that is kept: a pong came, or one
    /// more is missing.
    pub(super) fn is_death_settled(&self) -> bool {
        let missed = self.heart.as_ref().map(Heart::missed_in_row);
        let dead = self.evidence.dead.as_ref();
        dead.is_some_and(|silence| silence.lasted.is_some() || missed != Some(silence.missed))
    }

    /// Clears the death of a connection that is kept: it has been reported.
    pub(in crate::engine) fn forget_death(&mut self) {
        let cause = self.verdict().cause;
        self.note(|recorder| recorder.was_dead_as(cause));
        self.evidence.dead = None;
    }

    /// Returns whether we ended it, with or without a Close frame.
    pub(in crate::engine) fn is_ended_by_us(&self) -> bool {
        matches!(self.evidence.sent, Some((_, Side::Local))) || self.evidence.cut.is_some()
    }

    /// Returns whether a fault of the client ended it.
    pub(in crate::engine) fn is_ended_by_fault(&self) -> bool {
        self.evidence.by_fault
    }

    /// Its client is ready.
    pub(in crate::engine) fn ready(&mut self, shared: &Shared, now: Timestamp) {
        if self.state == State::Live && !self.is_ready {
            self.is_ready = true;
            self.begin(Begin::Ready, shared, now);
            if let Some(listener) = self.listener.as_deref_mut() {
                let client = shared.plan.client(self.cohort, self.connection);
                shared.join(client, listener, now);
            }
            shared.shard.borrow_mut().cohorts[self.cohort].open.ready += 1;
        }
    }

    /// Returns whether its client was ready when its end began.
    pub(in crate::engine) fn is_ready(&self) -> bool {
        self.is_ready
    }

    /// Returns when its client wants to dial again, if it closed the connection for that.
    pub(in crate::engine) fn dials_again(&self) -> Option<Redial> {
        self.evidence.dials_again.as_deref().copied()
    }

    /// Returns whether a step failed, so that the next dial waits longer.
    pub(in crate::engine) fn has_failed(&self) -> bool {
        self.evidence.failed.is_some()
    }

    /// Tells a connection that is traced why it ended.
    pub(in crate::engine) fn trace_end(&mut self, verdict: &Verdict) {
        let Verdict { cause, detail, .. } = verdict;
        match detail.is_empty() {
            true => self.transport.ended(cause.name()),
            false => self.transport.ended(&format!("{cause}: {detail}")),
        }
    }

    /// Returns the report of its end; `ended` is when TCP ended, if it has.
    pub(in crate::engine) fn ending(&self, verdict: &Verdict, ended: Option<Timestamp>) -> Ending {
        let heart = self.heart.as_ref();
        let (last_ping, last_pong) = heart.map_or((None, None), Heart::last);
        // A pong after the death may tell why, but does not change how many were missed.
        let (tcp, missed) = match &self.evidence.dead {
            Some(silence) => (silence.view, silence.missed),
            None => (
                self.transport.tcp_view(),
                heart.map_or(0, Heart::missed_in_row),
            ),
        };
        let state = match (self.is_dead(), self.is_closing()) {
            (true, _) => measure::State::Dead,
            (false, true) => measure::State::Closing,
            (false, false) => measure::State::Open,
        };
        Ending {
            connection: self.connection,
            cohort: self.cohort,
            opened_ns: Some(self.opened),
            ended_ns: ended,
            state,
            close_code: self.evidence.received.map(|code| code.unwrap_or(NO_CODE)),
            close_reason: self.evidence.reason.to_string(),
            closed_by: Some(verdict.side),
            cause: verdict.cause,
            detail: verdict.detail.clone(),
            last_received_ns: self.last_received,
            last_ping_ns: last_ping,
            last_pong_ns: last_pong,
            pings_missed: missed,
            tcp,
            extension: self.transport.extension(),
            claimed: None,
            tls: self.transport.tls(),
        }
    }

    /// The number of the TCP connection of HTTP/2 that it is a stream of; `None`: it has one of its own.
    pub(in crate::engine) fn carrier(&self) -> Option<u32> {
        self.transport.carrier()
    }

    /// Returns its record, once it is over; `None` without a contract.
    pub(in crate::engine) fn record(
        &mut self,
        verdict: &Verdict,
        now: Timestamp,
    ) -> Option<ConnectionRecord> {
        if self.is_dead() {
            self.note(|recorder| recorder.was_dead_as(verdict.cause));
        }
        let recorder = self.recorder.take()?;
        let faults = self
            .fault_runner
            .as_ref()
            .map(|fault_runner| &fault_runner.faults);
        Some(recorder.close(faults, verdict, self.transport.frames_after_close(), now))
    }

    /// Returns whether it was declared dead and nothing has come since.
    pub(in crate::engine) fn is_silent(&self) -> bool {
        self.declared_dead
            .is_some_and(|declared_dead| self.last_received < Some(declared_dead))
    }

    /// Returns whether its close has begun.
    pub(in crate::engine) fn is_closing(&self) -> bool {
        self.state != State::Live
    }
}

//! Where a session comes to its end: when that is due, the close handshake, the end of TCP, and what is kept of it.

use super::cause::{NO_CODE, Verdict};
use super::{Session, State};
use crate::engine::heart::Heart;
use crate::engine::play::Play;
use crate::engine::shared::Shared;
use crate::measure::{ConnectionRecord, EndedBy, TcpView};
use crate::metric::{Side, Timer};
use crate::net::{Lost, Transport};
use crate::plan::{Nanos, nanos};

impl<T: Transport> Session<T> {
    /// Nothing is due on this connection from here on, and it is closed once no answer is: the end of its own time, or
    /// its turn in `ramp_down`.
    pub(super) fn stop(&self, shared: &Shared) -> Nanos {
        let turn = shared.state.end().saturating_add(self.ramp_down);
        self.stop_at.min(turn)
    }

    /// The end of TCP is waited for until then. What is held is held to the end of the run.
    pub(super) fn gives_up_at(&self, deadline: Nanos, shared: &Shared, now: Nanos) -> Nanos {
        if self.is_held(now) {
            deadline.max(self.stop(shared))
        } else {
            deadline
        }
    }

    /// Puts the deadline for the end of TCP off once, by a tenth of `close_timeout`, if it is checked later than that: the
    /// worker was stopped, and may not have read what came meanwhile. Returns whether it did.
    pub(super) fn puts_off(&mut self, due: Nanos, shared: &Shared, now: Nanos) -> bool {
        let tenth = nanos(shared.plan.scenario.target.close_timeout) / 10;
        match &mut self.state {
            State::Closing {
                deadline, put_off, ..
            } if !*put_off && now - due > tenth => {
                *put_off = true;
                *deadline = now.saturating_add(tenth);
                true
            }
            _ => false,
        }
    }

    /// Nothing is waited for any more.
    pub(super) fn is_settled(&self, play: &Play) -> bool {
        play.is_settled() && self.heart.as_ref().is_none_or(Heart::is_settled)
    }

    /// Begins the close handshake. `None` is a Close without a code.
    pub(super) fn close(
        &mut self,
        code: Option<u16>,
        reason: &'static str,
        by: EndedBy,
        shared: &Shared,
        now: Nanos,
    ) {
        self.outbox.feed_close(&mut self.transport, code, reason);
        self.evidence.sent = Some((code.unwrap_or(NO_CODE), Side::Local));
        if let Some(fault_runner) = &mut self.fault_runner {
            fault_runner.faults.close();
        }
        self.note(|recorder| recorder.close_sent(now, code));
        self.closing(by, shared, now);
    }

    /// A Close frame was sent or received: nothing more is due, and the end of TCP is waited for.
    pub(super) fn closing(&mut self, by: EndedBy, shared: &Shared, now: Nanos) {
        self.note(|recorder| recorder.decided(by));
        let timeout = nanos(shared.plan.scenario.target.close_timeout);
        let close_wait = match (by, &self.recorder) {
            (EndedBy::Server | EndedBy::Fault, Some(recorder)) => recorder.close_wait,
            _ => 0,
        };
        self.state = State::Closing {
            since: now,
            deadline: now.saturating_add(timeout.max(close_wait)),
            put_off: false,
        };
        let mut shard = shared.shard.borrow_mut();
        let open = &mut shard.cohorts[self.cohort].open;
        open.open -= 1;
        open.closing += 1;
    }

    /// Nothing more can come.
    pub(super) fn end(&mut self, lost: Lost, shared: &Shared, now: Nanos) {
        let at = self.received_at(shared, now);
        if let (State::Closing { since, .. }, Some((_, Side::Local)), Lost::Tcp(_)) =
            (self.state, self.evidence.sent, &lost)
        {
            shared.whole(self.cohort, |cells| {
                cells.time(Timer::CloseDuration, at.saturating_sub(since));
            });
        }
        if let Lost::Tcp(end) = &lost {
            self.note(|recorder| recorder.tcp_ended(at, *end));
        }
        self.note(|recorder| recorder.decided(EndedBy::Server));
        self.evidence.lost = Some(lost);
    }

    /// From when on its schedule asked for nothing more: its own time was over, it was closing, or it was lost `now`.
    pub(in crate::engine) fn due_until(&self, shared: &Shared, now: Nanos) -> Nanos {
        let ended = match self.state {
            State::Live => now,
            State::Closing { since, .. } => since,
        };
        ended.min(self.stop(shared))
    }

    /// Its record, once it is over; `None` without a contract.
    pub(in crate::engine) fn record(
        &mut self,
        verdict: &Verdict,
        now: Nanos,
    ) -> Option<ConnectionRecord> {
        let recorder = self.recorder.take()?;
        let faults = self
            .fault_runner
            .as_ref()
            .map(|fault_runner| &fault_runner.faults);
        Some(recorder.close(faults, verdict, self.transport.frames_after_close(), now))
    }

    /// Whether it was declared dead, and nothing came since.
    pub(in crate::engine) fn is_silent(&self) -> bool {
        self.declared_dead
            .is_some_and(|declared_dead| self.last_received < Some(declared_dead))
    }

    /// In which state it is or was.
    pub(in crate::engine) fn is_closing(&self) -> bool {
        self.state != State::Live
    }

    /// The kernel's view of it.
    pub(in crate::engine) fn tcp_view(&self) -> Option<TcpView> {
        self.transport.tcp_view()
    }
}

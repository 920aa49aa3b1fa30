//! Carries out the actions of a session's faults when their schedule asks for them.

use std::task::{Context, Poll};

use super::fault::{FaultAction, Faults};
use super::{Session, SessionEvent};
use crate::engine::shared::Shared;
use crate::measure::EndedBy;
use crate::metric::CloseKind;
use crate::net::TcpEnd;
use crate::net::{Act, Lost, Transport};
use crate::plan::FaultPlan;
use crate::units::Timestamp;

/// The faults of one connection, and their effects on it so far.
#[derive(Debug)]
pub(super) struct FaultRunner {
    pub(super) faults: Faults,
    reads_not: bool,
    is_sealed: bool,
    is_gone: bool,
    /// The server's FIN was seen, and the connection is held in spite of it.
    holds_on: bool,
}

impl FaultRunner {
    /// For a connection that was opened `now`; `None` if it has no fault.
    pub(super) fn new(fault_plan: &FaultPlan, now: Timestamp) -> Option<Box<Self>> {
        let faults = Faults::new(fault_plan, now)?;
        Some(Box::new(Self {
            faults,
            reads_not: false,
            is_sealed: false,
            is_gone: false,
            holds_on: false,
        }))
    }

    /// Returns how TCP looks to the server when we end it now, if no close handshake is possible.
    fn ends_as(&self) -> Option<CloseKind> {
        match self {
            Self { is_gone: true, .. } => Some(CloseKind::Timeout),
            // The kernel sends RST instead of FIN if bytes are unread (RFC 2525 section 2.17).
            Self {
                reads_not: true, ..
            } => Some(CloseKind::Rst),
            Self {
                is_sealed: true, ..
            } => Some(CloseKind::Fin),
            _ => None,
        }
    }
}

impl<T: Transport> Session<T> {
    /// Carries out the actions that are due. Returns an event if that ended the session.
    pub(super) fn play_faults(&mut self, shared: &Shared, now: Timestamp) -> Option<SessionEvent> {
        loop {
            let room = !self.outbox.is_blocked();
            let step = self.fault_runner.as_mut()?.faults.due(now, room)?;
            match self.act_on_fault(step, shared, now) {
                Ok(None) => {}
                Ok(Some(event)) => return Some(event),
                Err(lost) => {
                    self.evidence.lost = Some(Box::new(lost));
                    return Some(SessionEvent::Over);
                }
            }
        }
    }

    fn act_on_fault(
        &mut self,
        step: FaultAction,
        shared: &Shared,
        now: Timestamp,
    ) -> Result<Option<SessionEvent>, Lost> {
        let Some(fault_runner) = &mut self.fault_runner else {
            return Ok(None);
        };
        match step {
            FaultAction::Put(bytes) => {
                self.transport.act(Act::Put(bytes))?;
                self.outbox.ask_flush();
            }
            FaultAction::Probe(bytes) => {
                self.transport.act(Act::Put(bytes))?;
                self.outbox.ask_flush();
                self.note(|recorder| recorder.probed(now));
            }
            FaultAction::StopMessages => self.outbox.hold_messages(),
            FaultAction::StopSending => self.outbox.hold_all(),
            FaultAction::Seal => {
                fault_runner.is_sealed = true;
                self.outbox.seal();
            }
            FaultAction::HalfClose => {
                fault_runner.is_sealed = true;
                self.outbox.seal();
                self.transport.act(Act::HalfClose)?;
            }
            FaultAction::StopReading => {
                fault_runner.reads_not = true;
                // Without reads no pong can be seen, so the heartbeat stops.
                self.stop_listening(shared);
            }
            FaultAction::Vanish => {
                fault_runner.is_gone = true;
                self.transport.act(Act::Vanish)?;
            }
            FaultAction::Return => {
                fault_runner.is_gone = false;
                self.transport.act(Act::Return)?;
            }
            FaultAction::Close(code) => {
                self.evidence.by_fault = true;
                self.close(code, "", EndedBy::Fault, shared, now);
            }
            FaultAction::Reset => {
                self.transport.act(Act::Reset)?;
                self.evidence.by_fault = true;
                self.evidence.cut = Some(CloseKind::Rst);
                self.note(|recorder| recorder.decided(EndedBy::Fault));
                return Ok(Some(SessionEvent::Over));
            }
        }
        Ok(None)
    }

    /// The time to close has come. Ends the session if no close handshake is possible.
    pub(super) fn cut_off(&mut self) -> Option<SessionEvent> {
        let kind = self.fault_runner.as_ref()?.ends_as()?;
        self.evidence.cut = Some(kind);
        self.note(|recorder| recorder.decided(EndedBy::Plan));
        Some(SessionEvent::Over)
    }

    /// A Close frame came. Returns whether to answer it, and sets whether anything is read after it.
    pub(super) fn closed_by_peer(&mut self, now: Timestamp) -> bool {
        let Some(fault_runner) = &mut self.fault_runner else {
            return true;
        };
        fault_runner.faults.close();
        fault_runner.reads_not |= fault_runner.faults.holds(now);
        !fault_runner.faults.ignores_close(now)
    }

    /// Returns whether the session reads.
    pub(super) fn reads(&self) -> bool {
        (self.fault_runner.as_ref()).is_none_or(|fault_runner| !fault_runner.reads_not)
    }

    /// Returns whether the connection is kept to the end of the run, although it is closed.
    pub(super) fn is_held(&self, now: Timestamp) -> bool {
        let holds =
            |fault_runner: &FaultRunner| fault_runner.reads_not && fault_runner.faults.holds(now);
        self.is_closing() && self.fault_runner.as_deref().is_some_and(holds)
    }

    /// Waits for the end of TCP without reading.
    pub(super) fn await_end(
        &mut self,
        shared: &Shared,
        cx: &mut Context<'_>,
        now: Timestamp,
    ) -> Option<Lost> {
        let is_held = self.is_held(now);
        let fault_runner = self.fault_runner.as_mut()?;
        if !fault_runner.holds_on
            && let Poll::Ready(end) = self.transport.poll_end(cx)
        {
            if end == TcpEnd::Rst || !is_held {
                return Some(Lost::Tcp(end));
            }
            fault_runner.holds_on = true;
            self.evidence.lost = Some(Box::new(Lost::Tcp(end)));
            let at = self.received_at(shared, now);
            self.note(|recorder| recorder.tcp_ended(at, end));
        }
        self.outbox.take_lost()
    }
}

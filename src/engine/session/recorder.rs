//! Keeps the record of a connection whose cohort has a contract. The record is judged elsewhere.

use super::cause::Verdict;
use super::fault::Faults;
use crate::measure::{ConnectionRecord, EndedBy, TcpEnding};
use crate::metric::Cause;
use crate::net::TcpEnd;
use crate::plan::FaultPlan;
use crate::units::{Nanos, Timestamp};

/// How long the server's kernel may take to answer a probe.
const PROBE_ANSWER: Nanos = Nanos::from_millis(300);

/// The record of a connection so far.
#[derive(Debug)]
pub(super) struct Recorder {
    record: ConnectionRecord,
    ended_by: Option<EndedBy>,
    /// When bytes were sent before `last_sent_ns`.
    sent_before: Timestamp,
    /// The least time to wait for the end of TCP after the server's Close frame.
    pub(super) close_wait: Nanos,
}

impl Recorder {
    /// For a connection that was opened at `opened`; `None` without a contract.
    pub(super) fn new(
        connection: u32,
        cohort: usize,
        fault_plan: &FaultPlan,
        opened: Timestamp,
        lost_before: Option<Timestamp>,
    ) -> Option<Box<Self>> {
        fault_plan.watched.then(|| {
            Box::new(Self {
                record: ConnectionRecord {
                    connection,
                    cohort,
                    local_port: None,
                    level_ns: fault_plan.level,
                    opened_ns: opened,
                    ready_ns: None,
                    lost_before_ns: lost_before,
                    fault_ns: None,
                    fault_end_ns: None,
                    unanswered_ping_ns: None,
                    last_sent_ns: Some(opened),
                    first_answer_ns: None,
                    pings_ns: Vec::new(),
                    resumed_ns: Vec::new(),
                    dead_ns: None,
                    dead_as: None,
                    close_sent_ns: None,
                    close_sent_code: None,
                    close_received_ns: None,
                    close_code: None,
                    close_reason: String::new(),
                    frames_after_close: 0,
                    tcp_end_ns: None,
                    tcp_end: None,
                    probe: None,
                    ended_by: EndedBy::Plan,
                    cause: Cause::Completed,
                    ended_ns: opened,
                },
                ended_by: None,
                sent_before: opened,
                close_wait: fault_plan.close_wait,
            })
        })
    }

    /// Records that the client is ready.
    pub(super) fn ready(&mut self, at: Timestamp) {
        self.record.ready_ns = Some(at);
    }

    /// Records the local port.
    pub(super) fn port(&mut self, port: Option<u16>) {
        self.record.local_port = port;
    }

    /// Records that bytes were sent. The first Close frame, of either side, and what follows it do not count as
    /// activity. Nor does a probe: the time since the last byte is measured up to it.
    pub(super) fn sent(&mut self, at: Timestamp) {
        let is_judged = self.record.close_sent_ns.is_some()
            || self.record.close_received_ns.is_some()
            || self.record.probe.is_some();
        if !is_judged {
            let before = self.record.last_sent_ns.replace(at);
            self.sent_before = before.unwrap_or(at);
        }
    }

    /// Takes back the last send if it was after this time: a late worker may send after the server has ended the
    /// connection.
    fn forget_sends_after(&mut self, at: Timestamp) {
        if self.record.last_sent_ns > Some(at) {
            self.record.last_sent_ns = Some(self.sent_before.min(at));
        }
    }

    /// Records that a message or a pong came.
    pub(super) fn answer(&mut self, at: Timestamp) {
        self.record.first_answer_ns.get_or_insert(at);
    }

    /// Records a ping of the server.
    pub(super) fn ping(&mut self, at: Timestamp, is_answered: bool) {
        if self.record.pings_ns.len() < ConnectionRecord::MAX_PINGS {
            self.record.pings_ns.push(at);
        }
        if !is_answered {
            self.record.unanswered_ping_ns.get_or_insert(at);
        }
    }

    /// Records a pong that came after one had been missed.
    pub(super) fn resumed(&mut self, at: Timestamp) {
        if self.record.resumed_ns.len() < ConnectionRecord::MAX_PINGS {
            self.record.resumed_ns.push(at);
        }
    }

    /// Records that our heartbeat declared the server dead.
    pub(super) fn declared_dead(&mut self, now: Timestamp, cause: Cause) {
        self.record.dead_ns = Some(now);
        self.record.dead_as = Some(cause);
    }

    /// Records why it was dead, as what came later tells.
    pub(super) fn was_dead_as(&mut self, cause: Cause) {
        self.record.dead_as = Some(cause);
    }

    /// Records that we began the close handshake.
    pub(super) fn close_sent(&mut self, now: Timestamp, code: Option<u16>) {
        self.record.close_sent_ns = Some(now);
        self.record.close_sent_code = code;
    }

    /// Records the server's Close frame.
    pub(super) fn close_received(&mut self, at: Timestamp, code: Option<u16>, reason: &str) {
        self.forget_sends_after(at);
        self.record.close_received_ns = Some(at);
        self.record.close_code = Some(code.unwrap_or(super::cause::NO_CODE));
        reason.clone_into(&mut self.record.close_reason);
    }

    /// Records the end of TCP.
    pub(super) fn tcp_ended(&mut self, at: Timestamp, end: TcpEnd) {
        self.forget_sends_after(at);
        self.record.tcp_end_ns = Some(at);
        self.record.tcp_end = Some(match end {
            TcpEnd::Fin => TcpEnding::Fin,
            TcpEnd::Rst => TcpEnding::Rst,
        });
    }

    /// Records that a probe was sent, to see whether the server is still there.
    pub(super) fn probed(&mut self, now: Timestamp) {
        self.record.probe = Some((now, true));
    }

    /// Records which side decided to end the connection. The first decision counts.
    pub(super) fn decided(&mut self, by: EndedBy) {
        self.ended_by.get_or_insert(by);
    }

    /// Completes the record.
    pub(super) fn close(
        mut self,
        faults: Option<&Faults>,
        verdict: &Verdict,
        frames_after_close: u32,
        now: Timestamp,
    ) -> ConnectionRecord {
        self.record.fault_ns = faults.and_then(Faults::began);
        self.record.fault_end_ns = faults.and_then(Faults::ended);
        self.record.probe = self.probe(now);
        self.record.frames_after_close = frames_after_close;
        self.record.ended_by = self.ended_by.unwrap_or(EndedBy::Plan);
        self.record.cause = verdict.cause;
        // The end of TCP may have come after this turn had begun.
        self.record.ended_ns = now.max(self.record.tcp_end_ns.unwrap_or(now));
        self.record
    }

    /// Returns when the probe was sent and whether the server was still there. A probe just before the end gives no
    /// result.
    fn probe(&self, now: Timestamp) -> Option<(Timestamp, bool)> {
        let (at, _) = self.record.probe?;
        let answered_by = at.saturating_add(PROBE_ANSWER);
        let was_reset = self.record.tcp_end == Some(TcpEnding::Rst)
            && self.record.tcp_end_ns.is_some_and(|end| end <= answered_by);
        (was_reset || now >= answered_by).then_some((at, !was_reset))
    }
}

//! The records of the connections of a possible run, for contracts.

use wsbench::measure::{ConnectionRecord, EndedBy, TcpEnding};
use wsbench::metric::Cause;
use wsbench::plan::Opening;
use wsbench::scenario::{FaultKind, PromiseKind, TargetUrl};
use wsbench::units::{Nanos, Timestamp};

use super::possible::{NOTICE, Run};

impl Run<'_> {
    /// When the client's own fault begins, or a reset or freeze of the path: if that is before the end.
    fn fault(&self, opening: &Opening) -> Option<(Timestamp, Option<Timestamp>)> {
        let cohort = self.plan.cohort(opening.cohort);
        let own = cohort.faults.first();
        let own = own.map(|fault| (self.ready(opening) + Nanos::from(fault.after), None));
        let path = self.plan.scenario.path.iter().flat_map(|path| &path.faults);
        let mut path = path.filter(|fault| fault.concerns(&cohort.name) && !fault.is_lasting());
        let start = self.windows.first()?.start;
        let on_path = path.find_map(|fault| {
            let at = start + Nanos::from(fault.after?);
            Some((at, fault.lasts.map(|lasts| at + Nanos::from(lasts))))
        });
        own.or(on_path).filter(|(at, _)| *at < self.end())
    }

    /// Who ends a connection before the plan does, and when: a fault; where the contract is about losses, the client's
    /// heartbeat after a silence, or a server that nobody knows.
    fn loss(&self, opening: &Opening) -> Option<(EndedBy, Timestamp)> {
        let cohort = self.plan.cohort(opening.cohort);
        let fault = self.fault(opening);
        let own = cohort.faults.first().map(|fault| &fault.kind);
        if matches!(own, Some(FaultKind::Reset | FaultKind::Close { .. })) {
            return Some((EndedBy::Fault, fault?.0));
        }
        let is_lost = (cohort.contract.as_ref()).is_some_and(|c| c.has(PromiseKind::BackWithin));
        if !is_lost {
            return None;
        }
        let target = &self.plan.scenario.target;
        let gives_up = cohort.gives_up() || target.embedded_heartbeat.is_some();
        match fault {
            Some((at, None)) => Some((EndedBy::Server, at)),
            Some((at, Some(_))) if gives_up => Some((EndedBy::Heartbeat, at)),
            _ if target.url != TargetUrl::Embedded => {
                Some((EndedBy::Server, opening.at + Nanos(1)))
            }
            _ => None,
        }
    }

    /// The record of a connection that the server pings and never ends, and that the plan ends, or a fault.
    pub(super) fn silent(&self, opening: &Opening) -> ConnectionRecord {
        let loss = self.loss(opening);
        let (ended_by, end) = loss.unwrap_or_else(|| (EndedBy::Plan, self.end()));
        let (opened, end) = (opening.at, end.max(opening.at));
        let fault = self.fault(opening);
        let place = self.plan.place(opening.cohort, opening.connection);
        let target = &self.plan.scenario.target;
        let cohort = self.plan.cohort(opening.cohort);
        let level = cohort.faults.iter().find_map(|fault| match &fault.kind {
            FaultKind::LatePong { delay } => Some(Nanos::from(delay.at(place))),
            _ => None,
        });
        let pings: Vec<Timestamp> = match (&target.url, target.embedded_heartbeat) {
            (TargetUrl::Embedded, None) => Vec::new(),
            (TargetUrl::Embedded, Some(heartbeat)) => {
                let interval = Nanos::from(heartbeat.interval);
                let times = (1..).map(|k| opened + k * interval);
                times.take_while(|at| *at < end).collect()
            }
            // An unknown server may ping all at the same time.
            (TargetUrl::Servers(_), _) => {
                let times = [3, 2, 1].map(|k| end.saturating_sub(k * NOTICE));
                times.into_iter().filter(|at| *at > opened).collect()
            }
        };
        ConnectionRecord {
            connection: opening.connection,
            cohort: opening.cohort,
            local_port: Some(place as u16),
            level_ns: level,
            opened_ns: opened,
            ready_ns: Some(self.ready(opening)),
            lost_before_ns: None,
            fault_ns: fault
                .filter(|_| !cohort.faults.is_empty())
                .map(|(at, _)| at),
            fault_end_ns: None,
            unanswered_ping_ns: match target.url {
                TargetUrl::Embedded => pings.first().copied(),
                TargetUrl::Servers(_) => Some(opened),
            },
            last_sent_ns: Some(opened),
            first_answer_ns: None,
            pings_ns: pings[..pings.len().min(ConnectionRecord::MAX_PINGS)].to_vec(),
            // It is heard again at the end, so late as it can be.
            resumed_ns: vec![end],
            dead_ns: None,
            dead_as: None,
            close_sent_ns: Some(end),
            close_sent_code: Some(1000),
            close_received_ns: Some(end),
            close_code: Some(1000),
            close_reason: String::new(),
            frames_after_close: 0,
            tcp_end_ns: Some(end),
            tcp_end: Some(TcpEnding::Fin),
            probe: None,
            ended_by,
            cause: Cause::Completed,
            ended_ns: end,
        }
    }
}

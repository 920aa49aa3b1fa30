//! One cohort before the judge: its records, where the times of its contract begin, and what a family of
//! promises finds.

use super::result::Times;
use crate::measure::{ConnectionRecord, EndedBy, Incident, Summary, Surroundings, TcpEnding};
use crate::scenario::{Cohort, Contract, End, Origin, Process, PromiseKind, Scenario, TargetUrl};

/// A cohort with a contract, and what is known about it.
pub(super) struct Case<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) summary: &'a Summary,
    pub(super) surroundings: &'a Surroundings,
    pub(super) cohort: &'a Cohort,
    /// Its place among the cohorts.
    pub(super) index: usize,
    pub(super) contract: &'a Contract,
    /// By connection, and those of one connection in the order in which they were lived.
    pub(super) records: Vec<&'a ConnectionRecord>,
}

/// What a family of promises found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finding {
    pub(super) n: u64,
    pub(super) times: Option<Times>,
    pub(super) passed: bool,
    pub(super) why: String,
}

impl Finding {
    /// Nothing to judge by: no promise is kept by that.
    pub(super) fn no_data(why: impl Into<String>) -> Self {
        Self {
            n: 0,
            times: None,
            passed: false,
            why: why.into(),
        }
    }

    /// A finding about things counted, not timed.
    pub(super) fn counted(n: usize, passed: bool, why: String) -> Self {
        Self {
            n: n as u64,
            times: None,
            passed,
            why,
        }
    }
}

impl<'a> Case<'a> {
    pub(super) fn new(
        scenario: &'a Scenario,
        summary: &'a Summary,
        surroundings: &'a Surroundings,
        index: usize,
        contract: &'a Contract,
    ) -> Self {
        let rows = summary.records.rows.iter();
        let mut records: Vec<&ConnectionRecord> =
            rows.filter(|record| record.cohort == index).collect();
        records.sort_by_key(|record| (record.connection, record.opened_ns, record.ended_ns));
        Self {
            scenario,
            summary,
            surroundings,
            cohort: &scenario.cohorts[index],
            index,
            contract,
            records,
        }
    }

    /// Whether the contract says when the client sees its end.
    pub(super) fn promises_its_end(&self) -> bool {
        self.contract.has(PromiseKind::ClosedBetween)
    }

    /// What happened to this cohort, or to its target.
    pub(super) fn incidents(&self) -> impl Iterator<Item = &'a Incident> {
        let name = self.cohort.name.as_str();
        let incidents = self.surroundings.incidents.iter();
        incidents.filter(move |incident| incident.concerns(name))
    }

    /// Where the times of this record begin; `None` where that never came.
    pub(super) fn origin(&self, record: &ConnectionRecord) -> Option<u64> {
        match self.contract.from {
            Origin::Open => Some(record.opened_ns),
            Origin::Fault => record.fault_ns.or_else(|| self.incident_in(record)),
            Origin::Ping => record.unanswered_ping_ns,
            // Who sent nothing has sent the last byte with the request for the upgrade.
            Origin::LastByte => Some(record.last_sent_ns.unwrap_or(record.opened_ns)),
            Origin::Close => record.close_sent_ns,
        }
    }

    /// Where the client does nothing wrong itself: the first incident while it was open, or one it was born into.
    fn incident_in(&self, record: &ConnectionRecord) -> Option<u64> {
        if !self.cohort.faults.is_empty() {
            return None;
        }
        let lasting = (self.incidents())
            .filter(|incident| {
                incident
                    .ended_ns
                    .is_none_or(|ended| ended > record.opened_ns)
            })
            .filter(|incident| incident.began_ns <= record.ended_ns);
        let (within, before): (Vec<u64>, Vec<u64>) = lasting
            .map(|incident| incident.began_ns)
            .partition(|began| *began >= record.opened_ns);
        let born_into = (!before.is_empty()).then_some(record.opened_ns);
        within.into_iter().min().or(born_into)
    }

    /// Whether nothing that could end a connection lies between us and the server.
    pub(super) fn is_direct(&self) -> bool {
        let target = &self.scenario.target;
        let is_own = target.url == TargetUrl::Embedded || target.process != Process::Unknown;
        is_own && self.scenario.path.is_none()
    }
}

/// How the server's end of it looked: what came first of a Close frame and the end of TCP.
pub(super) fn end_of(record: &ConnectionRecord) -> End {
    if matches!(record.ended_by, EndedBy::Plan | EndedBy::Heartbeat) {
        return End::Nothing;
    }
    match (record.close_received_ns, record.tcp_end) {
        (Some(_), _) => End::CloseFrame,
        (None, Some(TcpEnding::Fin)) => End::Fin,
        (None, Some(TcpEnding::Rst)) => End::Rst,
        (None, None) => End::Nothing,
    }
}

/// How long the server had to decide: until it did, or we ended the connection ourselves.
pub(super) fn watched_until(record: &ConnectionRecord) -> u64 {
    record
        .decided_ns()
        .or(record.close_sent_ns)
        .unwrap_or(record.ended_ns)
}

/// Whether the client had been connected before, and lost that connection.
pub(super) fn is_reconnect(record: &ConnectionRecord) -> bool {
    record.lost_before_ns.is_some()
}

/// `3 of 200`.
pub(super) fn of(part: usize, all: usize) -> String {
    use crate::units::human_count;
    format!(
        "{} of {}",
        human_count(part as u64),
        human_count(all as u64)
    )
}

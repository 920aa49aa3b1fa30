//! One cohort to be judged: its records, the origin of its contract's times, and the result that each family
//! of promises computes.

use super::result::{Judged, Times};
use crate::measure::{
    ConnectionRecord, EndedBy, Incident, IncidentKind, Summary, Surroundings, TcpEnding,
};
use crate::scenario::{
    Cohort, Contract, End, FaultKind, Origin, Process, PromiseKind, Scenario, TargetUrl,
};
use crate::units::{Timestamp, human_count};

/// A cohort with a contract, and what is known about it.
pub(super) struct Case<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) summary: &'a Summary,
    pub(super) surroundings: &'a Surroundings,
    pub(super) cohort: &'a Cohort,
    /// The index among the cohorts.
    pub(super) index: usize,
    pub(super) contract: &'a Contract,
    /// Sorted by connection, and the records of one connection in the order of time.
    pub(super) records: Vec<&'a ConnectionRecord>,
}

/// The result of judging one promise.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finding {
    pub(super) n: u64,
    pub(super) times: Option<Times>,
    pub(super) passed: bool,
    pub(super) why: String,
    /// What each connection did, if that was judged one by one.
    pub(super) judged: Vec<Judged>,
}

impl Finding {
    /// The result without data. A promise without data is not kept.
    pub(super) fn no_data(why: impl Into<String>) -> Self {
        Self {
            n: 0,
            times: None,
            passed: false,
            why: why.into(),
            judged: Vec::new(),
        }
    }

    /// The result for a promise about counts, not times.
    pub(super) fn counted(n: usize, passed: bool, why: String) -> Self {
        Self {
            n: n as u64,
            times: None,
            passed,
            why,
            judged: Vec::new(),
        }
    }

    /// The finding about `asked` connections, where others got no ping and were left out. It proves nothing if those are
    /// most.
    pub(super) fn without_unasked(mut self, asked: usize, unasked: usize) -> Self {
        if asked == 0 || unasked == 0 {
            return self;
        }
        let before = if self.why.is_empty() { "" } else { "; " };
        let count = human_count(unasked as u64);
        self.why += &format!("{before}{count} left out: they got no ping");
        if unasked > asked {
            self.passed = false;
            self.why += ", so most were not put to the test";
        }
        self
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

    /// The same with only those connections that put the server to the test: of clients that answer pings wrongly, those
    /// that got such a ping, or that the server ended all the same.
    pub(super) fn put_to_the_test(&self) -> Self {
        let mut tested = Self {
            records: self.records.clone(),
            ..*self
        };
        if self.cohort.errs_when_pinged() {
            let answers_rightly = |kind: &FaultKind| matches!(kind, FaultKind::Only { .. });
            let mut faults = self.cohort.faults.iter();
            let any_ping = faults.any(|fault| answers_rightly(&fault.kind));
            tested.records.retain(|record| {
                record.ended_by == EndedBy::Server
                    || record.unanswered_ping_ns.is_some()
                    || any_ping && !record.pings_ns.is_empty()
            });
        }
        tested
    }

    /// Whether the contract says when the client sees its end.
    pub(super) fn promises_its_end(&self) -> bool {
        self.contract.has(PromiseKind::ClosedBetween)
    }

    /// Returns the incidents that happened to this cohort or to its target.
    pub(super) fn incidents(&self) -> impl Iterator<Item = &'a Incident> {
        let name = self.cohort.name.as_str();
        let incidents = self.surroundings.incidents.iter();
        incidents.filter(move |incident| incident.concerns(name))
    }

    /// Returns the origin of this record's times; `None` if that event never happened.
    pub(super) fn origin(&self, record: &ConnectionRecord) -> Option<Timestamp> {
        match self.contract.from {
            Origin::Open => Some(record.opened_ns),
            Origin::Ready => record.ready_ns,
            Origin::Fault => record.fault_ns.or_else(|| {
                let has_none = self.cohort.faults.is_empty();
                has_none.then(|| self.incident_in(record, |_| true))?
            }),
            Origin::Ping => record.unanswered_ping_ns,
            // A client that sent nothing sent its last byte with the request for the upgrade.
            Origin::LastByte => Some(record.last_sent_ns.unwrap_or(record.opened_ns)),
            Origin::Close => record.close_sent_ns,
        }
    }

    /// The first of these incidents that began while the connection was open, or else its opening, if one was already
    /// under way then.
    fn incident_in(
        &self,
        record: &ConnectionRecord,
        wanted: fn(IncidentKind) -> bool,
    ) -> Option<Timestamp> {
        let lasting = (self.incidents())
            .filter(|incident| wanted(incident.kind))
            .filter(|incident| {
                incident
                    .ended_ns
                    .is_none_or(|ended| ended > record.opened_ns)
            })
            .filter(|incident| incident.began_ns <= record.ended_ns);
        let (within, before): (Vec<Timestamp>, Vec<Timestamp>) = lasting
            .map(|incident| incident.began_ns)
            .partition(|began| *began >= record.opened_ns);
        let born_into = (!before.is_empty()).then_some(record.opened_ns);
        within.into_iter().min().or(born_into)
    }

    /// Returns when the client's fault or the path first ended one half of TCP; `None` if neither did.
    pub(super) fn half_closed(&self, record: &ConnectionRecord) -> Option<Timestamp> {
        let on_path = self.incident_in(record, |kind| kind == IncidentKind::HalfClose);
        let own = self.half_closed_by_client(record);
        own.into_iter().chain(on_path).min()
    }

    /// Returns when the client's fault ended its sending half of TCP; `None` if it did not.
    pub(super) fn half_closed_by_client(&self, record: &ConnectionRecord) -> Option<Timestamp> {
        let mut faults = self.cohort.faults.iter();
        let fault = faults.find(|fault| fault.kind == FaultKind::HalfClose)?;
        let planned = record.ready_ns?.saturating_add(fault.after.into());
        // The first fault of a connection may begin later than planned; a later fault begins after it.
        let at = record.fault_ns?.max(planned);
        (at <= record.ended_ns).then_some(at)
    }

    /// Whether nothing that could end a connection lies between wsbench and the server.
    pub(super) fn is_direct(&self) -> bool {
        let target = &self.scenario.target;
        let is_own = target.url == TargetUrl::Embedded || target.process != Process::Unknown;
        is_own && self.scenario.path.is_none()
    }
}

/// How the server's end of the connection looked: a Close frame or the end of TCP, whichever came first.
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

/// Until when the server could decide: until it decided, or until the client ended the connection.
pub(super) fn watched_until(record: &ConnectionRecord) -> Timestamp {
    record
        .decided_ns()
        .or(record.close_sent_ns)
        .unwrap_or(record.ended_ns)
}

/// Whether the client was connected before and lost that connection.
pub(super) fn is_reconnect(record: &ConnectionRecord) -> bool {
    record.lost_before_ns.is_some()
}

/// Formats a part of a whole, as in `3 of 200`.
pub(super) fn of(part: usize, all: usize) -> String {
    use crate::units::human_count;
    format!(
        "{} of {}",
        human_count(part as u64),
        human_count(all as u64)
    )
}

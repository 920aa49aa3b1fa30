//! Counts how the connections of a cohort ended and what kept them alive, for the tables of a report.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::case::end_of;
use super::result::Times;
use crate::measure::{ConnectionRecord, EndedBy, Summary};
use crate::scenario::{Activity, End, FaultKind, Scenario};
use crate::units::Nanos;

/// How the connections of one cohort ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CohortEnds {
    /// The cohort.
    pub cohort: String,
    /// Open connections; each reconnect counts as another one.
    pub connections: u64,
    /// Connections that the server ended, by how the end looked. [`End::Nothing`] is left out.
    pub ends: BTreeMap<End, u64>,
    /// Connections that the client ended: by its fault, or by its heartbeat.
    pub by_client: u64,
    /// Close codes of the server, where it ended the connection or answered a client's fault; 1005 is an empty one.
    pub codes: BTreeMap<u16, u64>,
    /// The time from the server's Close frame to the end of TCP.
    pub tcp_end: Option<Times>,
}

/// Returns the ends of each cohort with a contract, in the order of the scenario.
pub fn cohort_ends(scenario: &Scenario, summary: &Summary) -> Vec<CohortEnds> {
    let cohorts = scenario.cohorts.iter().enumerate();
    let judged = cohorts.filter(|(_, cohort)| cohort.contract.is_some());
    judged
        .map(|(index, cohort)| {
            let records = summary
                .records
                .rows
                .iter()
                .filter(|record| record.cohort == index);
            CohortEnds::of(&cohort.name, records)
        })
        .collect()
}

impl CohortEnds {
    fn of<'a>(cohort: &str, records: impl Iterator<Item = &'a ConnectionRecord>) -> Self {
        let mut found = Self {
            cohort: cohort.to_owned(),
            connections: 0,
            ends: BTreeMap::new(),
            by_client: 0,
            codes: BTreeMap::new(),
            tcp_end: None,
        };
        let mut tcp_ends = Vec::new();
        for record in records {
            found.connections += 1;
            match record.ended_by {
                EndedBy::Server => *found.ends.entry(end_of(record)).or_default() += 1,
                EndedBy::Fault | EndedBy::Heartbeat => found.by_client += 1,
                EndedBy::Plan => continue,
            }
            let Some(closed) = record.close_received_ns else {
                continue;
            };
            if let Some(code) = record.close_code {
                *found.codes.entry(code).or_default() += 1;
            }
            tcp_ends.extend(record.tcp_end_ns.map(|end| end.saturating_since(closed)));
        }
        found.tcp_end = Times::of(tcp_ends);
        found
    }

    /// How many connections ended in this way.
    pub fn ended(&self, end: End) -> u64 {
        self.ends.get(&end).copied().unwrap_or(0)
    }

    /// How many connections neither the server nor the client ended.
    pub fn stayed(&self) -> u64 {
        let ended: u64 = self.ends.values().sum();
        self.connections - ended - self.by_client
    }
}

/// Whether one kind of frame keeps a connection alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityResult {
    /// The cohort.
    pub cohort: String,
    /// The only kind of frame that the cohort sent.
    pub frame: Activity,
    /// The gap between two of them, if the cohort sweeps over several gaps.
    pub every_ns: Option<Nanos>,
    /// How many connections there were.
    pub connections: u64,
    /// How many connections the server did not end.
    pub survived: u64,
    /// The time from the 101 to the server's decision.
    pub closed: Option<Times>,
}

/// The activity matrix: one line for each cohort with a contract that sends nothing but one kind of frame, and for each
/// gap of its sweep.
pub fn activities(scenario: &Scenario, summary: &Summary) -> Vec<ActivityResult> {
    let cohorts = scenario.cohorts.iter().enumerate();
    let judged = cohorts.filter(|(_, cohort)| cohort.contract.is_some());
    let matrix = judged.filter_map(|(index, cohort)| {
        let (frame, gaps) = cohort.faults.iter().find_map(|fault| match &fault.kind {
            FaultKind::Only { frame, every } => Some((*frame, &every.levels)),
            _ => None,
        })?;
        let records = summary.records.rows.iter();
        let records: Vec<&ConnectionRecord> =
            records.filter(|record| record.cohort == index).collect();
        Some(match gaps.as_slice() {
            [] | [_] => vec![ActivityResult::of(&cohort.name, frame, None, &records)],
            several => (several.iter())
                .map(|gap| ActivityResult::of(&cohort.name, frame, Some(*gap), &records))
                .collect(),
        })
    });
    matrix.flatten().collect()
}

impl ActivityResult {
    /// Computes the result of a cohort, or of its connections with one gap.
    fn of(
        cohort: &str,
        frame: Activity,
        every: Option<Duration>,
        records: &[&ConnectionRecord],
    ) -> Self {
        let every_ns = every.map(Nanos::from);
        let mut records = records.to_vec();
        records.retain(|record| every_ns.is_none() || record.level_ns == every_ns);
        let closed: Vec<Option<Nanos>> = (records.iter())
            .map(|record| Some(record.decided_ns()?.saturating_since(record.opened_ns)))
            .collect();
        Self {
            cohort: cohort.to_owned(),
            frame,
            every_ns,
            connections: closed.len() as u64,
            survived: closed.iter().filter(|time| time.is_none()).count() as u64,
            closed: Times::of(closed.into_iter().flatten().collect()),
        }
    }
}

//! What happened around the connections, in the form of `run.json`. Times are seconds since the first dial.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::measure::{
    Incident, IncidentKind, NamedRows, Relayed, SocketEnd, Sockets, Surroundings, UnknownCohort,
    Usage,
};
use crate::report::numbers::{of_seconds, of_us, us};
use crate::units::{Nanos, Timestamp};

#[derive(Serialize, Deserialize)]
pub(super) struct StoredSurroundings<'a> {
    incidents: Vec<Happened<'a>>,
    /// `None`: all faults of the target were carried out.
    fault_failed: Option<Cow<'a, str>>,
    /// `None`: the scenario has no path.
    relay: Option<Relay>,
    /// `None`: the sockets were not observed.
    sockets: Option<Table<'a>>,
    /// `None`: the resources were not observed.
    usage: Option<BeforeAndAfter>,
}

#[derive(Serialize, Deserialize)]
struct Happened<'a> {
    kind: IncidentKind,
    cohorts: Cow<'a, [String]>,
    began_s: f64,
    ended_s: Option<f64>,
}

#[derive(Serialize, Deserialize)]
struct Relay {
    connections: u64,
    refused: u64,
    unreachable: u64,
    accepts_failed: u64,
    backed_up: u64,
    /// `None`: the system does not say.
    cpu_s: Option<f64>,
}

#[derive(Serialize, Deserialize)]
struct Table<'a> {
    seen: usize,
    more: u64,
    resolution_us: f64,
    ends: NamedRows<'a, SocketEnd>,
}

#[derive(Serialize, Deserialize)]
struct BeforeAndAfter {
    before: Usage,
    after: Usage,
}

impl<'a> StoredSurroundings<'a> {
    pub(super) fn of(surroundings: &'a Surroundings, cohorts: &'a [String]) -> Self {
        let sockets = surroundings.sockets.as_ref();
        let usage = surroundings.usage;
        Self {
            incidents: surroundings.incidents.iter().map(Happened::of).collect(),
            fault_failed: surroundings.fault_failed.as_deref().map(Cow::from),
            relay: surroundings.relayed.map(Relay::of),
            sockets: sockets.map(|sockets| Table::of(sockets, cohorts)),
            usage: usage.map(|(before, after)| BeforeAndAfter { before, after }),
        }
    }

    pub(super) fn into_surroundings(
        self,
        cohorts: &[String],
    ) -> Result<Surroundings, UnknownCohort> {
        let incidents = self.incidents.into_iter();
        let sockets = self.sockets.map(|table| table.into_sockets(cohorts));
        let usage = self.usage;
        Ok(Surroundings {
            incidents: incidents.map(Happened::into_incident).collect(),
            fault_failed: self.fault_failed.map(Cow::into_owned),
            look_ups_failed: None,
            relayed: self.relay.map(Relay::into_relayed),
            sockets: sockets.transpose()?,
            usage: usage.map(|usage| (usage.before, usage.after)),
        })
    }
}

impl<'a> Happened<'a> {
    fn of(incident: &'a Incident) -> Self {
        Self {
            kind: incident.kind,
            cohorts: Cow::from(&incident.cohorts),
            began_s: incident.began_ns.as_secs_f64(),
            ended_s: incident.ended_ns.map(Timestamp::as_secs_f64),
        }
    }

    fn into_incident(self) -> Incident {
        Incident {
            kind: self.kind,
            cohorts: self.cohorts.into_owned(),
            began_ns: Timestamp::ORIGIN + of_seconds(self.began_s),
            ended_ns: self
                .ended_s
                .map(|ended| Timestamp::ORIGIN + of_seconds(ended)),
        }
    }
}

impl Relay {
    fn of(relayed: Relayed) -> Self {
        Self {
            connections: relayed.connections,
            refused: relayed.refused,
            unreachable: relayed.unreachable,
            accepts_failed: relayed.accepts_failed,
            backed_up: relayed.backed_up,
            cpu_s: relayed.cpu_ns.map(Nanos::as_secs_f64),
        }
    }

    fn into_relayed(self) -> Relayed {
        Relayed {
            connections: self.connections,
            refused: self.refused,
            unreachable: self.unreachable,
            accepts_failed: self.accepts_failed,
            backed_up: self.backed_up,
            cpu_ns: self.cpu_s.map(of_seconds),
        }
    }
}

impl<'a> Table<'a> {
    fn of(sockets: &'a Sockets, cohorts: &'a [String]) -> Self {
        Self {
            seen: sockets.ends.len(),
            more: sockets.more,
            resolution_us: us(sockets.resolution_ns.0),
            ends: NamedRows::of(&sockets.ends, cohorts),
        }
    }

    fn into_sockets(self, cohorts: &[String]) -> Result<Sockets, UnknownCohort> {
        Ok(Sockets {
            ends: self.ends.into_rows(cohorts)?,
            resolution_ns: of_us(self.resolution_us),
            more: self.more,
        })
    }
}

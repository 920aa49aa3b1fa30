//! What happened around the connections, in the format of `run.json`. Times are seconds since the first dial.

use serde::Serialize;

use super::numbers::{seconds, us};
use crate::measure::{Incident, Relayed, Sockets, Surroundings, Usage};

#[derive(Serialize)]
pub(super) struct Around<'a> {
    incidents: Vec<Happened<'a>>,
    /// `None`: all faults of the target were carried out.
    fault_failed: Option<&'a str>,
    /// `None`: the scenario has no path.
    relay: Option<Relay>,
    /// `None`: the sockets were not observed.
    sockets: Option<Table>,
    /// `None`: the resources were not observed.
    usage: Option<BeforeAndAfter>,
}

#[derive(Serialize)]
struct Happened<'a> {
    kind: &'static str,
    cohorts: &'a [String],
    began_s: f64,
    ended_s: Option<f64>,
}

#[derive(Serialize)]
struct Relay {
    connections: u64,
    refused: u64,
    unreachable: u64,
    accepts_failed: u64,
    backed_up: u64,
    /// `None`: the system does not say.
    cpu_s: Option<f64>,
}

#[derive(Serialize)]
struct Table {
    seen: usize,
    more: u64,
    resolution_us: f64,
}

#[derive(Serialize)]
struct BeforeAndAfter {
    before: Used,
    after: Used,
}

#[derive(Serialize)]
struct Used {
    rss: u64,
    descriptors: u64,
}

impl<'a> Around<'a> {
    pub(super) fn of(surroundings: &'a Surroundings) -> Self {
        let usage = surroundings.usage.as_ref();
        Self {
            incidents: surroundings.incidents.iter().map(happened).collect(),
            fault_failed: surroundings.fault_failed.as_deref(),
            relay: surroundings.relayed.as_ref().map(relay),
            sockets: surroundings.sockets.as_ref().map(table),
            usage: usage.map(|(before, after)| BeforeAndAfter {
                before: used(before),
                after: used(after),
            }),
        }
    }
}

fn happened(incident: &Incident) -> Happened<'_> {
    Happened {
        kind: incident.kind,
        cohorts: &incident.cohorts,
        began_s: seconds(incident.began_ns.as_nanos()),
        ended_s: incident.ended_ns.map(|ended| seconds(ended.as_nanos())),
    }
}

fn relay(relayed: &Relayed) -> Relay {
    Relay {
        connections: relayed.connections,
        refused: relayed.refused,
        unreachable: relayed.unreachable,
        accepts_failed: relayed.accepts_failed,
        backed_up: relayed.backed_up,
        cpu_s: relayed.cpu_ns.map(|cpu| seconds(cpu.0)),
    }
}

fn table(sockets: &Sockets) -> Table {
    Table {
        seen: sockets.ends.len(),
        more: sockets.more,
        resolution_us: us(sockets.resolution_ns.0),
    }
}

fn used(usage: &Usage) -> Used {
    Used {
        rss: usage.rss,
        descriptors: usage.descriptors,
    }
}

//! What a plan will do and needs, before a socket is opened: for `check`, and for the limits met beforehand.

use std::time::Duration;

use super::Plan;
use crate::scenario::{Pacing, Scenario, Shape, TargetUrl};

/// What a plan will do and needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// Open at once, at most.
    pub open_at_once: u64,
    /// Dials in all, reconnects not counted.
    pub dials: u64,
    /// Messages a second at full load; `None` where a closed model leaves it to the server.
    pub sends_per_second: Option<f64>,
    /// Pings a second at full load.
    pub pings_per_second: f64,
    /// From the first dial to the end of the load, with every connection opened at once.
    pub planned: Duration,
    /// What may come on top: dials that take their whole timeout, answers that are due, closes.
    pub overtime: Duration,
    /// File descriptors: one for each open connection, two more where the relay of the path leads it, and some for the
    /// rest.
    pub descriptors: u64,
    /// How many of them do not depend on the number of connections.
    pub other_descriptors: u64,
    /// Local ports, on each source address.
    pub ports: u64,
    /// Memory of connections and histograms in bytes, roughly.
    pub memory: u64,
}

/// Standard streams, reports, signals and the relay's event queue.
const PROCESS_DESCRIPTORS: u64 = 24;
/// Event queue, timer, and what wakes a worker from outside.
const WORKER_DESCRIPTORS: u64 = 5;
/// So many are set aside in any case.
const LEAST_OTHER_DESCRIPTORS: u64 = 64;
/// The relay has two sockets for each connection: one to its client, one to the target.
const RELAY_LEGS: u64 = 2;
/// What an open connection takes besides its buffers.
const CONNECTION_MEMORY: u64 = 3 * 1024;
/// TLS keeps its keys and two record buffers.
const TLS_MEMORY: u64 = 30 * 1024;
/// One histogram with times of up to about 60 ms, see `measure`.
const HISTOGRAM_MEMORY: u64 = 100 * 1024;

impl Budget {
    /// The budget of a plan for so many workers, of which each has a connection at least.
    pub fn new(plan: &Plan, workers: usize) -> Self {
        let scenario = &plan.scenario;
        let open_at_once = open_at_once(scenario);
        let sources = scenario.target.source_addresses.len().max(1) as u64;
        let relay = Relayed::of(scenario, open_at_once);
        let workers = u64::try_from(workers).map_or(open_at_once, |most| most.min(open_at_once));
        let other_descriptors = own_descriptors(workers) + relay.cohorts;
        Self {
            open_at_once,
            dials: dials(plan),
            sends_per_second: sends_per_second(scenario),
            pings_per_second: pings_per_second(scenario),
            planned: planned(scenario),
            overtime: overtime(scenario),
            descriptors: open_at_once + RELAY_LEGS * relay.open_at_once + other_descriptors,
            other_descriptors,
            ports: open_at_once.div_ceil(sources),
            memory: memory(scenario, open_at_once),
        }
    }

    /// The longest the run can take.
    pub fn longest(&self) -> Duration {
        self.planned + self.overtime
    }

    /// How many connections, in the same parts, so many descriptors are enough for.
    pub fn connections_within(&self, descriptors: u64) -> u64 {
        let all = u128::from(self.descriptors - self.other_descriptors).max(1);
        let room = u128::from(descriptors.saturating_sub(self.other_descriptors));
        (room * u128::from(self.open_at_once) / all) as u64
    }
}

/// Of the process and its workers.
fn own_descriptors(workers: u64) -> u64 {
    let own = PROCESS_DESCRIPTORS + WORKER_DESCRIPTORS * workers;
    own.max(LEAST_OTHER_DESCRIPTORS)
}

/// What the relay of the path leads.
struct Relayed {
    /// It listens once for each.
    cohorts: u64,
    /// Connections open at once, at most.
    open_at_once: u64,
}

impl Relayed {
    fn of(scenario: &Scenario, open_at_once: u64) -> Self {
        let leads = |name: &str| scenario.path.as_ref().is_some_and(|path| path.leads(name));
        let led = || (scenario.cohorts.iter()).filter(|cohort| leads(&cohort.name));
        let connections: u64 = led().map(|cohort| u64::from(cohort.connections)).sum();
        Self {
            cohorts: led().count() as u64,
            open_at_once: connections.min(open_at_once),
        }
    }
}

fn open_at_once(scenario: &Scenario) -> u64 {
    match &scenario.load.shape {
        Shape::Arrivals {
            rate,
            lifetime,
            max_open,
            ..
        } => {
            let expected = (rate.hertz() * lifetime.as_secs_f64()).ceil() as u64;
            // A slow target holds arrivals longer than planned: leave room for twice as many.
            u64::from(*max_open).min(expected.saturating_mul(2).max(1))
        }
        _ => (scenario.cohorts.iter())
            .map(|cohort| u64::from(cohort.connections))
            .sum(),
    }
}

fn dials(plan: &Plan) -> u64 {
    match &plan.scenario.load.shape {
        Shape::Stages(stages) => {
            // Every rise of the line opens as many as it rises by.
            let mut from = 0;
            stages
                .iter()
                .map(|stage| {
                    let rise = stage.connections.saturating_sub(from);
                    from = stage.connections;
                    u64::from(rise)
                })
                .sum()
        }
        _ => plan.connections(),
    }
}

/// How many of a cohort's connections are open at once.
fn at_once(scenario: &Scenario, connections: u32) -> f64 {
    match &scenario.load.shape {
        Shape::Arrivals {
            rate,
            lifetime,
            max_open,
            ..
        } => (rate.hertz() * lifetime.as_secs_f64()).min(f64::from(*max_open)),
        _ => f64::from(connections),
    }
}

fn sends_per_second(scenario: &Scenario) -> Option<f64> {
    let mut total = 0.0;
    for cohort in &scenario.cohorts {
        for message in &cohort.messages {
            let Pacing::Open { rate, .. } = message.pacing else {
                return None;
            };
            total += rate.hertz() * at_once(scenario, cohort.connections);
        }
    }
    Some(total)
}

fn pings_per_second(scenario: &Scenario) -> f64 {
    (scenario.cohorts.iter())
        .filter_map(|cohort| {
            let heartbeat = cohort.heartbeat.as_ref()?;
            Some(at_once(scenario, cohort.connections) / heartbeat.interval.as_secs_f64())
        })
        .sum()
}

fn planned(scenario: &Scenario) -> Duration {
    let load = match &scenario.load.shape {
        Shape::Steady {
            ramp_up,
            warm_up,
            duration,
        } => *ramp_up + *warm_up + *duration,
        Shape::Stages(stages) => stages.iter().map(|stage| stage.duration).sum(),
        Shape::Arrivals {
            warm_up, duration, ..
        } => *warm_up + *duration,
    };
    load + scenario.load.ramp_down
}

fn overtime(scenario: &Scenario) -> Duration {
    let target = &scenario.target;
    target.connect_timeout + scenario.longest_answer() + target.close_timeout
}

fn memory(scenario: &Scenario, open_at_once: u64) -> u64 {
    let tls = match &scenario.target.url {
        TargetUrl::Url(url) if url.secure => TLS_MEMORY,
        _ => 0,
    };
    let streams: usize = (scenario.cohorts.iter())
        .map(|cohort| cohort.messages.len())
        .max()
        .unwrap_or(0);
    let connection = CONNECTION_MEMORY + scenario.longest_payload().0 + tls + 256 * streams as u64;
    let histograms: u64 = (scenario.cohorts.iter())
        .map(|cohort| 12 + 2 * cohort.messages.len() as u64)
        .sum();
    let shards = 4 * histograms * HISTOGRAM_MEMORY;
    open_at_once * connection + shards
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_workers_take_descriptors_of_their_own() {
        assert_eq!(own_descriptors(1), own_descriptors(8));
        assert_eq!(own_descriptors(108) - own_descriptors(8), 500);
    }
}

//! What a plan will do and what it needs, computed before a socket is opened: for `check`, and for the limits.

mod compressing;
mod connections;
mod memory;
mod ports;
mod sends;

use std::time::Duration;

pub use self::compressing::Compressing;
use self::connections::{Relayed, dials, open_at_once, tcp_at_once};
use self::memory::memory;
use self::ports::ports;
pub use self::sends::sent_by_setup;
use self::sends::{pings_per_second, sends_in_all, sends_per_second};
use crate::plan::Share;
use crate::scenario::{Cohort, Scenario, Shape};

/// What a plan will do and needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// The most connections open at once.
    pub open_at_once: u64,
    /// Number of dials, without reconnects.
    pub dials: u64,
    /// Messages a second at full load when all are ready, without those of `sends_in_all`; `None` if a closed model
    /// leaves the rate to the server.
    pub sends_per_second: Option<f64>,
    /// The most messages, over the whole run, of those whose `count` is used up before its end, and of steps that are
    /// played a known number of times.
    pub sends_in_all: u64,
    /// Pings a second at full load.
    pub pings_per_second: f64,
    /// From the first dial to the end of the load, with every connection opened at once; `None` without end.
    pub planned: Option<Duration>,
    /// The most time on top of that: dials that use their whole timeout, the set-up, answers that are due, closes.
    pub overtime: Duration,
    /// The most TCP connections open at once: fewer than WebSockets where these share some.
    pub tcp_at_once: u64,
    /// File descriptors: one for each TCP connection, two more if it goes through the relay of the path, and some for
    /// the rest.
    pub descriptors: u64,
    /// How many of them do not depend on the number of connections.
    pub other_descriptors: u64,
    /// Local ports on each source address, for the server or the proxy with the most connections.
    pub ports: u64,
    /// The proxy that they lead to, without credentials; `None`: a server.
    pub ports_to: Option<String>,
    /// Estimated memory of connections, payloads, histograms and workers, in bytes.
    pub memory: u64,
    /// What compression does, by cohort.
    pub compressing: Vec<Compressing>,
}

/// Standard streams, reports, signals and the relay's event queue.
const PROCESS_DESCRIPTORS: u64 = 24;
/// The event queue, the timer, and the descriptor that wakes a worker from outside.
const WORKER_DESCRIPTORS: u64 = 5;
/// The least number of descriptors set aside for the process and its workers.
const LEAST_OTHER_DESCRIPTORS: u64 = 64;
/// The relay has two sockets for each connection: one to its client, one to the target.
const RELAY_LEGS: u64 = 2;

impl Budget {
    /// Computes the budget of a scenario for at most `workers` workers; each of them has at least one connection.
    /// Allocates nothing of what it counts.
    pub fn new(scenario: &Scenario, workers: usize) -> Self {
        let open_at_once = open_at_once(scenario);
        let workers = u64::try_from(workers).map_or(open_at_once, |most| most.min(open_at_once));
        let tcp_at_once = tcp_at_once(scenario, &scenario.cohorts, open_at_once, workers);
        let relay = Relayed::of(scenario, open_at_once, workers);
        let ports = ports(scenario, open_at_once, workers);
        let other_descriptors = own_descriptors(workers) + relay.cohorts;
        Self {
            open_at_once,
            dials: dials(scenario),
            sends_per_second: sends_per_second(scenario),
            sends_in_all: sends_in_all(scenario),
            pings_per_second: pings_per_second(scenario),
            planned: (!scenario.is_endless()).then(|| planned(scenario)),
            overtime: overtime(scenario),
            tcp_at_once,
            descriptors: tcp_at_once + RELAY_LEGS * relay.open_at_once + other_descriptors,
            other_descriptors,
            ports: ports.needed,
            ports_to: ports.proxy,
            memory: memory(scenario, open_at_once, workers),
            compressing: Compressing::of(scenario),
        }
    }

    /// The same for the share of one process: at least what it needs.
    pub fn of_share(scenario: &Scenario, share: Share) -> Self {
        let workers = share.workers();
        match share.is_whole() {
            true => Self::new(scenario, workers),
            false => Self::new(&scaled(scenario, share), workers),
        }
    }

    /// Returns the longest time that the run can take; `None` without end.
    pub fn longest(&self) -> Option<Duration> {
        self.planned
            .map(|planned| planned.saturating_add(self.overtime))
    }

    /// Returns how many connections this many descriptors allow, if the cohorts keep their proportions.
    pub fn connections_within(&self, descriptors: u64) -> u64 {
        let all = u128::from(self.descriptors - self.other_descriptors).max(1);
        let room = u128::from(descriptors.saturating_sub(self.other_descriptors));
        (room * u128::from(self.open_at_once) / all) as u64
    }
}

/// A scenario with as many connections as a share of it has at most.
fn scaled(scenario: &Scenario, share: Share) -> Scenario {
    let most = |connections: &mut u32| {
        let most = share.most(u64::from(*connections));
        *connections = u32::try_from(most).unwrap_or(*connections);
    };
    let mut scaled = scenario.clone();
    for cohort in &mut scaled.cohorts {
        most(&mut cohort.connections);
    }
    match &mut scaled.load.shape {
        Shape::Steady { .. } => {}
        Shape::Stages(stages) => stages
            .iter_mut()
            .for_each(|stage| most(&mut stage.connections)),
        // Its rate stays: what is open at once is bounded by the connections that there are.
        Shape::Arrivals { max_open, .. } => most(max_open),
    }
    scaled
}

/// Returns the descriptors of the process and its workers.
fn own_descriptors(workers: u64) -> u64 {
    let own = PROCESS_DESCRIPTORS + WORKER_DESCRIPTORS * workers;
    own.max(LEAST_OTHER_DESCRIPTORS)
}

/// How long a connection of a cohort is open at most.
pub(super) fn open(scenario: &Scenario, cohort: &Cohort) -> Duration {
    let planned = planned(scenario);
    match &scenario.load.shape {
        Shape::Arrivals {
            lifetime, warm_up, ..
        } => planned.min(lifetime.longest(cohort, *warm_up)),
        _ => planned,
    }
}

fn planned(scenario: &Scenario) -> Duration {
    let load = match &scenario.load.shape {
        Shape::Steady {
            ramp_up,
            warm_up,
            duration,
        } => *ramp_up + *warm_up + duration.foreseen(),
        Shape::Stages(stages) => stages.iter().map(|stage| stage.duration).sum(),
        Shape::Arrivals {
            warm_up, duration, ..
        } => *warm_up + *duration,
    };
    load + scenario.load.ramp_down
}

fn overtime(scenario: &Scenario) -> Duration {
    let target = &scenario.target;
    // Members listen until the patience after the last whole second is over.
    let rest = scenario
        .patience()
        .map_or(Duration::ZERO, |_| Duration::from_secs(1));
    let known = target.connect_timeout + scenario.longest_answer() + rest + target.close_timeout;
    known.saturating_add(scenario.longest_setup())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::scenario::{Outside, Overrides, Source, parse};

    /// Reads a scenario each of whose files has this content.
    pub(in crate::plan) fn with_files(text: &str, content: &[u8]) -> Scenario {
        let source = Source {
            name: "x".into(),
            text: format!("name = \"x\"\n{text}"),
        };
        let outside = Outside {
            env: &|_| None,
            read: &|_| Ok(content.to_vec()),
            list: &Outside::no_folder,
        };
        let scenario = parse(&source, &Overrides::default(), &outside);
        scenario.unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// Reads a scenario with the built-in server.
    pub(super) fn scenario(text: &str) -> Scenario {
        with_files(&format!("target.url = \"embedded\"\n{text}"), &[])
    }

    pub(super) fn budget(text: &str) -> Budget {
        Budget::new(&scenario(text), 1)
    }

    #[test]
    fn a_share_needs_its_share() {
        let steady = scenario("load = { connections = 1001, duration = \"1s\" }");
        let open = |share| Budget::of_share(&steady, share).open_at_once;
        assert_eq!(open(Share::whole(2)), 1001);
        assert_eq!(open(Share::part(0, 4, 2)), 251);
        assert_eq!(open(Share::part(3, 4, 2)), 251, "at most");
        assert_eq!(open(Share::range(2, 4, 8)), 501);
        let stages = scenario("load.stages = [{ duration = \"1s\", connections = 400 }]");
        let budget = Budget::of_share(&stages, Share::part(1, 4, 2));
        assert_eq!((budget.open_at_once, budget.dials), (100, 100));
    }

    #[test]
    fn many_workers_take_descriptors_of_their_own() {
        assert_eq!(own_descriptors(1), own_descriptors(8));
        assert_eq!(own_descriptors(108) - own_descriptors(8), 500);
    }
}

//! What happens around the connections of a run: the relay on their path, faults of the target, its sockets and its
//! resources. Started before the run, informed when measuring begins, and read afterwards.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::CliError;
use super::target::RunningTarget;
use crate::host::{self, Faults, HostError, Watch};
use crate::measure::{Summary, Surroundings, Usage};
use crate::metric::Gauge;
use crate::net::{LooksUpAgain, Resolvers, Route, TcpDialer};
use crate::relay::{Relay, RelayLog};
use crate::scenario::{Cohort, Path, Promise, PromiseKind, Scenario, WebOrigin};

/// How long to wait for the target to free what its connections used.
const CALM: Duration = Duration::from_secs(2);
/// The time between two reads of the target's resources.
const LOOK: Duration = Duration::from_millis(50);

/// Everything that runs around the connections of a run.
pub(super) struct Around {
    relay: Option<Relay>,
    look_ups: Option<LooksUpAgain>,
    faults: Option<Faults>,
    sockets: Option<Watch>,
    /// The target's process id, and its resources before the load.
    usage: Option<(u32, Usage)>,
    /// The target's process id, where its resources can be read each second.
    target: Option<u32>,
}

impl Around {
    /// Starts what the scenario needs. `names` has looked up the target's.
    pub(super) fn start(
        scenario: &Scenario,
        target: &RunningTarget,
        names: &Arc<Resolvers>,
        seed: u64,
    ) -> Result<Self, CliError> {
        let origin = target.servers.first().origin();
        let relay = match &scenario.path {
            Some(path) if origin.unix.is_none() => {
                let first_hops = first_hops(scenario, path, &origin, names)?;
                Some(Relay::start(
                    path,
                    &cohorts(scenario),
                    |cohort| first_hops[cohort].clone(),
                    scenario.target.connect_timeout,
                    seed,
                )?)
            }
            _ => None,
        };
        let faults = match &target.process {
            Some(process) if !scenario.target.faults.is_empty() => {
                Some(Faults::start(process, &scenario.target.faults)?)
            }
            _ => None,
        };
        let sockets = target.servers.is_loopback() && asks(scenario, is_about_sockets);
        let sockets = sockets.then(|| Watch::start(origin.port)).transpose()?;
        let process = target.process.as_ref();
        let process = process.filter(|_| asks(scenario, is_about_resources));
        let usage = process
            .map(|process| usage_before(process.pid()).map(|usage| (process.pid(), usage)))
            .transpose()?;
        let target = match (target.pid(), looks_at_target(scenario)) {
            (Some(pid), true) => host::usage(pid).map(|_| Some(pid))?,
            (pid, _) => pid.filter(|pid| host::usage(*pid).is_ok()),
        };
        let look_ups = LooksUpAgain::start(names).map_err(|source| CliError::System {
            doing: "start a thread that looks names up again",
            source,
        })?;
        Ok(Self {
            relay,
            look_ups,
            faults,
            sockets,
            usage,
            target,
        })
    }

    /// The resources of the target up to now; `None` where its process is not known, or has ended.
    pub(super) fn target(&self) -> Option<Usage> {
        host::usage(self.target?).ok()
    }

    /// For each cohort, the route of its connections; a cohort without one connects directly to the target.
    pub(super) fn routes(&self) -> &[Option<Route>] {
        self.relay.as_ref().map_or(&[], Relay::routes)
    }

    /// Reports that measuring starts at this time: the times of faults count from here.
    pub(super) fn measuring(&self, from: Instant) {
        if let Some(relay) = &self.relay {
            relay.measuring(from);
        }
        if let Some(faults) = &self.faults {
            faults.measuring(from);
        }
    }

    /// Whether the relay has failed. The load cannot reach the target then.
    pub(super) fn has_failed(&self) -> bool {
        self.relay.as_ref().is_some_and(Relay::has_failed)
    }

    /// Ends everything. Returns what happened, in times since `origin` (the start of the run), and an error if the
    /// relay failed: then its part is missing. Adds to `summary` what the relay counted for the clients after their
    /// last dial.
    pub(super) fn end(
        self,
        origin: Instant,
        summary: &mut Summary,
    ) -> (Surroundings, Option<CliError>) {
        let log = self.relay.map(Relay::stop).transpose();
        let (log, failure) = match log {
            Ok(log) => (log, None),
            Err(error) => (None, Some(error.into())),
        };
        for (cohort, passed) in log.iter().flat_map(|log| &log.passed) {
            summary.add_fallbacks(*cohort, passed.dials, &passed.addresses);
        }
        let done = self.faults.map(Faults::stop).unwrap_or_default();
        let on_path = log.iter().flat_map(|log| &log.incidents);
        let of_target = done.happened.iter().map(|fault| fault.incident(origin));
        let mut incidents: Vec<_> = on_path
            .map(|fault| fault.incident(origin))
            .chain(of_target)
            .collect();
        incidents.sort_by_key(|incident| incident.began_ns);
        let mut sockets = self.sockets.and_then(|watch| watch.stop(origin));
        if let (Some(log), Some(sockets)) = (&log, &mut sockets) {
            log.attribute(sockets, origin);
        }
        let surroundings = Surroundings {
            incidents,
            fault_failed: done.failed,
            look_ups_failed: self.look_ups.and_then(LooksUpAgain::end),
            relayed: log.as_ref().map(RelayLog::relayed),
            sockets,
            usage: self
                .usage
                .and_then(|(pid, before)| Some((before, usage_afterwards(pid, before)?))),
        };
        (surroundings, failure)
    }
}

/// What dials the target for each cohort, or the proxy on its way there.
fn first_hops(
    scenario: &Scenario,
    path: &Path,
    target: &WebOrigin,
    names: &Resolvers,
) -> Result<Vec<TcpDialer>, CliError> {
    let cohorts = scenario.cohorts.iter();
    let dialers = cohorts.filter_map(|cohort| {
        let resolver = names.server(target, &cohort.access)?;
        let is_led = path.leads(&cohort.name);
        let known = resolver.known().addresses.map_err(CliError::from);
        let lacks = known.err().filter(|_| is_led);
        let dialer = TcpDialer::new(resolver, &cohort.access.sources).by(&cohort.access.addresses);
        Some(lacks.map_or(Ok(dialer), Err))
    });
    dialers.collect()
}

fn cohorts(scenario: &Scenario) -> Vec<String> {
    let cohorts = scenario.cohorts.iter();
    cohorts.map(|cohort| cohort.name.clone()).collect()
}

fn asks(scenario: &Scenario, about: fn(&Promise) -> bool) -> bool {
    let promises = |cohort: &Cohort| cohort.contract.iter().any(|c| c.promises.iter().any(about));
    scenario.cohorts.iter().any(promises)
}

/// Whether a gate is about the resources of the target.
fn looks_at_target(scenario: &Scenario) -> bool {
    use Gauge::{TargetCpu, TargetDescriptors, TargetRss};
    let gates = &scenario.gates;
    let mut gates = gates.pass.iter().chain(&gates.abort);
    gates.any(|gate| {
        let mut gauges = [TargetCpu, TargetRss, TargetDescriptors].iter();
        gauges.any(|gauge| gate.subject.is_of(gauge.name()))
    })
}

fn is_about_sockets(promise: &Promise) -> bool {
    matches!(
        promise.kind,
        PromiseKind::ReapedBetween | PromiseKind::ReleasedWithin
    )
}

fn is_about_resources(promise: &Promise) -> bool {
    matches!(
        promise.kind,
        PromiseKind::MaxRssGrowth | PromiseKind::MaxDescriptorGrowth
    )
}

/// The resources as soon as two readings agree on the descriptors, or after [`CALM`]: the target may still have to
/// close the connection by which wsbench saw that it listens. Counted in, it would hide one that the target keeps.
fn usage_before(pid: u32) -> Result<Usage, HostError> {
    let deadline = Instant::now() + CALM;
    let mut before = host::usage(pid)?;
    loop {
        std::thread::sleep(LOOK);
        let now = host::usage(pid)?;
        if now.descriptors == before.descriptors || Instant::now() >= deadline {
            return Ok(now);
        }
        before = now;
    }
}

/// The resources as soon as they are no higher than before, or after [`CALM`]. `None` if the process has ended.
fn usage_afterwards(pid: u32, before: Usage) -> Option<Usage> {
    let deadline = Instant::now() + CALM;
    loop {
        let now = host::usage(pid).ok()?;
        let is_back = now.rss <= before.rss && now.descriptors <= before.descriptors;
        if is_back || Instant::now() >= deadline {
            return Some(now);
        }
        std::thread::sleep(LOOK);
    }
}

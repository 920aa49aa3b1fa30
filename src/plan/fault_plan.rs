//! The faults of one connection, and what is recorded of it.

use std::time::Duration;

use super::{Plan, fraction};
use crate::scenario::{Cohort, Contract, Fault, FaultKind, PromiseKind, Scenario};
use crate::units::Nanos;

/// How much longer to wait for a server that ends TCP at the last moment.
const GRACE: Duration = Duration::from_secs(1);

/// The behaviour of one connection beside its messages and pings. Made before it is dialled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FaultPlan {
    /// Its faults. Empty for a healthy client.
    pub faults: Vec<Fault>,
    /// Whether pings of the server are not answered, although the client has no fault (`auto_pong = false`).
    pub mute: bool,
    /// Whether its cohort has a contract: its [`ConnectionRecord`](crate::measure::ConnectionRecord) is kept, with the
    /// kernel's times.
    pub watched: bool,
    /// Its own value of a delay, if its cohort sweeps over one.
    pub level: Option<Nanos>,
    /// The least time to wait for the end of TCP after the server's Close frame.
    pub close_wait: Nanos,
    /// The time from its fault to the probe. A probe is one pong. It is sent if the client does not read and only
    /// the answer of the server's system can tell whether the server has ended the connection.
    pub probe: Option<Nanos>,
}

impl FaultPlan {
    /// Returns whether the client is going to stop reading, while TCP goes on.
    pub fn stops_reading(&self) -> bool {
        let mut faults = self.faults.iter();
        faults.any(|fault| fault.kind == FaultKind::StopReading)
    }
}

impl Plan {
    /// Returns whether the connections of a cohort leave the server's pings unanswered, although they have no fault.
    pub fn is_mute(&self, cohort: usize) -> bool {
        is_mute(self.cohort(cohort))
    }

    /// Returns the behaviour of a connection. Allocates nothing for a healthy one.
    pub fn fault_plan(&self, cohort: usize, connection: u32) -> FaultPlan {
        let place = self.place(cohort, connection);
        let cohort = self.cohort(cohort);
        let faults: Vec<Fault> = (cohort.faults.iter())
            .map(|fault| fault.of(place))
            .collect();
        let probe = probed_within(&self.scenario, cohort)
            .map(|within| Nanos::from(within).mul_f64(fraction(place)));
        FaultPlan {
            mute: is_mute(cohort),
            watched: cohort.contract.is_some(),
            level: faults
                .iter()
                .find_map(|fault| fault.kind.level())
                .map(Nanos::from),
            close_wait: cohort.contract.as_ref().map_or(Nanos::ZERO, close_wait),
            probe,
            faults,
        }
    }
}

fn is_mute(cohort: &Cohort) -> bool {
    let heartbeat = cohort.heartbeat.as_ref();
    heartbeat.is_some_and(|heartbeat| !heartbeat.auto_pong)
}

/// Returns the time from the fault over which a cohort's probes are spread, one pong for each client. There are probes
/// only where nothing else tells whether the server has ended a client that does not read, because servers that count
/// any byte take them for a sign of life. So there is none beside a promise about when the client sees its end: the
/// probe would delay that end, and the kernel reports a FIN or a RST without it.
pub fn probed_within(scenario: &Scenario, cohort: &Cohort) -> Option<Duration> {
    let mut faults = cohort.faults.iter();
    let contract = cohort.contract.as_ref()?;
    let is_seen = scenario.target.url.is_local() || contract.has(PromiseKind::ClosedBetween);
    if is_seen || !faults.any(|fault| fault.kind == FaultKind::StopReading) {
        return None;
    }
    let latest = contract.latest(PromiseKind::ReapedBetween)?;
    // A quarter more, so that some of them come after the promised time.
    Some(latest.saturating_add(latest / 4))
}

fn close_wait(contract: &Contract) -> Nanos {
    let latest = contract.latest(PromiseKind::TcpEndBetween);
    latest.map_or(Nanos::ZERO, |hi| Nanos::from(hi + GRACE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{
        self, Between, Fault, Origin, Outside, Overrides, Promise, Source, Sweep,
    };

    fn plan(faults: Vec<FaultKind>, promises: Vec<Promise>) -> Plan {
        plan_for("ws://peer/", faults, promises)
    }

    fn plan_for(url: &str, faults: Vec<FaultKind>, promises: Vec<Promise>) -> Plan {
        let source = Source {
            name: "test".to_owned(),
            text: format!(
                r#"
                name = "test"
                target.url = "{url}"
                load = {{ connections = 40, duration = "1s" }}
                "#
            ),
        };
        let outside = Outside {
            env: &|_| None,
            read: &|_| Err(std::io::ErrorKind::NotFound.into()),
            list: &Outside::no_folder,
        };
        let mut scenario = scenario::parse(&source, &Overrides::default(), &outside).unwrap();
        scenario.cohorts[0].faults = (faults.into_iter())
            .map(|kind| Fault {
                kind,
                after: Duration::from_secs(3),
            })
            .collect();
        scenario.cohorts[0].contract = (!promises.is_empty()).then_some(Contract {
            from: Origin::Fault,
            preset: None,
            promises,
        });
        Plan::new(scenario, 1, 1)
    }

    #[test]
    fn a_healthy_client_behaves() {
        assert_eq!(plan(vec![], vec![]).fault_plan(0, 7), FaultPlan::default());
    }

    #[test]
    fn a_sweep_and_codes_are_taken_in_turn() {
        let levels = [1, 2, 3].map(Duration::from_secs).to_vec();
        let delay = Sweep { levels };
        let codes = vec![Some(1000), None];
        let plan = plan(
            vec![FaultKind::LatePong { delay }, FaultKind::Close { codes }],
            vec![],
        );
        let of = |connection| {
            let fault_plan = plan.fault_plan(0, connection);
            (fault_plan.level, fault_plan.faults[1].kind.clone())
        };
        let close = |code| FaultKind::Close { codes: vec![code] };
        assert_eq!(of(0), (Some(Nanos(1_000_000_000)), close(Some(1000))));
        assert_eq!(of(4), (Some(Nanos(2_000_000_000)), close(Some(1000))));
        assert_eq!(of(5), (Some(Nanos(3_000_000_000)), close(None)));
        assert_eq!(
            plan.fault_plan(0, 0).faults[0].after,
            Duration::from_secs(3)
        );
    }

    #[test]
    fn probes_are_spread_over_the_promised_time_and_a_quarter_more() {
        let between = Between {
            lo: Duration::from_secs(1),
            hi: Duration::from_secs(8),
        };
        let promises = vec![PromiseKind::ReapedBetween.of(between)];
        let reads_not = plan(vec![FaultKind::StopReading], promises.clone());
        let mut probes: Vec<_> = (0..40)
            .map(|connection| reads_not.fault_plan(0, connection).probe.unwrap())
            .collect();
        probes.sort_unstable();
        assert!(probes[0] < Nanos(500_000_000) && probes[39] < Nanos(10_000_000_000));
        assert!(probes[39] > Nanos(9_500_000_000), "{probes:?}");
        let reads = plan(vec![FaultKind::NoPong], promises);
        assert_eq!(reads.fault_plan(0, 0).probe, None);
    }

    #[test]
    fn nothing_is_probed_where_it_can_be_seen_or_would_move_the_end() {
        let between = Between {
            lo: Duration::from_secs(1),
            hi: Duration::from_secs(8),
        };
        let (closed, reaped) = (
            PromiseKind::ClosedBetween.of(between),
            PromiseKind::ReapedBetween.of(between),
        );
        for (url, promises) in [
            // The system's table of sockets shows the end.
            ("embedded", vec![reaped.clone()]),
            ("ws://127.0.0.1/", vec![reaped.clone()]),
            ("ws://localhost/", vec![reaped.clone()]),
            // The client's own kernel shows the end.
            ("ws://peer/", vec![closed.clone()]),
            ("ws://peer/", vec![closed, reaped]),
        ] {
            let plan = plan_for(url, vec![FaultKind::StopReading], promises);
            assert!(
                (0..40).all(|connection| plan.fault_plan(0, connection).probe.is_none()),
                "{url}"
            );
        }
    }

    #[test]
    fn a_server_is_waited_for_as_long_as_it_promised_and_a_second() {
        let between = Between {
            lo: Duration::ZERO,
            hi: Duration::from_secs(31),
        };
        let plan = plan(
            vec![FaultKind::NoPong],
            vec![PromiseKind::TcpEndBetween.of(between)],
        );
        assert_eq!(plan.fault_plan(0, 0).close_wait, Nanos(32_000_000_000));
        assert!(plan.fault_plan(0, 0).watched);
    }
}

//! What a probe came to: whether the server held, broke, or the generator was the limit.

use crate::metric::{self, Cause};
use crate::verdict::{Exit, GateResult};

/// A gate that is missed by no more than this factor may be missed by chance.
const NEAR: f64 = 1.5;

/// The doubts that are about wsbench itself, and not about the server.
const OWN_DOUBTS: [&str; 7] = [
    "not_sent",
    "sends_late",
    "workers_late",
    "throttled",
    "generator_busy",
    "pings_late",
    "relay_refused",
];

/// The causes of failed dials that are wsbench's own.
const OWN_CAUSES: [Cause; 2] = [Cause::NoLocalPort, Cause::NoDescriptor];

/// How one probe ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every gate and promise held.
    Held,
    /// A gate or a promise was broken.
    Broke,
    /// Gates were broken, but only by so little that another try may hold.
    Near,
    /// wsbench itself was too slow, or had no room: nothing is known of the server.
    Generator,
    /// There is no verdict, and not because of wsbench.
    Nothing,
}

/// What is known of one probe.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// How the run ended.
    pub exit: Exit,
    /// Its gates.
    pub gates: &'a [GateResult],
    /// Whether a promise was broken.
    pub broke_promise: bool,
    /// The kinds of its doubts.
    pub doubts: &'a [&'a str],
    /// How many connections failed.
    pub failed: u64,
}

impl Outcome {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Broke | Self::Near => "broke",
            Self::Generator => "generator",
            Self::Nothing => "nothing",
        }
    }

    /// Judges a probe; `count` gives the counters of the whole run. `None` if it was interrupted or could not be run.
    pub fn of(evidence: &Evidence<'_>, count: impl Fn(&str) -> u64) -> Option<Self> {
        let is_own = |kind: &&str| OWN_DOUBTS.contains(kind);
        let lacks_room = OWN_CAUSES
            .iter()
            .any(|cause| count(&metric::error(*cause)) > 0);
        match evidence.exit {
            Exit::Passed => Some(Self::Held),
            Exit::Failed | Exit::Untrusted if lacks_room => Some(Self::Generator),
            Exit::Failed if evidence.is_near() => Some(Self::Near),
            Exit::Failed => Some(Self::Broke),
            Exit::Untrusted if evidence.doubts.iter().any(is_own) => Some(Self::Generator),
            Exit::Untrusted => Some(Self::Nothing),
            Exit::Unexpected | Exit::Invalid | Exit::Interrupted => None,
        }
    }
}

impl Evidence<'_> {
    /// Whether it broke only by statistics that chance may have moved so far.
    fn is_near(&self) -> bool {
        let mut broken = self.gates.iter().filter(|gate| !gate.passed);
        !self.broke_promise && self.failed == 0 && broken.all(is_near)
    }
}

fn is_near(gate: &GateResult) -> bool {
    let both = gate.observed.map(|seen| seen.value).zip(gate.limit);
    both.is_some_and(|(seen, limit)| {
        let is_above_zero = seen > 0.0 && limit > 0.0;
        !gate.ended_the_run && is_above_zero && seen / limit <= NEAR && limit / seen <= NEAR
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Unit;
    use crate::verdict::{Measure, Observed};

    fn gate(seen: f64, limit: f64, passed: bool) -> GateResult {
        GateResult {
            gate: "p99(latency.echo) < 50ms".to_owned(),
            observed: Some(Observed {
                value: seen,
                measure: Measure::Plain(Unit::Time),
            }),
            limit: Some(limit),
            against: None,
            passed,
            doubted: false,
            why: String::new(),
            ended_the_run: false,
        }
    }

    fn judged(exit: Exit, gates: &[GateResult], doubts: &[&str], failed: u64) -> Option<Outcome> {
        let evidence = Evidence {
            exit,
            gates,
            broke_promise: false,
            doubts,
            failed,
        };
        Outcome::of(&evidence, |_| 0)
    }

    #[test]
    fn a_near_miss_is_one_by_a_statistic_alone() {
        let failed = |gates: &[GateResult]| judged(Exit::Failed, gates, &[], 0);
        let (held, near, far) = (
            gate(4.0, 5.0, true),
            gate(7.0, 5.0, false),
            gate(8.0, 5.0, false),
        );
        assert_eq!(failed(&[held.clone(), near.clone()]), Some(Outcome::Near));
        assert_eq!(failed(&[near.clone(), far]), Some(Outcome::Broke));
        assert_eq!(failed(&[gate(3.0, 0.0, false)]), Some(Outcome::Broke));
        let aborted = GateResult {
            ended_the_run: true,
            ..near.clone()
        };
        assert_eq!(failed(&[aborted]), Some(Outcome::Broke));
        let near = [near];
        assert_eq!(judged(Exit::Failed, &near, &[], 1), Some(Outcome::Broke));
        let promise = Evidence {
            exit: Exit::Failed,
            gates: &near,
            broke_promise: true,
            doubts: &[],
            failed: 0,
        };
        assert_eq!(Outcome::of(&promise, |_| 0), Some(Outcome::Broke));
    }

    #[test]
    fn what_wsbench_lacked_is_no_verdict_on_the_server() {
        let broken = [gate(9.0, 5.0, false)];
        let untrusted = |doubts| judged(Exit::Untrusted, &broken, doubts, 0);
        assert_eq!(untrusted(&["workers_late"]), Some(Outcome::Generator));
        assert_eq!(untrusted(&["no_answer"]), Some(Outcome::Nothing));
        assert_eq!(judged(Exit::Passed, &[], &[], 0), Some(Outcome::Held));
        assert_eq!(judged(Exit::Interrupted, &[], &[], 0), None);
        let evidence = Evidence {
            exit: Exit::Failed,
            gates: &broken,
            broke_promise: false,
            doubts: &[],
            failed: 3,
        };
        let no_port = |name: &str| u64::from(name == "errors.no_local_port");
        assert_eq!(Outcome::of(&evidence, no_port), Some(Outcome::Generator));
    }
}

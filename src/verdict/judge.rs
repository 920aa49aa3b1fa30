//! Judges one run: gates, warnings, doubts and the exit code, decided in one place.
//! Every report and the exit code show this verdict.

use super::contract::{self, ContractResult};
use super::distrust::Doubt;
use super::doubts;
use super::exit::Exit;
use super::facts::{Facts, Outcome};
use super::gates::{GateResult, aborted_by, evaluate};
use super::view::View;
use super::warning::Warning;
use super::warnings;
use crate::measure::Summary;
use crate::scenario::Scenario;

/// The verdict on one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Every gate of `pass` in the order of the scenario, after the abort gate that ended the run, if there is one.
    pub gates: Vec<GateResult>,
    /// Every promise of every cohort, in the order of the scenario.
    pub contracts: Vec<ContractResult>,
    /// What a reader of the numbers should know.
    pub warnings: Vec<Warning>,
    /// The doubts. Empty if every gate and promise can be judged.
    pub distrust: Vec<Doubt>,
    /// The exit code.
    pub exit: Exit,
}

impl Verdict {
    /// Whether every gate and promise held, and the run was complete and can be trusted.
    pub fn passed(&self) -> bool {
        self.exit == Exit::Passed
    }
}

/// Judges a run.
pub fn judge(scenario: &Scenario, summary: &Summary, facts: &Facts) -> Verdict {
    let view = &View::new(scenario, summary);
    let aborted = match &facts.outcome {
        Outcome::Aborted { gate } => Some(aborted_by(gate, &scenario.gates.abort, view)),
        Outcome::Completed | Outcome::Interrupted | Outcome::Broken { .. } => None,
    };
    let pass = scenario.gates.pass.iter();
    let mut gates: Vec<GateResult> = aborted
        .into_iter()
        .chain(pass.map(|gate| evaluate(gate, view)))
        .collect();
    let mut contracts = contract::judge(scenario, summary, &facts.surroundings);
    let distrust = doubts::find(&doubts::Run {
        scenario,
        view,
        facts,
        gates: &gates,
        contracts: &contracts,
    });
    for gate in &mut gates {
        gate.doubted = distrust.iter().any(|doubt| doubt.is_about(&gate.gate));
    }
    for promise in &mut contracts {
        let name = promise.name();
        promise.doubted = distrust.iter().any(|doubt| doubt.is_about(&name));
    }
    let warnings = warnings::find(scenario, view, facts, &distrust);
    Verdict {
        exit: exit_code(facts, &gates, &contracts, !distrust.is_empty()),
        gates,
        contracts,
        warnings,
        distrust,
    }
}

/// Chooses the exit code. A failure without a doubt stands, whatever else is in doubt; a doubt about the whole run
/// leaves no failure standing.
pub fn exit_code(
    facts: &Facts,
    gates: &[GateResult],
    contracts: &[ContractResult],
    is_in_doubt: bool,
) -> Exit {
    let gates = gates.iter().map(|gate| (gate.passed, gate.doubted));
    let promises = contracts.iter().map(|one| (one.passed, one.doubted));
    let has_failed = gates.chain(promises).any(|judged| judged == (false, false));
    if facts.outcome == Outcome::Interrupted {
        Exit::Interrupted
    } else if matches!(facts.outcome, Outcome::Broken { .. }) {
        Exit::Unexpected
    } else if has_failed {
        Exit::Failed
    } else if is_in_doubt {
        Exit::Untrusted
    } else {
        Exit::Passed
    }
}

#[cfg(test)]
mod tests {
    use super::super::contract::record;
    use super::super::fixture::{Run, gate, scenario};
    use super::*;
    use crate::measure::EndedBy;
    use crate::metric::Counter;
    use crate::scenario::{Contract, Op, Origin, PromiseKind, Stat};

    fn aborted() -> Facts {
        Facts {
            outcome: Outcome::Aborted {
                gate: "count(connections.failed) > 0".to_owned(),
            },
            ..Facts::completed(1)
        }
    }

    #[test]
    fn everything_held() {
        let verdict = judge(&scenario(), &Run::healthy().summary(), &Facts::completed(1));
        assert!(verdict.passed(), "{verdict:?}");
        assert_eq!(verdict.gates.len(), 1);
        assert_eq!(verdict.warnings, []);
    }

    #[test]
    fn a_gate_that_does_not_hold_is_a_3() {
        let mut run = Run::healthy();
        run.add(Counter::ConnectionsDead, 2);
        let verdict = judge(&scenario(), &run.summary(), &Facts::completed(1));
        assert_eq!(verdict.exit, Exit::Failed);
        assert_eq!(verdict.gates[0].why, "observed 2");
    }

    #[test]
    fn distrust_beats_a_failed_gate_and_a_signal_beats_both() {
        let mut failing = scenario();
        failing.gates.pass = vec![gate(Stat::Count, "connections.opened", Op::Greater, 5.0)];
        let nothing = Run::new().summary();
        let verdict = judge(&failing, &nothing, &Facts::completed(1));
        assert!(!verdict.gates[0].passed);
        assert_eq!(verdict.exit, Exit::Untrusted);

        let facts = Facts {
            outcome: Outcome::Interrupted,
            ..Facts::completed(1)
        };
        assert_eq!(judge(&failing, &nothing, &facts).exit, Exit::Interrupted);
    }

    #[test]
    fn gates_that_held_over_lost_connections_prove_nothing() {
        let mut run = Run::healthy();
        run.add(Counter::ConnectionsLost, 5);
        let verdict = judge(&scenario(), &run.summary(), &Facts::completed(1));
        assert!(verdict.passed(), "half of them were there: {verdict:?}");

        run.add(Counter::ConnectionsLost, 1);
        let verdict = judge(&scenario(), &run.summary(), &Facts::completed(1));
        assert_eq!(verdict.exit, Exit::Untrusted);
        assert_eq!(
            verdict.distrust[0].reason.to_string(),
            "6 of 10 connections were lost too early: most of the load was not there"
        );

        run.add(Counter::ConnectionsDead, 6);
        let verdict = judge(&scenario(), &run.summary(), &Facts::completed(1));
        assert_eq!(verdict.exit, Exit::Failed, "a failure needs no more");
    }

    #[test]
    fn a_broken_promise_is_a_3_and_one_not_judged_by_all_a_4() {
        let mut scenario = scenario();
        scenario.cohorts[0].contract = Some(Contract {
            from: Origin::Open,
            preset: None,
            promises: vec![PromiseKind::Closed.of(0)],
        });
        let mut summary = Run::healthy().summary();
        let verdict = judge(&scenario, &summary, &Facts::completed(1));
        assert_eq!(verdict.exit, Exit::Failed, "nobody opened: {verdict:?}");

        summary.records.rows = vec![record(0), record(1)];
        let verdict = judge(&scenario, &summary, &Facts::completed(1));
        assert_eq!(verdict.exit, Exit::Passed, "{verdict:?}");

        summary.records.more = 9;
        let verdict = judge(&scenario, &summary, &Facts::completed(1));
        assert_eq!(verdict.exit, Exit::Untrusted);
        assert_eq!(
            verdict.distrust[0].reason.to_string(),
            "the contracts held for 2 connections; for 9 more there was no room to judge them"
        );
        assert_eq!(verdict.warnings, [], "it is said once");

        summary.records.rows[1].ended_by = EndedBy::Server;
        let verdict = judge(&scenario, &summary, &Facts::completed(1));
        assert_eq!(verdict.exit, Exit::Failed, "what was seen is enough");
        assert_eq!(verdict.warnings[0].kind(), "not_judged");
    }

    #[test]
    fn an_aborted_run_fails_and_names_its_gate_first() {
        let mut scenario = scenario();
        scenario.gates.abort = vec![gate(Stat::Count, "connections.failed", Op::Greater, 0.0)];
        let mut run = Run::healthy();
        run.refused(4, "");
        let verdict = judge(&scenario, &run.summary(), &aborted());
        assert_eq!(verdict.exit, Exit::Failed);
        assert_eq!(verdict.gates[0].gate, "count(connections.failed) > 0");
        assert_eq!(verdict.gates[0].observed.unwrap().value, 4.0);
        assert!(verdict.gates[0].why.contains("ended the run"));
        assert!(verdict.gates[1].passed);
    }
}

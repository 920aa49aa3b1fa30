//! Evaluates gates: looks up each value, compares it and explains the result.
//! A gate without data does not hold.

use super::against::Against;
use super::observe::{Observed, observe};
use super::view::View;
use crate::measure::Summary;
use crate::scenario::{Gate, Scenario};

/// The result of one gate.
#[derive(Debug, Clone, PartialEq)]
pub struct GateResult {
    /// The gate as the user wrote it.
    pub gate: String,
    /// The value that was observed; `None` if there was no data.
    pub observed: Option<Observed>,
    /// What the observed value was compared with, in the same unit; `None` if there was no data.
    pub limit: Option<f64>,
    /// Whether the gate passed.
    pub passed: bool,
    /// Whether a doubt concerns it, so that it has no verdict.
    pub doubted: bool,
    /// Why it failed; empty if it passed.
    pub why: String,
    /// Whether it is the abort gate that ended the run, and therefore counts as failed.
    pub ended_the_run: bool,
    /// What it came to against a baseline; `None` for a gate with a limit of its own.
    pub against: Option<Against>,
}

impl GateResult {
    /// Whether nothing was decided: it is about a baseline, and was not compared, or the noise hides what would fail it.
    pub fn is_open(&self) -> bool {
        self.against.is_some_and(|one| one.standing.is_open())
    }

    /// The limit with its unit; `None` if nothing was observed.
    pub fn limit(&self) -> Option<Observed> {
        let (observed, limit) = self.observed.zip(self.limit)?;
        Some(Observed {
            value: limit,
            ..observed
        })
    }
}

/// Evaluates a gate that must hold.
pub(super) fn evaluate(gate: &Gate, view: &View<'_>) -> GateResult {
    let text = gate.text.clone();
    match observe(&gate.subject, view) {
        Ok(observed) => {
            let passed = gate.op.holds(observed.value, gate.value);
            GateResult {
                gate: text,
                observed: Some(observed),
                limit: Some(gate.value),
                passed,
                doubted: false,
                why: if passed {
                    String::new()
                } else {
                    format!("observed {observed}")
                },
                ended_the_run: false,
                against: None,
            }
        }
        Err(no_data) => GateResult {
            gate: text,
            observed: None,
            limit: None,
            passed: false,
            doubted: false,
            why: no_data.to_string(),
            ended_the_run: false,
            against: None,
        },
    }
}

/// Every gate of `pass` as it stands now, while a run goes on. One without data is in doubt.
pub fn so_far(scenario: &Scenario, summary: &Summary) -> Vec<GateResult> {
    let view = &View::new(scenario, summary);
    let pass = scenario.gates.pass.iter();
    let results = pass.map(|gate| {
        let result = evaluate(gate, view);
        GateResult {
            doubted: result.observed.is_none(),
            ..result
        }
    });
    results.collect()
}

/// The abort gate that ended the run, reported as a failure.
pub(super) fn aborted_by(text: &str, gates: &[Gate], view: &View<'_>) -> GateResult {
    let gate = gates.iter().find(|gate| gate.text == text);
    GateResult {
        gate: text.to_owned(),
        observed: gate.and_then(|gate| observe(&gate.subject, view).ok()),
        limit: gate.map(|gate| gate.value),
        passed: false,
        doubted: false,
        why: "came true, and so ended the run (a gate of abort)".to_owned(),
        ended_the_run: true,
        against: None,
    }
}

/// The first abort gate that holds now. A gate without data does not hold.
pub fn first_holding<'s>(scenario: &'s Scenario, summary: &Summary) -> Option<&'s Gate> {
    let view = &View::new(scenario, summary);
    scenario.gates.abort.iter().find(|gate| {
        observe(&gate.subject, view).is_ok_and(|seen| gate.op.holds(seen.value, gate.value))
    })
}

#[cfg(test)]
#[path = "gates_tests.rs"]
mod tests;

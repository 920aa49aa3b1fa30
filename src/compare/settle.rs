//! Puts what gates on a baseline came to into the record of a run, and decides its exit code anew.

use crate::report::{DoubtNote, Note, Run};
use crate::units::counted;
use crate::verdict::{Against, Exit, GateResult, exit_code};

/// What becomes of a run where a gate on the baseline is not decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// It is a warning, and the gate passes.
    IsAWarning,
    /// It is a doubt, and the run has no verdict where all else held.
    IsADoubt,
    /// It is decided elsewhere.
    IsLeftOut,
}

/// The kind of the warning, or of the doubt.
const KIND: &str = "not_decided";

/// Puts these results in place of those that the same gates had as ordinary ones; what was in doubt stays so.
pub fn settle(run: &mut Run, results: Vec<GateResult>, open: Open) {
    let verdict = &mut run.verdict;
    for mut result in results {
        let mut judged = verdict.gates.iter_mut();
        match judged.find(|gate| gate.gate == result.gate && !gate.ended_the_run) {
            Some(gate) => {
                result.doubted = gate.doubted;
                *gate = result;
            }
            None => verdict.gates.push(result),
        }
    }
    let is_open = |gate: &&mut GateResult| gate.is_open() && !gate.doubted;
    let count = verdict.gates.iter_mut().filter(is_open).count();
    if count > 0 && open != Open::IsLeftOut {
        let gates = counted(count as u64, "gate");
        let is = if count == 1 { "is" } else { "are" };
        let text = format!("{gates} on the baseline {is} not decided; why stands beside each");
        match open {
            Open::IsADoubt => {
                let mut concerns = Vec::new();
                for gate in verdict.gates.iter_mut().filter(is_open) {
                    gate.doubted = true;
                    concerns.push(gate.gate.clone());
                }
                verdict.distrust.push(DoubtNote {
                    kind: KIND.to_owned(),
                    text,
                    hint: Some("repeat more, or leave out `--strict`".to_owned()),
                    concerns,
                    whole_run: false,
                });
            }
            Open::IsAWarning | Open::IsLeftOut => verdict.warnings.push(Note {
                kind: KIND.to_owned(),
                text,
                hint: Some("repeat more; `--strict` gives such a run no verdict".to_owned()),
            }),
        }
    }
    decide(run);
}

/// Takes back what the gates on a baseline came to, so that they can be judged by another one: what was in doubt only
/// because they were not decided is so no more.
pub fn reopen(run: &mut Run) {
    let verdict = &mut run.verdict;
    verdict.warnings.retain(|note| note.kind != KIND);
    verdict.distrust.retain(|doubt| doubt.kind != KIND);
    let of_baseline = verdict
        .gates
        .iter_mut()
        .filter(|gate| gate.against.is_some());
    for gate in of_baseline {
        let mut doubts = verdict.distrust.iter();
        *gate = GateResult {
            observed: None,
            limit: None,
            passed: true,
            doubted: doubts.any(|doubt| doubt.whole_run || doubt.concerns.contains(&gate.gate)),
            why: String::new(),
            against: Some(Against::NOTHING),
            gate: std::mem::take(&mut gate.gate),
            ended_the_run: false,
        };
    }
    run.baseline = None;
    decide(run);
}

/// Decides the exit code by what the gates and promises came to.
fn decide(run: &mut Run) {
    let verdict = &mut run.verdict;
    if verdict.exit != Exit::Invalid {
        let is_in_doubt = !verdict.distrust.is_empty();
        verdict.exit = exit_code(&run.facts, &verdict.gates, &verdict.contracts, is_in_doubt);
    }
}

//! What reports say in words about a verdict, in every format alike.

use std::time::Duration;

use super::run::{Judgement, Run};
use crate::measure::{Border, Phase};
use crate::scenario::{Origin, PromiseKind};
use crate::units::{counted, format_duration, human_ns, visible, were};
use crate::verdict::{ContractResult, Exit, GateResult, Outcome};

/// The time of the first dial to the second, for people: `2026-11-23T20:15:00Z`.
pub(super) fn began(run: &Run) -> String {
    let to_second = run.started_at.split(['.', 'Z']).next();
    visible(to_second.unwrap_or_default()) + "Z"
}

/// The verdict in one word, which stands beside its [`symbol`].
pub(super) fn word(exit: Exit) -> &'static str {
    match exit {
        Exit::Passed => "PASS",
        Exit::Untrusted => "NO VERDICT",
        Exit::Interrupted => "INTERRUPTED",
        Exit::Unexpected => "BROKEN OFF",
        Exit::Failed | Exit::Invalid => "FAIL",
    }
}

/// The verdict in one character.
pub(super) fn symbol(exit: Exit) -> &'static str {
    match exit {
        Exit::Passed => "✓",
        Exit::Untrusted => "?",
        Exit::Interrupted => "‖",
        Exit::Unexpected | Exit::Failed | Exit::Invalid => "✗",
    }
}

/// Where something that was judged stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    Held,
    Broken,
    /// The run is in doubt, so it decides nothing.
    InDoubt,
    /// It is about a baseline, and nothing is decided.
    Open,
}

impl Stands {
    pub(super) fn of_gate(gate: &GateResult) -> Self {
        match gate.is_open() && !gate.doubted {
            true => Self::Open,
            false => Self::of(gate.passed, gate.doubted),
        }
    }

    pub(super) fn of_promise(promise: &ContractResult) -> Self {
        Self::of(promise.passed, promise.doubted)
    }

    fn of(passed: bool, doubted: bool) -> Self {
        match (passed, doubted) {
            (_, true) => Self::InDoubt,
            (true, false) => Self::Held,
            (false, false) => Self::Broken,
        }
    }

    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Held => "✓",
            Self::Broken => "✗",
            Self::InDoubt | Self::Open => "?",
        }
    }
}

/// The verdict in a line, for one of several runs. `exit` is how it ended.
pub fn in_short(run: &Run, exit: Exit) -> String {
    format!("{}  {}", word(run.verdict.exit), sentence(run, exit))
}

/// What a report took over from the one before, and left to the next; `None` if that is nothing.
pub(super) fn border(border: Border) -> Option<String> {
    let Border { open, taken, left } = border;
    let answers = |count| format!("{} outstanding", counted(count, "answer"));
    let mut begin = Vec::new();
    if open > 0 {
        begin.push(format!("{} open", counted(open, "connection")));
    }
    if taken > 0 {
        begin.push(format!("{}, counted here", answers(taken)));
    }
    let mut parts = Vec::new();
    if !begin.is_empty() {
        parts.push(format!("at its begin {}", begin.join(", ")));
    }
    if left > 0 {
        let left = answers(left);
        parts.push(format!("at its end {left}, counted in the next report"));
    }
    (!parts.is_empty()).then(|| parts.join(" · "))
}

/// The verdict in one sentence. `exit` is how wsbench will end.
pub(super) fn sentence(run: &Run, exit: Exit) -> String {
    let verdict = &run.verdict;
    let result = match verdict.exit {
        Exit::Passed => held(verdict),
        Exit::Untrusted if !verdict.distrust.iter().any(|doubt| doubt.whole_run) => {
            in_doubt(verdict)
        }
        Exit::Untrusted => {
            let what = match (verdict.gates.len(), verdict.contracts.len()) {
                (0, 0) => "it says nothing about the server",
                (_, 0) => "its gates decide nothing",
                (0, _) => "its promises decide nothing",
                _ => "its gates and promises decide nothing",
            };
            format!("the run is in doubt, so {what}")
        }
        Exit::Interrupted => "these numbers cover the run until the signal".to_owned(),
        _ => match &run.facts.outcome {
            Outcome::Aborted { .. } => "an abort gate ended the run".to_owned(),
            Outcome::Broken { why } => format!("these numbers cover the run until it {why}"),
            _ => failed(verdict),
        },
    };
    let code = exit.code();
    match (exit == verdict.exit, exit) {
        (true, Exit::Passed) => result,
        (true, _) => format!("{result} (exit code {code})"),
        (false, _) => format!("{result} (exit code {code}, because not all could be written)"),
    }
}

/// Says what held, for a run in which nothing failed; and what is not decided.
fn held(verdict: &Judgement) -> String {
    let open = verdict.gates.iter().filter(|gate| gate.is_open()).count();
    let promises = verdict.contracts.len();
    let gates = match verdict.gates.len() - open {
        0 => None,
        decided if open > 0 => Some(counted(decided as u64, "gate")),
        1 => Some("the gate".to_owned()),
        all => Some(format!("all {all} gates")),
    };
    let promises = match promises {
        0 => None,
        1 => Some("the promise".to_owned()),
        all => Some(format!("all {all} promises")),
    };
    let all: Vec<String> = gates.into_iter().chain(promises).collect();
    let held = match all.is_empty() {
        true if open > 0 => "no other gate was there to hold".to_owned(),
        true => "there was no gate to hold".to_owned(),
        false => format!("{} held", all.join(" and ")),
    };
    match open {
        0 => held,
        _ => format!(
            "{} on the baseline not decided; {held}",
            counted(open as u64, "gate")
        ),
    }
}

/// Says what is in doubt, for a run in which everything else held.
fn in_doubt(verdict: &Judgement) -> String {
    let gates = verdict.gates.iter().map(|gate| gate.doubted);
    let all = gates.chain(verdict.contracts.iter().map(|one| one.doubted));
    let all: Vec<bool> = all.collect();
    let doubted = all.iter().filter(|doubted| **doubted).count();
    let what = match (verdict.gates.len(), verdict.contracts.len()) {
        (_, 0) => "gates",
        (0, _) => "promises",
        _ => "gates and promises",
    };
    match doubted == all.len() {
        true => format!("no verdict on any of its {what}"),
        false => format!(
            "{doubted} of {} {what} in doubt, the others held",
            all.len()
        ),
    }
}

/// Says what failed, for a run in which something failed.
fn failed(verdict: &Judgement) -> String {
    let gates = verdict
        .gates
        .iter()
        .filter(|gate| !gate.passed && !gate.doubted)
        .count();
    let promises = verdict
        .contracts
        .iter()
        .filter(|one| !one.passed && !one.doubted)
        .count();
    let (all_gates, all_promises) = (verdict.gates.len(), verdict.contracts.len());
    let all_gates = counted(all_gates as u64, "gate");
    let gates_failed = format!("{gates} of {all_gates} did not hold");
    let (all_promises, were) = (
        counted(all_promises as u64, "promise"),
        were(promises as u64),
    );
    let promises_broken = format!("{promises} of {all_promises} {were} broken");
    match (gates, promises) {
        (_, 0) => gates_failed,
        (0, _) => promises_broken,
        _ => format!("{gates_failed}, {promises_broken}"),
    }
}

/// The observed value of a gate, or why there is none.
pub(super) fn seen(gate: &GateResult) -> String {
    match (gate.observed, gate.against) {
        (Some(observed), Some(_)) => format!("{observed}: {}", gate.why),
        (Some(observed), None) => observed.to_string(),
        (None, Some(against)) => format!("{}: {}", against.standing.word(), gate.why),
        (None, None) => gate.why.clone(),
    }
}

/// Formats the promised window, and what else was promised.
pub(super) fn expected(contract: &ContractResult) -> String {
    match (contract.bounds, contract.expected.as_str()) {
        // The text of `back_within` already contains its longest time.
        (Some(bounds), words) if contract.contract != PromiseKind::BackWithin => {
            format!("{words} {bounds}").trim_start().to_owned()
        }
        (_, words) => words.to_owned(),
    }
}

/// A phase of a run, for people.
pub(super) fn phase_name(phase: Phase) -> String {
    match phase {
        Phase::RampUp => "ramp-up".to_owned(),
        Phase::WarmUp => "warm-up".to_owned(),
        Phase::Measure => "measure".to_owned(),
        Phase::Stage(stage) => format!("stage {stage}"),
        Phase::Drain => "drain".to_owned(),
    }
}

/// What times count from.
pub(super) fn origin(from: Origin) -> &'static str {
    match from {
        Origin::Open => "the 101",
        Origin::Ready => "when the client was ready",
        Origin::Fault => "the fault",
        Origin::Ping => "the first unanswered ping",
        Origin::LastByte => "the client's last byte",
        Origin::Close => "our Close",
    }
}

/// How long was measured, for people: `none` where nothing was.
pub(super) fn measured(run: &Run) -> String {
    match run.summary.measured_seconds {
        0.0 => "none".to_owned(),
        seconds => span(seconds),
    }
}

/// Formats seconds for people: `38.2 s`, or `12m30s` from two minutes on.
pub(super) fn span(seconds: f64) -> String {
    if seconds < 120.0 {
        human_ns((seconds * 1e9).round() as u64)
    } else {
        format_duration(Duration::from_secs(seconds.round() as u64))
    }
}

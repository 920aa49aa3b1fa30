//! `[gates]`, and the gates of the command line.

use super::baseline::BaselineGate;
use super::check::{Read, read as read_gate};
use super::names::Names;
use super::subject::{Op, Subject};
use crate::scenario::Overrides;
use crate::scenario::reading::{At, Check, Items as _, Key, List, Place, inside, keys};

const MAX_GATES: usize = 1000;
/// The option that adds a gate to `gates.abort`.
const ABORT_OPTION: &str = "--abort";

/// The conditions of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gates {
    /// The conditions that must all hold at the end.
    pub pass: Vec<Gate>,
    /// The conditions that end the run at once and fail it, as soon as any of them *holds*.
    pub abort: Vec<Gate>,
    /// The conditions of `pass` that are about a baseline. What they allow is not known before it is read.
    pub baseline: Vec<BaselineGate>,
}

/// One condition on a measured value.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// The measured value.
    pub subject: Subject,
    /// The comparison operator.
    pub op: Op,
    /// The value to compare with: nanoseconds for times, a plain number otherwise (a ratio of 1 % is 0.01).
    pub value: f64,
    /// The text of the gate as the user wrote it.
    pub text: String,
}

keys! {
    /// What must hold.
    #[serde(expecting = "a table")]
    GatesTable = "Gates" {
        /// All of these must hold at the end, such as "p99(latency.echo) < 50ms". With `--baseline` they may be about
        /// an earlier version: "p50(latency.echo) < 110% of baseline + 2ms".
        pass: List<At<String>>,
        /// Any of these that holds ends the run at once, and fails it.
        abort: List<At<String>>,
    }
}

/// Resolves `[gates]`; a gate of the command line replaces those with the same subject, and one that aborts is added.
pub(in crate::scenario) fn resolve(
    check: &mut Check<'_>,
    table: &At<GatesTable>,
    overrides: &Overrides,
    names: &Names<'_>,
) -> Gates {
    let mut all = list(check, "gates.pass", &table.value.pass, names);
    let mut given = |option: &'static str, texts: &[String]| -> Vec<Read> {
        let texts = texts.iter().map(|text| At::option(option, text.clone()));
        let gates = texts.filter_map(|text| read(check, option, &text, names));
        gates.collect()
    };
    let aborts = given(ABORT_OPTION, &overrides.aborts);
    let given = given("--gate", &overrides.gates);
    all.retain(|gate| given.iter().all(|new| new.subject() != gate.subject()));
    all.extend(given);
    let mut gates = Gates::default();
    for gate in all {
        match gate {
            Read::Gate(gate) => gates.pass.push(gate),
            Read::OfBaseline(gate) => gates.baseline.push(gate),
        }
    }
    let mut abort = list(check, "gates.abort", &table.value.abort, names);
    abort.extend(aborts);
    for gate in abort {
        // `read` lets no other through.
        if let Read::Gate(gate) = gate {
            gates.abort.push(gate);
        }
    }
    gates
}

fn list(
    check: &mut Check<'_>,
    key: &str,
    list: &Key<List<At<String>>>,
    names: &Names<'_>,
) -> Vec<Read> {
    let texts = list.items();
    if let (Some(list), true) = (list, texts.len() > MAX_GATES) {
        let what = format_args!("has more than {MAX_GATES} gates");
        check.problem(key, &list.place, what, None);
        return Vec::new();
    }
    let gates = texts
        .iter()
        .filter_map(|text| read(check, key, text, names));
    gates.collect()
}

fn read(check: &mut Check<'_>, key: &str, text: &At<String>, names: &Names<'_>) -> Option<Read> {
    let error = match read_gate(&text.value, names) {
        Ok(Read::OfBaseline(_)) if matches!(key, "gates.abort" | ABORT_OPTION) => {
            let what =
                "cannot take this gate: what a baseline allows is judged when the run is over";
            let hint = "write it into `gates.pass`, or give it a limit of its own".to_owned();
            check.problem(key, &text.place, what, Some(hint));
            return None;
        }
        Ok(gate) => return Some(gate),
        Err(error) => error,
    };
    let place = inside(&check.source.text, text, error.span.start..error.span.end);
    let gate = match text.place {
        Place::Option(_) => format!("`{}`", text.value),
        _ => "this gate".to_owned(),
    };
    let what = format_args!("cannot take {gate}: {}", error.what);
    check.problem(key, &place, what, error.hint);
    None
}

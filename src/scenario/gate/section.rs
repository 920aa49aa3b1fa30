//! `[gates]`, and the gates of the command line.

use super::check::read as read_gate;
use super::names::Names;
use super::subject::{Op, Subject};
use crate::scenario::reading::{At, Check, Items as _, Key, List, Place, inside, keys};

const MAX_GATES: usize = 1000;

/// The conditions of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gates {
    /// The conditions that must all hold at the end.
    pub pass: Vec<Gate>,
    /// The conditions that end the run at once and fail it, as soon as any of them *holds*.
    pub abort: Vec<Gate>,
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
        /// All of these must hold at the end, such as "p99(latency.echo) < 50ms".
        pass: List<At<String>>,
        /// Any of these that holds ends the run at once, and fails it.
        abort: List<At<String>>,
    }
}

/// Resolves `[gates]`; a gate of `given` replaces those with the same subject.
pub(in crate::scenario) fn resolve(
    check: &mut Check<'_>,
    table: &At<GatesTable>,
    given: &[String],
    names: &Names<'_>,
) -> Gates {
    let mut pass = list(check, "gates.pass", &table.value.pass, names);
    let given: Vec<_> = given
        .iter()
        .map(|text| At::option("--gate", text.clone()))
        .filter_map(|text| read(check, "--gate", &text, names))
        .collect();
    pass.retain(|gate| given.iter().all(|new| new.subject != gate.subject));
    pass.extend(given);
    Gates {
        pass,
        abort: list(check, "gates.abort", &table.value.abort, names),
    }
}

fn list(
    check: &mut Check<'_>,
    key: &str,
    list: &Key<List<At<String>>>,
    names: &Names<'_>,
) -> Vec<Gate> {
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

fn read(check: &mut Check<'_>, key: &str, text: &At<String>, names: &Names<'_>) -> Option<Gate> {
    let error = match read_gate(&text.value, names) {
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

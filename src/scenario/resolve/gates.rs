//! Resolves the `[gates]` section and the gates of the command line.

use crate::scenario::file::{GatesTable, Key};
use crate::scenario::gate::{self, Names};
use crate::scenario::model::{Gate, Gates};
use crate::scenario::reading::{At, Check, List, Place};

const MAX_GATES: usize = 1000;

/// Resolves `[gates]`; a gate of `given` replaces those with the same subject.
pub(super) fn gates(
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
    let Some(list) = list else {
        return Vec::new();
    };
    if list.value.0.len() > MAX_GATES {
        check.problem(
            key,
            &list.place,
            format_args!("has more than {MAX_GATES} gates"),
        );
        return Vec::new();
    }
    let texts = list.value.0.iter();
    texts
        .filter_map(|text| read(check, key, text, names))
        .collect()
}

fn read(check: &mut Check<'_>, key: &str, text: &At<String>, names: &Names<'_>) -> Option<Gate> {
    let error = match gate::read(&text.value, names) {
        Ok(gate) => return Some(gate),
        Err(error) => error,
    };
    let place = inside(&check.source.text, text, error.span.start..error.span.end);
    let gate = match text.place {
        Place::Option(_) => format!("`{}`", text.value),
        _ => "this gate".to_owned(),
    };
    let what = format_args!("cannot take {gate}: {}", error.what);
    match error.hint {
        Some(hint) => check.problem_with_hint(key, &place, what, hint),
        None => check.problem(key, &place, what),
    }
    None
}

/// The place of a part of a string, if the string is in the file unchanged, without escapes.
fn inside(source: &str, text: &At<String>, part: std::ops::Range<usize>) -> Place {
    let Some(span) = text.place.span() else {
        return text.place.clone();
    };
    let inner = span.start + 1;
    if source.get(inner..inner + text.value.len()) == Some(text.value.as_str()) {
        Place::Text(inner + part.start..inner + part.end)
    } else {
        text.place.clone()
    }
}

//! Reads which dialect a scenario is written in.

use std::fmt::Display;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::words::{Words, texts};
use super::{Dialect, text};
use crate::scenario::reading::{Hint, Place, Problem, Problems, Removed, hints, join};

const KEY: &str = "target.dialect";

/// What a document says of its dialect.
pub(super) enum Said<'i> {
    Nothing,
    /// Something that is wrong, so that nobody knows which words there are.
    Wrong,
    Words(Words<'i>),
}

/// The problems of a document, and what was removed from it because of them.
pub(super) struct Noted<'p> {
    problems: &'p mut Problems,
    pub(super) removed: Vec<Removed>,
}

impl<'p> Noted<'p> {
    pub(super) fn new(problems: &'p mut Problems) -> Self {
        let removed = Vec::new();
        Self { problems, removed }
    }

    /// Notes a problem of a key.
    pub(super) fn problem(
        &mut self,
        key: &str,
        place: &Range<usize>,
        what: impl Display,
        hint: impl Hint,
    ) {
        let mut problem = Problem::new(key, &Place::Text(place.clone()), what);
        problem.hint = hint.hint();
        self.problems.push(problem);
    }

    /// Notes that a key was removed from a table.
    pub(super) fn removed(&mut self, table: &Range<usize>, key: &str) {
        self.removed.push(Removed::new(table.clone(), key));
    }
}

/// Reads `target.dialect`, and leaves its name.
pub(super) fn chosen<'i>(root: &mut DeTable<'i>, noted: &mut Noted<'_>) -> Said<'i> {
    let Some(target) = root.get_mut("target") else {
        return Said::Nothing;
    };
    let whole = target.span();
    let DeValue::Table(target) = target.get_mut() else {
        return Said::Nothing;
    };
    let Some(given) = target.get_mut("dialect") else {
        return Said::Nothing;
    };
    match words(given, noted) {
        Some(words) => {
            *given.get_mut() = DeValue::String(words.dialect.name.into());
            Said::Words(words)
        }
        None => {
            target.remove("dialect");
            noted.removed(&whole, KEY);
            Said::Wrong
        }
    }
}

/// The words of the dialect that is given; `None` if something is wrong with it, which is noted.
fn words<'i>(given: &Spanned<DeValue<'_>>, noted: &mut Noted<'_>) -> Option<Words<'i>> {
    let name = match given.get_ref() {
        DeValue::Table(table) => table.get("name"),
        _ => Some(given),
    };
    let known: Vec<&str> = Dialect::ALL.iter().map(|dialect| dialect.name).collect();
    let Some((name, place)) = name.and_then(|name| Some((text(name)?, name.span()))) else {
        let hint = format!("write `dialect = \"{}\"`", known[0]);
        noted.problem(KEY, &given.span(), "names no dialect", hint);
        return None;
    };
    let Some(dialect) = Dialect::named(&name) else {
        let what = format_args!("is no dialect that wsbench knows: `{name}`");
        noted.problem(KEY, &place, what, hints::meant(&name, &known));
        return None;
    };
    let are_right = options(dialect, given, noted);
    are_right.then(|| Words::new(dialect, &texts(Some(given)), &given.span()))
}

/// Whether all keys beside the name are options of the dialect; notes those that are not.
fn options(dialect: Dialect, given: &Spanned<DeValue<'_>>, noted: &mut Noted<'_>) -> bool {
    let DeValue::Table(table) = given.get_ref() else {
        return true;
    };
    let mut known = dialect.options();
    known.insert(0, "name".to_owned());
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let mut are_right = true;
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let path = join(KEY, name);
        if !known.contains(&name) {
            let what = format_args!("is no option of `{}`", dialect.name);
            noted.problem(&path, &key.span(), what, hints::meant(name, &known));
            are_right = false;
        } else if text(value).is_none() {
            let hint = "write it in quotes";
            noted.problem(&path, &value.span(), "must be a text", hint);
            are_right = false;
        }
    }
    are_right
}

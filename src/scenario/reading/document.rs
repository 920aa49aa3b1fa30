//! Reads TOML text into a [`File`], and finds every problem of form in one pass: syntax, unknown keys, wrong values.
//! Notes what is wrong and removes it from the document, until the rest can be read.

use std::ops::Range;

use serde::Deserialize as _;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::hints;
use super::mask::names_headers;
use super::place::Place;
use super::problem::{Problem, Problems};
use super::schema::{KnownKeys, join};
use crate::scenario::dialect::{Expansion, expand};
use crate::scenario::root::File;

/// The part of a file that could be read.
#[derive(Debug, Default)]
pub(in crate::scenario) struct Document {
    pub(in crate::scenario) file: File,
    pub(in crate::scenario) removed: Vec<Removed>,
    /// The dialect that it was written in; none of its words is left.
    pub(in crate::scenario) expansion: Expansion,
}

impl Document {
    /// Gives the address the path and the query of the dialect where it has none.
    pub(in crate::scenario) fn complete_address(&mut self) {
        let target = self.file.target.as_mut();
        let url = target.and_then(|target| target.value.url.as_mut());
        let urls = url.into_iter().flat_map(|url| url.value.texts_mut());
        for url in urls {
            let dialect = self.expansion.dialect;
            if let Some(whole) = dialect.and_then(|dialect| dialect.address(url)) {
                *url = whole;
            }
        }
    }
}

/// A place from which something wrong was removed, so that its absence is not reported as a second problem.
#[derive(Debug)]
pub(in crate::scenario) struct Removed {
    /// The table or list from which it was removed.
    table: Range<usize>,
    /// The full name of the key, or of the key that was probably meant.
    key: String,
}

impl Removed {
    /// Notes that a key was removed from a table.
    pub(in crate::scenario) fn new(table: Range<usize>, key: &str) -> Self {
        let key = key.to_owned();
        Self { table, key }
    }

    /// Whether it explains that this key is missing from this table.
    pub(in crate::scenario) fn explains(&self, table: &Place, key: &str) -> bool {
        let here = table.span().is_none_or(|span| span == self.table);
        let above = key
            .strip_prefix(&self.key)
            .is_some_and(|rest| rest.starts_with('.'));
        above || (here && self.key == key)
    }

    /// Whether it lies in this table or list, at any depth.
    pub(in crate::scenario) fn is_in(&self, whole: &Place) -> bool {
        whole.span().is_some_and(|span| holds(&span, &self.table))
    }
}

/// Reads a text as TOML; `None` if it is not.
pub(in crate::scenario) fn read_toml<'t>(
    text: &'t str,
    problems: &mut Problems,
) -> Option<Spanned<DeTable<'t>>> {
    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        syntax(text, &errors, problems);
        return None;
    }
    Some(root)
}

/// Reads what can be read; `None` if the text is not TOML.
pub(in crate::scenario) fn read(text: &str, problems: &mut Problems) -> Option<Document> {
    let root = read_toml(text, problems)?;
    let known = KnownKeys::new();
    let span = root.span();
    let mut table = root.into_inner();
    let mut expansion = expand(&mut table, problems);
    let mut cleaner = Cleaner {
        known: &known,
        problems,
        removed: std::mem::take(&mut expansion.removed),
    };
    cleaner.table(&mut table, &span, known.root(), "");
    let file = cleaner.file(table, span);
    Some(Document {
        file,
        removed: cleaner.removed,
        expansion,
    })
}

/// Notes only the first syntax errors: a text that is not TOML has one in every line.
fn syntax(text: &str, errors: &[toml::de::Error], problems: &mut Problems) {
    const ENOUGH: usize = 10;
    // Whether it is TOML at all: there is a key with a value before the first error.
    let first = errors
        .iter()
        .filter_map(|error| error.span())
        .map(|span| span.start);
    let is_other = (first.min()).is_some_and(|first| !text[..first].contains('='));
    let mut whole = (is_other || errors.len() > ENOUGH).then_some(
        "a scenario is a TOML file, with lines such as `name = \"x\"`; `wsbench init` writes one to start from",
    );
    for error in errors.iter().take(ENOUGH) {
        let own = (error.message() == "duplicate key").then_some("leave out one of them");
        let message = error.message().trim_end_matches(", expected nothing");
        problems.push(Problem {
            key: None,
            place: error.span().map_or(Place::Nowhere, Place::Text),
            message: format!("not valid TOML: {message}"),
            hint: own.or_else(|| whole.take()).map(str::to_owned),
        });
    }
    problems.and_more(errors.len().saturating_sub(ENOUGH));
}

/// Removes what is wrong from a document.
struct Cleaner<'a> {
    known: &'a KnownKeys,
    problems: &'a mut Problems,
    removed: Vec<Removed>,
}

impl Cleaner<'_> {
    /// Removes unknown keys and words.
    fn table(&mut self, table: &mut DeTable<'_>, span: &Range<usize>, schema: &Value, path: &str) {
        let Some(keys) = self.known.keys(schema) else {
            return;
        };
        // Keeps other keys of a contract that has a preset: they are settings, and the preset checks them.
        let has_settings = self.known.is_open(schema);
        let has_preset = table.contains_key("preset");
        // Keeps all keys of a match, which says itself which of them are no pointers.
        let has_pointers = self.known.takes_pointers(schema);
        let entries = std::mem::take(table).into_iter();
        *table = entries
            .filter_map(|(key, mut value)| {
                let name = join(path, key.get_ref());
                let wrong = match keys.get(key.get_ref().as_ref()) {
                    Some(schema) => self.value(&mut value, schema, &name).then_some(name),
                    None if has_pointers || (has_settings && has_preset) => None,
                    None => Some(self.unknown_key(
                        &key,
                        keys.keys().map(String::as_str),
                        path,
                        has_settings,
                    )),
                };
                let Some(key_meant) = wrong else {
                    return Some((key, value));
                };
                self.removed.push(Removed {
                    table: span.clone(),
                    key: key_meant,
                });
                None
            })
            .collect();
    }

    /// Removes the items of a list that are wrong as a whole.
    fn items(&mut self, items: &mut DeArray<'_>, span: &Range<usize>, schema: &Value, path: &str) {
        let given = std::mem::replace(items, DeArray::new()).into_iter();
        *items = given
            .filter_map(|mut item| {
                if !self.value(&mut item, schema, path) {
                    return Some(item);
                }
                self.removed.push(Removed {
                    table: span.clone(),
                    key: path.to_owned(),
                });
                None
            })
            .collect();
    }

    /// Checks a value; returns whether it is wrong as a whole.
    fn value(&mut self, value: &mut Spanned<DeValue<'_>>, schema: &Value, path: &str) -> bool {
        let span = value.span();
        match value.get_mut() {
            DeValue::Table(table) => self.table(table, &span, schema, path),
            DeValue::Array(items) => {
                if let Some(schema) = self.known.items(schema) {
                    self.items(items, &span, schema, path);
                }
            }
            DeValue::String(word) => {
                let legal = self.known.words(schema);
                if !legal.is_empty() && !legal.contains(&word.as_ref()) {
                    let mut forms = hints::one_of(legal.iter().copied());
                    if self.known.keys(schema).is_some() {
                        forms.push_str(" or a table");
                    }
                    let mut problem = Problem::new(
                        path,
                        &Place::Text(span),
                        format_args!("cannot be `{word}`; it is {forms}"),
                    );
                    let near = hints::nearest(word, legal);
                    let near = near.map(|nearest| format!("did you mean `{nearest}`?"));
                    problem.hint = near.or_else(|| hints::foreign(word).map(str::to_owned));
                    self.problems.push(problem);
                    return true;
                }
            }
            DeValue::Integer(number) => {
                let number = number.as_str().to_owned();
                return self.no_word(&number, span, schema, path);
            }
            DeValue::Float(number) => {
                let number = number.as_str().to_owned();
                return self.no_word(&number, span, schema, path);
            }
            DeValue::Boolean(value) => {
                let value = value.to_string();
                return self.no_word(&value, span, schema, path);
            }
            DeValue::Datetime(_) => {}
        }
        false
    }

    /// Notes a number, `true` or `false` where only words are legal; returns whether that is so.
    fn no_word(&mut self, written: &str, span: Range<usize>, schema: &Value, path: &str) -> bool {
        let legal = self.known.only_words(schema);
        if legal.is_empty() {
            return false;
        }
        let forms = hints::one_of(legal.iter().copied());
        let what = format_args!("cannot be `{written}`; it is {forms}");
        let mut problem = Problem::new(path, &Place::Text(span), what);
        let is_meant = legal.contains(&written);
        problem.hint = is_meant.then(|| format!("write it in quotes: \"{written}\""));
        self.problems.push(problem);
        true
    }

    /// Notes an unknown key; returns the full name of the key that was probably meant: a similar one of its own table, or
    /// in a section one of this name elsewhere.
    fn unknown_key<'k>(
        &mut self,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        known: impl Iterator<Item = &'k str> + Clone,
        path: &str,
        has_settings: bool,
    ) -> String {
        let name = key.get_ref().as_ref();
        let mut problem = Problem::new(
            join(path, name),
            &Place::Text(key.span()),
            "is not a known key",
        );
        let near = hints::nearest(name, known.clone()).map(str::to_owned);
        let elsewhere = || {
            self.known
                .elsewhere(name)
                .into_iter()
                .min_by_key(String::len)
        };
        let is_near = near.is_some();
        let of_all = join("target", name);
        // A table inside of a section has keys of its own, so that the same name elsewhere is seldom meant.
        let is_section = !path.contains('.');
        let elsewhere = is_section.then(elsewhere).flatten();
        let meant = near.map(|near| join(path, &near)).or(elsewhere);
        problem.hint = Some(match (hints::foreign(name), &meant) {
            (Some(hint), _) => hint.to_owned(),
            (None, _)
                if path == "cohort.target" && self.known.elsewhere(name).contains(&of_all) =>
            {
                format!("it holds for the whole run: write `{of_all}`")
            }
            (None, _) if has_settings && !is_near => {
                "a setting of the server needs its `preset` beside it".to_owned()
            }
            (None, _) if path == "path" && !is_near => {
                let keys = hints::one_of(known);
                format!(
                    "a fault of the path is a key, as in `reset = {{ after = \"3s\" }}`; use {keys}"
                )
            }
            (None, Some(meant)) => format!("did you mean `{meant}`?"),
            (None, None) => format!("use {}", hints::one_of(known)),
        });
        self.problems.push(problem);
        meant.unwrap_or_else(|| join(path, name))
    }

    /// Reads the file; removes one wrong value after another until it can be read.
    fn file(&mut self, mut table: DeTable<'_>, span: Range<usize>) -> File {
        loop {
            let whole = Spanned::new(span.clone(), table.clone());
            let error = match File::deserialize(toml::Deserializer::from(whole)) {
                Ok(file) => return file,
                Err(error) => error,
            };
            let wrong = error.span().unwrap_or_else(|| span.clone());
            let taken = take(&mut table, &span, &wrong, "");
            let key = taken.as_ref().map_or("the scenario", |one| &one.key);
            // Does not report a list that is too short only because items were removed from it.
            if !self.removed.iter().any(|one| one.table == wrong) {
                self.problems.push(unreadable(key, wrong, error.message()));
            }
            match taken {
                Some(one) if !self.problems.is_full() => self.removed.push(one),
                _ => return File::default(),
            }
        }
    }
}

/// Writes an error of serde or of our own types in the style of the other problems.
fn unreadable(key: &str, wrong: Range<usize>, message: &str) -> Problem {
    let place = Place::Text(wrong);
    let types = message
        .strip_prefix("invalid type: ")
        .and_then(|types| types.split_once(", expected "));
    if let Some((found, wanted)) = types {
        let wanted = match wanted {
            "a boolean" => "`true` or `false`",
            "a map" => "a table",
            _ => wanted,
        };
        let found = match found.split_once(' ') {
            Some(("string", _)) if names_headers(key) => "a text".to_owned(),
            _ => in_our_words(found),
        };
        let what = format_args!("must be {wanted}, not {found}");
        return Problem::new(key, &place, what);
    }
    let hint = message
        .rsplit_once("; ")
        .filter(|(_, hint)| hint.starts_with("write ") || hint.starts_with("use "));
    let (what, hint) = hint.map_or((message, None), |(what, hint)| (what, Some(hint)));
    let mut problem = Problem::new(key, &place, format_args!("cannot be read: {what}"));
    problem.hint = hint.map(str::to_owned);
    problem
}

/// Replaces serde's name of a type by the name in TOML.
fn in_our_words(found: &str) -> String {
    match found.split_once(' ') {
        None if found == "map" => "a table".into(),
        None if found == "sequence" => "a list".into(),
        Some(("floating", rest)) => format!("the number{}", rest.trim_start_matches("point")),
        Some(("integer", number)) => format!("the number {number}"),
        Some(("string", text)) => format!("the text {text}"),
        Some(("boolean", word)) => word.into(),
        _ => found.into(),
    }
}

/// Removes the innermost entry that contains `wrong`.
fn take(
    table: &mut DeTable<'_>,
    span: &Range<usize>,
    wrong: &Range<usize>,
    path: &str,
) -> Option<Removed> {
    for (key, value) in table.iter_mut() {
        if let Some(taken) = take_inside(value, wrong, &join(path, key.get_ref())) {
            return Some(taken);
        }
    }
    let key = table
        .iter()
        .find(|(key, value)| holds(&value.span(), wrong) || holds(&key.span(), wrong))
        .map(|(key, _)| key.get_ref().to_string())?;
    table.remove(key.as_str());
    Some(Removed {
        table: span.clone(),
        key: join(path, &key),
    })
}

fn take_inside(
    value: &mut Spanned<DeValue<'_>>,
    wrong: &Range<usize>,
    path: &str,
) -> Option<Removed> {
    let span = value.span();
    match value.get_mut() {
        DeValue::Table(table) => take(table, &span, wrong, path),
        DeValue::Array(items) => {
            if let Some(taken) = items
                .iter_mut()
                .find_map(|item| take_inside(item, wrong, path))
            {
                return Some(taken);
            }
            let at = items.iter().position(|item| holds(&item.span(), wrong))?;
            let mut rest: Vec<_> = std::mem::replace(items, DeArray::new())
                .into_iter()
                .collect();
            rest.remove(at);
            *items = rest.into_iter().collect();
            Some(Removed {
                table: span,
                key: path.to_owned(),
            })
        }
        _ => None,
    }
}

fn holds(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

//! The words of a dialect, and the scenario that it begins with.

use std::ops::Range;

use schemars::Schema;
use serde_json::json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::arguments::Arguments;
use super::{Dialect, text};

/// What words are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// They stand for what is sent.
    Verb,
    /// They stand for what a message is like.
    Matcher,
}

impl Kind {
    /// The name in messages, and of the table in a dialect's file.
    pub(super) fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Verb => ("verb", "verb"),
            Self::Matcher => ("matcher", "match"),
        }
    }
}

/// A dialect with its options, at the place of a scenario where it is named.
pub(super) struct Words<'i> {
    pub(super) dialect: Dialect,
    parts: DeTable<'i>,
}

/// A verb or a matcher: what it takes, and what it stands for.
pub(super) struct Word<'w, 'i> {
    /// The names of its arguments, in order.
    pub(super) takes: Vec<String>,
    /// The last of them, which may be left out, with their texts.
    pub(super) defaults: Vec<(String, String)>,
    table: &'w DeTable<'i>,
}

impl<'i> Words<'i> {
    /// The dialect with these options; all of it stands at this place.
    pub(super) fn new(dialect: Dialect, given: &[(String, String)], place: &Range<usize>) -> Self {
        let mut parts = DeValue::Table(dialect.parts());
        move_to(&mut parts, place);
        let options = options(&parts)
            .into_iter()
            .map(|(name, default, as_given)| {
                let text = match given.iter().find(|(option, _)| *option == name) {
                    Some((_, text)) => match as_given {
                        Some(form) => form.replace("{{it}}", text),
                        None => text.clone(),
                    },
                    None => default,
                };
                (name, text)
            });
        Arguments(options.collect()).fill(&mut parts);
        let DeValue::Table(mut parts) = parts else {
            unreachable!("a file is a table")
        };
        // A time that no option tells is not there.
        if let Some(DeValue::Table(heartbeat)) = parts.get_mut("heartbeat").map(Spanned::get_mut) {
            let told = std::mem::take(heartbeat).into_iter();
            let is_told = |(_, value): &(_, Spanned<_>)| text(value).as_deref() != Some("");
            *heartbeat = told.filter(is_told).collect();
        }
        Self { dialect, parts }
    }

    /// A part of the scenario that the dialect begins with.
    pub(super) fn part(&self, key: &str) -> Option<&Spanned<DeValue<'i>>> {
        self.parts.get(key)
    }

    /// The verbs or matchers.
    pub(super) fn names(&self, kind: Kind) -> Vec<&str> {
        let table = self.parts.get(kind.names().1).map(Spanned::get_ref);
        match table {
            Some(DeValue::Table(table)) => table.keys().map(|key| key.get_ref().as_ref()).collect(),
            _ => Vec::new(),
        }
    }

    /// The word of this name.
    pub(super) fn named(&self, kind: Kind, name: &str) -> Option<Word<'_, 'i>> {
        let DeValue::Table(all) = self.parts.get(kind.names().1)?.get_ref() else {
            return None;
        };
        let DeValue::Table(table) = all.get(name)?.get_ref() else {
            return None;
        };
        let takes = match table.get("takes").map(Spanned::get_ref) {
            Some(DeValue::Array(names)) => names.iter().filter_map(text).collect(),
            _ => Vec::new(),
        };
        Some(Word {
            takes,
            defaults: texts(table.get("defaults")),
            table,
        })
    }
}

impl<'i> Word<'_, 'i> {
    /// What it stands for with these arguments: all its keys but those that say what it takes.
    pub(super) fn said(&self, arguments: Arguments, place: &Range<usize>) -> DeTable<'i> {
        let mut table = self.table.clone();
        table.remove("takes");
        table.remove("defaults");
        let mut said = DeValue::Table(table);
        arguments.fill(&mut said);
        move_to(&mut said, place);
        match said {
            DeValue::Table(table) => table,
            _ => unreachable!("it stays a table"),
        }
    }
}

/// The options of a dialect by the names that scenarios use: each with its default, and with the form in which a given
/// one is written, where `{{it}}` is what was given.
fn options(parts: &DeValue<'_>) -> Vec<(String, String, Option<String>)> {
    let DeValue::Table(parts) = parts else {
        return Vec::new();
    };
    let Some(DeValue::Table(options)) = parts.get("option").map(Spanned::get_ref) else {
        return Vec::new();
    };
    let option = |(name, keys): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let name = AsRef::<str>::as_ref(name.get_ref()).to_owned();
        let keys = texts(Some(keys));
        let key = |wanted: &str| {
            let mut keys = keys.iter();
            keys.find(|(key, _)| key == wanted)
                .map(|(_, text)| text.clone())
        };
        (name, key("default").unwrap_or_default(), key("as"))
    };
    options.iter().map(option).collect()
}

impl Dialect {
    /// The names of its options.
    pub(super) fn options(self) -> Vec<String> {
        let options = options(&DeValue::Table(self.parts())).into_iter();
        options.map(|(name, ..)| name).collect()
    }
}

/// Adds the verbs of all dialects to the JSON Schema of a payload.
pub(in crate::scenario) fn add_verbs(schema: &mut Schema) {
    add_words(schema, Kind::Verb);
}

/// Adds the matchers of all dialects to the JSON Schema of a match.
pub(in crate::scenario) fn add_matchers(schema: &mut Schema) {
    add_words(schema, Kind::Matcher);
}

fn add_words(schema: &mut Schema, kind: Kind) {
    let mut names: Vec<String> = Vec::new();
    for dialect in Dialect::ALL {
        let words = Words::new(dialect, &[], &(0..0));
        names.extend(words.names(kind).into_iter().map(str::to_owned));
    }
    names.sort();
    names.dedup();
    let texts = json!({ "type": "array", "items": { "type": "string" } });
    let patterns = schema
        .ensure_object()
        .entry("patternProperties")
        .or_insert_with(|| json!({}));
    patterns[format!("^({})$", names.join("|"))] = texts;
}

/// The texts of a table.
pub(super) fn texts(table: Option<&Spanned<DeValue<'_>>>) -> Vec<(String, String)> {
    let Some(DeValue::Table(table)) = table.map(Spanned::get_ref) else {
        return Vec::new();
    };
    let entry = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<_>)| {
        Some((key.get_ref().to_string(), text(value)?))
    };
    table.iter().filter_map(entry).collect()
}

/// Moves a value and all in it to a place, so that what is wrong with it is shown there.
fn move_to(value: &mut DeValue<'_>, place: &Range<usize>) {
    match value {
        DeValue::Array(items) => {
            for item in items.iter_mut() {
                *item = moved(item, place);
            }
        }
        DeValue::Table(table) => {
            // Keeps the order of the file within the place.
            let entries = std::mem::take(table).into_iter();
            *table = entries
                .map(|(key, value)| {
                    (
                        Spanned::new(place.clone(), key.into_inner()),
                        moved(&value, place),
                    )
                })
                .collect();
        }
        _ => {}
    }
}

fn moved<'i>(value: &Spanned<DeValue<'i>>, place: &Range<usize>) -> Spanned<DeValue<'i>> {
    let mut inner = value.get_ref().clone();
    move_to(&mut inner, place);
    Spanned::new(place.clone(), inner)
}

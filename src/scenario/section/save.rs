//! `save`: what is kept of a message, for placeholders of later ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::match_table::{compiled, pointer};
use super::matching::Regex;
use super::scope::Scope;
use super::variable::Variable;
use crate::json::Pointer;
use crate::scenario::reading::{At, Key, Section, Shorthand, Whole, given, keys, words};

/// What is kept of a message, under a name that placeholders use.
#[derive(Debug, Clone, PartialEq)]
pub struct Save {
    /// The index of the name in [`super::Cohort::saved`].
    pub name: u8,
    /// What is kept. At most [`MAX_SAVED`] bytes, and not nothing: another value counts as not found.
    pub what: Kept,
}

/// The most bytes of a value that is kept.
pub const MAX_SAVED: usize = 4096;
/// The most names in a cohort.
const MAX_NAMES: usize = 256;

/// A part of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Kept {
    /// All of it.
    Whole,
    /// The value at this place: what a string says, or another value as it is spelled.
    Value(Pointer),
    /// The first group of the first part that is like this.
    Regex(Regex),
    /// The value of the first header with this name of an HTTP answer.
    Header(Arc<str>),
    /// A binary number, kept as decimal digits.
    Number {
        /// The place of its first byte, from 0.
        at: u32,
        /// How it is written.
        form: NumberForm,
    },
}

words! {
    /// How a number is written in bytes: how many bits, and the byte that comes first.
    pub enum NumberForm {
        /// One byte.
        U8,
        /// Two bytes, the highest first.
        U16be,
        /// Two bytes, the lowest first.
        U16le,
        /// Four bytes, the highest first.
        U32be,
        /// Four bytes, the lowest first.
        U32le,
        /// Eight bytes, the highest first.
        U64be,
        /// Eight bytes, the lowest first.
        U64le,
    }
}

impl NumberForm {
    /// Reads the number that the bytes begin with; `None` if they end before it does.
    pub fn read(self, bytes: &[u8]) -> Option<u64> {
        Some(match self {
            Self::U8 => (*bytes.first()?).into(),
            Self::U16be => u16::from_be_bytes(*bytes.first_chunk()?).into(),
            Self::U16le => u16::from_le_bytes(*bytes.first_chunk()?).into(),
            Self::U32be => u32::from_be_bytes(*bytes.first_chunk()?).into(),
            Self::U32le => u32::from_le_bytes(*bytes.first_chunk()?).into(),
            Self::U64be => u64::from_be_bytes(*bytes.first_chunk()?),
            Self::U64le => u64::from_le_bytes(*bytes.first_chunk()?),
        })
    }
}

/// The names of what is kept, each with where it stands in a message: a pointer, "whole", or a table.
pub(in crate::scenario) type SaveTable = BTreeMap<String, At<Shorthand<String, KeptTable>>>;

keys! {
    /// What is kept of a message: `regex`, `header`, or `at` and `as`.
    #[serde(expecting = "a pointer such as \"/token\", \"whole\", or a table such as { regex = 'sid=(\\w+)' }")]
    KeptTable = "Kept" {
        /// The first group of this regular expression.
        regex: String,
        /// The value of this header of an `http` answer.
        header: String,
        /// The place of the first byte of a binary number.
        at: Whole<0, { u32::MAX }>,
        /// How the number at `at` is written.
        r#as: NumberForm,
    }
}

/// Declares the names of what `by` keeps. What is no name of its own, or would be too many, is told by [`resolve`].
pub(super) fn declare<'a>(scope: &mut Scope<'a>, given: &'a Key<SaveTable>, by: &'a Key<String>) {
    let by = by.as_ref().map_or("", |name| &name.value);
    for name in given.iter().flat_map(|table| table.value.keys()) {
        if !is_taken(name) {
            let _ = scope.declare(name, by);
        }
    }
}

/// Resolves what is kept; `None` if something of it is wrong.
pub(super) fn resolve(
    section: &mut Section<'_, '_>,
    scope: &Scope<'_>,
    given: &Key<SaveTable>,
) -> Option<Vec<Save>> {
    let Some(At {
        value: table,
        place,
    }) = given
    else {
        return Some(Vec::new());
    };
    if table.is_empty() {
        section
            .check
            .empty(place, &section.key("save"), "write { token = \"/token\" }");
    }
    let all: Vec<Option<Save>> = (table.iter())
        .map(|(name, given)| {
            let what = kept(section, scope, given);
            Some(Save {
                name: named(section, scope, name, given)?,
                what: what?,
            })
        })
        .collect();
    all.into_iter().collect()
}

/// Whether a name means something everywhere.
fn is_taken(name: &str) -> bool {
    Variable::names().any(|own| own == name)
}

/// The index of a name, which was declared before.
fn named(
    section: &mut Section<'_, '_>,
    scope: &Scope<'_>,
    name: &str,
    given: &At<Shorthand<String, KeptTable>>,
) -> Option<u8> {
    let key = section.key("save");
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !(1..=64).contains(&name.len()) || !name.chars().all(legal) {
        let what = format_args!("cannot keep `{name}`, which is not a name");
        let hint = "use 1 to 64 letters, digits, `-` and `_`";
        section.check.problem(&key, &given.place, what, hint);
        return None;
    }
    if is_taken(name) {
        let what = format_args!("cannot keep `{name}`, a name that means something everywhere");
        let hint = format!("use another name, such as `my_{name}`");
        section.check.problem(&key, &given.place, what, hint);
        return None;
    }
    let index = scope.saved.iter().position(|saved| saved.name == name);
    if index.is_none() {
        let what = format_args!("cannot keep `{name}`: a cohort keeps at most {MAX_NAMES} values");
        section.check.problem(&key, &given.place, what, None);
    }
    index.map(|index| index as u8)
}

/// Resolves where a value stands; `None` if something of it is wrong.
fn kept(
    section: &mut Section<'_, '_>,
    scope: &Scope<'_>,
    given: &At<Shorthand<String, KeptTable>>,
) -> Option<Kept> {
    let path = &section.key("save");
    let At { value, place } = given;
    let table = match value {
        Shorthand::Value(word) if word == "whole" => return Some(Kept::Whole),
        Shorthand::Value(written) => {
            let written = At {
                value: written.clone(),
                place: place.clone(),
            };
            return pointer(section.check, path, &written).map(Kept::Value);
        }
        Shorthand::Table(table) => table,
    };
    let mut section = Section {
        check: &mut *section.check,
        path,
        place,
    };
    if let Some(header) = &table.header {
        if !scope.is_http {
            let hint = "a message over WebSocket has no headers: use a pointer or `regex`";
            section.wrong("header", &table.header, "is only for `http`", hint);
        }
        let given = given!(table; regex, at, r#as);
        let because = "cannot be used with `header`, which is kept whole";
        section.excluded(&given, because, "leave out one of them");
        return Some(Kept::Header(header.value.as_str().into()));
    }
    match (&table.regex, &table.at, &table.r#as) {
        (Some(regex), None, None) => {
            let key = section.key("regex");
            let compiled = compiled(section.check, &key, regex)?;
            if compiled.0.captures_len() < 2 {
                let hint = "put what is kept in parentheses: 'sid=(\\w+)'";
                section.wrong("regex", &table.regex, "has no group", hint);
                return None;
            }
            Some(Kept::Regex(compiled))
        }
        (None, Some(at), Some(form)) => Some(Kept::Number {
            at: at.value.0,
            form: form.value,
        }),
        (None, Some(_), None) => {
            section.missing(&["as"], "write `as = \"u32be\"`");
            None
        }
        (None, None, Some(_)) => {
            section.missing(&["at"], "write `at = 0`");
            None
        }
        (None, None, None) => {
            section.check.empty(
                section.place,
                section.path,
                "write { regex = 'sid=(\\w+)' }",
            );
            None
        }
        (Some(_), _, _) => {
            section.wrong_whole("says more than once what is kept", "keep `regex` alone");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_in_its_form() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8];
        for (form, number) in [
            (NumberForm::U8, 1),
            (NumberForm::U16be, 0x0102),
            (NumberForm::U16le, 0x0201),
            (NumberForm::U32be, 0x0102_0304),
            (NumberForm::U32le, 0x0403_0201),
            (NumberForm::U64be, 0x0102_0304_0506_0708),
            (NumberForm::U64le, 0x0807_0605_0403_0201),
        ] {
            assert_eq!(form.read(&bytes), Some(number), "{form}");
            assert_eq!(form.read(&[]), None, "{form}");
        }
        assert_eq!(NumberForm::U16be.read(&[1]), None);
    }
}

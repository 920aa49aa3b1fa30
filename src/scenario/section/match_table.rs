//! MATCH as the user writes it: a table whose keys are words and pointers, or a text alone.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::matching::{Condition, Match, Regex};
use super::payload::{Segment, expanded, from_hex};
use super::scope::Scope;
use super::template;
use super::variable::Variable;
use crate::json::{Literal, Pointer};
use crate::scenario::dialect;
use crate::scenario::reading::{
    At, Check, Given as _, OneOrMany, Place, Section, Shorthand, Whole, given, hints, inside, keys,
};

/// A match as the user wrote it: a table, or in short the whole text.
pub(in crate::scenario) type MatchGiven = Shorthand<String, MatchTable>;

keys! {
    /// What a message must be like: all of these keys hold. A pointer (RFC 6901) is a key too: `"/status" = "ok"` holds
    /// where the message, from its first `{` or `[` on, has this value there.
    #[serde(expecting = "a text or a table such as { \"/type\" = \"ok\" }")]
    MatchKeys = "Match" {
        /// It is exactly this text.
        text: String,
        /// It begins with this text. `{{id}}` may stand in it once, before another character.
        prefix: String,
        /// It has a part like this regular expression.
        regex: String,
        /// It has exactly these bytes, two hexadecimal digits each; with `at` it has them there.
        hex: String,
        /// The place of the first byte of `hex`.
        at: Whole<0, { u32::MAX }>,
        /// It has values at these pointers, be they null.
        has: OneOrMany<String>,
        /// It has no values at these pointers.
        lacks: OneOrMany<String>,
        /// It has null at these pointers.
        null: OneOrMany<String>,
        /// Its status is one of these. Only of `http`, where a status from 400 on is wrong unless it stands here.
        status: OneOrMany<Whole<200, 999>>,
        /// It has these headers, with these values. Only of `http`.
        header: BTreeMap<String, At<String>>,
    }
}

/// The keys of a match, and the pointers among them.
#[derive(Debug, Clone, Default)]
pub(in crate::scenario) struct MatchTable {
    keys: MatchKeys,
    /// Every key that is none of the others.
    values: Vec<(At<String>, At<Scalar>)>,
}

/// A value that is compared with one of JSON.
#[derive(Debug, Clone)]
enum Scalar {
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
}

impl<'de> Deserialize<'de> for MatchTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TableVisitor)
    }
}

struct TableVisitor;

impl<'de> Visitor<'de> for TableVisitor {
    type Value = MatchTable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table such as { \"/type\" = \"ok\" }")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<MatchTable, A::Error> {
        let MatchTable {
            mut keys,
            mut values,
        } = MatchTable::default();
        while let Some(key) = map.next_key::<At<String>>()? {
            match key.value.as_str() {
                "text" => keys.text = Some(map.next_value()?),
                "prefix" => keys.prefix = Some(map.next_value()?),
                "regex" => keys.regex = Some(map.next_value()?),
                "hex" => keys.hex = Some(map.next_value()?),
                "at" => keys.at = Some(map.next_value()?),
                "has" => keys.has = Some(map.next_value()?),
                "lacks" => keys.lacks = Some(map.next_value()?),
                "null" => keys.null = Some(map.next_value()?),
                "status" => keys.status = Some(map.next_value()?),
                "header" => keys.header = Some(map.next_value()?),
                _ => values.push((key, map.next_value()?)),
            }
        }
        Ok(MatchTable { keys, values })
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, true or false")
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Integer(number))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Scalar, E> {
        match number.is_finite() {
            true => Ok(Scalar::Float(number)),
            false => Err(E::custom(format!("`{number}` is no number of JSON"))),
        }
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Bool(value))
    }
}

impl JsonSchema for MatchTable {
    fn schema_name() -> Cow<'static, str> {
        MatchKeys::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = MatchKeys::json_schema(generator);
        let value = json_schema!({ "type": ["string", "number", "boolean"] });
        schema.insert(
            "patternProperties".into(),
            serde_json::json!({ "^/": value }),
        );
        dialect::add_matchers(&mut schema);
        schema
    }
}

/// Resolves a match; `None` if something in it is wrong.
pub(super) fn one(
    check: &mut Check<'_>,
    scope: &Scope<'_>,
    path: &str,
    place: &Place,
    given: &MatchGiven,
) -> Option<Match> {
    let mut section = Section { check, path, place };
    let conditions = match given {
        Shorthand::Value(text) => {
            let text = At {
                value: text.clone(),
                place: place.clone(),
            };
            vec![Condition::Whole(segments(
                &mut section,
                scope,
                path,
                &text,
            )?)]
        }
        Shorthand::Table(table) => table.resolve(&mut section, scope)?,
    };
    let ids = conditions
        .iter()
        .filter(|one| one.segments().iter().any(Segment::is_id));
    if ids.count() > 1 {
        section.wrong_whole("has `{{id}}` in more than one place", "keep one of them");
    }
    Some(Match {
        conditions: conditions.into(),
    })
}

/// Resolves several, of which any may hold; `None` if one of them is wrong.
pub(super) fn any(
    check: &mut Check<'_>,
    scope: &Scope<'_>,
    path: &str,
    place: &Place,
    given: &OneOrMany<MatchGiven>,
) -> Option<Arc<[Match]>> {
    let each = given.each_in(place);
    if each.is_empty() {
        check.empty(place, path, "write { \"/type\" = \"ok\" }");
        return None;
    }
    let all: Vec<_> = each
        .into_iter()
        .map(|(place, one_given)| one(check, scope, path, place, one_given))
        .collect();
    all.into_iter().collect()
}

impl MatchTable {
    fn resolve(&self, section: &mut Section<'_, '_>, scope: &Scope<'_>) -> Option<Vec<Condition>> {
        let MatchKeys {
            text,
            prefix,
            regex,
            hex,
            at,
            has,
            lacks,
            null,
            status,
            header,
        } = &self.keys;
        // All are looked at, so that all problems are told.
        let mut all: Vec<Option<Condition>> = Vec::new();
        if let Some(text) = text {
            let key = section.key("text");
            all.push(segments(section, scope, &key, text).map(Condition::Whole));
        }
        if let Some(text) = prefix {
            all.push(self.prefix(section, scope, text));
        }
        if let Some(text) = regex {
            let key = section.key("regex");
            all.push(compiled(section.check, &key, text).map(Condition::Regex));
        }
        if let Some(digits) = hex {
            let key = section.key("hex");
            let bytes = from_hex(section.check, &key, digits);
            all.push(bytes.map(|bytes| match at.value() {
                Some(at) => Condition::Bytes(at, bytes.into()),
                None => Condition::Whole([Segment::Literal(bytes.into())].into()),
            }));
        } else {
            let because = "is only for `hex`";
            section.excluded(&given!(self.keys; at), because, "add `hex = \"00 ff\"`");
        }
        for (key, list, condition) in [
            ("has", has, Condition::Has as fn(Pointer) -> Condition),
            ("lacks", lacks, Condition::Lacks),
            ("null", null, |at| Condition::Value(at, Literal::Null)),
        ] {
            let key = section.key(key);
            for (place, written) in list.iter().flat_map(OneOrMany::each) {
                let (value, place) = (written.clone(), place.clone());
                let found = pointer(section.check, &key, &At { value, place });
                all.push(found.map(condition));
            }
        }
        if !scope.is_http {
            let hint = "leave it out: a message over WebSocket has neither status nor headers";
            section.excluded(
                &given!(self.keys; status, header),
                "is only for `http`",
                hint,
            );
        }
        if let Some(status) = status {
            let codes = status.value.each_in(&status.place).into_iter();
            let codes = codes.map(|(_, code)| (code.0 as u16, code.0 as u16));
            all.push(Some(Condition::Status(codes.collect())));
        }
        for (name, value) in header.iter().flat_map(|headers| &headers.value) {
            let key = section.key(&format!("header.{name}"));
            let says = segments(section, scope, &key, value);
            all.push(says.map(|says| Condition::Header(name.as_str().into(), says)));
        }
        for (key, value) in &self.values {
            all.push(self.at_pointer(section, scope, key, value));
        }
        if all.is_empty() && at.is_none() {
            section
                .check
                .empty(section.place, section.path, "write { \"/type\" = \"ok\" }");
            return None;
        }
        all.into_iter().collect()
    }

    fn prefix(
        &self,
        section: &mut Section<'_, '_>,
        scope: &Scope<'_>,
        text: &At<String>,
    ) -> Option<Condition> {
        let key = section.key("prefix");
        let segments = segments(section, scope, &key, text)?;
        if let Some(Segment::Variable(last)) = segments.last()
            && last.is_number()
        {
            let what = "ends with a number, which could go on in a message";
            section.wrong(
                "prefix",
                &self.keys.prefix,
                what,
                "add the character that follows it, or use `text`",
            );
        }
        Some(Condition::Prefix(segments))
    }

    fn at_pointer(
        &self,
        section: &mut Section<'_, '_>,
        scope: &Scope<'_>,
        key: &At<String>,
        value: &At<Scalar>,
    ) -> Option<Condition> {
        let path = section.path;
        let pointer = self.pointer(section, key);
        let place = value.place.clone();
        let literal = match &value.value {
            Scalar::Text(text) => {
                let text = At {
                    value: text.clone(),
                    place,
                };
                let segments = segments(section, scope, path, &text)?;
                return match &segments[..] {
                    [] => Some(Condition::Value(pointer?, "".into())),
                    [Segment::Literal(text)] => {
                        let text = String::from_utf8_lossy(text);
                        Some(Condition::Value(pointer?, Literal::from(&*text)))
                    }
                    _ => Some(Condition::Says(pointer?, segments)),
                };
            }
            Scalar::Integer(number) => Literal::from(*number),
            Scalar::Float(number) => Literal::from(*number),
            Scalar::Bool(value) => Literal::from(*value),
        };
        Some(Condition::Value(pointer?, literal))
    }

    /// A key that is no word: a pointer, or a word that is spelled wrong.
    fn pointer(&self, section: &mut Section<'_, '_>, key: &At<String>) -> Option<Pointer> {
        const WORDS: [&str; 10] = [
            "text", "prefix", "regex", "hex", "at", "has", "lacks", "null", "status", "header",
        ];
        let word = Some(&key.value).filter(|word| !word.starts_with('/'));
        if let Some(meant) = word.and_then(|word| hints::misspelt(word, WORDS)) {
            let name = section.key(&key.value);
            let hint = format!("did you mean `{meant}`?");
            section
                .check
                .problem(&name, &key.place, "is not a known key", hint);
            return None;
        }
        pointer(section.check, section.path, key)
    }
}

/// Reads a pointer; `None` if it is none.
pub(super) fn pointer(check: &mut Check<'_>, key: &str, written: &At<String>) -> Option<Pointer> {
    match written.value.parse::<Pointer>() {
        Ok(pointer) => Some(pointer),
        Err(error) => {
            let place = inside(&check.source.text, written, error.span());
            let what = format_args!("has the pointer `{}`, which {error}", written.value);
            check.problem(key, &place, what, error.hint());
            None
        }
    }
}

/// Compiles a regular expression; `None` if it is none.
pub(super) fn compiled(check: &mut Check<'_>, key: &str, text: &At<String>) -> Option<Regex> {
    /// The most bytes that a compiled expression takes.
    const MOST: usize = 1 << 20;
    let expanded = check.expand(key, text)?;
    match regex::bytes::RegexBuilder::new(&expanded)
        .size_limit(MOST)
        .build()
    {
        Ok(regex) => Some(Regex(regex)),
        Err(error) => {
            let said = error.to_string();
            // The text before the last line draws the expression.
            let last = said.lines().last().unwrap_or_default();
            let what = format!(
                "is no regular expression: {}",
                last.trim_start_matches("error: ")
            );
            let hint = text
                .value
                .contains("{{")
                .then(|| "placeholders stand in `prefix` and in the values of pointers".to_owned());
            check.problem(key, &text.place, what, hint);
            None
        }
    }
}

/// Resolves the text that a message is compared with; `None` if something in it is wrong.
fn segments(
    section: &mut Section<'_, '_>,
    scope: &Scope<'_>,
    key: &str,
    text: &At<String>,
) -> Option<Arc<[Segment]>> {
    let text = &expanded(section, key, text)?;
    let segments = template::segments(section.check, scope, key, text)?;
    if let Some((what, hint)) = unusable(&segments) {
        section.check.problem(key, &text.place, what, hint);
        return None;
    }
    Some(segments)
}

/// Why nothing can be compared with such segments.
fn unusable(segments: &[Segment]) -> Option<(&'static str, &'static str)> {
    for segment in segments {
        let is_other_each_time = |variable: Variable| {
            use Variable::{Hex, Now, Random, Uuid};
            matches!(variable, Random(..) | Hex(_) | Uuid | Now(_))
        };
        match segment {
            Segment::Stamp => {
                let what = "has `{{stamp}}`, by which answers are found without a match";
                return Some((what, "write `expect = \"stamp\"`"));
            }
            _ if segment.variables().any(is_other_each_time) => {
                let what = "has a placeholder whose value is another one each time";
                return Some((what, "use a pointer with `has`, or `regex`"));
            }
            Segment::Literal(_) | Segment::Variable(_) | Segment::Base64(..) => {}
        }
    }
    let at = segments.iter().position(Segment::is_id)?;
    let (before, after) = (&segments[..at], &segments[at + 1..]);
    let is_fixed = |one: &Segment| matches!(one, Segment::Literal(_));
    if !before.iter().chain(after).all(is_fixed) {
        let what = "has another placeholder beside `{{id}}`";
        return Some((what, "use a pointer for each of them"));
    }
    match after.first() {
        Some(Segment::Literal(bytes)) if bytes.first().is_some_and(u8::is_ascii_digit) => {
            let what = "has a digit behind `{{id}}`, so that nobody can tell where the id ends";
            Some((what, "use another form of id"))
        }
        _ => None,
    }
}

//! JSON lines: one object a line.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;

use super::{EMPTY_LINE, NOT_UTF8, Rows, Wrong, line};
use crate::json::{Kind, Pointer};

const EXAMPLE: &str = "write one object a line, such as {\"name\":\"ann\"}";

/// Reads rows; the first names the columns. Strings are taken as what they say, other values as they are spelled.
pub(super) fn read(bytes: &[u8]) -> Result<Rows, Wrong> {
    let text = str::from_utf8(bytes).map_err(|error| Wrong {
        line: line(bytes, error.valid_up_to()),
        what: NOT_UTF8.to_owned(),
        hint: "save it as UTF-8",
    })?;
    let mut lines = (1..).zip(text.trim_end().split('\n'));
    let wrong = |line, what: &str| Wrong {
        line,
        what: what.to_owned(),
        hint: EXAMPLE,
    };
    let names = |line, text| keys(text).map_err(|what| wrong(line, &what));
    let first = lines.next().map_or("", |(_, first)| first);
    let mut rows = Rows::new(names(1, first)?).map_err(|what| wrong(1, &what))?;
    let pointer = |name: &String| format!("/{name}").parse();
    let pointers: Result<Vec<Pointer>, _> = rows.columns.iter().map(pointer).collect();
    let pointers = pointers.map_err(|_| wrong(1, "has a column that is not a name"))?;
    for (line, text) in [(1, first)].into_iter().chain(lines) {
        let names = names(line, text)?;
        let has_all = rows.columns.iter().all(|column| names.contains(column));
        if names.len() != rows.columns.len() || !has_all {
            return Err(wrong(line, "has other keys than the first line"));
        }
        for pointer in &pointers {
            let value = pointer.find(text.as_bytes());
            let cell = value.map(|value| (value.text(), value.kind() == Kind::String));
            let (cell, is_text) = cell.unwrap_or_default();
            rows.push(&String::from_utf8_lossy(&cell), is_text);
        }
    }
    Ok(rows)
}

/// The keys of an object in their order, or what is wrong with a line. Shows no value: it may be secret.
fn keys(text: &str) -> Result<Vec<String>, String> {
    if text.trim().is_empty() {
        return Err(EMPTY_LINE.to_owned());
    }
    let keys: Result<Keys, serde_json::Error> = serde_json::from_str(text);
    let error = match keys {
        Ok(Keys(keys)) => return Ok(keys),
        Err(error) if error.classify() == Category::Data => return Err("is no object".to_owned()),
        Err(error) => error.to_string(),
    };
    let what = error.split(" at line ").next().unwrap_or_default();
    Err(format!("is no JSON: {what}"))
}

struct Keys(Vec<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(KeysVisitor)
    }
}

struct KeysVisitor;

impl<'de> Visitor<'de> for KeysVisitor {
    type Value = Keys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
        let mut keys = Vec::new();
        while let Some((key, IgnoredAny)) = map.next_entry()? {
            keys.push(key);
        }
        Ok(Keys(keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn texts_say_what_they_mean_and_other_values_keep_their_spelling() {
        let text = concat!(
            "{\"name\": \"a\\\"\\u00fc\", \"age\": 1.50e2, \"more\": [1, {\"a\": null}], \"mixed\": 1}\r\n",
            "{\"age\": -0, \"name\": \"\", \"mixed\": \"1\", \"more\": true}\n\n",
        );
        let rows = read(text.as_bytes()).unwrap();
        assert_eq!(rows.columns, ["name", "age", "more", "mixed"]);
        let row = |row| -> Vec<&str> { (0..4).map(|column| rows.cell(row, column)).collect() };
        assert_eq!(row(0), ["a\"ü", "1.50e2", "[1, {\"a\": null}]", "1"]);
        assert_eq!(row(1), ["", "-0", "true", "1"]);
        let are_json: Vec<bool> = (0..4).map(|column| rows.is_json(column)).collect();
        assert_eq!(are_json, [false, true, true, false]);
    }

    #[test]
    fn what_is_wrong_has_its_line_and_shows_no_value() {
        for (text, line, expected) in [
            (&b"{\"a\":1}\n\"s3cret\"\n"[..], 2, "is no object"),
            (
                b"{\"a\":1}\n{\"a\":s3cret}\n",
                2,
                "is no JSON: expected value",
            ),
            (
                b"{\"a\":1}\n{\"a\":1,\"b\":2}",
                2,
                "has other keys than the first line",
            ),
            (
                b"{\"a\":1,\"b\":2}\n{\"a\":1,\"a\":2}",
                2,
                "has other keys than the first line",
            ),
            (b"{\"a\":1,\"a\":2}", 1, "has two columns `a`"),
            (
                b"{\"a b\":1}",
                1,
                "has a column \"a b\", which is not a name",
            ),
            (b"{\"a\":1}\n\n{\"a\":1}\n", 2, "has an empty line"),
            (b"\n{\"a\":1}\n", 1, "has an empty line"),
            (b"{\"a\":1}\n{\"a\":\"\xff\"}\n", 2, "is not UTF-8"),
            (b"{}\n", 1, "has no column"),
            (b"", 1, "has an empty line"),
        ] {
            let wrong = read(text).unwrap_err();
            assert_eq!((wrong.line, &*wrong.what), (line, expected));
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            Just(Value::Null),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 8, 3, |inner| {
            prop::collection::vec(inner, 0..3).prop_map(Value::from)
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(rows in prop::collection::vec([value(), value()], 1..5)) {
            let lines: Vec<String> = rows.iter().map(|[one, other]| {
                json!({ "one": one, "other": other }).to_string()
            }).collect();
            let found = read(lines.join("\n").as_bytes()).unwrap();
            let said = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            prop_assert_eq!(found.count(), rows.len() as u64);
            for (at, row) in (0..).zip(&rows) {
                for (column, value) in row.iter().enumerate() {
                    prop_assert_eq!(found.cell(at, column), said(value));
                }
            }
            let is_json = |column: usize| rows.iter().all(|row| !row[column].is_string());
            prop_assert_eq!(found.is_json(0), is_json(0));
            prop_assert_eq!(found.is_json(1), is_json(1));
        }

        #[test]
        fn any_bytes_are_read_or_refused(text in "[{}\"a:,1 \\\\\n]{0,40}") {
            if let Ok(rows) = read(text.as_bytes()) {
                prop_assert!(rows.count() > 0);
            }
        }
    }
}

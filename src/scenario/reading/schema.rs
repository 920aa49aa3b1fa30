//! The JSON Schema of a scenario file, generated from the types that read it.
//! Also lists all known keys and words, to find unknown ones and to give hints.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::Value;

use crate::scenario::root::File;

/// The JSON Schema of a scenario file, as indented JSON.
pub fn schema() -> String {
    serde_json::to_string_pretty(&KnownKeys::new().root).expect("a JSON value is always writable")
}

/// All keys and words that a scenario file may have.
pub(in crate::scenario) struct KnownKeys {
    root: Value,
}

impl KnownKeys {
    pub(in crate::scenario) fn new() -> Self {
        let settings = SchemaSettings::draft2020_12()
            .for_deserialize()
            .with_transform(RecursiveTransform(without_null));
        let root = settings.into_generator().into_root_schema_for::<File>();
        Self {
            root: root.to_value(),
        }
    }

    pub(in crate::scenario) fn root(&self) -> &Value {
        &self.root
    }

    /// The keys of a table with this schema, each with its own schema; `None` if it is not a table, or one that allows
    /// any key.
    pub(in crate::scenario) fn keys<'a>(
        &'a self,
        schema: &'a Value,
    ) -> Option<&'a serde_json::Map<String, Value>> {
        self.forms(schema)
            .find_map(|form| form.get("properties")?.as_object())
    }

    /// Whether a table with this schema allows other keys than those it names.
    pub(in crate::scenario) fn is_open(&self, schema: &Value) -> bool {
        let more = self
            .forms(schema)
            .filter_map(|form| form.get("additionalProperties"));
        more.into_iter().any(Value::is_object)
    }

    /// Whether pointers (RFC 6901) are keys of a table with this schema, too.
    pub(in crate::scenario) fn takes_pointers(&self, schema: &Value) -> bool {
        self.forms(schema)
            .any(|form| form.pointer("/patternProperties/^~1").is_some())
    }

    /// The schema of an item of a list with this schema.
    pub(in crate::scenario) fn items<'a>(&'a self, schema: &'a Value) -> Option<&'a Value> {
        self.forms(schema).find_map(|form| form.get("items"))
    }

    /// The words that are allowed by this schema; empty if it allows any text.
    pub(in crate::scenario) fn words<'a>(&'a self, schema: &'a Value) -> Vec<&'a str> {
        let is_any_text = |form: &Value| {
            form.get("type").is_some_and(|kind| kind == "string")
                && form.get("enum").is_none()
                && form.get("const").is_none()
        };
        if self.forms(schema).any(is_any_text) {
            return Vec::new();
        }
        self.forms(schema)
            .flat_map(|form| {
                let list = form.get("enum").and_then(Value::as_array);
                form.get("const")
                    .into_iter()
                    .chain(list.into_iter().flatten())
            })
            .filter_map(Value::as_str)
            .collect()
    }

    /// The words that are allowed by this schema; empty if it allows anything else.
    pub(in crate::scenario) fn only_words<'a>(&'a self, schema: &'a Value) -> Vec<&'a str> {
        let is_other = |form: &Value| {
            form.get("type").is_some_and(|kind| kind != "string")
                || form.get("properties").is_some()
        };
        match self.forms(schema).any(is_other) {
            true => Vec::new(),
            false => self.words(schema),
        }
    }

    /// The full names of all keys that end with this part.
    pub(in crate::scenario) fn elsewhere(&self, key: &str) -> Vec<String> {
        let mut found = Vec::new();
        self.collect(&self.root, "", key, &mut found);
        found
    }

    fn collect(&self, schema: &Value, path: &str, wanted: &str, found: &mut Vec<String>) {
        /// Steps have steps in them, without end.
        const DEEPEST: usize = 4;
        if path.split('.').count() > DEEPEST {
            return;
        }
        let schema = self.items(schema).unwrap_or(schema);
        for (key, inner) in self.keys(schema).into_iter().flatten() {
            let path = join(path, key);
            self.collect(inner, &path, wanted, found);
            if key == wanted {
                found.push(path);
            }
        }
    }

    /// The schema and its alternatives, with references resolved.
    fn forms<'a>(&'a self, schema: &'a Value) -> Box<dyn Iterator<Item = &'a Value> + 'a> {
        let target = schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|reference| self.root.pointer(reference.strip_prefix('#')?));
        let alternatives = ["oneOf", "anyOf"]
            .into_iter()
            .filter_map(|word| schema.get(word)?.as_array())
            .flatten();
        let inner = target
            .into_iter()
            .chain(alternatives)
            .flat_map(|inner| self.forms(inner));
        Box::new(std::iter::once(schema).chain(inner))
    }
}

/// The full name of a key in a table: `load` and `stages` give `load.stages`.
pub(in crate::scenario) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// Removes null from a schema: TOML has none, a key is either present or absent.
fn without_null(schema: &mut Schema) {
    let is_null = |value: &Value| value == "null" || value.get("type").is_some_and(|t| t == "null");
    for word in ["type", "enum", "anyOf", "oneOf"] {
        let Some(list) = schema.get_mut(word).and_then(Value::as_array_mut) else {
            continue;
        };
        list.retain(|value| !is_null(value) && !value.is_null());
        if list.len() != 1 || word == "enum" {
            continue;
        }
        let only = list.remove(0);
        schema.remove(word);
        match only {
            Value::Object(only) => {
                for (key, value) in only {
                    schema.ensure_object().entry(key).or_insert(value);
                }
            }
            only => {
                schema.insert(word.to_owned(), only);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_known_by_its_full_name() {
        let known = KnownKeys::new();
        assert_eq!(known.elsewhere("ramp_up"), ["load.ramp_up"]);
        assert_eq!(
            known.elsewhere("in_flight"),
            ["cohort.message.in_flight", "message.in_flight"]
        );
        assert_eq!(
            known.elsewhere("initial"),
            ["cohort.reconnect.initial", "load.reconnect.initial"]
        );
        assert_eq!(known.elsewhere("jitter").len(), 4);
    }

    #[test]
    fn no_key_may_be_null_and_every_table_is_closed() {
        fn allows_null(schema: &Value) -> bool {
            let is_null = |value: &Value| value.is_null() || value == "null";
            match schema {
                Value::Array(items) => items.iter().any(|item| is_null(item) || allows_null(item)),
                Value::Object(members) => {
                    members.values().any(|one| is_null(one) || allows_null(one))
                }
                _ => false,
            }
        }
        let root: Value = serde_json::from_str(&schema()).unwrap();
        assert!(!allows_null(&root), "{root}");
        let tables = root["$defs"].as_object().unwrap();
        assert!(tables.len() > 5);
        for (name, table) in tables {
            if name == "Contract" {
                // The other keys of a contract are the settings of its preset.
                assert!(table["additionalProperties"]["anyOf"].is_array(), "{table}");
            } else if table.get("properties").is_some() {
                assert_eq!(table["additionalProperties"], false, "{name}");
            }
        }
    }
}

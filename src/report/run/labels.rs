//! Labels: what a user calls a run, by keys and values. They stand in its report and on exported metrics.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::units::is_harmless;

/// Names that exported metrics give to labels of their own, or that Prometheus gives to what it scrapes.
const TAKEN: [&str; 16] = [
    "by", "code", "cohort", "gate", "instance", "job", "kind", "le", "message", "phase", "promise",
    "quantile", "run", "scenario", "stage", "state",
];

/// One label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    key: String,
    value: String,
}

/// Why a text is no label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// There is no `=`.
    #[error("write a key, `=` and a value, like commit=abc123")]
    NoValue,
    /// Other systems could not store the key.
    #[error(
        "write a key of at most {} letters, digits and `_` that begins with a letter",
        Label::LONGEST_KEY
    )]
    Key,
    /// Exported metrics have a label of this name already.
    #[error("`{0}` is a label of exported metrics already: write another key, like my_{0}")]
    Taken(String),
    /// The value is empty, too long, or not safe to show.
    #[error(
        "write a value of 1 to {} characters on one line",
        Label::LONGEST_VALUE
    )]
    Value,
}

impl Label {
    /// The longest key, in characters.
    pub const LONGEST_KEY: usize = 64;
    /// The longest value, in characters.
    pub const LONGEST_VALUE: usize = 200;

    /// # Errors
    /// When the key is no name, or taken, or the value is empty, too long or not safe to show.
    pub fn new(key: &str, value: &str) -> Result<Self, LabelError> {
        let is_name = key.starts_with(|c: char| c.is_ascii_alphabetic())
            && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let length = value.chars().count();
        if !is_name || key.len() > Self::LONGEST_KEY {
            Err(LabelError::Key)
        } else if TAKEN.contains(&key) {
            Err(LabelError::Taken(key.to_owned()))
        } else if !(1..=Self::LONGEST_VALUE).contains(&length) || !value.chars().all(is_harmless) {
            Err(LabelError::Value)
        } else {
            let (key, value) = (key.to_owned(), value.to_owned());
            Ok(Self { key, value })
        }
    }

    /// Its key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Its value.
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl FromStr for Label {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, LabelError> {
        let (key, value) = text.split_once('=').ok_or(LabelError::NoValue)?;
        Self::new(key, value)
    }
}

/// Why labels do not go together. Fits after "failed to".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelsError {
    /// A key stands there twice.
    #[error("read `--label`: `{0}` is given twice\nhint: leave out one of them")]
    Twice(String),
    /// There are too many.
    #[error(
        "read `--label`: there are more than {} labels\nhint: leave some out",
        Labels::MOST
    )]
    TooMany,
    /// One of them is wrong by itself.
    #[error("read `--label`: {0}")]
    One(#[from] LabelError),
}

/// The labels of a run, in the order of their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
pub struct Labels(BTreeMap<String, String>);

impl Labels {
    /// The most labels of one run.
    pub const MOST: usize = 16;

    /// # Errors
    /// When a key stands there twice, or there are too many.
    pub fn of(labels: impl IntoIterator<Item = Label>) -> Result<Self, LabelsError> {
        let mut all = BTreeMap::new();
        for Label { key, value } in labels {
            if all.insert(key.clone(), value).is_some() {
                return Err(LabelsError::Twice(key));
            }
        }
        match all.len() <= Self::MOST {
            true => Ok(Self(all)),
            false => Err(LabelsError::TooMany),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each key and its value, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// All of them as they were written: `branch=main commit=abc123`.
    pub fn shown(&self) -> String {
        let all: Vec<String> = (self.iter())
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        all.join(" ")
    }
}

impl TryFrom<BTreeMap<String, String>> for Labels {
    type Error = LabelsError;

    fn try_from(labels: BTreeMap<String, String>) -> Result<Self, LabelsError> {
        let labels = labels.iter().map(|(key, value)| Label::new(key, value));
        Self::of(labels.collect::<Result<Vec<_>, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(text: &str) -> Result<Label, LabelError> {
        text.parse()
    }

    #[test]
    fn a_label_is_a_key_and_a_value() {
        let label = label("commit=abc=1 23").unwrap();
        assert_eq!((label.key(), label.value()), ("commit", "abc=1 23"));
    }

    #[test]
    fn what_other_systems_cannot_store_is_no_label() {
        let long = format!("key={}", "x".repeat(201));
        for (text, why) in [
            ("commit", LabelError::NoValue),
            ("=abc", LabelError::Key),
            ("a-b=1", LabelError::Key),
            ("__name__=1", LabelError::Key),
            ("1st=1", LabelError::Key),
            ("cohort=1", LabelError::Taken("cohort".to_owned())),
            ("commit=", LabelError::Value),
            ("commit=a\nb", LabelError::Value),
            ("commit=\u{202e}", LabelError::Value),
            (&long, LabelError::Value),
        ] {
            assert_eq!(label(text), Err(why), "{text}");
        }
        let key = format!("{}=1", "k".repeat(65));
        assert_eq!(label(&key), Err(LabelError::Key));
        assert!(label(&long[..long.len() - 1]).is_ok());
    }

    #[test]
    fn labels_have_different_keys_and_are_few() {
        let of = |count: usize| Labels::of((0..count).map(|i| label(&format!("k{i}=v")).unwrap()));
        assert!(of(Labels::MOST).is_ok());
        assert_eq!(of(Labels::MOST + 1), Err(LabelsError::TooMany));
        let twice = [label("a=1").unwrap(), label("a=2").unwrap()];
        assert_eq!(Labels::of(twice), Err(LabelsError::Twice("a".to_owned())));
    }

    #[test]
    fn labels_that_no_user_may_write_are_not_read() {
        let read = |text: &str| serde_json::from_str::<Labels>(text);
        let labels = read(r#"{"commit": "abc", "branch": "main"}"#).unwrap();
        assert_eq!(labels.shown(), "branch=main commit=abc");
        assert!(read(r#"{"le\"} 1\n": "abc"}"#).is_err());
        assert!(read(r#"{"commit": "\u001b[31m"}"#).is_err());
    }
}

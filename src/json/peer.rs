//! Holds the scanner to serde_json, for the tests and the fuzzer: the same value at every pointer of a document.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, from_slice};

use super::{Found, Kind, Literal, Pointer};

/// The most places of one document that are looked at, because each costs a look at all of it.
const MAX_PLACES: usize = 200;

/// A document as serde_json reads it, with all members of an object in their order.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// Asserts that pointers find in any bytes what serde_json finds in the document at their first bracket; where that is
/// no document, that a look at it ends.
pub(crate) fn assert_same(bytes: &[u8]) {
    let start = bytes.iter().position(|byte| matches!(byte, b'{' | b'['));
    let document = &bytes[start.unwrap_or(bytes.len())..];
    let mut deserializer = serde_json::Deserializer::from_slice(document);
    match Tree::deserialize(&mut deserializer) {
        Ok(tree) => assert_places(bytes, &tree),
        Err(_) => assert_ends(bytes),
    }
}

fn assert_ends(bytes: &[u8]) {
    for pointer in ["", "/0", "/1/0", "/a", "/a/b", "/"] {
        if let Some(found) = at(pointer, bytes) {
            assert!(found.text().len() <= found.raw().len());
            found.as_u64();
            found.is(&Literal::from(0));
        }
    }
}

fn assert_places(bytes: &[u8], tree: &Tree) {
    let mut places = vec![(String::new(), tree)];
    let mut next = 0;
    while let Some((pointer, tree)) = places.get(next).cloned() {
        next += 1;
        let found = at(&pointer, bytes);
        let found = found.unwrap_or_else(|| panic!("nothing at `{pointer}`"));
        assert_value(found, tree);
        for absent in ["nobody has this key", "-", "00", "99999999999999999999"] {
            let absent = format!("{pointer}/{absent}");
            assert_eq!(
                at(&absent, bytes).is_some(),
                tree.below(&absent[pointer.len() + 1..])
            );
        }
        if next < MAX_PLACES {
            places.extend(
                tree.steps()
                    .into_iter()
                    .map(|(step, below)| (format!("{pointer}/{step}"), below)),
            );
        }
    }
}

fn at<'a>(pointer: &str, bytes: &'a [u8]) -> Option<Found<'a>> {
    let pointer: Pointer = pointer.parse().expect("a pointer");
    let found = pointer.find(bytes);
    assert_eq!(pointer.is_absent(bytes), found.is_none());
    found
}

fn assert_value(found: Found<'_>, tree: &Tree) {
    assert_eq!(from_slice::<Tree>(found.raw()).as_ref().ok(), Some(tree));
    match tree {
        Tree::Null => assert!(found.is(&Literal::Null)),
        Tree::Bool(value) => {
            assert!(found.is(&Literal::from(*value)) && !found.is(&Literal::from(!value)))
        }
        Tree::Number(number) => {
            assert!(
                number
                    .as_u64()
                    .is_none_or(|whole| found.as_u64() == Some(whole))
            );
            let is_whole = |whole: i64| {
                found.is(&Literal::from(whole)) && !found.is(&Literal::from(whole ^ 1))
            };
            assert!(number.as_i64().is_none_or(is_whole));
            assert!(found.is(&Literal::Number(found_text(found).into())));
        }
        Tree::String(text) => {
            assert_eq!(&*found.text(), text.as_bytes());
            assert!(
                found.is(&Literal::from(&**text))
                    && !found.is(&Literal::from(&*format!("{text}x")))
            );
        }
        Tree::Array(_) | Tree::Object(_) => assert_eq!(&*found.text(), found.raw()),
    }
    let kind = match tree {
        Tree::Null => Kind::Null,
        Tree::Bool(_) => Kind::Bool,
        Tree::Number(_) => Kind::Number,
        Tree::String(_) => Kind::String,
        Tree::Array(_) => Kind::Array,
        Tree::Object(_) => Kind::Object,
    };
    assert_eq!(found.kind(), kind);
}

fn found_text(found: Found<'_>) -> String {
    String::from_utf8(found.text().into_owned()).expect("UTF-8 inside of UTF-8")
}

impl Tree {
    /// Returns every value right below this one, with its token: the first of equal keys.
    fn steps(&self) -> Vec<(String, &Self)> {
        match self {
            Self::Array(items) => (0..)
                .map(|index: usize| index.to_string())
                .zip(items)
                .collect(),
            Self::Object(members) => {
                let is_first = |at: usize| {
                    !members[..at]
                        .iter()
                        .any(|earlier| earlier.0 == members[at].0)
                };
                let firsts = members.iter().enumerate().filter(|(at, _)| is_first(*at));
                firsts
                    .map(|(_, (key, value))| (key.replace('~', "~0").replace('/', "~1"), value))
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    fn below(&self, token: &str) -> bool {
        self.steps().iter().any(|(step, _)| step == token)
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Number::from_f64(value).map_or(Tree::Null, Tree::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(Tree::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
        let mut all = Vec::new();
        while let Some(member) = members.next_entry()? {
            all.push(member);
        }
        Ok(Tree::Object(all))
    }
}

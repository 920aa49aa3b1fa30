//! `expect`, `check` and `save`: which message is the answer, whether it is right, and what is kept of it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, Serialize, Serializer};

use super::match_table::{self, MatchGiven};
use super::matching::Match;
use super::payload::Payload;
use super::save::{self, Save, SaveTable};
use super::scope::Scope;
use crate::scenario::reading::{At, Key, OneOrMany, Place, Section, Shorthand, hints, words};

/// What must come back.
#[derive(Debug, Clone, PartialEq)]
pub enum Expect {
    /// The same bytes.
    Echo,
    /// Nothing.
    None,
    /// A message that holds the stamp of what was sent.
    Stamp,
    /// A message that one of these matches. At least one; all of them have an id, or none.
    Match(Arc<[Match]>),
}

impl Expect {
    /// What it compares answers with.
    pub fn matches(&self) -> &[Match] {
        match self {
            Self::Match(any) => any,
            Self::Echo | Self::None | Self::Stamp => &[],
        }
    }
}

words! {
    /// What must come back.
    pub enum ExpectWord {
        /// The same bytes.
        Echo,
        /// Nothing.
        None,
        /// A message that holds the stamp of what was sent, anywhere.
        Stamp,
    }
}

/// What must come back, as the user wrote it.
#[derive(Debug, Clone)]
pub(in crate::scenario) enum ExpectGiven {
    Word(ExpectWord),
    Match(Box<OneOrMany<MatchGiven>>),
}

/// Only words are defaults.
impl Serialize for ExpectGiven {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Word(word) => word.serialize(serializer),
            Self::Match(_) => Err(S::Error::custom("a match is no default")),
        }
    }
}

impl<'de> Deserialize<'de> for ExpectGiven {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ExpectVisitor)
    }
}

struct ExpectVisitor;

impl<'de> Visitor<'de> for ExpectVisitor {
    type Value = ExpectGiven;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"echo\", \"none\", \"stamp\", a match such as { \"/id\" = \"{{id}}\" }, or a list of them")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ExpectGiven, E> {
        let word = ExpectWord::ALL.iter().find(|word| word.name() == text);
        Ok(match word {
            Some(word) => ExpectGiven::Word(*word),
            None => {
                let text = Shorthand::Value(text.to_owned());
                ExpectGiven::Match(Box::new(OneOrMany::One(text)))
            }
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ExpectGiven, A::Error> {
        Box::deserialize(MapAccessDeserializer::new(map)).map(ExpectGiven::Match)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<ExpectGiven, A::Error> {
        Box::deserialize(SeqAccessDeserializer::new(items)).map(ExpectGiven::Match)
    }
}

impl JsonSchema for ExpectGiven {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Expect".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let word = generator.subschema_for::<ExpectWord>();
        let matches = OneOrMany::<MatchGiven>::json_schema(generator);
        json_schema!({ "anyOf": [word, matches] })
    }
}

/// Resolves which message is the answer; `None` if something in it is wrong.
pub(super) fn resolve(
    section: &mut Section<'_, '_>,
    scope: &Scope<'_>,
    given: &ExpectGiven,
    place: &Place,
) -> Option<Expect> {
    let matches = match given {
        ExpectGiven::Word(ExpectWord::Echo) => return Some(Expect::Echo),
        ExpectGiven::Word(ExpectWord::None) => return Some(Expect::None),
        ExpectGiven::Word(ExpectWord::Stamp) => return Some(Expect::Stamp),
        ExpectGiven::Match(matches) => matches,
    };
    if let OneOrMany::One(Shorthand::Value(text)) = &**matches {
        let words = ExpectWord::ALL.iter().map(|word| word.name());
        if let Some(meant) = hints::misspelt(text, words) {
            let what = format_args!("is the text `{text}`, which is nearly the word `{meant}`");
            let hint =
                format!("write \"{meant}\", or {{ text = {text:?} }} for an answer with this text");
            section.wrong_at("expect", place, what, hint);
            return None;
        }
    }
    let path = section.key("expect");
    let all = match_table::any(section.check, scope, &path, place, matches)?;
    let with_id = all.iter().filter(|one| one.has_id()).count();
    if with_id > 0 && with_id < all.len() {
        let hint = "write { \"/id\" = \"{{id}}\" } into each of them, or into none";
        section.wrong_at(
            "expect",
            place,
            "has `{{id}}` in some of its matches and not in others",
            hint,
        );
    }
    Some(Expect::Match(all))
}

/// Notes why an answer to such a payload could not be told from others.
pub(super) fn fits(
    section: &mut Section<'_, '_>,
    expect: &Expect,
    payload: &Payload,
    places: &[(&str, Option<&Place>); 2],
) {
    let mut wrong = |at: usize, what: &str, hint: &str| {
        let (key, place) = places[at];
        let place = place.unwrap_or(section.place).clone();
        section.wrong_at(key, &place, what, hint);
    };
    const PAYLOAD: usize = 0;
    const EXPECT: usize = 1;
    match expect {
        Expect::Echo if matches!(payload, Payload::Template(_)) && !payload.has_stamp() => wrong(
            PAYLOAD,
            "has placeholders and no `{{stamp}}`, by which its echoes are told apart",
            "put `{{stamp}}` into it, or write `expect = \"none\"`",
        ),
        Expect::Echo if payload.varies_with_answers() => wrong(
            PAYLOAD,
            "has what was saved, which may be another value when the echo comes",
            "write `expect = \"stamp\"` or \"none\"",
        ),
        Expect::Stamp if !payload.has_stamp() => wrong(
            EXPECT,
            "is \"stamp\", and the payload holds none",
            "put `{{stamp}}` into its text",
        ),
        Expect::Match(all) if all.iter().any(Match::has_id) && !payload.has_id() => wrong(
            EXPECT,
            "waits for `{{id}}`, which the payload does not hold",
            "put `{{id}}` into its text",
        ),
        _ => {}
    }
}

/// Resolves what an answer must be like to be right, and what is kept of it; `None` if something in it is wrong.
pub(super) fn answer(
    section: &mut Section<'_, '_>,
    scope: &Scope<'_>,
    expect: Option<&Expect>,
    check: &Key<MatchGiven>,
    save: &Key<SaveTable>,
) -> Option<(Option<Match>, Vec<Save>)> {
    if expect == Some(&Expect::None) {
        let given = [
            ("check", check.as_ref().map(|at| &at.place)),
            ("save", save.as_ref().map(|at| &at.place)),
        ];
        let because = "cannot be used with `expect = \"none\"`: there is no answer to look at";
        section.excluded(&given, because, "write which answer is expected");
    }
    let right = match check {
        Some(At { value, place }) => {
            let path = section.key("check");
            match_table::one(section.check, scope, &path, place, value).map(Some)
        }
        None => Some(None),
    };
    let save = save::resolve(section, scope, save);
    Some((right?, save?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Segment;
    use crate::scenario::parse::parse_alone;
    use crate::scenario::{Condition, Kept, NumberForm, Overrides, Regex};

    fn message(keys: &str) -> (crate::scenario::Message, Vec<String>) {
        let text = format!(
            "name = \"x\"\ntarget.url = \"embedded\"\nload.connections = 1\n\
             [[message]]\nname = \"m\"\nrate = \"1/s\"\n{keys}"
        );
        let parsed = parse_alone(&text, &Overrides::default());
        let mut scenario = parsed.unwrap_or_else(|problems| panic!("{problems}"));
        let mut cohort = scenario.cohorts.remove(0);
        (cohort.messages.remove(0), cohort.saved)
    }

    fn at(pointer: &str, value: impl Into<crate::json::Literal>) -> Condition {
        Condition::Value(pointer.parse().unwrap(), value.into())
    }

    fn whole(text: &str) -> Condition {
        Condition::Whole([Segment::Literal(text.as_bytes().into())].into())
    }

    fn of(conditions: &[Condition]) -> Match {
        Match {
            conditions: conditions.into(),
        }
    }

    #[test]
    fn words_are_words_and_other_texts_are_texts() {
        let expect = |written: &str| {
            let keys = format!("payload = \"a {{{{stamp}}}}\"\nexpect = {written}");
            message(&keys).0.expect
        };
        assert_eq!(expect("\"echo\""), Expect::Echo);
        assert_eq!(expect("\"none\""), Expect::None);
        assert_eq!(expect("\"stamp\""), Expect::Stamp);
        let one = of(&[whole("pong")]);
        assert_eq!(expect("\"pong\""), Expect::Match([one.clone()].into()));
        let other = of(&[whole("echo"), at("/a", 1)]);
        assert_eq!(
            expect("[\"pong\", { \"/a\" = 1, text = \"echo\" }]"),
            Expect::Match([one, other].into())
        );
    }

    #[test]
    fn every_condition_can_be_written() {
        let regex = Regex(regex::bytes::Regex::new("a|b").unwrap());
        let bytes: Arc<[u8]> = [0, 255].into();
        let literal = Segment::Literal(bytes.clone());
        let n = Segment::Variable("n".parse().unwrap());
        let says = Condition::Says("/a~1b".parse().unwrap(), [n].into());
        for (written, condition) in [
            (
                "prefix = \"43[\"",
                Condition::Prefix([Segment::Literal(b"43[".as_slice().into())].into()),
            ),
            ("regex = 'a|b'", Condition::Regex(regex)),
            ("hex = \"00 ff\"", Condition::Whole([literal].into())),
            ("hex = \"00 ff\", at = 2", Condition::Bytes(2, bytes)),
            ("has = \"/a\"", Condition::Has("/a".parse().unwrap())),
            ("lacks = [\"/a\"]", Condition::Lacks("/a".parse().unwrap())),
            (
                "null = \"/a\"",
                Condition::Value("/a".parse().unwrap(), crate::json::Literal::Null),
            ),
            ("\"/a\" = \"7\"", at("/a", "7")),
            ("\"/a\" = \"\"", at("/a", "")),
            ("\"/a\" = 7", at("/a", 7)),
            ("\"/a\" = 0.5", at("/a", 0.5)),
            ("\"/a\" = true", at("/a", true)),
            ("\"/a~1b\" = \"{{n}}\"", says),
        ] {
            let check = message(&format!("check = {{ {written} }}")).0.check;
            assert_eq!(check, Some(of(&[condition])), "{written}");
        }
    }

    #[test]
    fn what_is_kept_has_a_name_each() {
        let (message, saved) = message(
            "save = { token = \"/t\", all = \"whole\", seq = { at = 4, as = \"u32be\" }, sid = { regex = 's=(.)' } }",
        );
        let number = Kept::Number {
            at: 4,
            form: NumberForm::U32be,
        };
        let regex = Regex(regex::bytes::Regex::new("s=(.)").unwrap());
        let mut kept = Vec::new();
        for Save { name, what } in message.save {
            kept.push((saved[usize::from(name)].as_str(), what));
        }
        let token = Kept::Value("/t".parse().unwrap());
        let expected = [
            ("all", Kept::Whole),
            ("seq", number),
            ("sid", Kept::Regex(regex)),
            ("token", token),
        ];
        assert_eq!(kept, expected);
    }
}

//! Matches by example, and held to a matcher that reads the whole document.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{Seed, Values};
use crate::json::{Literal, Pointer};
use crate::scenario::{Condition, Kept, MAX_SAVED, Match, NumberForm, Regex, Segment, Variable};

const VALUES: Values<'static> = Values {
    cohort: "main",
    run: 1,
    connection: 0,
    place: 3,
    n: 0,
    id: 12,
    turn: 0,
    saved: &[],
    ids: &[0, 7],
    connections: 1,
    seed: Seed::new(0),
    slot: 0,
    data: &[],
};

fn pointer(text: &str) -> Pointer {
    text.parse().unwrap()
}

fn literal(text: &str) -> Segment {
    Segment::Literal(text.as_bytes().into())
}

fn variable(name: &str) -> Segment {
    Segment::Variable(name.parse().unwrap())
}

fn of(conditions: &[Condition]) -> Match {
    Match {
        conditions: conditions.into(),
    }
}

fn regex(text: &str) -> Regex {
    Regex(regex::bytes::Regex::new(text).unwrap())
}

#[test]
fn what_an_id_was_found_by_need_not_be_looked_at_again() {
    let says = |at: &str, segments: &[Segment]| Condition::Says(pointer(at), segments.into());
    let id = || says("/id", &[variable("id")]);
    let finder = of(&[id()]);
    let others = [
        finder.clone(),
        of(&[says("/no", &[variable("id")])]),
        of(&[says("/id", &[literal("r-"), variable("id")])]),
        of(&[says("/id", &[variable("n")])]),
        of(&[id(), Condition::Has(pointer("/ok"))]),
        of(&[Condition::Has(pointer("/ok")), id()]),
    ];
    let messages = [
        r#"{"id":12}"#,
        r#"{"id":12,"ok":1}"#,
        r#"{"id":12,"no":12}"#,
        r#"{"id":"12","no":13}"#,
    ];
    for message in messages.map(str::as_bytes) {
        let id = finder.id(message).unwrap();
        let values = Values {
            id,
            n: 12,
            ..VALUES
        };
        for other in &others {
            let holds = other.holds(message, &values);
            assert_eq!(other.holds_too(&finder, message, &values), holds);
            assert_eq!(
                finder.holds_too(other, message, &values),
                finder.holds(message, &values)
            );
        }
    }
}

#[test]
fn the_id_stands_where_the_match_says() {
    let says = |segments: &[Segment]| of(&[Condition::Says(pointer("/id"), segments.into())]);
    let (plain, around) = (
        says(&[variable("id")]),
        says(&[literal("r-"), variable("id"), literal(".")]),
    );
    let prefix = of(&[
        Condition::Has(pointer("/0/ok")),
        Condition::Prefix([literal("43"), variable("id"), literal("[")].into()),
    ]);
    let whole = of(&[Condition::Whole([literal("ack "), variable("id")].into())]);
    for one in [&plain, &around, &prefix, &whole] {
        assert!(one.has_id());
    }
    for (one, message, id) in [
        (&plain, r#"{"a":[{}],"id":12}"#, Some(12)),
        (&plain, r#"{"id":"12"}"#, Some(12)),
        (&plain, r#"{"id":12.5}"#, None),
        (&plain, r#"{"di":12}"#, None),
        (&around, r#"{"id":"r-12."}"#, Some(12)),
        (&around, r#"{"id":"r-12"}"#, None),
        (&around, r#"{"id":"r-012."}"#, None),
        (&prefix, r#"4312[{"ok":true}]"#, Some(12)),
        (&prefix, r#"430[]"#, Some(0)),
        (&prefix, r#"43[]"#, None),
        (&prefix, r#"43-1[]"#, None),
        (&whole, "ack 18446744073709551615", Some(u64::MAX)),
        (&whole, "ack 18446744073709551616", None),
        (&whole, "ack 1 ", None),
    ] {
        assert_eq!(one.id(message.as_bytes()), id, "{message}");
        let is_own = id == Some(12);
        let holds = one.holds(message.as_bytes(), &VALUES);
        assert_eq!(holds, is_own, "{message}");
    }
}

#[test]
fn what_is_not_known_yet_equals_nothing() {
    let name = 0;
    let form = crate::scenario::Form::Raw;
    let saved = Segment::Variable(Variable::Saved { name, form });
    let token = of(&[Condition::Says(pointer("/t"), [saved].into())]);
    let subscribed = |slot| {
        let last = Segment::Variable(Variable::IdOf(slot));
        of(&[Condition::Says(pointer("/t"), [last].into())])
    };
    let empty = br#"{"t":""}"#;
    assert!(!token.holds(empty, &VALUES));
    let saved = [b"x".to_vec()];
    let later = Values {
        saved: &saved,
        ..VALUES
    };
    assert!(token.holds(br#"{"t":"x"}"#, &later));
    assert!(!subscribed(0).holds(br#"{"t":0}"#, &VALUES));
    assert!(subscribed(1).holds(br#"{"t":7}"#, &VALUES));
    assert!(subscribed(1).holds(br#"{"t":"7"}"#, &VALUES));
}

#[test]
fn what_does_not_hold_is_told() {
    let message = br#"4[null,{"status":"no","n":7}]"#;
    for (condition, words) in [
        (
            Condition::Value(pointer("/1/status"), "ok".into()),
            Some("`/1/status` is not \"ok\""),
        ),
        (Condition::Value(pointer("/1/n"), 7.into()), None),
        (
            Condition::Value(pointer("/1/n"), Literal::from("7")),
            Some("`/1/n` is not \"7\""),
        ),
        (
            Condition::Value(pointer("/2"), true.into()),
            Some("it has no `/2`"),
        ),
        (Condition::Value(pointer("/0"), Literal::Null), None),
        (
            Condition::Says(pointer("/1/n"), [literal("r"), variable("place")].into()),
            Some("`/1/n` is not \"r{{…}}\""),
        ),
        (Condition::Has(pointer("/1/m")), Some("it has no `/1/m`")),
        (Condition::Has(pointer("/0")), None),
        (Condition::Lacks(pointer("/1/n")), Some("it has `/1/n`")),
        (Condition::Lacks(pointer("/1/m")), None),
        (
            Condition::Prefix([literal("43")].into()),
            Some("it does not begin with \"43\""),
        ),
        (
            Condition::Whole([literal("4")].into()),
            Some("it is not \"4\""),
        ),
        (
            Condition::Regex(regex("st.tu$")),
            Some("it does not match 'st.tu$'"),
        ),
        (Condition::Regex(regex("st.tus")), None),
        (
            Condition::Bytes(1, b"\x01[".as_slice().into()),
            Some("it has other bytes at 1 than 01 5b"),
        ),
        (Condition::Bytes(1, b"[n".as_slice().into()), None),
        (
            Condition::Bytes(99, b"[".as_slice().into()),
            Some("it has other bytes at 99 than 5b"),
        ),
    ] {
        let told = of(&[condition]).wrong(message, &VALUES);
        assert_eq!(told.as_deref(), words);
    }
    let long = "x".repeat(1000);
    let told = of(&[Condition::Whole([literal(&long)].into())]).wrong(message, &VALUES);
    assert!(told.unwrap().len() < 90);
}

#[test]
fn what_is_kept_is_a_part_of_the_message() {
    let message = br#"sid=ab7; {"a":{"b":"x\ny"},"e":"","n":[1, 2]}"#;
    let mut out = b"before".to_vec();
    let mut kept = |what: Kept| what.find(message, &mut out).then(|| out.clone());
    let value = |text: &str| Kept::Value(pointer(text));
    assert_eq!(kept(Kept::Whole).as_deref(), Some(&message[..]));
    assert_eq!(kept(value("/a/b")).as_deref(), Some(&b"x\ny"[..]));
    assert_eq!(kept(value("/n")).as_deref(), Some(&b"[1, 2]"[..]));
    assert_eq!(kept(value("/n/2")), None);
    assert_eq!(kept(value("/e")), None);
    let sid = Kept::Regex(regex(r"sid=(\w+)"));
    assert_eq!(kept(sid).as_deref(), Some(&b"ab7"[..]));
    assert_eq!(kept(Kept::Regex(regex("sid=(x)?a"))), None);
    let number = |at, form| Kept::Number { at, form };
    let two = number(0, NumberForm::U16be);
    let expected = (u32::from(b's') * 256 + u32::from(b'i')).to_string();
    assert_eq!(kept(two), Some(expected.into_bytes()));
    let end = message.len() as u32;
    assert_eq!(kept(number(end - 1, NumberForm::U16be)), None);
    assert_eq!(kept(number(u32::MAX, NumberForm::U8)), None);
    for (length, is_kept) in [(MAX_SAVED, true), (MAX_SAVED + 1, false)] {
        let mut out = Vec::new();
        assert_eq!(Kept::Whole.find(&vec![b'x'; length], &mut out), is_kept);
        assert_eq!(out.is_empty(), !is_kept);
    }
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..20).prop_map(Value::from),
        (0u8..4).prop_map(|quarter| Value::from(f64::from(quarter) / 4.0)),
        "[a1é\"\\\\]{0,2}".prop_map(Value::from),
    ]
}

fn document() -> impl Strategy<Value = Value> {
    let inner = scalar().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[ab]", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    inner.prop_map(|value| json!({ "a": value }))
}

/// Whether a condition on this place and value holds of a document that was read.
type Meaning = fn(&Value, &str, &Value) -> bool;

/// A condition, what it means, and its place and value.
fn condition() -> impl Strategy<Value = (Condition, Meaning, String, Value)> {
    let places = prop::sample::select(vec!["/a", "/a/a", "/a/b", "/a/0", "/a/1/a", "/b"]);
    fn found<'v>(document: &'v Value, at: &str) -> Option<&'v Value> {
        document.pointer(at)
    }
    fn is(document: &Value, at: &str, value: &Value) -> bool {
        let same = |found: &Value| match (found.as_f64(), value.as_f64()) {
            (Some(found), Some(value)) => found == value,
            _ => found == value,
        };
        found(document, at).is_some_and(same)
    }
    fn says(document: &Value, at: &str, value: &Value) -> bool {
        let text = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        found(document, at).is_some_and(|found| text(found) == text(value))
    }
    fn has(document: &Value, at: &str, _: &Value) -> bool {
        found(document, at).is_some()
    }
    fn lacks(document: &Value, at: &str, _: &Value) -> bool {
        found(document, at).is_none()
    }
    (places, scalar(), 0..4).prop_map(|(at, value, kind)| {
        let place = pointer(at);
        let (condition, means): (_, Meaning) = match kind {
            0 => (Condition::Value(place, as_literal(&value)), is),
            1 => {
                let text = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                (Condition::Says(place, [literal(&text)].into()), says)
            }
            2 => (Condition::Has(place), has),
            _ => (Condition::Lacks(place), lacks),
        };
        (condition, means, at.to_owned(), value)
    })
}

fn as_literal(value: &Value) -> Literal {
    match value {
        Value::Null => Literal::Null,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => number.as_f64().unwrap().into(),
        },
        Value::String(text) => text.as_str().into(),
        _ => unreachable!("it is a scalar"),
    }
}

proptest! {
    #[test]
    fn a_match_is_what_it_means_for_the_document(
        document in document(), conditions in prop::collection::vec(condition(), 1..3),
        before in "[a-z0-9]{0,3}", pretty in any::<bool>(),
    ) {
        let means = conditions.iter().all(|(_, means, at, value)| means(&document, at, value));
        let conditions: Vec<Condition> = conditions.into_iter().map(|(one, ..)| one).collect();
        let one = of(&conditions);
        let text = if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) };
        let message = before + &text.unwrap();
        prop_assert_eq!(one.holds(message.as_bytes(), &VALUES), means, "{}", message);
        prop_assert_eq!(one.wrong(message.as_bytes(), &VALUES).is_none(), means);
    }

    #[test]
    fn an_id_is_found_again(id in any::<u64>(), before in "[a-z]{0,3}", after in "([a-z][a-z0-9]{0,3})?", rest in "[a-z ]{0,3}", quoted in any::<bool>()) {
        let segments = [literal(&before), variable("id"), literal(&after)];
        let values = Values { id, ..VALUES };
        let text = format!("{before}{id}{after}");
        let json = if quoted || !(before.is_empty() && after.is_empty()) { format!("{{\"id\":\"{text}\"}}") } else { format!("{{\"id\":{id}}}") };
        let kept: Vec<Segment> = segments.into_iter().filter(|one| *one != literal("")).collect();
        for (condition, message) in [
            (Condition::Whole(kept.clone().into()), text.clone()),
            (Condition::Prefix(kept.clone().into()), format!("{text}{rest}")),
            (Condition::Says(pointer("/id"), kept.into()), json),
        ] {
            let one = of(&[condition]);
            prop_assert_eq!(one.id(message.as_bytes()), Some(id), "{}", message);
            prop_assert!(one.holds(message.as_bytes(), &values), "{}", message);
        }
    }

    #[test]
    fn no_bytes_panic(
        bytes in prop_oneof![prop::collection::vec(any::<u8>(), 0..60), "[\\[{\"a:,1\\\\}\\]]{0,40}".prop_map(String::into_bytes)],
        conditions in prop::collection::vec(condition(), 1..4),
    ) {
        let mut all: Vec<Condition> = conditions.into_iter().map(|(one, ..)| one).collect();
        all.push(Condition::Prefix([literal("["), variable("id"), literal("a")].into()));
        all.push(Condition::Says(pointer("/a"), [variable("id")].into()));
        all.push(Condition::Bytes(2, b"a".as_slice().into()));
        for condition in all {
            let one = of(&[condition]);
            let _ = one.id(&bytes);
            prop_assert_eq!(one.wrong(&bytes, &VALUES).is_none(), one.holds(&bytes, &VALUES));
        }
        for kept in [Kept::Whole, Kept::Value(pointer("/a/0")), Kept::Number { at: 3, form: NumberForm::U64le }] {
            let mut out = Vec::new();
            prop_assert_eq!(kept.find(&bytes, &mut out), !out.is_empty());
        }
    }
}

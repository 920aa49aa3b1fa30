//! What is found where, by example and by property.

use std::borrow::Cow;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use super::peer::assert_same;
use super::*;

fn find<'a>(pointer: &str, text: &'a str) -> Option<Found<'a>> {
    pointer.parse::<Pointer>().unwrap().find(text.as_bytes())
}

/// Returns what stands there, as it is written.
fn raw<'a>(pointer: &str, text: &'a str) -> Option<&'a str> {
    find(pointer, text).map(|found| str::from_utf8(found.raw()).unwrap())
}

/// Looks at the value of a member `v` that is spelled like this.
#[track_caller]
fn value<R>(spelled: &str, look: impl FnOnce(Found<'_>) -> R) -> R {
    look(find("/v", &format!("{{\"v\":{spelled}}}")).unwrap())
}

/// Uses the document and the pointers of RFC 6901 section 5.
#[test]
fn the_pointers_of_the_standard_find_what_it_says() {
    let text = r#"{"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6,
        " ": 7, "m~n": 8}"#;
    assert_eq!(raw("", text), Some(text));
    assert_eq!(raw("/foo", text), Some(r#"["bar", "baz"]"#));
    assert_eq!(raw("/foo/0", text), Some("\"bar\""));
    let keys = [
        "/", "/a~1b", "/c%d", "/e^f", "/g|h", "/i\\j", "/k\"l", "/ ", "/m~0n",
    ];
    for (number, key) in keys.iter().enumerate() {
        assert_eq!(raw(key, text), Some(&*number.to_string()), "{key}");
    }
}

#[test]
fn a_pointer_looks_from_the_first_bracket_on() {
    assert_eq!(raw("/0/ok", r#"430[{"ok":true}]"#), Some("true"));
    assert_eq!(raw("/1", r#"42/admin,["say",{"a":1}]"#), Some(r#"{"a":1}"#));
    assert_eq!(
        raw("", r#"MESSAGE {"a":[1]} and more"#),
        Some(r#"{"a":[1]}"#)
    );
    for text in ["", "3", "\"a\"", "430"] {
        assert_eq!(raw("", text), None, "{text}");
        assert_eq!(raw("/0", text), None, "{text}");
    }
}

#[test]
fn the_first_of_equal_keys_counts_however_they_are_written() {
    assert_eq!(raw("/id", r#"{"id":1,"id":2}"#), Some("1"));
    assert_eq!(raw("/id", r#"{"\u0069d":1,"id":2}"#), Some("1"));
    assert_eq!(raw("/a/b", r#"{"a":{},"a":{"b":1}}"#), None);
}

#[test]
fn a_key_that_needs_escapes_is_taken_for_no_other() {
    assert_eq!(raw("/a\\", r#"{"a\"":1,"a\\":2}"#), Some("2"));
    assert_eq!(raw("/a\":\"b", r#"{"a":"b","a\":\"b":3}"#), Some("3"));
}

#[test]
fn text_that_ends_too_early_has_no_value() {
    let text = r#"{"a":[10,{"b":"x\"y"}],"c":true}"#;
    for end in 0..text.len() {
        assert_eq!(raw("", &text[..end]), None, "{end}");
        assert_eq!(raw("/c", &text[..end]), None, "{end}");
    }
    // Fewer bytes are enough for what stands before.
    assert_eq!(raw("/a/0", r#"{"a":[10,"#), Some("10"));
    assert_eq!(raw("/a/0", r#"{"a":[10"#), None);
}

#[test]
fn what_is_no_json_on_the_way_has_no_value() {
    for text in [
        "{a:1}",
        "{\"b\" 1,\"a\":1}",
        "{\"a\":}",
        "{\"a\":nul}",
        "{\"a\":True}",
        "{,\"a\":1}",
        "[\"a\",1]",
    ] {
        assert_eq!(raw("/a", text), None, "{text}");
    }
    for text in ["[]", "[,1]", "{\"0\"}", "[:]", "[x]"] {
        assert_eq!(raw("/0", text), None, "{text}");
    }
    for pointer in [
        "/-",
        "/01",
        "/+1",
        "/ 1",
        "/1e0",
        "/2",
        "/99999999999999999999",
        "/1/",
    ] {
        assert_eq!(raw(pointer, "[1,2]"), None, "{pointer}");
    }
}

#[test]
fn depth_costs_no_stack() {
    let deep = "[".repeat(1_000_000);
    assert_eq!(raw("/1", &deep), None);
    let closed = format!("[{deep}{},7]", "]".repeat(1_000_000));
    assert_eq!(raw("/1", &closed), Some("7"));
}

#[test]
fn literals_compare_by_type_and_numbers_by_value() {
    for spelled in ["7", "7.0", "70e-1", "0.7e1", "0.07E+2", "7e0", "7.000"] {
        assert!(value(spelled, |found| found.is(&7.into())), "{spelled}");
        assert!(
            value(spelled, |found| found.is(&Literal::from(7.0))),
            "{spelled}"
        );
        assert_eq!(value(spelled, |found| found.as_u64()), Some(7), "{spelled}");
    }
    for spelled in [
        "\"7\"",
        "-7",
        "70",
        "0.7",
        "7.0000001",
        "7e-1",
        "07",
        "7.",
        "7x",
        "7e",
        "true",
        "[7]",
        "7e99999999999999999999",
    ] {
        assert!(!value(spelled, |found| found.is(&7.into())), "{spelled}");
    }
    // Exponents beyond any that the machine counts with.
    for spelled in [
        "0E44444444448888888888888888",
        "0.0e-99999999999999999999",
        "-0e+99999999999999999999",
    ] {
        assert!(value(spelled, |found| found.is(&0.into())), "{spelled}");
        assert_eq!(value(spelled, |found| found.as_u64()), Some(0), "{spelled}");
    }
    for spelled in ["1e99999999999999999999", "1e-99999999999999999999"] {
        let same = Literal::Number(spelled.into());
        assert!(value(spelled, |found| found.is(&same)), "{spelled}");
        assert_eq!(value(spelled, |found| found.as_u64()), None, "{spelled}");
    }
    // More digits than any number of the machine keeps apart.
    let (one, other) = (
        "12345678901234567890123456789.1",
        "12345678901234567890123456789.2",
    );
    assert!(value(one, |found| found.is(&Literal::Number(one.into()))));
    assert!(!value(one, |found| found.is(&Literal::Number(other.into()))));
    for zero in ["0", "-0", "0.0", "0e7", "-0.00e-9"] {
        assert!(value(zero, |found| found.is(&0.into())), "{zero}");
    }
    assert!(value("1e400", |found| !found.is(&f64::INFINITY.into())));
    assert!(value("null", |found| found.is(&Literal::Null)
        && !found.is(&false.into())));
    assert!(value("false", |found| found.is(&false.into())
        && !found.is(&Literal::Null)));
    assert!(value(r#""a\u0062""#, |found| found.is(&"ab".into())
        && found.is_text(b"ab")));
    assert!(value("true", |found| !found.is(&"true".into())
        && found.is_text(b"true")));
}

#[test]
fn a_whole_number_may_be_quoted() {
    let number = |spelled: &str| value(spelled, |found| found.as_u64());
    assert_eq!(number("18446744073709551615"), Some(u64::MAX));
    assert_eq!(number("\"18446744073709551615\""), Some(u64::MAX));
    assert_eq!(number("0"), Some(0));
    assert_eq!(number("1e19"), Some(10_u64.pow(19)));
    for spelled in [
        "18446744073709551616",
        "1e20",
        "-1",
        "1.5",
        "\"\"",
        "\"01\"",
        "\"1.0\"",
        "\" 1\"",
        "true",
        "[1]",
        "01",
        "\"+1\"",
    ] {
        assert_eq!(number(spelled), None, "{spelled}");
    }
}

#[test]
fn strings_are_read_without_their_escapes() {
    let text = |spelled: &str| {
        value(spelled, |found| {
            String::from_utf8(found.text().into_owned()).unwrap()
        })
    };
    assert_eq!(
        text(r#""\"\\\/\b\f\n\r\t\u00e9\u20AC\ud83d\ude00""#),
        "\"\\/\u{8}\u{c}\n\r\té€😀"
    );
    // Not what JSON allows, and no reason to miss the rest.
    assert_eq!(
        text(r#""\ud83d.\ude00\ud83d\ud83d\ude00\x\u12""#),
        "\u{fffd}.\u{fffd}\u{fffd}😀\\x\\u12"
    );
    assert_eq!(text("[1, \"a\"]"), "[1, \"a\"]");
    value("\"plain\"", |found| {
        assert!(matches!(found.text(), Cow::Borrowed(b"plain")))
    });
}

#[test]
fn a_wrong_pointer_says_what_is_wrong_and_where() {
    let wrong = |text: &str| {
        let error = text.parse::<Pointer>().unwrap_err();
        (error.to_string(), error.span(), error.hint())
    };
    let hint = "write \"/topic\" (RFC 6901)".to_owned();
    assert_eq!(
        wrong("topic"),
        ("does not begin with `/`".to_owned(), 0..5, hint)
    );
    let (what, span, _) = wrong("/a~2/~");
    assert_eq!(
        (what.as_str(), span),
        ("has a `~` that is neither `~0` nor `~1`", 2..3)
    );
    assert_eq!(wrong("/é~").1, 3..4);
    for right in ["", "/", "//", "/~01", "/a b", "/0"] {
        assert_eq!(right.parse::<Pointer>().unwrap().to_string(), right);
    }
}

/// Makes keys that meet: equal ones, indices, and those that are escaped in JSON or in a pointer.
fn key() -> BoxedStrategy<String> {
    prop_oneof!["[ab01/~\"\\\\\u{0}é😀]{0,3}", any::<String>()].boxed()
}

/// Makes a document of nested values, spelled with any blanks, escapes and equal keys.
fn document() -> impl Strategy<Value = String> {
    let string = (key(), 0_u8..3)
        .prop_map(|(text, escaping)| spelled(&text, escaping))
        .boxed();
    let number = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| Value::from(number).to_string()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,2})?",
    ];
    let word = prop::sample::select(vec!["null", "true", "false"]).prop_map(str::to_owned);
    let leaf = prop_oneof![string.clone(), number, word];
    let value = leaf.prop_recursive(6, 60, 6, move |inner| {
        let element = (blanks(), inner.clone(), blanks())
            .prop_map(|(a, value, b)| a + &value + &b)
            .boxed();
        let member = (blanks(), string.clone(), blanks(), element.clone())
            .prop_map(|(a, key, b, value)| a + &key + &b + ":" + &value);
        let filled = |parts: Vec<String>, blanks: String| {
            if parts.is_empty() {
                blanks
            } else {
                parts.join(",")
            }
        };
        prop_oneof![
            (vec(element, 0..6), blanks())
                .prop_map(move |(all, blanks)| format!("[{}]", filled(all, blanks))),
            (vec(member, 0..6), blanks())
                .prop_map(move |(all, blanks)| format!("{{{}}}", filled(all, blanks))),
        ]
    });
    ("[0-9/,a-z ]{0,4}", value, "[0-9,\\]} ]{0,4}").prop_map(|(before, value, behind)| match value
        .as_bytes()[0]
    {
        b'[' | b'{' => before + &value + &behind,
        _ => format!("{before}[{value}]{behind}"),
    })
}

fn blanks() -> impl Strategy<Value = String> {
    prop_oneof![3 => Just(String::new()), 1 => "[ \t\r\n]{1,3}"]
}

/// Writes a string as JSON, with few, many or all of its characters escaped.
fn spelled(text: &str, escaping: u8) -> String {
    if escaping == 0 {
        return Value::from(text).to_string();
    }
    let escape = |unit: u16| {
        let is_plain =
            escaping == 1 && char::from_u32(unit.into()).is_some_and(char::is_alphanumeric);
        if is_plain {
            char::from_u32(unit.into()).into_iter().collect()
        } else {
            format!("\\u{unit:04X}")
        }
    };
    format!(
        "\"{}\"",
        text.encode_utf16().map(escape).collect::<String>()
    )
}

/// Makes bytes that get further than random ones do.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\"b\":", "\\", "\\u", "\\ud83d", "1", "-",
        "0.5", "e9", "true", " ",
    ];
    vec(prop::sample::select(pieces.to_vec()), 0..40)
        .prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn every_pointer_of_a_document_finds_what_serde_json_finds(document in document()) {
        assert_same(document.as_bytes());
    }

    /// Compares with serde_json's own way of following a pointer, where no two keys are equal.
    #[test]
    fn any_pointer_finds_what_serde_json_finds(
        value in value_of_json(), pointer in vec(prop_oneof![key(), "[0-3-]"], 0..5)
    ) {
        let tokens = pointer.iter().map(|key| format!("/{}", key.replace('~', "~0").replace('/', "~1")));
        let pointer: String = tokens.collect();
        let text = value.to_string();
        let found = find(&pointer, &text).map(|found| serde_json::from_slice::<Value>(found.raw()).unwrap());
        prop_assert_eq!(found.as_ref(), value.pointer(&pointer));
    }

    #[test]
    fn any_bytes_are_looked_at_to_their_end(
        bytes in prop_oneof![vec(any::<u8>(), 0..200), pieces(), vec(prop::sample::select(b"{}[]\",:\\".to_vec()), 0..60)]
    ) {
        assert_same(&bytes);
    }

    #[test]
    fn a_number_is_itself_however_its_point_is_moved(digits in "[1-9][0-9]{0,25}", moved in 1_usize..40) {
        let literal = Literal::Number(digits.as_str().into());
        let up = format!("{digits}{}e-{moved}", "0".repeat(moved));
        let down = format!("0.{}{digits}e{}", "0".repeat(moved), moved + digits.len());
        prop_assert!(value(&up, |found| found.is(&literal)));
        prop_assert!(value(&down, |found| found.is(&literal)));
        let longer = Literal::Number(format!("{digits}1").into());
        prop_assert!(!value(&up, |found| found.is(&longer)));
        prop_assert_eq!(value(&down, |found| found.as_u64()), digits.parse().ok());
    }
}

/// Makes values whose objects have few keys, so that pointers meet them.
fn value_of_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        key().prop_map(Value::from)
    ];
    let inner = leaf.prop_recursive(5, 60, 5, |inner| {
        let members = prop::collection::btree_map(key(), inner.clone(), 0..5);
        prop_oneof![
            vec(inner, 0..5).prop_map(Value::from),
            members.prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    inner.prop_map(|value| {
        if value.is_array() || value.is_object() {
            value
        } else {
            Value::from(vec![value])
        }
    })
}

//! Placeholders `{{…}}` in the text of a payload.

use super::payload::{Payload, Segment};
use crate::scenario::reading::{At, Check};

const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// Resolves the text of a payload; `None` if it has an unknown placeholder.
pub(super) fn text(check: &mut Check<'_>, key: &str, text: &At<String>) -> Option<Payload> {
    match parse(&text.value) {
        Ok(payload) => Some(payload),
        Err(unknown) => {
            let what = format_args!("has `{unknown}`, which stands for nothing");
            let hint = "write `{{stamp}}` for the stamp of a message, and `{{{{` for two braces";
            check.problem(key, &text.place, what, hint);
            None
        }
    }
}

/// The payload of a text, or the unknown placeholder.
fn parse(text: &str) -> Result<Payload, String> {
    let mut segments = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        literal.push_str(before);
        if let Some(after) = after.strip_prefix(OPEN) {
            literal.push_str(OPEN);
            rest = after;
            continue;
        }
        let Some((name, after)) = after.split_once(CLOSE) else {
            let shown = after.chars().take(16);
            return Err(format!("{OPEN}{}", shown.collect::<String>()));
        };
        if name.trim() != "stamp" {
            return Err(format!("{OPEN}{name}{CLOSE}"));
        }
        if !literal.is_empty() {
            segments.push(Segment::Literal(literal.as_bytes().into()));
            literal.clear();
        }
        segments.push(Segment::Stamp);
        rest = after;
    }
    literal.push_str(rest);
    if segments.is_empty() {
        return Ok(Payload::Fixed(literal.as_bytes().into()));
    }
    if !literal.is_empty() {
        segments.push(Segment::Literal(literal.as_bytes().into()));
    }
    Ok(Payload::Stamped(segments.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn literal(text: &str) -> Segment {
        Segment::Literal(text.as_bytes().into())
    }

    #[test]
    fn a_stamp_stands_anywhere() {
        let json = r#"{"id":1,"s":"{{stamp}}"}"#;
        let around = vec![
            literal(r#"{"id":1,"s":""#),
            Segment::Stamp,
            literal(r#""}"#),
        ];
        assert_eq!(parse(json), Ok(Payload::Stamped(around.into())));
        let alone = Ok(Payload::Stamped([Segment::Stamp].into()));
        assert_eq!(parse("{{stamp}}"), alone);
        assert_eq!(parse("{{ stamp }}"), alone);
        let twice = vec![Segment::Stamp, literal("{{"), Segment::Stamp];
        assert_eq!(
            parse("{{stamp}}{{{{{{stamp}}"),
            Ok(Payload::Stamped(twice.into()))
        );
    }

    #[test]
    fn only_two_opening_braces_mean_something() {
        for (text, same) in [
            ("", ""),
            (r#"{"a":{"b":{}}}"#, r#"{"a":{"b":{}}}"#),
            ("{{{{stamp}}", "{{stamp}}"),
            ("}}", "}}"),
        ] {
            assert_eq!(parse(text), Ok(Payload::Fixed(same.as_bytes().into())));
        }
    }

    #[test]
    fn what_stands_for_nothing_is_named() {
        assert_eq!(parse("a {{id}} b"), Err("{{id}}".to_owned()));
        assert_eq!(parse("{{Stamp}}"), Err("{{Stamp}}".to_owned()));
        assert_eq!(parse("{{stamp"), Err("{{stamp".to_owned()));
    }

    proptest! {
        #[test]
        fn any_text_can_be_written(text in "[{}a]{0,12}") {
            let written = text.replace("{{", "{{{{");
            prop_assert_eq!(parse(&written), Ok(Payload::Fixed(text.as_bytes().into())));
        }
    }
}

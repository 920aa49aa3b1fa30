//! Placeholders `{{…}}` in the text of a payload.

mod base64;
mod json;

use std::ops::Range;
use std::sync::Arc;

use super::payload::{Payload, Segment};
use super::scope::Scope;
use super::variable::{Form, Variable, Wrong};
use crate::scenario::reading::{At, Check, hints, inside};

const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// A placeholder that means nothing, or a text that is no JSON: the bytes of the text at fault, and what is wrong.
#[derive(Debug, PartialEq, Eq)]
struct Problem {
    span: Range<usize>,
    what: String,
    hint: Option<String>,
}

/// A part of a text, and where it is written.
#[derive(Debug, PartialEq, Eq)]
struct Piece {
    segment: Segment,
    span: Range<usize>,
}

/// Resolves the text of a payload; `None` if something in it is wrong.
pub(super) fn text(
    check: &mut Check<'_>,
    scope: &Scope<'_>,
    key: &str,
    text: &At<String>,
) -> Option<Payload> {
    in_form(check, scope, Form::Raw, key, text)
}

/// Resolves a text in which values are written in this form, such as the one of an address or a header.
pub(super) fn in_form(
    check: &mut Check<'_>,
    scope: &Scope<'_>,
    form: Form,
    key: &str,
    text: &At<String>,
) -> Option<Payload> {
    resolve(check, key, text, |text| {
        parse(text, scope, form).map(payload)
    })
}

/// Resolves the text that a message is compared with; `None` if something in it is wrong.
pub(super) fn segments(
    check: &mut Check<'_>,
    scope: &Scope<'_>,
    key: &str,
    text: &At<String>,
) -> Option<Arc<[Segment]>> {
    resolve(check, key, text, |text| {
        let pieces = parse(text, scope, Form::Raw)?;
        Ok(pieces.into_iter().map(|piece| piece.segment).collect())
    })
}

/// Resolves a payload in JSON: the text without blanks; `None` if something in it is wrong.
pub(super) fn json(
    check: &mut Check<'_>,
    scope: &Scope<'_>,
    key: &str,
    text: &At<String>,
) -> Option<Payload> {
    resolve(check, key, text, |text| {
        let mut pieces = parse(text, scope, Form::Json)?;
        json::check(text, &mut pieces)?;
        Ok(payload(json::without_blanks(pieces)))
    })
}

fn resolve<T>(
    check: &mut Check<'_>,
    key: &str,
    text: &At<String>,
    read: impl FnOnce(&str) -> Result<T, Vec<Problem>>,
) -> Option<T> {
    match read(&text.value) {
        Ok(resolved) => Some(resolved),
        Err(problems) => {
            for problem in problems {
                let place = inside(&check.source.text, text, problem.span);
                check.problem(key, &place, problem.what, problem.hint);
            }
            None
        }
    }
}

/// Splits a text at its placeholders, or finds all that mean nothing.
fn parse(text: &str, scope: &Scope<'_>, form: Form) -> Result<Vec<Piece>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut begun = 0;
    let mut at = 0;
    let push = |pieces: &mut Vec<Piece>, literal: &mut String, span| {
        if !literal.is_empty() {
            let segment = Segment::Literal(literal.as_bytes().into());
            pieces.push(Piece { segment, span });
            literal.clear();
        }
    };
    while let Some(open) = text[at..].find(OPEN).map(|found| at + found) {
        literal.push_str(&text[at..open]);
        let after = open + OPEN.len();
        if text[after..].starts_with(OPEN) {
            literal.push_str(OPEN);
            at = after + OPEN.len();
            continue;
        }
        let Some(length) = text[after..].find(CLOSE) else {
            let hint = "close it with `}}`, and write `{{{{` for two braces";
            problems.push(Problem {
                span: open..text.len(),
                what: format!("has a `{OPEN}` without its `{CLOSE}`"),
                hint: Some(hint.to_owned()),
            });
            return Err(problems);
        };
        let end = after + length + CLOSE.len();
        push(&mut pieces, &mut literal, begun..open);
        let span = open..end;
        let name = &text[after..after + length];
        match segment(name, scope, form) {
            Ok(segment) => pieces.push(Piece { segment, span }),
            Err(wrong) => problems.push(Problem {
                what: format!("has `{}`{wrong}", &text[open..end]),
                hint: hint(&wrong, scope),
                span,
            }),
        }
        at = end;
        begun = end;
    }
    literal.push_str(&text[at..]);
    push(&mut pieces, &mut literal, begun..text.len());
    match problems.is_empty() {
        true => Ok(pieces),
        false => Err(problems),
    }
}

fn segment(name: &str, scope: &Scope<'_>, form: Form) -> Result<Segment, Wrong> {
    match name.trim() {
        "stamp" if scope.is_once => Err(Wrong::Differs),
        "stamp" if scope.is_sent => Ok(Segment::Stamp),
        "stamp" => Err(Wrong::AtSend),
        name => match base64::arguments(name) {
            Some(arguments) => base64::read(arguments, scope, form),
            None => Variable::read(name, scope, form).map(Segment::Variable),
        },
    }
}

/// The hint where nothing is sent, so that nothing is known but what the connection has from the start.
const AT_DIAL: &str = "use `place`, `connection` or a column of `[data]`";

fn hint(wrong: &Wrong, scope: &Scope<'_>) -> Option<String> {
    Some(match wrong {
        Wrong::Unknown(name) => meant(name, scope),
        Wrong::Arguments(usage) => (*usage).to_owned(),
        Wrong::Change => "write it like `{{n + 1}}` or `{{place / 20}}`".to_owned(),
        Wrong::Later(by) => format!("`{by}`, which saves it, comes after; put it before"),
        Wrong::Perhaps(by) => format!(
            "`{by}`, which saves it, may be left out or fail: leave out its `chance`, and do not go on without it"
        ),
        Wrong::Controls => "take it out of the rows: it would end the header".to_owned(),
        Wrong::Beside(by) => format!(
            "messages begin when the set-up is done: move `{by}` to `[[setup]]`, or the message to `[[step]]`"
        ),
        Wrong::Unsent(by) => {
            format!("put `{by}` before, without `chance` and without going on if it fails")
        }
        Wrong::NoTurns if !scope.is_sent => AT_DIAL.to_owned(),
        Wrong::NoTurns => "use `{{n}}`, which counts the sends".to_owned(),
        Wrong::Differs => {
            "leave it out, or leave out `once`: one request is sent for all clients".to_owned()
        }
        Wrong::AtSend => AT_DIAL.to_owned(),
    })
}

/// The most names that a hint lists.
const LISTED: usize = 8;

/// The hint for an unknown name: the nearest one with what saves it, or some of those there are.
fn meant(name: &str, scope: &Scope<'_>) -> String {
    let names: Vec<(String, Option<&str>)> = scope.names().collect();
    let known = || names.iter().map(|(name, _)| name.as_str());
    let Some(nearest) = hints::nearest(name, known()) else {
        let some: Vec<&str> = known().take(LISTED).collect();
        let more = if names.len() > LISTED {
            " and others"
        } else {
            ""
        };
        let some = some.join(", ");
        return format!("there are {some}{more}; `{{{{{{{{` writes two braces");
    };
    let saved = names.iter().find(|(name, _)| name == nearest);
    match saved.and_then(|(_, by)| *by) {
        Some(by) => format!("did you mean `{nearest}`, saved by `{by}`?"),
        None => format!("did you mean `{nearest}`?"),
    }
}

fn payload(pieces: Vec<Piece>) -> Payload {
    Payload::of(pieces.into_iter().map(|piece| piece.segment).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::section::data::Data;
    use crate::scenario::section::scope::Known;
    use crate::scenario::section::variable::Number;
    use proptest::prelude::*;

    const N: Segment = Segment::Variable(Variable::Number(Number::N, None));

    fn literal(text: &str) -> Segment {
        Segment::Literal(text.as_bytes().into())
    }

    fn read(text: &str) -> Result<Payload, Vec<Problem>> {
        parse(text, &Scope::of(&[]), Form::Raw).map(payload)
    }

    fn of(segments: &[Segment]) -> Result<Payload, Vec<Problem>> {
        Ok(Payload::Template(segments.into()))
    }

    #[test]
    fn a_placeholder_stands_anywhere() {
        let json = r#"{"id":{{n}},"s":"{{stamp}}"}"#;
        let around = [
            literal(r#"{"id":"#),
            N,
            literal(r#","s":""#),
            Segment::Stamp,
            literal(r#""}"#),
        ];
        assert_eq!(read(json), of(&around));
        assert_eq!(read("{{stamp}}"), of(&[Segment::Stamp]));
        assert_eq!(read("{{ n }}"), of(&[N]));
        let twice = [Segment::Stamp, literal("{{"), Segment::Stamp];
        assert_eq!(read("{{stamp}}{{{{{{stamp}}"), of(&twice));
    }

    #[test]
    fn only_two_opening_braces_mean_something() {
        for (text, same) in [
            ("", ""),
            (r#"{"a":{"b":{}}}"#, r#"{"a":{"b":{}}}"#),
            ("{{{{stamp}}", "{{stamp}}"),
            ("}}", "}}"),
        ] {
            assert_eq!(read(text), Ok(Payload::Fixed(same.as_bytes().into())));
        }
    }

    fn wrong(problems: Result<Payload, Vec<Problem>>) -> (Range<usize>, String, String) {
        let Problem { span, what, hint } = problems.unwrap_err().remove(0);
        (span, what, hint.unwrap_or_default())
    }

    #[test]
    fn what_stands_for_nothing_is_named() {
        let (span, what, hint) = wrong(read("a {{plce / 2}} b"));
        assert_eq!(span, 2..14);
        assert_eq!(what, "has `{{plce / 2}}`, which nothing sets");
        assert_eq!(hint, "did you mean `place`?");
        let (_, _, hint) = wrong(read("{{session_token}}"));
        assert!(
            hint.starts_with("there are connection, place, n, "),
            "{hint}"
        );
        assert!(
            hint.ends_with(" and others; `{{{{` writes two braces"),
            "{hint}"
        );
        assert!(hint.len() < 120, "{hint}");
        let (span, what, _) = wrong(read("a {{stamp"));
        assert_eq!((span, &*what), (2..9, "has a `{{` without its `}}`"));
    }

    fn as_json_in(scope: &Scope<'_>, text: &str) -> Result<Payload, Vec<Problem>> {
        let mut pieces = parse(text, scope, Form::Json)?;
        json::check(text, &mut pieces)?;
        Ok(payload(json::without_blanks(pieces)))
    }

    fn as_json(text: &str) -> Result<Payload, Vec<Problem>> {
        as_json_in(&Scope::of(&[]), text)
    }

    #[test]
    fn what_was_kept_is_named_with_what_keeps_it() {
        let mut scope = Scope::of(&[]);
        let token = scope.declare("token", "login").unwrap();
        let ask = |scope: &Scope<'_>, text: &str| wrong(as_json_in(scope, text));
        let (_, what, hint) = ask(&scope, r#"{"t":"{{token}}"}"#);
        assert_eq!(what, "has `{{token}}` before it is saved");
        assert_eq!(hint, "`login`, which saves it, comes after; put it before");
        scope.learn(token, Known::Perhaps);
        let (_, what, _) = ask(&scope, r#"{"t":"{{token}}"}"#);
        assert_eq!(what, "has `{{token}}`, which is not saved in any case");
        scope.learn(token, Known::Surely);
        let (_, what, hint) = ask(&scope, r#"{"t":"{{tokn}}"}"#);
        assert_eq!(what, "has `{{tokn}}`, which nothing sets");
        assert_eq!(hint, "did you mean `token`, saved by `login`?");
        let (_, _, hint) = ask(&scope, r#"{"t":{{ token }}}"#);
        let expected = "write \"{{ token }}\", or `{{raw(token)}}` for what is JSON itself";
        assert_eq!(hint, expected);
        let (_, what, _) = ask(&scope, r#"{"t":{{turn}}}"#);
        assert_eq!(what, "has `{{turn}}` outside of a `repeat`");
        for (text, form) in [
            (r#"["{{token}}"]"#, Form::Json),
            ("[{{raw(token)}}]", Form::Raw),
        ] {
            let Ok(Payload::Template(segments)) = as_json_in(&scope, text) else {
                panic!("{text}");
            };
            let name = token;
            assert_eq!(
                segments[1],
                Segment::Variable(Variable::Saved { name, form })
            );
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let spans = |problems: Result<Payload, Vec<Problem>>| -> Vec<Range<usize>> {
            problems
                .unwrap_err()
                .into_iter()
                .map(|one| one.span)
                .collect()
        };
        assert_eq!(spans(read("{{a}}{{n}}{{b}}{{c")), [0..5, 10..15, 15..18]);
        assert_eq!(spans(as_json("[{{stamp}},{{n}},{{run}}]")), [1..10, 17..24]);
    }

    #[test]
    fn json_is_sent_without_blanks() {
        let text = "{ \"a b\" : [1, {{n}} ],\n \"c\\\" d\": \"{{stamp}} e\" }";
        let same = [
            literal("{\"a b\":[1,"),
            N,
            literal("],\"c\\\" d\":\""),
            Segment::Stamp,
            literal(" e\"}"),
        ];
        assert_eq!(as_json(text), of(&same));
        assert_eq!(as_json(" 1 "), Ok(Payload::Fixed((*b"1").into())));
    }

    #[test]
    fn what_is_no_json_is_pointed_at() {
        let (span, what, _) = wrong(as_json(r#"{"ü":{{n}} "b":1}"#));
        assert_eq!(&r#"{"ü":{{n}} "b":1}"#[span], "\"");
        assert_eq!(what, "is no JSON: expected `,` or `}`");
        let (span, what, hint) = wrong(as_json(r#"{"a":{{cohort}}}"#));
        assert_eq!(span, 5..15);
        assert_eq!(
            what,
            "has `{{cohort}}`, which is no number, outside of quotes"
        );
        assert_eq!(hint, "write \"{{cohort}}\"");
        let (span, _, _) = wrong(as_json("{\"a\":"));
        assert_eq!(span.start, 4);
        assert!(as_json("").is_err());
    }

    /// Values of JSON lines that are no texts stand outside of quotes as they are spelled.
    #[test]
    fn a_column_of_json_stands_anywhere() {
        let text = r#"{"age":{{user.age}},"said":"{{user.age}}","name":{{user.name}}}"#;
        let lines = "{\"name\":\"ann\",\"age\":[1]}\n";
        let data = [Data::of_lines("user", lines)];
        let scope = Scope::of(&data);
        let (span, what, _) = wrong(as_json_in(&scope, text));
        assert_eq!(&text[span], "{{user.name}}");
        assert!(
            what.ends_with("which is no number, outside of quotes"),
            "{what}"
        );
        let Ok(Payload::Template(segments)) =
            as_json_in(&scope, &text.replace("{{user.name}}", "1"))
        else {
            panic!("its columns are there");
        };
        let forms: Vec<Form> = segments
            .iter()
            .filter_map(|segment| match segment {
                Segment::Variable(variable) => variable.form(),
                _ => None,
            })
            .collect();
        assert_eq!(forms, [Form::Raw, Form::Json]);
    }

    proptest! {
        #[test]
        fn any_text_can_be_written(text in "[{}a]{0,12}") {
            let written = text.replace("{{", "{{{{");
            prop_assert_eq!(read(&written), Ok(Payload::Fixed(text.as_bytes().into())));
        }

        /// With a placeholder for a number, and one inside of quotes.
        #[test]
        fn what_serde_json_takes_is_taken(text in "[\\[\\]{},:\"1a \n\\\\]{0,12}") {
            let text = text.replace('{', "{ ");
            let is_json = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            prop_assert_eq!(as_json(&text).is_ok(), is_json);
        }

        #[test]
        fn blanks_are_all_that_json_loses(words in prop::collection::vec("[a \\\\\"]{0,4}", 0..4), pretty in any::<bool>()) {
            let value = serde_json::json!({ "words": words, "n": [1, 2] });
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let Ok(Payload::Fixed(bytes)) = as_json(&text.unwrap()) else {
                panic!("it has no placeholder");
            };
            prop_assert_eq!(std::str::from_utf8(&bytes).unwrap(), serde_json::to_string(&value).unwrap());
        }
    }
}

//! `base64(user.name, ":", user.password)`: texts and values, one after the other, in base64 (RFC 4648 section 4).

use super::{Form, Scope, Segment, Variable, Wrong};

const USAGE: &str = "write values, and texts in quotes: `base64(user.name, ':', user.password)`";

/// What stands between the parentheses; `None` if the placeholder is another one.
pub(super) fn arguments(placeholder: &str) -> Option<&str> {
    let (name, arguments) = placeholder.split_once('(')?;
    (name.trim() == "base64").then(|| arguments.trim_end().strip_suffix(')').unwrap_or_default())
}

/// Reads the arguments; the result is written in this form.
pub(super) fn read(arguments: &str, scope: &Scope<'_>, form: Form) -> Result<Segment, Wrong> {
    let part = |argument: &str| {
        let argument = argument.trim();
        for quote in ['"', '\''] {
            let text = argument.strip_prefix(quote);
            if let Some(text) = text.and_then(|text| text.strip_suffix(quote)) {
                return Ok(Segment::Literal(text.as_bytes().into()));
            }
        }
        match Variable::read(argument, scope, Form::Raw)? {
            // An echo is compared without the time, which nobody finds in base64.
            Variable::Now(_) => Err(Wrong::Arguments(USAGE)),
            variable => Ok(Segment::Variable(variable)),
        }
    };
    if arguments.trim().is_empty() {
        return Err(Wrong::Arguments(USAGE));
    }
    let parts: Result<Vec<Segment>, Wrong> = split(arguments).into_iter().map(part).collect();
    Ok(Segment::Base64(parts?.into(), form))
}

/// Splits at the commas that stand neither in quotes nor in parentheses.
fn split(arguments: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth, mut quote) = (0, 0, None);
    for (at, c) in arguments.char_indices() {
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (None, ',') if depth == 0 => {
                parts.push(&arguments[start..at]);
                start = at + 1;
            }
            (None, _) => {}
        }
    }
    parts.push(&arguments[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(placeholder: &str) -> Result<Vec<Segment>, Wrong> {
        let scope = Scope::of(&[]);
        match read(arguments(placeholder).unwrap(), &scope, Form::Url)? {
            Segment::Base64(parts, Form::Url) => Ok(parts.to_vec()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn texts_and_values_follow_each_other() {
        let literal = |text: &str| Segment::Literal(text.as_bytes().into());
        let value = |text: &str| Segment::Variable(text.parse().unwrap());
        let all = [
            literal("a, (b"),
            value("random(1, 6)"),
            literal(":\""),
            value("n + 1"),
        ];
        let read = parts("base64( 'a, (b', random(1, 6),':\"' ,n + 1)");
        assert_eq!(read, Ok(all.to_vec()));
        assert_eq!(arguments("place"), None);
        assert_eq!(arguments("hex(8)"), None);
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for text in ["base64()", "base64", "base64(n", "base64(now_ms)"] {
            let arguments = arguments(text).unwrap_or_default();
            let read = read(arguments, &Scope::of(&[]), Form::Raw);
            assert_eq!(read, Err(Wrong::Arguments(USAGE)), "{text}");
        }
        for text in [
            "base64(tokn)",
            "base64(n, )",
            "base64(\"a)",
            "base64(base64(n))",
        ] {
            assert!(matches!(parts(text), Err(Wrong::Unknown(_))), "{text}");
        }
    }
}

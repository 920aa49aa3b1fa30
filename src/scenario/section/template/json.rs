//! Checks that a text is JSON, whatever stands in its placeholders.

use std::ops::Range;

use serde::de::IgnoredAny;

use super::{Form, Piece, Problem, Segment, Variable};

/// Whether a place of the text is inside of quotes, and behind a backslash there.
#[derive(Default, Clone, Copy)]
struct Quotes {
    inside: bool,
    escaped: bool,
}

impl Quotes {
    fn pass(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.inside => self.escaped = true,
            b'"' => self.inside = !self.inside,
            _ => {}
        }
    }
}

/// Whether a segment may stand outside of quotes. A column of JSON is written as it is there.
fn is_value(segment: &mut Segment) -> bool {
    let Segment::Variable(variable) = segment else {
        return false;
    };
    if let Variable::Column(column) = variable
        && column.is_json
        && column.form == Form::Json
    {
        column.form = Form::Raw;
    }
    variable.is_number() || variable.form() == Some(Form::Raw)
}

/// Checks that the text is JSON with a zero in each placeholder, and that outside of quotes there are only numbers
/// and what is written as it is.
pub(super) fn check(text: &str, pieces: &mut [Piece]) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    // One line for all, so that the column of an error is a position.
    let mut filled = Vec::new();
    // For each byte of `filled`, the place in the text.
    let mut places = Vec::new();
    let mut quotes = Quotes::default();
    for Piece { segment, span } in pieces {
        let Segment::Literal(bytes) = segment else {
            if !quotes.inside && !is_value(segment) {
                let written = &text[span.clone()];
                problems.push(Problem {
                    span: span.clone(),
                    what: format!("has `{written}`, which is no number, outside of quotes"),
                    hint: Some(outside_of_quotes(segment, written)),
                });
            }
            filled.push(b'0');
            places.push(span.start);
            continue;
        };
        for (place, byte) in (span.start..).zip(bytes.iter()) {
            quotes.pass(*byte);
            if quotes.inside && *byte == b'\n' {
                problems.push(Problem {
                    span: character(text, place),
                    what: "is no JSON: a line break stands inside of a string".to_owned(),
                    hint: Some("write it as `\\n` (RFC 8259 section 7)".to_owned()),
                });
                return Err(problems);
            }
            filled.push(if *byte == b'\n' { b' ' } else { *byte });
            places.push(place.min(text.len()));
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let Err(error) = serde_json::from_slice::<IgnoredAny>(&filled) else {
        return Ok(());
    };
    let at = places.get(error.column().saturating_sub(1));
    let span = character(text, at.copied().unwrap_or(text.len()));
    let what = error.to_string();
    let what = what.split(" at line ").next().unwrap_or_default();
    Err(vec![Problem {
        span,
        what: format!("is no JSON: {what}"),
        hint: None,
    }])
}

fn outside_of_quotes(segment: &Segment, written: &str) -> String {
    let has_form = matches!(segment, Segment::Variable(variable) if variable.form().is_some());
    let name = written.trim_matches(['{', '}']).trim();
    match has_form {
        true => {
            format!("write \"{written}\", or `{{{{raw({name})}}}}` for what is JSON itself")
        }
        false => format!("write \"{written}\""),
    }
}

/// The bytes of the character at this place of a text, or nothing behind its end.
fn character(text: &str, at: usize) -> Range<usize> {
    let at = at.min(text.len());
    let start = (0..=at)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    let end = text[start..].chars().next();
    start..end.map_or(start, |c| start + c.len_utf8())
}

/// Removes the blanks between the values.
pub(super) fn without_blanks(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut quotes = Quotes::default();
    let shorter = |piece: Piece| {
        let Segment::Literal(bytes) = &piece.segment else {
            return Some(piece);
        };
        let kept: Vec<u8> = (bytes.iter().copied())
            .filter(|byte| {
                let is_blank = !quotes.inside && byte.is_ascii_whitespace();
                quotes.pass(*byte);
                !is_blank
            })
            .collect();
        (!kept.is_empty()).then(|| Piece {
            segment: Segment::Literal(kept.into()),
            span: piece.span,
        })
    };
    pieces.into_iter().filter_map(shorter).collect()
}

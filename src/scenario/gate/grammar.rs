//! The grammar of a gate, without its meaning: splits the text into pieces, each with its place.
//!
//! ```text
//! gate     = subject op value
//! subject  = "ratio" "(" selector "/" selector ")"
//!          | stat "(" selector ")"
//! selector = metric [ "{" where { "," where } "}" ]
//! where    = "cohort" "=" name | "stage" "=" number
//! stat     = letters, digits and dots, such as p99.9
//! metric   = letters, digits, "_", "-" and dots, such as latency.echo
//! op       = "<" | "<=" | ">" | ">=" | "==" | "!="
//! value    = the rest, such as 50ms, 0.1%, 10/s
//! ```
//!
//! Spaces are allowed between any two of these.

use std::ops::Range;

use winnow::ascii::multispace0;
use winnow::combinator::{alt, cut_err, delimited, opt, preceded, separated};
use winnow::error::{StrContext, StrContextValue};
use winnow::prelude::*;
use winnow::stream::LocatingSlice;
use winnow::token::{rest, take_while};

use super::subject::Op;

/// A part of the text, and its range of bytes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    pub(super) span: Range<usize>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Pieces<'a> {
    pub(super) subject: SubjectPieces<'a>,
    pub(super) op: Op,
    pub(super) value: Piece<'a>,
}

#[derive(Debug, PartialEq)]
pub(super) enum SubjectPieces<'a> {
    Stat(Piece<'a>, SelectorPieces<'a>),
    Ratio(SelectorPieces<'a>, SelectorPieces<'a>),
}

#[derive(Debug, PartialEq)]
pub(super) struct SelectorPieces<'a> {
    pub(super) metric: Piece<'a>,
    /// The keys and values, in the order they were written.
    pub(super) wheres: Vec<(Piece<'a>, Piece<'a>)>,
}

/// Splits a gate into its pieces; the error is the position where the parser stopped, and what it expected there.
pub(super) fn parse(text: &str) -> Result<Pieces<'_>, (usize, String)> {
    gate.parse(LocatingSlice::new(text)).map_err(|error| {
        let expected: Vec<String> = error
            .inner()
            .context()
            .filter_map(|context| match context {
                StrContext::Expected(expected) => Some(expected.to_string()),
                _ => None,
            })
            .collect();
        (error.offset(), expected.join(" or "))
    })
}

type Input<'a> = LocatingSlice<&'a str>;

fn gate<'a>(input: &mut Input<'a>) -> ModalResult<Pieces<'a>> {
    let subject = subject.parse_next(input)?;
    let op = spaced(op).parse_next(input)?;
    let value = value.parse_next(input)?;
    Ok(Pieces { subject, op, value })
}

fn subject<'a>(input: &mut Input<'a>) -> ModalResult<SubjectPieces<'a>> {
    let stat = spaced(piece(|c| c.is_ascii_alphanumeric() || c == '.'))
        .context(expected("a statistic such as `p99`, `count` or `ratio`"))
        .parse_next(input)?;
    let open = |input: &mut Input<'a>| symbol('(', "`(`").parse_next(input);
    let close = |input: &mut Input<'a>| symbol(')', "`)`").parse_next(input);
    if stat.text == "ratio" {
        let over = symbol('/', "`/` and a second metric");
        let (_, above, _, below, _) = (open, selector, over, selector, close).parse_next(input)?;
        return Ok(SubjectPieces::Ratio(above, below));
    }
    let selector = delimited(open, selector, close).parse_next(input)?;
    Ok(SubjectPieces::Stat(stat, selector))
}

fn selector<'a>(input: &mut Input<'a>) -> ModalResult<SelectorPieces<'a>> {
    let metric = spaced(piece(is_name))
        .context(expected("a metric such as `latency.echo`"))
        .parse_next(input)?;
    let pair = (
        cut_err(spaced(piece(is_name))).context(expected("`cohort` or `stage`")),
        preceded(
            symbol('=', "`=`"),
            cut_err(spaced(piece(is_name))).context(expected("a value")),
        ),
    );
    let comma = spaced(',');
    let pairs = separated(1.., pair, comma);
    let wheres = opt(delimited(spaced('{'), pairs, symbol('}', "`}`"))).parse_next(input)?;
    Ok(SelectorPieces {
        metric,
        wheres: wheres.unwrap_or_default(),
    })
}

fn op(input: &mut Input<'_>) -> ModalResult<Op> {
    alt((
        "<=".value(Op::LessOrEqual),
        "<".value(Op::Less),
        ">=".value(Op::GreaterOrEqual),
        ">".value(Op::Greater),
        "==".value(Op::Equal),
        "!=".value(Op::NotEqual),
    ))
    .context(expected("one of `<`, `<=`, `>`, `>=`, `==` and `!=`"))
    .parse_next(input)
}

fn value<'a>(input: &mut Input<'a>) -> ModalResult<Piece<'a>> {
    rest.map(str::trim_end)
        .verify(|text: &str| !text.is_empty())
        .with_span()
        .map(|(text, span): (&str, Range<usize>)| Piece {
            text,
            span: span.start..span.start + text.len(),
        })
        .context(expected("a value such as `50ms`"))
        .parse_next(input)
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

fn piece<'a>(
    legal: impl Fn(char) -> bool,
) -> impl Parser<Input<'a>, Piece<'a>, winnow::error::ErrMode<winnow::error::ContextError>> {
    take_while(1.., legal)
        .with_span()
        .map(|(text, span)| Piece { text, span })
}

/// Parses one required character; `name` is what error messages call it.
fn symbol<'a>(
    symbol: char,
    name: &'static str,
) -> impl Parser<Input<'a>, char, winnow::error::ErrMode<winnow::error::ContextError>> {
    cut_err(spaced(symbol)).context(expected(name))
}

fn spaced<'a, T>(
    inner: impl Parser<Input<'a>, T, winnow::error::ErrMode<winnow::error::ContextError>>,
) -> impl Parser<Input<'a>, T, winnow::error::ErrMode<winnow::error::ContextError>> {
    delimited(multispace0, inner, multispace0)
}

fn expected(what: &'static str) -> StrContext {
    StrContext::Expected(StrContextValue::Description(what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_pieces_know_their_place() {
        let text = "p99.9( latency.echo { cohort = a, stage=2 } ) <= 50 ms ";
        let Pieces { subject, op, value } = parse(text).unwrap();
        let SubjectPieces::Stat(stat, selector) = subject else {
            panic!("{subject:?}");
        };
        let pieces = [
            &stat,
            &selector.metric,
            &selector.wheres[0].1,
            &selector.wheres[1].1,
            &value,
        ];
        assert_eq!(
            pieces.map(|piece| piece.text),
            ["p99.9", "latency.echo", "a", "2", "50 ms"]
        );
        for piece in pieces {
            assert_eq!(&text[piece.span.clone()], piece.text);
        }
        assert_eq!(op, Op::LessOrEqual);
    }

    #[test]
    fn it_says_where_it_stopped_and_what_was_expected() {
        for (text, at, what) in [
            ("", 0, "a statistic"),
            ("p99 latency", 4, "`(`"),
            ("p99()", 4, "a metric"),
            ("p99(latency.echo < 1ms", 17, "`)`"),
            ("p99(latency.echo) = 1ms", 18, "one of `<`"),
            ("p99(latency.echo) <", 19, "a value"),
            ("p99(a{}) < 1", 6, "`cohort`"),
            ("p99(a{cohort}) < 1", 12, "`=`"),
            ("ratio(a) < 1", 7, "`/`"),
        ] {
            let (offset, expected) = parse(text).unwrap_err();
            assert_eq!(offset, at, "{text}: {expected}");
            assert!(expected.contains(what), "{text}: {expected}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-z0-9.(){}=,/<>! %]{0,40}") {
            let _ = parse(&text);
        }

        #[test]
        fn not_even_this(text in ".{0,40}") {
            let _ = parse(&text);
        }
    }
}

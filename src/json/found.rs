//! A value of a document, as the bytes that spell it, and what can be asked of it.

use std::borrow::Cow;

use super::literal::{Decimal, Literal, is_same_number};
use super::text::Text;

/// A complete value in the text of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found<'a> {
    kind: Kind,
    raw: &'a [u8],
}

/// The type of a JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// Begins with a digit or `-`; the rest is looked at when the number is used.
    Number,
    /// In quotation marks.
    String,
    /// In square brackets; what stands between them has not been looked at.
    Array,
    /// In braces; what stands between them has not been looked at.
    Object,
}

impl<'a> Found<'a> {
    /// Takes a value from its first to its last byte. Returns `None` where it is a word that JSON does not have.
    pub(super) fn new(raw: &'a [u8]) -> Option<Self> {
        let kind = match raw.first()? {
            b'"' => Kind::String,
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b'-' | b'0'..=b'9' => Kind::Number,
            b't' if raw == b"true" => Kind::Bool,
            b'f' if raw == b"false" => Kind::Bool,
            b'n' if raw == b"null" => Kind::Null,
            _ => return None,
        };
        Some(Self { kind, raw })
    }

    /// Returns its type.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns its bytes as they stand in the text: of a string with the quotation marks, of a container with brackets.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Returns what a string says, and every other value as it is spelled. Allocates only where a string has escapes.
    /// Half of a surrogate pair is read as U+FFFD, and an escape that JSON does not have as it is written.
    pub fn text(&self) -> Cow<'a, [u8]> {
        self.string()
            .map_or(Cow::Borrowed(self.raw), |text| text.read())
    }

    /// Tells whether [`Found::text`] is this text. Allocates nothing.
    pub fn is_text(&self, text: &[u8]) -> bool {
        self.string()
            .map_or(self.raw == text, |found| found.is(text))
    }

    /// Tells whether this is the same value: of the same type, and numbers by value, so that `7` is `7.0`, and not
    /// `"7"`.
    pub fn is(&self, literal: &Literal) -> bool {
        match (self.kind, literal) {
            (Kind::Null, Literal::Null) => true,
            (Kind::Bool, Literal::Bool(value)) => *value == (self.raw == b"true"),
            (Kind::Number, Literal::Number(number)) => is_same_number(self.raw, number.as_bytes()),
            (Kind::String, Literal::String(text)) => self.is_text(text.as_bytes()),
            _ => false,
        }
    }

    /// Returns a whole number of that range, as a number or as its digits in quotation marks: servers quote ids.
    pub fn as_u64(&self) -> Option<u64> {
        match self.kind {
            Kind::Number => whole(self.raw).or_else(|| Decimal::read(self.raw)?.as_u64()),
            Kind::String => whole(self.string()?.raw),
            _ => None,
        }
    }

    fn string(&self) -> Option<Text<'a>> {
        let between = self.raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        Some(Text::new(between))
    }
}

/// Returns the value of digits without a leading zero.
fn whole(digits: &[u8]) -> Option<u64> {
    /// So many digits fit in any case.
    const FIT: usize = 19;
    let (fit, last) = match digits {
        [b'0'] | [b'1'..=b'9', ..] => digits.split_at(digits.len().min(FIT)),
        _ => return None,
    };
    let mut value = 0;
    for digit in fit {
        value = value * 10 + u64::from(digit_value(*digit)?);
    }
    match last {
        [] => Some(value),
        [digit] => value
            .checked_mul(10)?
            .checked_add(u64::from(digit_value(*digit)?)),
        _ => None,
    }
}

#[inline]
fn digit_value(digit: u8) -> Option<u8> {
    let value = digit.wrapping_sub(b'0');
    (value < 10).then_some(value)
}

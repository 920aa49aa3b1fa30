//! What a string says: its bytes between the quotation marks, with escapes replaced (RFC 8259 section 7).

use std::borrow::Cow;

use memchr::memchr;

/// The bytes of a string between its quotation marks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a> {
    pub(super) raw: &'a [u8],
    has_escape: bool,
}

impl<'a> Text<'a> {
    pub(super) fn new(raw: &'a [u8]) -> Self {
        let has_escape = memchr(b'\\', raw).is_some();
        Self { raw, has_escape }
    }

    /// Tells whether the string says this.
    pub(super) fn is(&self, text: &[u8]) -> bool {
        if self.has_escape {
            self.says(text)
        } else {
            self.raw == text
        }
    }

    /// Compares part by part, which is slow.
    #[cold]
    fn says(&self, text: &[u8]) -> bool {
        let mut left = Some(text);
        for part in Parts(self.raw) {
            left = left.and_then(|left| match part {
                Part::Plain(bytes) => left.strip_prefix(bytes),
                Part::Char(char) => left.strip_prefix(char.encode_utf8(&mut [0; 4]).as_bytes()),
            });
        }
        left == Some(b"")
    }

    /// Returns what the string says.
    pub(super) fn read(&self) -> Cow<'a, [u8]> {
        if !self.has_escape {
            return Cow::Borrowed(self.raw);
        }
        let mut text = Vec::with_capacity(self.raw.len());
        for part in Parts(self.raw) {
            match part {
                Part::Plain(bytes) => text.extend_from_slice(bytes),
                Part::Char(char) => {
                    text.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
        }
        Cow::Owned(text)
    }
}

/// The rest of a string, as bytes that mean themselves and characters that were escaped.
struct Parts<'a>(&'a [u8]);

enum Part<'a> {
    Plain(&'a [u8]),
    Char(char),
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        let plain = memchr(b'\\', self.0).unwrap_or(self.0.len());
        if plain > 0 {
            let (plain, rest) = self.0.split_at(plain);
            self.0 = rest;
            return Some(Part::Plain(plain));
        }
        let (char, length) = escaped(self.0)?;
        self.0 = &self.0[length..];
        Some(Part::Char(char))
    }
}

/// Returns the character of the escape that the bytes begin with, and the escape's length. What is no escape is taken
/// as it is written, and half of a surrogate pair as U+FFFD.
fn escaped(bytes: &[u8]) -> Option<(char, usize)> {
    let (&backslash, rest) = bytes.split_first()?;
    let char = match rest.first() {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        _ => {
            let Some(unit) = unit(bytes) else {
                return Some((char::from(backslash), 1));
            };
            let units = [Some(unit), unit_after(bytes)].into_iter().flatten();
            let char = char::decode_utf16(units).next()?;
            let length = char.as_ref().map_or(1, |char| char.len_utf16());
            return Some((char.unwrap_or(char::REPLACEMENT_CHARACTER), 6 * length));
        }
    };
    Some((char, 2))
}

/// Returns the UTF-16 unit of an escape such as `\u00e9` that the bytes begin with.
fn unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    let value = |unit: u16, digit: &u8| Some(unit << 4 | char::from(*digit).to_digit(16)? as u16);
    digits.iter().try_fold(0, value)
}

/// Returns the UTF-16 unit of the second such escape.
fn unit_after(bytes: &[u8]) -> Option<u16> {
    unit(bytes.get(6..)?)
}

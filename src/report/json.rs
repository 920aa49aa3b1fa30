//! Writes JSON for people and programs. Texts in it may come from a server, and may be shown by a terminal.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{Formatter, PrettyFormatter};

use crate::units::is_harmless;

/// A value as [`write`] writes it.
///
/// # Errors
/// When the value cannot be serialized.
pub fn json(value: &impl Serialize) -> io::Result<String> {
    let mut bytes = Vec::new();
    write(value, &mut bytes)?;
    String::from_utf8(bytes).map_err(io::Error::other)
}

/// Writes a value as JSON with a line break at the end: indented, but each element of a list on one line. Characters
/// that control a terminal or turn the direction of text are escaped (`\u009b`).
///
/// # Errors
/// When the value cannot be serialized, or writing to `out` fails.
pub(super) fn write(value: &impl Serialize, mut out: impl Write) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(&mut out, Lines::default()))?;
    writeln!(out)
}

/// Indents objects, and lists down to their elements.
#[derive(Default)]
struct Lines {
    pretty: PrettyFormatter<'static>,
    /// Whether the innermost list or object that is indented is a list.
    is_list: Vec<bool>,
    /// The depth inside of an element that stands on one line.
    inside: usize,
}

impl Lines {
    /// Whether an object or list that begins here is, or is inside of, an element on one line.
    fn enters_line(&mut self) -> bool {
        let is_element = self.is_list.last() == Some(&true);
        self.inside += usize::from(self.inside > 0 || is_element);
        self.inside > 0
    }

    /// Whether the object or list that ends here is, or was inside of, an element on one line.
    fn leaves_line(&mut self) -> bool {
        let was_inside = self.inside > 0;
        self.inside = self.inside.saturating_sub(1);
        was_inside
    }

    fn separates<W: Write + ?Sized>(&self, out: &mut W, first: bool) -> io::Result<()> {
        out.write_all(if first { b"" } else { b"," })
    }
}

impl Formatter for Lines {
    fn begin_array<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        if self.enters_line() {
            return out.write_all(b"[");
        }
        self.is_list.push(true);
        self.pretty.begin_array(out)
    }

    fn end_array<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        if self.leaves_line() {
            return out.write_all(b"]");
        }
        self.is_list.pop();
        self.pretty.end_array(out)
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        match self.inside {
            0 => self.pretty.begin_array_value(out, first),
            _ => self.separates(out, first),
        }
    }

    fn end_array_value<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        match self.inside {
            0 => self.pretty.end_array_value(out),
            _ => Ok(()),
        }
    }

    fn begin_object<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        if self.enters_line() {
            return out.write_all(b"{");
        }
        self.is_list.push(false);
        self.pretty.begin_object(out)
    }

    fn end_object<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        if self.leaves_line() {
            return out.write_all(b"}");
        }
        self.is_list.pop();
        self.pretty.end_object(out)
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        match self.inside {
            0 => self.pretty.begin_object_key(out, first),
            _ => self.separates(out, first),
        }
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        match self.inside {
            0 => self.pretty.begin_object_value(out),
            _ => out.write_all(b":"),
        }
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        match self.inside {
            0 => self.pretty.end_object_value(out),
            _ => Ok(()),
        }
    }

    /// Also escapes what RFC 8259 section 7 would allow in a string, but should not reach a terminal.
    fn write_string_fragment<W: Write + ?Sized>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(|c| !is_harmless(c)) {
            let (before, from) = rest.split_at(at);
            out.write_all(before.as_bytes())?;
            let mut chars = from.chars();
            // The unsafe characters have four hexadecimal digits.
            let unsafe_one = chars.next().map_or(0, u32::from);
            write!(out, "\\u{unsafe_one:04x}")?;
            rest = chars.as_str();
        }
        out.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_an_element_on_each_line() {
        let value = serde_json::json!({"a": {"b": []}, "c": [1, {"d": [2, {"e": 3}]}], "f": {}});
        let text = "{\n  \"a\": {\n    \"b\": []\n  },\n  \"c\": [\n    1,\n    {\"d\":[2,{\"e\":3}]}\n  ],\n  \"f\": {}\n}\n";
        assert_eq!(json(&value).unwrap(), text);
    }

    #[test]
    fn what_moves_a_cursor_or_turns_the_order_is_escaped_and_reads_back() {
        let reason = "a\x1b]0;x\u{7}\r\n\u{9b}2J\u{7f}\u{61c}\u{202e}é";
        let text = json(&[reason]).unwrap();
        assert!(text.ends_with("]\n"), "{text}");
        assert!(text.chars().all(|c| is_harmless(c) || c == '\n'), "{text}");
        assert!(text.contains(r"\u009b2J\u007f\u061c\u202eé"), "{text}");
        assert_eq!(
            serde_json::from_str::<[String; 1]>(&text).unwrap()[0],
            reason
        );
    }
}

//! Writes JSON for people and programs. Texts in it may come from a server, and may be shown by a terminal.

use serde::Serialize;

use crate::units::is_harmless;

/// A value as indented JSON with a line break at the end. Characters that control a terminal or turn the direction of
/// text are escaped (`\u009b`), also those that RFC 8259 section 7 would allow in a string.
///
/// # Errors
/// When the value cannot be serialized.
pub fn json(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let plain = serde_json::to_string_pretty(value)?;
    let mut out = String::with_capacity(plain.len() + 1);
    for c in plain.chars() {
        // Other characters stand in strings only, and those of them that are unsafe have four hexadecimal digits.
        if is_harmless(c) || c == '\n' {
            out.push(c);
        } else {
            out += &format!("\\u{:04x}", u32::from(c));
        }
    }
    out.push('\n');
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

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

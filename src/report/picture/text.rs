//! Text inside of pictures: escaped, free of characters that XML forbids or that turn the text around them, and cut to
//! the room there is. All of it may come from a server.

/// Writes a text so that it can stand between tags and in a quoted attribute of XML and of HTML.
pub(super) fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(' '),
            _ if is_harmless(c) => out.push(c),
            _ => out.push(char::REPLACEMENT_CHARACTER),
        }
    }
}

/// Whether XML 1.0 has this character and it does not change the direction of its neighbours (UAX 9).
fn is_harmless(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let missing = matches!(c, '\u{fffe}' | '\u{ffff}');
    !c.is_control() && !turns && !missing
}

/// An estimate of the width of a text in pixels, on the generous side: no font is known here.
pub(super) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(|c| share(c) * size).sum()
}

/// The width of a character as a share of the size of the font.
fn share(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '!' | '|' | '\'' => 0.34,
        'f' | 't' | 'r' | ' ' | '(' | ')' | '-' | '/' => 0.42,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.98,
        'A'..='Z' => 0.72,
        '\0'..='\u{10ff}' => 0.64,
        _ => 1.05,
    }
}

/// The text if it fits into this many pixels, else its beginning and `…`. The empty text where there is no room at all.
pub(super) fn cut(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut left = room - width("…", size);
    let fits = text.chars().take_while(|&c| {
        left -= share(c) * size;
        left >= 0.0
    });
    match fits.collect::<String>() {
        beginning if beginning.is_empty() => beginning,
        beginning => beginning + "…",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = String::new();
        escape(text, &mut out);
        out
    }

    #[test]
    fn no_text_leaves_its_place() {
        assert_eq!(
            escaped("<b a=\"1\">&'"),
            "&lt;b a=&quot;1&quot;&gt;&amp;&#39;"
        );
        assert_eq!(
            escaped("a\u{1b}[31m\u{202e}b\u{ffff}"),
            "a\u{fffd}[31m\u{fffd}b\u{fffd}"
        );
        assert_eq!(escaped("two\nlines"), "two lines");
    }

    #[test]
    fn a_text_is_cut_to_its_room() {
        assert_eq!(cut("clients", 12.0, 100.0), "clients");
        let short = cut("clients-of-the-first-kind", 12.0, 100.0);
        assert!(
            short.starts_with("clients-") && short.ends_with('…'),
            "{short}"
        );
        assert!(width(&short, 12.0) <= 100.0);
        assert_eq!(cut("clients", 12.0, 3.0), "");
    }
}

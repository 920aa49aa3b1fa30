//! Hides what may be secret in a scenario's text before any line of it is shown: the values of headers, and the user
//! and the query of each address. Works on the plain text, because it may not be valid TOML, and headers may stand in the
//! wrong place or shape; `${NAME}` is kept.

use std::ops::Range;

use crate::scenario::secrets::secret_parts;

/// The text with `*` for each byte that may be secret. Its length is unchanged, so all places stay valid.
pub(super) fn masked(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut is_headers = false;
    for line in text.split_inclusive('\n') {
        let begins = line.trim_start();
        if begins.starts_with('[') {
            is_headers = names_headers(begins);
        }
        masked += &masked_line(line, is_headers);
    }
    masked
}

fn masked_line(line: &str, is_headers: bool) -> String {
    let mut masked = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, value)) = next_value(rest) {
        let is_header = is_headers || names_headers(&masked) || names_headers(before);
        let key = before.trim_end_matches(['=', ' ', '\t', '"', '\'']);
        let is_address = ["url", "proxy"].iter().any(|name| key.ends_with(name));
        masked += before;
        masked += &match is_address || (!is_header && value.contains("://")) {
            true => without_secrets(value),
            false if is_header => stars(value),
            false => value.to_owned(),
        };
        rest = &rest[before.len() + value.len()..];
    }
    masked + rest
}

/// The address with `*` for its user and the values of its query.
fn without_secrets(url: &str) -> String {
    let mut masked = String::with_capacity(url.len());
    let mut from = 0;
    for part in secret_parts(url) {
        masked += &url[from..part.start];
        masked += &"*".repeat(part.len());
        from = part.end;
    }
    masked + &url[from..]
}

/// Whether a text names headers, or one of those that hold credentials.
pub(super) fn names_headers(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["header", "authorization", "cookie"]
        .iter()
        .any(|name| text.contains(name))
}

/// The text up to and including the quotation mark before the next quoted value, of a key or in a list, and that value.
fn next_value(text: &str) -> Option<(&str, &str)> {
    let mut quotes = text.match_indices(['"', '\'']);
    quotes.find_map(|(at, quote)| {
        let before = text[..at].trim_end();
        let value = quoted(text, at, quote);
        let after = text[value.end..].trim_start_matches(quote).trim_start();
        let is_value = match before.chars().next_back()? {
            '=' => true,
            '[' | ',' => !after.starts_with('='),
            _ => false,
        };
        is_value.then(|| (&text[..value.start], &text[value]))
    })
}

/// The range of the text between this quotation mark and the next one, or the end of the line.
fn quoted(text: &str, at: usize, quote: &str) -> Range<usize> {
    // Three quotation marks start a text of several lines.
    let is_long = text[at..].starts_with(&quote.repeat(3));
    let opened = at + if is_long { 3 } else { 1 };
    let mut length = 0;
    let mut is_escaped = false;
    for c in text[opened..].chars() {
        if c == '\n' || (!is_escaped && quote.starts_with(c)) {
            break;
        }
        is_escaped = c == '\\' && !is_escaped;
        length += c.len_utf8();
    }
    opened..opened + length
}

/// One `*` for each byte, except in `${NAME}`.
fn stars(value: &str) -> String {
    let mut stars = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find("${") {
        let end = rest[at..].find('}').map_or(rest.len(), |end| at + end + 1);
        stars += &"*".repeat(at);
        stars += &rest[at..end];
        rest = &rest[end..];
    }
    stars + &"*".repeat(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn headers_and_addresses_are_hidden_and_nothing_else() {
        let text = r#"
name = "x"
url = "wss://me:pw@h/?token=abc&a=${A}"
proxy = "me:pw@proxy"
cohort.target.proxy = { url = "http://me:${PW}@proxy:1" }
url = ["ws://a?b=c", { url = "ws://d?e=f" }]
headers = { "A" = "se\"cret", B = 'x ${TOKEN} y' }
target = { url = "ws://h?q=1", headers = { C = "d" } }
target.headers = { E = "", F = """g""" }
target.headers.D = "broken
[target.headers]
Authorization = "Bearer s3cret"
[target]
headers = ["A: b", 'C: d']
header = { "A" = "b", "C" = "d" }
Authorization = "Bearer s3cret"
subprotocols = ["a", "b"]
[load]
duration = "1s"
"#;
        let shown = r#"
name = "x"
url = "wss://*****@h/?token=***&a=${A}"
proxy = "*****@proxy"
cohort.target.proxy = { url = "http://***${PW}@proxy:1" }
url = ["ws://a?b=*", { url = "ws://d?e=*" }]
headers = { "A" = "********", B = '**${TOKEN}**' }
target = { url = "ws://h?q=*", headers = { C = "*" } }
target.headers = { E = "", F = """*""" }
target.headers.D = "******
[target.headers]
Authorization = "*************"
[target]
headers = ["****", '****']
header = { "A" = "*", "C" = "*" }
Authorization = "*************"
subprotocols = ["a", "b"]
[load]
duration = "1s"
"#;
        assert_eq!(masked(text), shown);
    }

    proptest! {
        #[test]
        fn no_place_moves(text in "([a-z=\"'\\\\ €{}$?&\\[\\]\n]|headers|url){0,60}") {
            let masked = masked(&text);
            prop_assert_eq!(masked.len(), text.len());
            prop_assert_eq!(masked.lines().count(), text.lines().count());
        }
    }
}

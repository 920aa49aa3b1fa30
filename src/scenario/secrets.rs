//! Values that must not be shown: those from the environment, and literal ones of an address or a header. They are
//! recognised by value, so they are hidden wherever a server repeats them.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::dialect;
use super::secret_column::SecretColumn;
use super::section::{is_unreserved, percent_encoded};

/// The shortest value that is hidden: a shorter one would be found inside other words.
pub(super) const LEAST: usize = 4;
/// The shortest literal part of an address or a header that is hidden: it is often no secret, so it must be longer.
const LEAST_LITERAL: usize = 8;
/// The replacement for a secret that has no name.
const MASK: &str = "***";

/// Values that are not shown, each with its replacement: `${NAME}`, `{{user.password}}`, or `***`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    few: Vec<Secret>,
    columns: Vec<SecretColumn>,
}

#[derive(Clone, PartialEq, Eq)]
struct Secret {
    value: String,
    shown: String,
}

/// Shows only the number of secrets.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: usize = self.columns.iter().map(SecretColumn::len).sum();
        write!(f, "Secrets({})", self.few.len() + columns)
    }
}

impl Secrets {
    /// Adds the value of this environment variable. Of an address, adds the parts that may be secret, too.
    pub fn variable(&mut self, name: &str, value: &str) {
        let shown = format!("${{{name}}}");
        self.add(value, LEAST, &shown);
        if value.contains("://") {
            for part in secret_parts(value) {
                self.add(&value[part], LEAST_LITERAL, &shown);
            }
        }
    }

    /// Adds a header of the command line, and each word of it, because a server may repeat a single word. The scheme of
    /// a credential is not added (RFC 9110 section 11.4).
    pub fn header(&mut self, name: &str, value: &str) {
        let is_credential = name.to_ascii_lowercase().ends_with("authorization");
        let secret = match value.trim().split_once(' ') {
            Some((_scheme, credential)) if is_credential => credential.trim(),
            _ => value.trim(),
        };
        let words = secret.split([' ', ';', ',', '=']).map(str::trim);
        for word in words.chain([secret]) {
            if !word.contains("${") {
                self.add(word, LEAST_LITERAL, MASK);
            }
        }
    }

    /// Adds the literal parts of an address that may be secret.
    pub fn address(&mut self, url: &str) {
        for part in secret_parts(url) {
            self.add(&url[part], LEAST_LITERAL, MASK);
        }
    }

    /// Adds a password, and what a proxy is told of it and its user (RFC 7617 section 2).
    pub(super) fn credentials(&mut self, user: &str, password: &str) {
        self.add(password, LEAST, MASK);
        let told = STANDARD.encode(format!("{user}:{password}"));
        self.add(&told, LEAST_LITERAL, MASK);
    }

    /// Adds a value that a client saved under this name. Returns whether it is a new one.
    pub fn saved(&mut self, name: &str, value: &str) -> bool {
        let before = self.few.len();
        self.add(value, LEAST, &format!("{{{{{name}}}}}"));
        self.few.len() > before
    }

    /// Adds all values of a column of data, such as `user.password`.
    pub(super) fn column<'v>(&mut self, name: &str, values: impl Iterator<Item = &'v str>) {
        let shown = format!("{{{{{name}}}}}");
        self.columns.push(SecretColumn::new(shown, values));
    }

    /// The bytes that columns of data take.
    pub fn memory(&self) -> u64 {
        self.columns.iter().map(SecretColumn::memory).sum()
    }

    /// Adds the forms of a value that have at least `least` bytes.
    fn add(&mut self, value: &str, least: usize, shown: &str) {
        if value.len() < least {
            return;
        }
        for value in forms(value) {
            if value.len() >= least && !self.few.iter().any(|known| known.value == value) {
                let shown = shown.to_owned();
                self.few.push(Secret { value, shown });
            }
        }
    }

    /// The text with each secret replaced. If the text was cut within a secret (`…`), the beginning of that secret is
    /// hidden too.
    pub fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut masked = replaced(text, self.found(text));
        if let Some((before, after)) = masked.split_once('…')
            && let Some((begun, shown)) = self.begun(before)
        {
            let kept = &before[..before.len() - begun];
            masked = Cow::Owned(format!("{kept}{shown}…{after}"));
        }
        masked
    }

    /// Where secrets stand in a text, and what is shown instead.
    fn found(&self, text: &str) -> Vec<(Range<usize>, &str)> {
        let few = self.few.iter().flat_map(|Secret { value, shown }| {
            let found = text.match_indices(value.as_str());
            found.map(|(at, value)| (at..at + value.len(), shown.as_str()))
        });
        let columns = self.columns.iter();
        let columns = columns.flat_map(|column| column.found(text).map(|at| (at, column.shown())));
        few.chain(columns).collect()
    }

    /// The number of bytes of a secret's beginning with which the text ends, and what is shown instead.
    fn begun(&self, text: &str) -> Option<(usize, &str)> {
        let few = self.few.iter();
        let few = few.filter_map(|one| Some((begun(text, &one.value)?, one.shown.as_str())));
        let columns = self.columns.iter();
        let columns = columns.filter_map(|one| Some((one.begun(text)?, one.shown())));
        few.chain(columns).max_by_key(|(length, _)| *length)
    }

    /// Masks a text in place.
    pub fn mask_in(&self, text: &mut String) {
        if let Cow::Owned(masked) = self.mask(text) {
            *text = masked;
        }
    }
}

/// The text with these parts replaced. Parts that overlap are replaced as one, by what stands for the longest of them.
fn replaced<'t>(text: &'t str, mut parts: Vec<(Range<usize>, &str)>) -> Cow<'t, str> {
    parts.sort_by_key(|(part, _)| part.start);
    let mut masked = String::new();
    let mut at = 0;
    let mut parts = parts.into_iter().peekable();
    while let Some((part, mut shown)) = parts.next() {
        let (mut end, mut longest) = (part.end, part.len());
        while let Some((next, other)) = parts.next_if(|(next, _)| next.start < end) {
            if next.len() > longest {
                (longest, shown) = (next.len(), other);
            }
            end = end.max(next.end);
        }
        masked += &text[at..part.start];
        masked += shown;
        at = end;
    }
    match at {
        0 => Cow::Borrowed(text),
        _ => Cow::Owned(masked + &text[at..]),
    }
}

/// The forms in which a value can be read again: as it is and percent-decoded, each of them percent-encoded as in the
/// path and in the query of an address and as one value of them, and all of them with escapes, as in JSON.
pub(super) fn forms(value: &str) -> Vec<String> {
    let mut forms = vec![value.to_owned()];
    forms.extend(percent_decoded(value));
    for at in 0..forms.len() {
        let encoded = [false, true].map(|is_query| percent_encoded(&forms[at], is_query));
        forms.extend(encoded);
        forms.push(escaped(&forms[at]));
    }
    for at in 0..forms.len() {
        let quoted = format!("{:?}", forms[at]);
        forms.push(quoted[1..quoted.len() - 1].to_owned());
    }
    forms
}

/// Percent-encodes all that could mean something in an address.
fn escaped(value: &str) -> String {
    let escape = |byte| match is_unreserved(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    value.bytes().map(escape).collect()
}

/// The text of a percent-encoded value (RFC 3986 section 2.1); `None` if it is not UTF-8.
pub(crate) fn percent_decoded(value: &str) -> Option<String> {
    let mut parts = value.split('%');
    let mut decoded = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let digits = (part.get(..2)).filter(|digits| digits.bytes().all(|c| c.is_ascii_hexdigit()));
        match digits.map(|digits| u8::from_str_radix(digits, 16)) {
            Some(Ok(byte)) => {
                decoded.push(byte);
                decoded.extend(&part.as_bytes()[2..]);
            }
            _ => {
                decoded.push(b'%');
                decoded.extend(part.as_bytes());
            }
        }
    }
    String::from_utf8(decoded).ok()
}

/// The number of bytes of the value's beginning with which the text ends; `None` for fewer than [`LEAST`].
fn begun(text: &str, value: &str) -> Option<usize> {
    (LEAST..value.len())
        .rev()
        .find(|length| value.is_char_boundary(*length) && text.ends_with(&value[..*length]))
}

/// An address that is safe to show: hides its user and the values of its query, but keeps `${NAME}` and `{{name}}`.
pub fn shown_address(url: &str) -> String {
    let mut shown = String::new();
    let mut from = 0;
    for part in secret_parts(url) {
        shown += &url[from..part.start];
        shown += MASK;
        from = part.end;
    }
    shown + &url[from..]
}

/// The parts of an address that may be secret, in order and without `${NAME}` and `{{name}}`: its user, and the
/// values of its query but for those that a dialect brings.
pub(crate) fn secret_parts(url: &str) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let authority = url.find("://").map_or(0, |at| at + 3);
    let resource = url[authority..]
        .find(['/', '?'])
        .map_or(url.len(), |at| authority + at);
    if let Some(user) = url[authority..resource].rfind('@') {
        parts.extend(literals(url, authority..authority + user));
    }
    let Some(query) = url[resource..].find('?') else {
        return parts;
    };
    let mut at = resource + query + 1;
    for pair in url[at..].split('&') {
        let value = pair.find('=').map_or(0, |equals| equals + 1);
        if !dialect::brings(pair) {
            parts.extend(literals(url, at + value..at + pair.len()));
        }
        at += pair.len() + 1;
    }
    parts
}

/// The parts of a range between its variables and placeholders.
fn literals(text: &str, part: Range<usize>) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), part.start);
    while at < part.end {
        let rest = &text[at..part.end];
        let begin = [("${", "}"), ("{{", "}}")]
            .into_iter()
            .filter_map(|(open, close)| Some((rest.find(open)?, close)))
            .min();
        let (variable, close) = begin.unwrap_or((rest.len(), "}"));
        if variable > 0 {
            found.push(at..at + variable);
        }
        let end = rest[variable..]
            .find(close)
            .map_or(rest.len(), |end| variable + end + close.len());
        at += end;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        let mut secrets = Secrets::default();
        secrets.variable("TOKEN", "s3cr3t-token");
        secrets.variable("SHORT", "abc");
        secrets.header("Authorization", "Bearer aaaa-bbbb-cccc");
        secrets.header("Cookie", "sid=dddd-eeee;x=${TOKEN}");
        secrets.address("wss://h/?token=ffff-gggg&room=1");
        secrets
    }

    #[test]
    fn what_a_server_says_again_is_hidden() {
        for (text, shown) in [
            ("no s3cr3t-token here", "no ${TOKEN} here"),
            ("abc and Bearer aaaa-bbbb-cccc", "abc and Bearer ***"),
            (
                "like \"Authorization: Bearer …\"",
                "like \"Authorization: Bearer …\"",
            ),
            ("aaaa-bbbb-cccc, dddd-eeee", "***, ***"),
            ("?token=ffff-gggg&room=1", "?token=***&room=1"),
            ("Bearer realm=x", "Bearer realm=x"),
        ] {
            assert_eq!(secrets().mask(text), shown);
        }
        assert_eq!(format!("{:?}", Secrets::default()), "Secrets(0)");
    }

    #[test]
    fn a_secret_is_hidden_in_each_of_its_encodings() {
        let mut secrets = Secrets::default();
        secrets.variable("TOK", "p@ss\"w/ö'secret");
        secrets.variable("CODED", "a%2Fcd%C3%B6%zz");
        secrets.variable("URL", "ws://h/?key=hhhh-üüüü");
        secrets.address("ws://h/?t=ab%2Fcd-ö&u=%61%62%63%64");
        for (text, shown) in [
            ("/?t=p@ss%22w/%C3%B6%27secret", "/?t=${TOK}"),
            ("/p@ss%22w/%C3%B6'secret/x", "/${TOK}/x"),
            ("said p@ss\"w/ö'secret", "said ${TOK}"),
            (r#"{"t":"p@ss\"w/ö'secret"}"#, r#"{"t":"${TOK}"}"#),
            ("p@ss%22w/%C3…", "${TOK}…"),
            ("a/cdö%zz", "${CODED}"),
            ("a/cd%C3%B6%zz", "${CODED}"),
            ("/?t=ab%2Fcd-%C3%B6", "/?t=***"),
            ("ab/cd-ö, ab/cd-%C3%B6", "***, ***"),
            ("/?key=hhhh-%C3%BC%C3%BC%C3%BC%C3%BC", "/?key=${URL}"),
            ("abcd", "abcd"),
        ] {
            assert_eq!(secrets.mask(text), shown, "{text}");
        }
    }

    #[test]
    fn secrets_that_overlap_are_hidden_as_one() {
        let mut secrets = Secrets::default();
        secrets.variable("A", "abcdef");
        secrets.variable("B", "defghijk");
        secrets.variable("C", "cdef");
        secrets.column("user.password", ["hijklm", "TOKEN"].into_iter());
        for (text, shown) in [
            ("-abcdefghij-", "-${A}ghij-"),
            ("-abcdefghijk-", "-${B}-"),
            ("abcdefghijklm", "${B}"),
            ("xcdefcdef", "x${C}${C}"),
            ("TOKENhijklm", "{{user.password}}{{user.password}}"),
            ("said TOK…", "said TOK…"),
            ("said abcde…", "said ${A}…"),
            ("said hijkl…", "said {{user.password}}…"),
        ] {
            assert_eq!(secrets.mask(text), shown, "{text}");
        }
    }

    #[test]
    fn a_secret_that_was_cut_is_hidden_too() {
        assert_eq!(
            secrets().mask("said s3cr3t-t…\" after"),
            "said ${TOKEN}…\" after"
        );
        assert_eq!(secrets().mask("said s3c…"), "said s3c…");
    }

    #[test]
    fn an_address_is_shown_without_what_may_be_secret() {
        for (url, shown) in [
            ("wss://h/p?token=x&room=1", "wss://h/p?token=***&room=***"),
            ("wss://h/?token=${TOKEN}", "wss://h/?token=${TOKEN}"),
            ("wss://h?a=x${A}y${B}", "wss://h?a=***${A}***${B}"),
            ("ws://me:pw@h/a@b", "ws://***@h/a@b"),
            ("ws://h?bare", "ws://h?***"),
            ("ws://h?EIO=4&t=x", "ws://h?EIO=4&t=***"),
            ("ws://h?x=&y", "ws://h?x=&***"),
            ("ws://h/p", "ws://h/p"),
            ("ws://h?a=${A", "ws://h?a=${A"),
        ] {
            assert_eq!(shown_address(url), shown);
        }
    }
}

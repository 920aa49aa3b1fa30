//! Values that must not be shown: those from the environment, and literal ones of an address or a header. They are
//! recognised by value, so they are hidden wherever a server repeats them.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::section::percent_encoded;

/// The shortest value that is hidden: a shorter one would be found inside other words.
const LEAST: usize = 4;
/// The shortest literal part of an address or a header that is hidden: it is often no secret, so it must be longer.
const LEAST_LITERAL: usize = 8;
/// The replacement for a secret that has no name.
const MASK: &str = "***";

/// Values that are not shown, each with its replacement: `${NAME}`, or `***`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(Vec<Secret>);

#[derive(Clone, PartialEq, Eq)]
struct Secret {
    value: String,
    shown: String,
}

/// Shows only the number of secrets.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
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

    /// Adds the forms of a value that have at least `least` bytes.
    fn add(&mut self, value: &str, least: usize, shown: &str) {
        if value.len() < least {
            return;
        }
        for value in forms(value) {
            if value.len() >= least && !self.0.iter().any(|known| known.value == value) {
                let shown = shown.to_owned();
                self.0.push(Secret { value, shown });
            }
        }
        // Puts longer values first, so that a secret which contains another one is hidden as a whole.
        self.0
            .sort_by_key(|secret| std::cmp::Reverse(secret.value.len()));
    }

    /// The text with each secret replaced. If the text was cut within a secret (`…`), the beginning of that secret is
    /// hidden too.
    pub fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut masked = Cow::Borrowed(text);
        for Secret { value, shown } in &self.0 {
            if masked.contains(value.as_str()) {
                masked = Cow::Owned(masked.replace(value.as_str(), shown));
            }
            if let Some((before, after)) = masked.split_once('…')
                && let Some(begun) = begun(before, value)
            {
                let kept = &before[..before.len() - begun];
                masked = Cow::Owned(format!("{kept}{shown}…{after}"));
            }
        }
        masked
    }

    /// Masks a text in place.
    pub fn mask_in(&self, text: &mut String) {
        if let Cow::Owned(masked) = self.mask(text) {
            *text = masked;
        }
    }
}

/// The forms in which a value can be read again: as it is and percent-decoded, each of them percent-encoded as in the
/// path and in the query of an address, and all of them with escapes, as in JSON.
fn forms(value: &str) -> Vec<String> {
    let mut forms = vec![value.to_owned()];
    forms.extend(percent_decoded(value));
    for at in 0..forms.len() {
        let encoded = [false, true].map(|is_query| percent_encoded(&forms[at], is_query));
        forms.extend(encoded);
    }
    for at in 0..forms.len() {
        let quoted = format!("{:?}", forms[at]);
        forms.push(quoted[1..quoted.len() - 1].to_owned());
    }
    forms
}

/// The text of a percent-encoded value (RFC 3986 section 2.1); `None` if it is not UTF-8.
fn percent_decoded(value: &str) -> Option<String> {
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

/// An address that is safe to show: hides its user and the values of its query, but keeps `${NAME}`.
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

/// The parts of an address that may be secret, in order and without `${NAME}`: its user, and the values of its query.
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
        parts.extend(literals(url, at + value..at + pair.len()));
        at += pair.len() + 1;
    }
    parts
}

/// The parts of a range between its variables.
fn literals(text: &str, part: Range<usize>) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), part.start);
    while at < part.end {
        let rest = &text[at..part.end];
        let variable = rest.find("${").unwrap_or(rest.len());
        if variable > 0 {
            found.push(at..at + variable);
        }
        let end = rest[variable..]
            .find('}')
            .map_or(rest.len(), |end| variable + end + 1);
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
            ("ws://h?x=&y", "ws://h?x=&***"),
            ("ws://h/p", "ws://h/p"),
            ("ws://h?a=${A", "ws://h?a=${A"),
        ] {
            assert_eq!(shown_address(url), shown);
        }
    }
}

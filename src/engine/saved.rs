//! Hides what clients saved of messages where a server says it again: in texts that are kept for reports.

use crate::scenario::Secrets;
use crate::units::one_line;

/// The longest beginning of an answer that is told, in bytes and in characters.
const BYTES: usize = 600;
const CHARACTERS: usize = 120;

/// Continues what is wrong with an answer: `; it says` and how it begins, without these values. Empty if it is empty.
#[cold]
pub(super) fn quoted(names: &[String], saved: &[Vec<u8>], answer: &[u8]) -> String {
    let beginning = &answer[..answer.len().min(BYTES)];
    let mut said = one_line(&String::from_utf8_lossy(beginning), CHARACTERS);
    if answer.len() > BYTES && !said.ends_with('…') {
        said.push('…');
    }
    hide(names, saved, &mut said);
    match said.as_str() {
        "" => said,
        said => format!("; it says `{said}`"),
    }
}

/// What stands for a value that has no name: it was in a cookie.
const COOKIE: &str = "cookie";
/// The most values of cookies that are hidden: as many as a client keeps.
const MOST_COOKIES: usize = 64;

/// Adds the value of a cookie behind the values that have names. The newest are kept.
pub(super) fn add_cookie(names: &[String], saved: &mut Vec<Vec<u8>>, value: &[u8]) {
    if saved.iter().any(|known| known == value) {
        return;
    }
    if saved.len() == names.len() + MOST_COOKIES {
        saved.remove(names.len());
    }
    saved.push(value.to_vec());
}

/// Each value with the name by which it is shown. Values after the last name are those of cookies.
pub(super) fn named<'a>(
    names: &'a [String],
    saved: &'a [Vec<u8>],
) -> impl Iterator<Item = (&'a str, &'a [u8])> {
    let names = names.iter().map(String::as_str);
    names
        .chain(std::iter::repeat(COOKIE))
        .zip(saved.iter().map(Vec::as_slice))
}

/// Replaces these values in a text by their names, as in `{{token}}`. `names` and `saved` are in the same order; values
/// after the last name are those of cookies.
#[cold]
pub(super) fn hide(names: &[String], saved: &[Vec<u8>], text: &mut String) {
    if text.is_empty() || saved.iter().all(Vec::is_empty) {
        return;
    }
    let mut secrets = Secrets::default();
    for (name, value) in named(names, saved) {
        if let Ok(value) = std::str::from_utf8(value) {
            secrets.saved(name, value);
        }
    }
    secrets.mask_in(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_shown_by_its_name() {
        let names = ["token".to_owned(), "none".to_owned()];
        let hidden = |text: &str| {
            let mut text = text.to_owned();
            hide(&names, &[b"s3cr3t-1".to_vec(), Vec::new()], &mut text);
            text
        };
        assert_eq!(hidden("no s3cr3t-1 here"), "no {{token}} here");
        assert_eq!(hidden("cut: s3cr…"), "cut: {{token}}…");
        assert_eq!(hidden("another"), "another");
    }

    #[test]
    fn values_without_a_name_are_those_of_cookies() {
        let mut text = "your session is c00kie-of-1, token t0ken-of-1".to_owned();
        let saved = [b"t0ken-of-1".to_vec(), b"c00kie-of-1".to_vec()];
        hide(&["token".to_owned()], &saved, &mut text);
        assert_eq!(text, "your session is {{cookie}}, token {{token}}");
    }

    #[test]
    fn the_newest_cookies_are_hidden_and_no_name_is_lost() {
        let names = ["token".to_owned()];
        let mut saved = vec![b"t0ken-of-1".to_vec()];
        let value = |turn: usize| format!("c00kie-of-{turn:03}");
        for turn in 0..=MOST_COOKIES {
            for _ in 0..2 {
                add_cookie(&names, &mut saved, value(turn).as_bytes());
            }
        }
        assert_eq!(saved.len(), 1 + MOST_COOKIES);
        let mut text = format!("{} {} t0ken-of-1", value(0), value(MOST_COOKIES));
        hide(&names, &saved, &mut text);
        assert_eq!(text, "c00kie-of-000 {{cookie}} {{token}}");
    }

    #[test]
    fn an_answer_is_told_by_its_beginning() {
        let names = ["token".to_owned()];
        let told = |answer: &str| quoted(&names, &[b"s3cr3t-1".to_vec()], answer.as_bytes());
        assert_eq!(told(""), "");
        assert_eq!(told(" \n "), "");
        assert_eq!(told("no\r\nentry"), "; it says `no entry`");
        assert_eq!(told("no s3cr3t-1"), "; it says `no {{token}}`");
        let long = told(&format!("{}s3cr3t-1", "x".repeat(CHARACTERS - 6)));
        assert!(long.ends_with("x{{token}}…`"), "{long}");
        let spaced = told(&format!("{}s3cr3t-1", " ".repeat(BYTES - 4)));
        assert_eq!(spaced, "; it says `{{token}}…`");
    }
}

//! Hides what clients saved of messages where a server says it again: in texts that are kept for reports.

use crate::scenario::Secrets;

/// Replaces these values in a text by their names, as in `{{token}}`. `names` and `saved` are in the same order.
#[cold]
pub(super) fn hide(names: &[String], saved: &[Vec<u8>], text: &mut String) {
    if text.is_empty() || saved.iter().all(Vec::is_empty) {
        return;
    }
    let mut secrets = Secrets::default();
    for (name, value) in names.iter().zip(saved) {
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
}

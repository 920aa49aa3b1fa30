//! A text in which names stand between backticks, as a page shows it: `piece.html` writes one part of it.

use crate::units::{cut, visible};

/// The longest text that is no table: a doubt, a description, what the command line changed. In characters.
const LONGEST: usize = 600;

/// A part of a text: words, or what stood between backticks.
pub(crate) struct Piece {
    /// Whether it stood between backticks.
    pub(crate) is_code: bool,
    /// The part, without the backticks.
    pub(crate) text: String,
}

/// A text that is safe to show, and not too long.
pub(super) fn shown(text: &str) -> String {
    cut(&visible(text), LONGEST)
}

/// The parts of a text: every other one stood between backticks.
pub(crate) fn pieces(text: &str) -> Vec<Piece> {
    let shown = shown(text);
    let parts = shown.split('`').enumerate();
    let parts = parts.map(|(index, text)| Piece {
        is_code: index % 2 == 1,
        text: text.to_owned(),
    });
    parts.filter(|part| !part.text.is_empty()).collect()
}

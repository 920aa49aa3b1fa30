//! Formats text for a terminal: colour, aligned columns, lines of 80 characters.

use std::fmt::Write as _;

/// The width of the text, in characters.
pub(super) const WIDTH: usize = 80;

/// Whether to use colour. The text has the same content without it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    colour: bool,
}

impl Style {
    /// Uses no colour.
    pub const PLAIN: Self = Self { colour: false };
    /// Uses the terminal's colours (SGR sequences).
    pub const COLOUR: Self = Self { colour: true };

    pub(super) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(super) fn good(self, text: &str) -> String {
        self.paint("1;32", text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    pub(super) fn doubtful(self, text: &str) -> String {
        self.paint("1;33", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Breaks text at spaces into lines of at most `width` characters; a longer word gets its own line.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let room = width.saturating_sub(line.chars().count());
        if !line.is_empty() && word.chars().count() + 1 > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// Formats one line for each row: the first `left` columns left-aligned, the others right-aligned, two spaces between
/// columns.
pub(super) fn columns(rows: &[Vec<String>], left: usize) -> Vec<String> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let line = |row: &Vec<String>| {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let between = if column == 0 { "" } else { "  " };
            match column < left {
                true => write!(line, "{between}{cell:<width$}"),
                false => write!(line, "{between}{cell:>width$}"),
            }
            .expect("writing to a string does not fail");
        }
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_line_up_by_characters() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let lines = columns(
            &[row(["", "p50", "max"]), row(["echo", "74.0 µs", "1 s"])],
            1,
        );
        assert_eq!(lines, ["          p50  max", "echo  74.0 µs  1 s"]);
    }

    #[test]
    fn plain_is_plain() {
        assert_eq!(Style::PLAIN.bad("no"), "no");
        assert_eq!(Style::COLOUR.bad("no"), "\x1b[1;31mno\x1b[0m");
    }

    proptest! {
        #[test]
        fn wrapping_keeps_every_word(words in prop::collection::vec("[a-z]{1,9}", 1..30)) {
            let text = words.join(" ");
            let lines = wrapped(&text, 20);
            prop_assert!(lines.iter().all(|line| line.len() <= 20));
            prop_assert_eq!(lines.join(" "), text);
        }
    }
}

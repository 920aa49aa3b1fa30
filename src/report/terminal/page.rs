//! The layout of the terminal summary: labels on the left, wrapped text beside them, tables, notes.
//! Independent of the content.

use std::io::{self, Write};

use super::style::{Style, WIDTH, columns, wrapped};
use crate::report::tables::Table;
use crate::units::{cut, visible};

/// The column where the text after a label begins.
pub(super) const INDENT: usize = 13;

pub(super) struct Page<W> {
    pub(super) style: Style,
    pub(super) out: W,
}

impl<W: Write> Page<W> {
    /// Writes text beside a label, which may be empty.
    pub(super) fn line(&mut self, label: &str, text: &str) -> io::Result<()> {
        let blank = " ".repeat(INDENT);
        let mut label = match label {
            "" => blank.clone(),
            label => self.style.bold(&format!("{label:<INDENT$}")),
        };
        for line in wrapped(text, WIDTH - INDENT) {
            writeln!(self.out, "{label}{line}")?;
            label.clone_from(&blank);
        }
        Ok(())
    }

    /// Writes two dim lines at most below the text of a label; cuts what does not fit.
    pub(super) fn example(&mut self, text: &str) -> io::Result<()> {
        let width = WIDTH - INDENT;
        let mut lines = wrapped(&format!("as in: {}", visible(text)), width);
        let rest = lines.split_off(1).join(" ");
        lines.extend((!rest.is_empty()).then_some(rest));
        lines.iter().try_for_each(|line| {
            let fitting = cut(line, width);
            writeln!(self.out, "{:INDENT$}{}", "", self.style.dim(&fitting))
        })
    }

    /// Writes a dim remark over the whole width.
    pub(super) fn aside(&mut self, text: &str) -> io::Result<()> {
        for line in wrapped(&visible(text), WIDTH) {
            writeln!(self.out, "{}", self.style.dim(&line))?;
        }
        Ok(())
    }

    /// Writes a table after an empty line, with its heading in bold.
    pub(super) fn table(&mut self, table: &Table) -> io::Result<()> {
        let lines = columns(&table.rows, table.words);
        let Some((head, rows)) = lines.split_first() else {
            return Ok(());
        };
        writeln!(self.out, "\n{}", self.style.bold(head))?;
        rows.iter().try_for_each(|row| writeln!(self.out, "{row}"))
    }

    /// Writes a note: a word in its colour, a text, and a hint below.
    pub(super) fn note(
        &mut self,
        word: &str,
        paint: fn(Style, &str) -> String,
        text: &str,
        hint: Option<&str>,
    ) -> io::Result<()> {
        let indent = word.len() + 2;
        let mut label = format!("{}: ", paint(self.style, word));
        for line in wrapped(&visible(text), WIDTH - indent) {
            writeln!(self.out, "{label}{line}")?;
            label = " ".repeat(indent);
        }
        if let Some(hint) = hint {
            for line in wrapped(&format!("hint: {hint}"), WIDTH - indent) {
                writeln!(self.out, "{label}{}", self.style.dim(&line))?;
            }
        }
        Ok(())
    }
}

//! Rows of values, and how they are read from a file.

mod csv;
mod jsonl;

use std::fmt;
use std::path::Path;

use crate::scenario::reading::is_name;

const MAX_COLUMNS: usize = 256;

/// Rows of values, in one text.
#[derive(PartialEq)]
pub(super) struct Rows {
    /// The names of the columns, unique.
    pub(super) columns: Vec<String>,
    /// The bytes of the longest cell of each column.
    longest: Vec<u32>,
    /// Whether a column has a value that is text: other values are JSON as they are.
    has_text: Vec<bool>,
    text: String,
    /// Where each cell ends, row after row.
    ends: Vec<u32>,
}

/// Shows no value: some are secret.
impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows({} of {:?})", self.count(), self.columns)
    }
}

/// What is wrong with a file of rows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// From 1.
    pub(super) line: u64,
    pub(super) what: String,
    pub(super) hint: &'static str,
}

impl Rows {
    /// Makes rows with these columns.
    ///
    /// # Errors
    /// What is wrong with the names.
    pub(super) fn new(columns: Vec<String>) -> Result<Self, String> {
        if columns.is_empty() {
            return Err("has no column".to_owned());
        }
        if columns.len() > MAX_COLUMNS {
            return Err(format!("has more than {MAX_COLUMNS} columns"));
        }
        for (at, name) in columns.iter().enumerate() {
            if !is_name(name) {
                let name: String = name.chars().take(64).collect();
                return Err(format!("has a column {name:?}, which is not a name"));
            }
            if columns[..at].contains(name) {
                return Err(format!("has two columns `{name}`"));
            }
        }
        Ok(Self {
            longest: vec![0; columns.len()],
            has_text: vec![false; columns.len()],
            columns,
            text: String::new(),
            ends: Vec::new(),
        })
    }

    /// The number of rows.
    pub(super) fn count(&self) -> u64 {
        (self.ends.len() / self.columns.len()) as u64
    }

    /// A cell; both numbers count from 0.
    pub(super) fn cell(&self, row: u64, column: usize) -> &str {
        let at = row as usize * self.columns.len() + column;
        let end = |at: usize| self.ends[at] as usize;
        let start = at.checked_sub(1).map_or(0, end);
        &self.text[start..end(at)]
    }

    /// The bytes of the longest cell of a column.
    pub(super) fn longest(&self, column: usize) -> u32 {
        self.longest[column]
    }

    /// The bytes that all cells take.
    pub(super) fn memory(&self) -> u64 {
        (self.text.len() + size_of::<u32>() * self.ends.len()) as u64
    }

    /// Whether all values of a column are numbers, objects and the like, which JSON has without quotes.
    pub(super) fn is_json(&self, column: usize) -> bool {
        !self.has_text[column]
    }

    /// Adds the next cell; `is_text` if it stands in JSON between quotes.
    pub(super) fn push(&mut self, cell: &str, is_text: bool) {
        let column = self.ends.len() % self.columns.len();
        let longest = &mut self.longest[column];
        *longest = (*longest).max(cell.len() as u32);
        self.has_text[column] |= is_text;
        self.text.push_str(cell);
        self.ends.push(self.text.len() as u32);
    }
}

/// Reads a file in the format of its name: JSON lines, or else CSV. The first problem ends it.
pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Rows, Wrong> {
    // Spreadsheets begin a file in UTF-8 with a byte order mark.
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    match path.extension() {
        Some(end) if end.eq_ignore_ascii_case("jsonl") => jsonl::read(bytes),
        Some(end) if end.eq_ignore_ascii_case("ndjson") => jsonl::read(bytes),
        _ => csv::read(bytes),
    }
}

/// The number of the line in which a byte stands, from 1.
fn line(bytes: &[u8], at: usize) -> u64 {
    let breaks = bytes[..at].iter().filter(|byte| **byte == b'\n');
    breaks.count() as u64 + 1
}

const NOT_UTF8: &str = "is not UTF-8";
const EMPTY_LINE: &str = "has an empty line";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_tells_its_format() {
        let columns = |path: &str, text: &str| {
            let rows = read(Path::new(path), text.as_bytes()).unwrap();
            (rows.columns.concat(), rows.is_json(0))
        };
        assert_eq!(columns("a.csv", "\u{feff}n\n1\n"), ("n".to_owned(), false));
        assert_eq!(columns("a", "n\n1\n"), ("n".to_owned(), false));
        for path in ["a.jsonl", "a.JSONL", "a.ndjson"] {
            let read = columns(path, "\u{feff}{\"n\":1}\n");
            assert_eq!(read, ("n".to_owned(), true), "{path}");
        }
    }
}

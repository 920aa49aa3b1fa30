//! Rows of values, and how they are read from a file.

use std::fmt;

use csv::{ErrorKind, StringRecord};

use crate::scenario::reading::is_name;
use crate::units::counted;

const MAX_COLUMNS: usize = 256;

/// Rows of values, in one text.
#[derive(PartialEq)]
pub(super) struct Rows {
    /// The names of the columns, unique.
    pub(super) columns: Vec<String>,
    /// The bytes of the longest cell of each column.
    longest: Vec<u32>,
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

    /// Adds the next cell.
    pub(super) fn push(&mut self, cell: &str) {
        let column = self.ends.len() % self.columns.len();
        let longest = &mut self.longest[column];
        *longest = (*longest).max(cell.len() as u32);
        self.text.push_str(cell);
        self.ends.push(self.text.len() as u32);
    }
}

const NAMES: &str = "the first row names the columns: letters, digits, `-` and `_`";

/// Reads CSV (RFC 4180); the first row names the columns. The first problem ends it.
pub(super) fn csv(bytes: &[u8]) -> Result<Rows, Wrong> {
    let bytes = without_mark(bytes);
    let mut reader = csv::Reader::from_reader(bytes);
    let unreadable = |error: csv::Error| unreadable(&error, bytes);
    let header = reader.headers().map_err(unreadable)?;
    check_line(bytes, 0)?;
    let columns = header.iter().map(|name| name.trim().to_owned()).collect();
    let mut rows = Rows::new(columns).map_err(|what| Wrong {
        line: 1,
        what,
        hint: NAMES,
    })?;
    let mut record = StringRecord::new();
    let mut last = 0;
    while reader.read_record(&mut record).map_err(unreadable)? {
        last = start(&record, bytes);
        check_line(bytes, last)?;
        record.iter().for_each(|cell| rows.push(cell));
    }
    // A value that nothing closes takes the rest of the file.
    let quotes = bytes[last..].iter().filter(|byte| **byte == b'"').count();
    if quotes % 2 == 1 {
        let what = "has a `\"` that nothing closes".to_owned();
        let line = line(bytes, last);
        let hint = "write two of them inside of a value";
        return Err(Wrong { line, what, hint });
    }
    Ok(rows)
}

/// Spreadsheets begin a file in UTF-8 with a byte order mark.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

fn start(record: &StringRecord, bytes: &[u8]) -> usize {
    let at = record.position().map_or(0, csv::Position::byte) as usize;
    behind_break(bytes, at)
}

/// The reader stops between the two bytes of a line break.
fn behind_break(bytes: &[u8], at: usize) -> usize {
    let is_within = at > 0 && bytes[at - 1] == b'\r' && bytes.get(at) == Some(&b'\n');
    at + usize::from(is_within)
}

/// The number of the line in which a byte stands, from 1.
fn line(bytes: &[u8], at: usize) -> u64 {
    let breaks = bytes[..at].iter().filter(|byte| **byte == b'\n');
    breaks.count() as u64 + 1
}

/// Refuses an empty line, which the reader leaves out.
fn check_line(bytes: &[u8], at: usize) -> Result<(), Wrong> {
    match bytes.get(at) {
        Some(b'\r' | b'\n') => Err(Wrong {
            line: line(bytes, at),
            what: "has an empty line".to_owned(),
            hint: "remove it; an empty value of the only column is `\"\"`",
        }),
        _ => Ok(()),
    }
}

fn unreadable(error: &csv::Error, bytes: &[u8]) -> Wrong {
    let at = error.position().map_or(0, csv::Position::byte) as usize;
    let at = behind_break(bytes, at.min(bytes.len()));
    if let Err(wrong) = check_line(bytes, at) {
        return wrong;
    }
    let (what, hint) = match error.kind() {
        ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => (
            format!(
                "has {} where its header has {expected_len}",
                counted(*len, "value")
            ),
            "put a value with a comma between quotes",
        ),
        ErrorKind::Utf8 { .. } => ("is not UTF-8".to_owned(), "save it as UTF-8"),
        _ => (format!("cannot be read: {error}"), "save it as CSV"),
    };
    let line = line(bytes, at);
    Wrong { line, what, hint }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_file_is_read_by_its_header() {
        let rows = csv(b"name, role\nann,admin\r\n\"b,c\",\n\n\r\n").unwrap();
        assert_eq!(rows.columns, ["name", "role"]);
        assert_eq!(rows.count(), 2);
        assert_eq!((rows.cell(0, 0), rows.cell(0, 1)), ("ann", "admin"));
        assert_eq!((rows.cell(1, 0), rows.cell(1, 1)), ("b,c", ""));
        assert_eq!((rows.longest(0), rows.longest(1)), (3, 5));
        let shown = format!("{rows:?}");
        assert!(!shown.contains("ann"), "{shown}");
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_name() {
        let rows = csv("\u{feff}name\nann\n".as_bytes()).unwrap();
        assert_eq!(rows.columns, ["name"]);
    }

    #[test]
    fn what_is_wrong_in_a_file_has_its_line() {
        let long = format!("{}\nx\n", "n".repeat(65));
        for (text, line, expected) in [
            (
                &b"a,b\n1,2\n3,4,5\n"[..],
                3,
                "has 3 values where its header has 2",
            ),
            (
                b"a,b\r\n1,2\r\n3\r\n",
                3,
                "has 1 value where its header has 2",
            ),
            (
                b"a,b\n\"1\n\",2\n3\n",
                4,
                "has 1 value where its header has 2",
            ),
            (b"a,a\n", 1, "has two columns `a`"),
            (b"a,\n", 1, "has a column \"\", which is not a name"),
            (long.as_bytes(), 1, "has a column \"nnn"),
            (b"", 1, "has no column"),
            (b"a\nx\n\xff\n", 3, "is not UTF-8"),
            (b"a\nx\n\ny\n", 3, "has an empty line"),
            (b"a\r\nx\r\n\r\ny\r\n", 3, "has an empty line"),
            (b"a\n\nx\n", 2, "has an empty line"),
            (b"\na\nx\n", 1, "has an empty line"),
            (b"a,b\n\n1,2,3\n", 2, "has an empty line"),
            (b"a\nx\n\"y\nz\n", 3, "has a `\"` that nothing closes"),
        ] {
            let shown = String::from_utf8_lossy(text);
            let wrong = csv(text).unwrap_err();
            assert_eq!(wrong.line, line, "{shown:?}");
            assert!(
                wrong.what.starts_with(expected),
                "{shown:?}: {}",
                wrong.what
            );
        }
    }
    proptest! {
        #[test]
        fn what_is_written_is_read(
            cells in (1usize..4).prop_flat_map(|columns| {
                prop::collection::vec(prop::collection::vec("[ab,\"\r\n é]{0,4}", columns), 1..5)
            }),
        ) {
            let columns = cells[0].len();
            let mut writer = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
            writer.write_record((0..columns).map(|column| format!("c{column}"))).unwrap();
            for row in &cells {
                writer.write_record(row).unwrap();
            }
            let rows = csv(&writer.into_inner().unwrap()).unwrap();
            prop_assert_eq!(rows.count(), cells.len() as u64);
            for (at, row) in (0..).zip(&cells) {
                for (column, cell) in row.iter().enumerate() {
                    prop_assert_eq!(rows.cell(at, column), cell);
                }
            }
        }
    }
}

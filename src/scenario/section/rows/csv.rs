//! CSV (RFC 4180).

use csv::{Error, ErrorKind, Position, Reader, StringRecord};

use super::{EMPTY_LINE, NOT_UTF8, Rows, Wrong, line};
use crate::units::counted;

const NAMES: &str = "the first row names the columns: letters, digits, `-` and `_`";

/// Reads rows; the first names the columns.
pub(super) fn read(bytes: &[u8]) -> Result<Rows, Wrong> {
    let mut reader = Reader::from_reader(bytes);
    let unreadable = |error: Error| unreadable(&error, bytes);
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
        record.iter().for_each(|cell| rows.push(cell, true));
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

fn start(record: &StringRecord, bytes: &[u8]) -> usize {
    let at = record.position().map_or(0, Position::byte) as usize;
    behind_break(bytes, at)
}

/// The reader stops between the two bytes of a line break.
fn behind_break(bytes: &[u8], at: usize) -> usize {
    let is_within = at > 0 && bytes[at - 1] == b'\r' && bytes.get(at) == Some(&b'\n');
    at + usize::from(is_within)
}

/// Refuses an empty line, which the reader leaves out.
fn check_line(bytes: &[u8], at: usize) -> Result<(), Wrong> {
    match bytes.get(at) {
        Some(b'\r' | b'\n') => Err(Wrong {
            line: line(bytes, at),
            what: EMPTY_LINE.to_owned(),
            hint: "remove it; an empty value of the only column is `\"\"`",
        }),
        _ => Ok(()),
    }
}

fn unreadable(error: &Error, bytes: &[u8]) -> Wrong {
    let at = error.position().map_or(0, Position::byte) as usize;
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
        ErrorKind::Utf8 { .. } => (NOT_UTF8.to_owned(), "save it as UTF-8"),
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
        let rows = read(b"name, role\nann,admin\r\n\"b,c\",\n\n\r\n").unwrap();
        assert_eq!(rows.columns, ["name", "role"]);
        assert_eq!(rows.count(), 2);
        assert_eq!((rows.cell(0, 0), rows.cell(0, 1)), ("ann", "admin"));
        assert_eq!((rows.cell(1, 0), rows.cell(1, 1)), ("b,c", ""));
        assert_eq!((rows.longest(0), rows.longest(1)), (3, 5));
        let shown = format!("{rows:?}");
        assert!(!shown.contains("ann"), "{shown}");
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
            let wrong = read(text).unwrap_err();
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
            let mut writer = ::csv::WriterBuilder::new().quote_style(::csv::QuoteStyle::Always).from_writer(Vec::new());
            writer.write_record((0..columns).map(|column| format!("c{column}"))).unwrap();
            for row in &cells {
                writer.write_record(row).unwrap();
            }
            let rows = read(&writer.into_inner().unwrap()).unwrap();
            prop_assert_eq!(rows.count(), cells.len() as u64);
            for (at, row) in (0..).zip(&cells) {
                for (column, cell) in row.iter().enumerate() {
                    prop_assert_eq!(rows.cell(at, column), cell);
                }
            }
        }
    }
}

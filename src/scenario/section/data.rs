//! `[data.<name>]`: rows of values for placeholders, from a file or written in the scenario.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cohort::Cohort;
use super::message::MessageTable;
use super::payload::{Payload, Segment};
use super::variable::Variable;
use crate::scenario::reading::{At, Check, Key, List, Section, keys, words};
use crate::units::counted;

const MAX_TABLES: usize = 64;
const MAX_COLUMNS: usize = 256;

/// Rows of values.
#[derive(Debug, Clone, PartialEq)]
pub struct Data {
    /// Letters, digits, `-` and `_`.
    pub name: String,
    /// The names of the columns: letters, digits, `-` and `_`, unique.
    pub columns: Vec<String>,
    /// Which row is taken.
    pub pick: Pick,
    /// How long a row is kept.
    pub per: Per,
    /// The bytes of the longest cell of each column.
    longest: Vec<u32>,
    cells: Arc<Cells>,
}

/// All cells, row after row, in one text.
#[derive(Debug, Default, PartialEq)]
struct Cells {
    text: String,
    /// Where each cell ends.
    ends: Vec<u32>,
}

words! {
    /// Which row a connection or a message takes.
    pub enum Pick {
        /// Each connection of a cohort its own.
        Unique,
        /// One after the other, and from the first again.
        Circular,
        /// Any, by chance.
        Random,
    }
}

words! {
    /// For how long a row is kept.
    pub enum Per {
        /// For as long as the run lasts.
        Connection,
        /// For one message.
        Send,
    }
}

keys! {
    /// Rows of values that placeholders such as `{{user.name}}` name: of a file, or of `rows`.
    #[serde(expecting = "a table such as { file = \"users.csv\" }")]
    DataTable = "Data" {
        /// A CSV file, relative to this one; its first row names the columns.
        file: String,
        /// The rows themselves, each with the same keys.
        rows: List<BTreeMap<String, String>>,
        /// Which row is taken. With "unique" each connection of a cohort needs one.
        pick: Pick = Pick::Unique,
        /// How long it is kept.
        per: Per = Per::Connection,
    }
}

impl Data {
    /// The number of rows. Above zero.
    pub fn rows(&self) -> u64 {
        (self.cells.ends.len() / self.columns.len()) as u64
    }

    /// A cell; both numbers count from 0.
    pub fn cell(&self, row: u64, column: usize) -> &str {
        let at = row as usize * self.columns.len() + column;
        let end = |at: usize| self.cells.ends[at] as usize;
        let start = at.checked_sub(1).map_or(0, end);
        &self.cells.text[start..end(at)]
    }

    /// The bytes of the longest cell of a column.
    pub(super) fn longest(&self, column: usize) -> usize {
        self.longest[column] as usize
    }

    /// The bytes that all cells take.
    pub fn memory(&self) -> u64 {
        (self.cells.text.len() + size_of::<u32>() * self.cells.ends.len()) as u64
    }
}

impl Cells {
    /// The bytes of the longest cell of each of so many columns.
    fn longest(&self, columns: usize) -> Vec<u32> {
        let mut longest = vec![0; columns];
        let mut start = 0;
        for (at, end) in self.ends.iter().enumerate() {
            let longest: &mut u32 = &mut longest[at % columns];
            *longest = (*longest).max(end - start);
            start = *end;
        }
        longest
    }

    fn push(&mut self, cell: &str) {
        self.text.push_str(cell);
        self.ends.push(self.text.len() as u32);
    }
}

/// Resolves all tables, by their names; leaves out those that are wrong.
pub(in crate::scenario) fn resolve(
    check: &mut Check<'_>,
    tables: &Key<BTreeMap<String, At<DataTable>>>,
) -> Vec<Data> {
    let Some(At { value, place }) = tables else {
        return Vec::new();
    };
    if value.len() > MAX_TABLES {
        let what = format_args!("has more than {MAX_TABLES} tables");
        check.problem("data", place, what, None);
        return Vec::new();
    }
    let resolved = value
        .iter()
        .filter_map(|(name, At { value: keys, place })| {
            let path = &format!("data.{name}");
            let name = At {
                value: name.clone(),
                place: place.clone(),
            };
            check.name(path, &name);
            let (check, place) = (&mut *check, &name.place);
            keys.resolve(name.value, &mut Section { check, path, place })
        });
    resolved.collect()
}

impl DataTable {
    fn resolve(&self, name: String, section: &mut Section<'_, '_>) -> Option<Data> {
        let (columns, cells) = match (&self.file, &self.rows) {
            (Some(file), None) => of_file(section, file)?,
            (None, Some(rows)) => of_rows(section, rows)?,
            (None, None) => {
                section.missing(&["file", "rows"], "write `file = \"users.csv\"`");
                return None;
            }
            (Some(_), Some(_)) => {
                section.wrong_whole("has both `file` and `rows`", "keep one of them");
                return None;
            }
        };
        if cells.ends.is_empty() {
            section.wrong_whole("has no row", "add one, or leave the table out");
            return None;
        }
        let (pick, per) = (self.pick(), self.per());
        if (pick, per) == (Pick::Unique, Per::Send) {
            let what =
                "cannot be used with `pick = \"unique\"`: there is one row for each connection";
            section.wrong(
                "per",
                &self.per,
                what,
                "write `pick = \"circular\"` or \"random\"",
            );
        }
        Some(Data {
            name,
            longest: cells.longest(columns.len()),
            columns,
            pick,
            per,
            cells: Arc::new(cells),
        })
    }
}

/// Reads a file in CSV (RFC 4180). The first problem ends it.
fn of_file(section: &mut Section<'_, '_>, file: &At<String>) -> Option<(Vec<String>, Cells)> {
    let key = section.key("file");
    let (_, bytes) = section.check.file(&key, file)?;
    let read = read_csv(&bytes);
    if let Err((what, hint)) = &read {
        section.check.problem(&key, &file.place, what, *hint);
    }
    read.ok()
}

type Wrong = (String, &'static str);

fn read_csv(bytes: &[u8]) -> Result<(Vec<String>, Cells), Wrong> {
    // Spreadsheets begin a file in UTF-8 with a byte order mark.
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let unreadable = |error: csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        let hint = "save it as UTF-8, with commas between the values";
        (format!("cannot be read in line {line}: {error}"), hint)
    };
    let header = reader.headers().map_err(unreadable)?.clone();
    let columns: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
    names(&columns).map_err(|what| {
        (
            format!("{what} in line 1"),
            "the first row names the columns",
        )
    })?;
    let mut cells = Cells::default();
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        if record.len() != columns.len() {
            let line = record.position().map_or(0, csv::Position::line);
            let has = counted(record.len() as u64, "value");
            let what = format!(
                "has {has} in line {line} where its header has {}",
                columns.len()
            );
            return Err((what, "put a value with a comma between quotes"));
        }
        record.iter().for_each(|cell| cells.push(cell));
    }
    Ok((columns, cells))
}

/// Says what is wrong with the names of columns.
fn names(columns: &[String]) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if columns.len() > MAX_COLUMNS {
        return Err(format!("has more than {MAX_COLUMNS} columns"));
    }
    for (at, name) in columns.iter().enumerate() {
        if name.is_empty() || !name.chars().all(legal) {
            return Err(format!("has a column {:?}, which is not a name", name));
        }
        if columns[..at].contains(name) {
            return Err(format!("has two columns `{name}`"));
        }
    }
    Ok(())
}

fn of_rows(
    section: &mut Section<'_, '_>,
    rows: &At<List<BTreeMap<String, String>>>,
) -> Option<(Vec<String>, Cells)> {
    let rows_given = &rows.value.0;
    let columns: Vec<String> = rows_given
        .first()
        .into_iter()
        .flat_map(BTreeMap::keys)
        .cloned()
        .collect();
    let mut cells = Cells::default();
    for (at, row) in (1..).zip(rows_given) {
        if !row.keys().eq(&columns) {
            let what = format!("has other keys in row {at} than in the first");
            section.wrong_at("rows", &rows.place, what, "give each row the same keys");
            return None;
        }
        row.values().for_each(|cell| cells.push(cell));
    }
    if let Err(what) = names(&columns) {
        section.wrong_at("rows", &rows.place, what, None);
        return None;
    }
    Some((columns, cells))
}

/// Notes each message of a cohort that takes rows of their own from a table that has too few. `written` holds the tables
/// of its messages, in the same order.
pub(super) fn check(
    check: &mut Check<'_>,
    key: &str,
    written: &[At<MessageTable>],
    cohort: &Cohort,
    data: &[Data],
) {
    for (message, table) in cohort.messages.iter().zip(written) {
        let Payload::Template(segments) = &message.payload else {
            continue;
        };
        let needed = segments.iter().filter_map(|segment| match segment {
            Segment::Variable(Variable::Column(column)) => data.get(column.data as usize),
            _ => None,
        });
        let connections = u64::from(cohort.connections);
        let mut short =
            needed.filter(|data| data.pick == Pick::Unique && data.rows() < connections);
        if let Some(data) = short.next() {
            let what = format_args!(
                "takes rows of `data.{}`, which has {} for {}",
                data.name,
                counted(data.rows(), "row"),
                counted(connections, "connection")
            );
            let hint = "add rows, or write `pick = \"circular\"`";
            let place = table
                .value
                .payload
                .as_ref()
                .map_or(&table.place, |payload| &payload.place);
            check.problem(&format!("{key}.payload"), place, what, hint);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_by_its_header() {
        let (columns, cells) = read_csv(b"name, role\nann,admin\r\n\"b,c\",\n").unwrap();
        let data = Data {
            name: "user".to_owned(),
            longest: cells.longest(columns.len()),
            columns,
            pick: Pick::Unique,
            per: Per::Connection,
            cells: Arc::new(cells),
        };
        assert_eq!(data.columns, ["name", "role"]);
        assert_eq!(data.rows(), 2);
        assert_eq!(data.cell(0, 0), "ann");
        assert_eq!(data.cell(0, 1), "admin");
        assert_eq!(data.cell(1, 0), "b,c");
        assert_eq!(data.cell(1, 1), "");
        assert_eq!((data.longest(0), data.longest(1)), (3, 5));
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_name() {
        let (columns, _) = read_csv("\u{feff}name\nann\n".as_bytes()).unwrap();
        assert_eq!(columns, ["name"]);
    }

    #[test]
    fn what_is_wrong_in_a_file_has_its_line() {
        for (text, expected) in [
            (
                &b"a,b\n1,2\n3,4,5\n"[..],
                "has 3 values in line 3 where its header has 2",
            ),
            (b"a,a\n", "has two columns `a` in line 1"),
            (b"a,\n", "has a column \"\", which is not a name in line 1"),
            (b"a\n\xff\n", "cannot be read in line 2"),
        ] {
            let (what, _) = read_csv(text).unwrap_err();
            assert!(what.starts_with(expected), "{what}");
        }
    }
}

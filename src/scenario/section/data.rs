//! `[data.<name>]`: rows of values for placeholders, from a file or written in the scenario.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::cohort::Cohort;
use super::payload::Segment;
use super::rows::{self, Rows};
use super::variable::Variable;
use crate::scenario::reading::{
    At, Check, Key, List, OneOrMany, Outside, Place, Section, hints, keys, words,
};
use crate::scenario::root::Scenario;
use crate::units::counted;

const MAX_TABLES: usize = 64;

/// Rows of values.
#[derive(Debug, Clone, PartialEq)]
pub struct Data {
    /// Letters, digits, `-` and `_`.
    pub name: String,
    /// Which row is taken.
    pub pick: Pick,
    /// How long a row is kept.
    pub per: Per,
    /// `None` only while a scenario is resolved, if something is wrong with the table.
    rows: Option<Arc<Rows>>,
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
        /// A CSV file, relative to this one, whose first row names the columns; or `.jsonl` with one JSON object a line,
        /// whose numbers and the like may stand outside of quotes. At most 256 MiB.
        file: String,
        /// The rows themselves, each with the same keys.
        rows: List<BTreeMap<String, String>>,
        /// Which row is taken. With "unique" each connection of a cohort needs one.
        pick: Pick = Pick::Unique,
        /// How long it is kept.
        per: Per = Per::Connection,
        /// Columns of the file whose values stand in no report, log or message of wsbench.
        secret: OneOrMany<String>,
    }
}

impl Data {
    /// The number of rows. Above zero.
    pub fn rows(&self) -> u64 {
        self.rows.as_ref().map_or(0, |rows| rows.count())
    }

    /// The names of the columns: letters, digits, `-` and `_`, unique.
    pub fn columns(&self) -> &[String] {
        self.rows.as_ref().map_or(&[], |rows| &rows.columns)
    }

    /// A cell; both numbers count from 0.
    pub fn cell(&self, row: u64, column: usize) -> &str {
        let rows = self.rows.as_ref();
        rows.map_or("", |rows| rows.cell(row, column))
    }

    /// The bytes of the longest cell of a column.
    pub(super) fn longest(&self, column: usize) -> u32 {
        let rows = self.rows.as_ref();
        rows.map_or(0, |rows| rows.longest(column))
    }

    /// Whether all values of a column are JSON without quotes.
    pub(super) fn is_json(&self, column: usize) -> bool {
        let rows = self.rows.as_ref();
        rows.is_some_and(|rows| rows.is_json(column))
    }

    /// Whether a value of a column has control characters.
    pub(super) fn has_controls(&self, column: u16) -> bool {
        let mut cells = (0..self.rows()).map(|row| self.cell(row, column.into()));
        cells.any(|cell| cell.bytes().any(|byte| byte.is_ascii_control()))
    }

    /// Whether something is wrong with the table, which was noted: then any column may be named.
    pub(super) fn is_broken(&self) -> bool {
        self.rows.is_none()
    }

    /// Makes a table of JSON lines.
    #[cfg(test)]
    pub(super) fn of_lines(name: &str, lines: &str) -> Self {
        let rows = rows::read("x.jsonl".as_ref(), lines.as_bytes()).unwrap();
        Self {
            name: name.to_owned(),
            pick: Pick::Circular,
            per: Per::Connection,
            rows: Some(Arc::new(rows)),
        }
    }

    /// The bytes that all cells take.
    pub fn memory(&self) -> u64 {
        self.rows.as_ref().map_or(0, |rows| rows.memory())
    }
}

/// Resolves all tables, by their names.
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
    let resolved = value.iter().map(|(name, At { value: keys, place })| {
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
    fn resolve(&self, name: String, section: &mut Section<'_, '_>) -> Data {
        let rows = self.rows_of(section);
        let is_empty = rows.as_ref().is_some_and(|rows| rows.count() == 0);
        if is_empty {
            section.wrong_whole("has no row", "add one, or leave the table out");
        }
        let rows = rows.filter(|_| !is_empty);
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
        if let Some(rows) = &rows {
            self.secrets(section, &name, rows);
        }
        Data {
            name,
            pick,
            per,
            rows: rows.map(Arc::new),
        }
    }

    fn rows_of(&self, section: &mut Section<'_, '_>) -> Option<Rows> {
        match (&self.file, &self.rows) {
            (Some(file), None) => of_file(section, file),
            (None, Some(rows)) => of_rows(section, rows),
            (None, None) => {
                section.missing(&["file", "rows"], "write `file = \"users.csv\"`");
                None
            }
            (Some(_), Some(_)) => {
                section.wrong_whole("has both `file` and `rows`", "keep one of them");
                None
            }
        }
    }

    /// Hides the columns that have secrets.
    fn secrets(&self, section: &mut Section<'_, '_>, table: &str, rows: &Rows) {
        let Some(secret) = &self.secret else {
            return;
        };
        if self.rows.is_some() {
            let what = "cannot be used with `rows`, which the report shows with this file";
            section.wrong("secret", &self.secret, what, "put the rows into a `file`");
            return;
        }
        for (place, name) in OneOrMany::each(secret) {
            let Some(column) = rows.columns.iter().position(|column| column == name) else {
                let known: Vec<&str> = rows.columns.iter().map(String::as_str).collect();
                let what = format_args!("names no column: `{name}`");
                section.wrong_at("secret", place, what, hints::meant(name, &known));
                continue;
            };
            let cells = (0..rows.count()).map(|row| rows.cell(row, column));
            let secrets = &mut section.check.secrets;
            secrets.column(&format!("{table}.{name}"), cells);
        }
    }
}

/// Reads a file. The first problem ends it.
fn of_file(section: &mut Section<'_, '_>, file: &At<String>) -> Option<Rows> {
    let key = section.key("file");
    let (path, bytes) = section.check.file(&key, file, Outside::MAX_DATA)?;
    match rows::read(&path, &bytes) {
        Ok(rows) => Some(rows),
        Err(wrong) => {
            let file = path.display().to_string();
            let place = Place::Line(file, wrong.line);
            section.check.problem(&key, &place, wrong.what, wrong.hint);
            None
        }
    }
}

fn of_rows(
    section: &mut Section<'_, '_>,
    given: &At<List<BTreeMap<String, String>>>,
) -> Option<Rows> {
    let rows_given = &given.value.0;
    let Some(first) = rows_given.first() else {
        section.wrong_whole("has no row", "add one, or leave the table out");
        return None;
    };
    let mut rows = match Rows::new(first.keys().cloned().collect()) {
        Ok(rows) => rows,
        Err(what) => {
            let hint = "write rows like { name = \"ann\" }";
            section.wrong_at("rows", &given.place, what, hint);
            return None;
        }
    };
    for (at, row) in (1..).zip(rows_given) {
        if !row.keys().eq(&rows.columns) {
            let what = format!("has other keys in row {at} than in the first");
            section.wrong_at("rows", &given.place, what, "give each row the same keys");
            return None;
        }
        row.values().for_each(|cell| rows.push(cell, true));
    }
    Some(rows)
}

impl Cohort {
    /// The indices of the tables that its placeholders name.
    fn tables(&self) -> BTreeSet<usize> {
        let texts = self.texts().into_iter().flatten();
        let columns = texts
            .flat_map(Segment::variables)
            .filter_map(|variable| match variable {
                Variable::Column(column) => Some(usize::from(column.data)),
                _ => None,
            });
        columns.collect()
    }
}

impl Scenario {
    /// How many rows of a table its connections take; of rows that chance picks, how many there are to pick from.
    pub fn rows_taken(&self, table: usize) -> u64 {
        let data = &self.data[table];
        let takes = |cohort: &&Cohort| cohort.tables().contains(&table);
        let connections = self.cohorts.iter().filter(takes);
        let most = connections
            .map(|cohort| u64::from(cohort.connections))
            .max();
        match (data.pick, data.per) {
            (Pick::Unique, _) | (Pick::Circular, Per::Connection) => {
                most.unwrap_or(0).min(data.rows())
            }
            (Pick::Random, _) | (Pick::Circular, Per::Send) => most.map_or(0, |_| data.rows()),
        }
    }
}

/// Notes each table that has too few rows for the connections of a cohort which take rows of their own.
pub(super) fn check(
    check: &mut Check<'_>,
    tables: &Key<BTreeMap<String, At<DataTable>>>,
    cohort: &Cohort,
    data: &[Data],
) {
    let connections = u64::from(cohort.connections);
    for data in cohort
        .tables()
        .into_iter()
        .filter_map(|table| data.get(table))
    {
        if data.pick != Pick::Unique || data.rows() >= connections {
            continue;
        }
        let what = format_args!(
            "has {} for {}",
            counted(data.rows(), "row"),
            counted(connections, "connection")
        );
        let hint = "add rows, or write `pick = \"circular\"`";
        let table = tables
            .as_ref()
            .and_then(|tables| tables.value.get(&data.name));
        let place = table.map_or(&Place::Nowhere, |table| &table.place);
        check.problem(&format!("data.{}", data.name), place, what, hint);
    }
}

//! What `compare` and `ab` show of a comparison: a table in the terminal, and other formats.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::CliError;
use super::files::{self, Needed};
use super::term;
use crate::compare::Table;
use crate::verdict::{Exit, GateResult};

/// The formats that a user asks for.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Formats {
    /// Write the comparison as Markdown to this file; - is standard output
    #[arg(long, value_name = "FILE")]
    md: Option<PathBuf>,
    /// Write the comparison as a page, with a bar for each interval
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// What a comparison exits with, of what it decided.
pub(super) fn exit(judged: &[GateResult], strict: bool) -> Exit {
    let is_open = judged.is_empty() || judged.iter().any(GateResult::is_open);
    match judged.iter().any(|gate| !gate.passed) {
        true => Exit::Failed,
        false if strict && is_open => Exit::Untrusted,
        false => Exit::Passed,
    }
}

/// Files that are open, so that a wrong path is told before there is something to write.
pub(super) struct Opened {
    md: Option<Place>,
    html: Option<Place>,
}

/// Where a format goes: standard output in place of the table, or a file.
enum Place {
    Out,
    File(PathBuf, File),
}

impl Formats {
    /// Opens each file.
    ///
    /// # Errors
    /// When a file cannot be written, or is one of those that are `needed`.
    pub(super) fn open(&self, needed: &[Needed]) -> Result<Opened, CliError> {
        let place = |path: &Option<PathBuf>| {
            let place = path.as_ref().map(|path| match path == Path::new("-") {
                true => Ok(Place::Out),
                false => files::create(path, needed).map(|file| Place::File(path.clone(), file)),
            });
            place.transpose()
        };
        Ok(Opened {
            md: place(&self.md)?,
            html: place(&self.html)?,
        })
    }
}

impl Opened {
    /// Prints a comparison, unless a format goes there, and writes its formats. `exit` is how it ends.
    ///
    /// # Errors
    /// When one cannot be written.
    pub(super) fn show(self, table: &Table, title: &str, exit: Exit) -> Result<(), CliError> {
        type Format<'a> = &'a dyn Fn(&mut dyn Write) -> io::Result<()>;
        let all: [(Option<Place>, Format<'_>); 2] = [
            (self.md, &|out| table.markdown(title, out)),
            (self.html, &|out| table.html(exit, out)),
        ];
        let mut printed: Option<Vec<u8>> = None;
        for (place, write) in all {
            match place {
                None => {}
                Some(Place::Out) => write(printed.get_or_insert_default()).map_err(failed)?,
                Some(Place::File(path, mut file)) => {
                    let mut bytes = Vec::new();
                    let written = write(&mut bytes).and_then(|()| file.write_all(&bytes));
                    written.map_err(|source| CliError::LateWrite { path, source })?;
                }
            }
        }
        let printed = match printed {
            Some(printed) => printed,
            None => {
                let mut text = Vec::new();
                table.text(&mut text).map_err(failed)?;
                text
            }
        };
        term::print(&printed)
    }
}

fn failed(source: io::Error) -> CliError {
    CliError::System {
        doing: "write the comparison",
        source,
    }
}

//! Other formats of a report, which `run` writes after a run and `report` from a stored one.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::CliError;
use super::files::{self, Needed};
use crate::report::{self, Run};

/// The formats that a user asks for.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Formats {
    /// Write the verdict as JUnit XML to this file; - is standard output
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write verdict and main numbers as Markdown, like for a comment on a change
    #[arg(long, value_name = "FILE")]
    md: Option<PathBuf>,
    /// Write the main numbers as JSON for github-action-benchmark
    #[arg(long, value_name = "FILE")]
    bench: Option<PathBuf>,
    /// Annotate the scenario, and add to the summary, of a GitHub job
    #[arg(long)]
    github: bool,
}

/// The function that writes one format.
pub(super) type Writer = fn(&Run, &mut dyn Write) -> io::Result<()>;

/// Files that are open, each with what will be written to it.
pub(super) struct Opened {
    files: Vec<(PathBuf, File, Writer)>,
    github: bool,
}

/// The variable that holds the file of the summary of a GitHub job.
const STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

impl Formats {
    /// Opens each file, so that a wrong path is told before a run; `more` are files of other options.
    ///
    /// # Errors
    /// When a file cannot be written, or is one of those that are `needed`.
    pub(super) fn open(
        &self,
        needed: &[Needed],
        more: impl IntoIterator<Item = (PathBuf, Writer)>,
    ) -> Result<Opened, CliError> {
        let asked: [(&Option<PathBuf>, Writer); 3] = [
            (&self.junit, |run, out| report::junit(run, out)),
            (&self.md, |run, out| report::markdown(run, out)),
            (&self.bench, |run, out| report::bench_json(run, out)),
        ];
        let asked = asked.into_iter();
        let asked = asked.filter_map(|(path, write)| Some((path.clone()?, write)));
        let opened = asked.chain(more).map(|(path, write)| {
            let path = match path == Path::new("-") {
                true => PathBuf::from("/dev/stdout"),
                false => path,
            };
            let file = files::create(&path, needed)?;
            Ok((path, file, write))
        });
        Ok(Opened {
            files: opened.collect::<Result<_, CliError>>()?,
            github: self.github,
        })
    }
}

impl Opened {
    /// Writes each file.
    ///
    /// # Errors
    /// When one cannot be written to its end; the others are written nevertheless.
    pub(super) fn write(self, run: &Run) -> Result<(), CliError> {
        let mut result = Ok(());
        for (path, file, write) in self.files {
            let mut out = io::BufWriter::new(file);
            let written = write(run, &mut out).and_then(|()| out.flush());
            let written = written.map_err(|source| CliError::LateWrite { path, source });
            result = result.and(written);
        }
        if self.github {
            let added = add_to_summary(run);
            result = result.and(added);
        }
        result
    }

    /// The annotations of a GitHub job, if they are asked for. They go to standard output.
    pub(super) fn annotations(&self, run: &Run) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        if self.github {
            report::github(run, run.scenario.file.as_deref(), &mut out)?;
        }
        Ok(out)
    }
}

/// Adds the Markdown to the summary of the job, where there is one.
fn add_to_summary(run: &Run) -> Result<(), CliError> {
    let Some(path) = std::env::var_os(STEP_SUMMARY).filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    let path = PathBuf::from(path);
    let add = || {
        let mut file = File::options().append(true).create(true).open(&path)?;
        let mut text = Vec::new();
        report::markdown(run, &mut text)?;
        file.write_all(&text)
    };
    add().map_err(|source| CliError::LateWrite {
        path: path.clone(),
        source,
    })
}

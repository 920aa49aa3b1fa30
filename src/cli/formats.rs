//! Other formats of a report, which `run` writes after a run and `report` from a stored one.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::CliError;
use super::files::{self, Needed};
use crate::report::{self, Run};

/// The formats that a user asks for.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Report")]
pub(super) struct Formats {
    /// Write the verdict as JUnit XML to this file; - is standard output
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write verdict and main numbers as Markdown, like for a comment on a change
    #[arg(long, value_name = "FILE")]
    md: Option<PathBuf>,
    /// Write the numbers as text for Prometheus and GitLab
    #[arg(long, value_name = "FILE")]
    openmetrics: Option<PathBuf>,
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
        let asked: [(&Option<PathBuf>, Writer); 4] = [
            (&self.junit, |run, out| report::junit(run, out)),
            (&self.md, |run, out| report::markdown(run, out)),
            (&self.openmetrics, |run, out| report::openmetrics(run, out)),
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

/// What will be written into each file, and to the summary of a GitHub job.
pub(super) struct Rendered {
    files: Vec<(PathBuf, File, Vec<u8>)>,
    summary: Option<(PathBuf, Vec<u8>)>,
}

impl Opened {
    /// Renders each format, and writes nothing yet.
    ///
    /// # Errors
    /// When a format cannot be rendered.
    pub(super) fn render(self, run: &Run) -> Result<Rendered, CliError> {
        let rendered = |write: Writer| {
            let mut bytes = Vec::new();
            write(run, &mut bytes).map(|()| bytes)
        };
        let files = self.files.into_iter();
        let files = files.map(|(path, file, write)| match rendered(write) {
            Ok(bytes) => Ok((path, file, bytes)),
            Err(source) => Err(CliError::LateWrite { path, source }),
        });
        let summary = step_summary().filter(|_| self.github);
        let summary = summary.map(
            |path| match rendered(|run, out| report::markdown(run, out)) {
                Ok(bytes) => Ok((path, bytes)),
                Err(source) => Err(CliError::LateWrite { path, source }),
            },
        );
        Ok(Rendered {
            files: files.collect::<Result<_, CliError>>()?,
            summary: summary.transpose()?,
        })
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

impl Rendered {
    /// Writes each file. May wait for the reader of a pipe.
    ///
    /// # Errors
    /// When one cannot be written to its end; the others are written nevertheless.
    pub(super) fn write(self) -> Result<(), CliError> {
        let mut result = Ok(());
        for (path, mut file, bytes) in self.files {
            let written = file.write_all(&bytes);
            let written = written.map_err(|source| CliError::LateWrite { path, source });
            result = result.and(written);
        }
        if let Some((path, bytes)) = self.summary {
            let file = File::options().append(true).create(true).open(&path);
            let added = file.and_then(|mut file| file.write_all(&bytes));
            let added = added.map_err(|source| CliError::LateWrite { path, source });
            result = result.and(added);
        }
        result
    }
}

/// The file of the summary of a GitHub job, where there is one.
fn step_summary() -> Option<PathBuf> {
    let path = std::env::var_os(STEP_SUMMARY)?;
    (!path.is_empty()).then(|| path.into())
}

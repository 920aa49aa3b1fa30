//! The end of a run: its report is written, its summary shown, and its exit code chosen. The same for a run that was just
//! played and for the parts of one that are put together.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tracing::info;

use super::error::CliError;
use super::formats::{Formats, Opened};
use super::input::Loaded;
use super::signals::Signals;
use super::term;
use crate::report::{self, Label, Labels, LabelsError, OutputSet, Run};
use crate::scenario::Scenario;
use crate::verdict::Exit;

/// The folder for reports without `--out`.
pub(super) const REPORTS: &str = "reports";

/// How a run is reported.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Report")]
pub(super) struct Reporting {
    /// Write the report here [default: reports/SCENARIO/TIME]
    #[arg(long, value_name = "FOLDER")]
    pub(super) out: Option<PathBuf>,
    /// Show no progress and no summary, only errors, failed gates and doubts
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Print run.json instead of the summary
    #[arg(long)]
    pub(super) json: bool,
    /// Put this into the report and on exported metrics, like commit=abc123; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    label: Vec<Label>,
    #[command(flatten)]
    pub(super) formats: Formats,
}

impl Reporting {
    /// The labels, without secrets.
    pub(super) fn labels(&self, loaded: &Loaded) -> Result<Labels, LabelsError> {
        let secrets = &loaded.scenario.secrets;
        let masked = |label: &Label| Label::new(label.key(), &secrets.mask(label.value()));
        let masked = self.label.iter().map(masked);
        Labels::of(masked.collect::<Result<Vec<_>, _>>()?)
    }

    /// Opens the folder of the report.
    pub(super) fn open_output(
        &self,
        scenario: &Scenario,
        started_at: SystemTime,
    ) -> Result<OutputSet, CliError> {
        let Some(folder) = &self.out else {
            return Ok(OutputSet::create_dated(
                REPORTS.as_ref(),
                scenario,
                started_at,
            )?);
        };
        let output = OutputSet::create(folder, scenario)?;
        if output.replaces() && !self.quiet {
            let folder = folder.display();
            term::note(format!(
                "note: {folder} has the report of an earlier run, which this one replaces"
            ));
        }
        Ok(output)
    }

    /// Writes the report and the other formats, shows the summary, and returns the exit code. `failures` broke the run
    /// off, or kept a file from being written; `heard` signals had come when it was over.
    pub(super) fn conclude(
        &self,
        run: &Run,
        output: OutputSet,
        formats: Opened,
        signals: &Signals,
        heard: u8,
        [failure, other]: [Option<CliError>; 2],
    ) -> Exit {
        let written = output.commit(run).map_err(CliError::LateOutput);
        info!(
            outcome = run.facts.outcome.name(),
            exit = run.verdict.exit.code(),
            "judged"
        );
        // Shows all known results even if a file could not be written.
        let folder = written.as_deref().ok().map(Path::to_owned);
        let annotations = formats.annotations(run);
        // As with standard output, a pipe may have a reader that does not read.
        let formats = formats.render(run).and_then(|formats| {
            let write = move || formats.write();
            until_signal(signals, heard, "the files of other formats", write)
        });
        let failures = [failure, written.err(), other, formats.err()];
        let mut exit = ended_by(run, &failures);
        let text = self.text(run, exit, folder.as_deref(), annotations);
        let heard = signals.count();
        let shown = until_signal(signals, heard, "standard output", move || {
            term::print(&text?)
        });
        failures.iter().flatten().for_each(term::error);
        if let Err(failure) = shown {
            // A part of the summary may have been shown, with another exit code.
            term::error(&failure);
            if exit != failure.exit() {
                exit = failure.exit();
                let code = exit.code();
                term::note(format!(
                    "note: the exit code is {code}, for not all could be written"
                ));
            }
        }
        exit
    }

    /// The summary, or the output that was asked for instead.
    fn text(
        &self,
        run: &Run,
        exit: Exit,
        folder: Option<&Path>,
        annotations: io::Result<Vec<u8>>,
    ) -> Result<Vec<u8>, CliError> {
        let mut out = Vec::new();
        let written = if self.json {
            report::run_json(run, &mut out)
        } else if self.quiet {
            report::failures(run, exit, term::style(), folder, &mut out)
        } else {
            report::text(run, exit, term::style(), folder, &mut out)
        };
        let annotations = written.and(annotations);
        out.extend(annotations.map_err(|source| CliError::System {
            doing: "write the summary",
            source,
        })?);
        Ok(out)
    }
}

/// Writes, and waits for the reader of a pipe, as of a pager, until more than `heard` signals have come.
fn until_signal(
    signals: &Signals,
    heard: u8,
    what: &str,
    write: impl FnOnce() -> Result<(), CliError> + Send + 'static,
) -> Result<(), CliError> {
    match signals.unless_more(heard, write) {
        Err(CliError::Interrupted) => {
            term::note(format!(
                "note: nobody read {what} to its end before the signal"
            ));
            Ok(())
        }
        written => written.flatten(),
    }
}

/// How a run ends that these failures may have cut short, or kept from being reported.
fn ended_by(run: &Run, failures: &[Option<CliError>]) -> Exit {
    let last = failures.iter().flatten().next_back();
    last.map_or(run.verdict.exit, CliError::exit)
}

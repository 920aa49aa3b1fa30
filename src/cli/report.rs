//! `wsbench report`: shows a stored run again, and writes it in other formats.

use std::path::PathBuf;

use super::error::CliError;
use super::formats::{Formats, Writer};
use super::past::{Against, Past};
use super::term;
use crate::compare::StoredSession;
use crate::report::{self, Run};
use crate::verdict::Exit;

/// Show a stored run again, or write it in another format.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder of a report, or the run.json or report.html in it
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Write the page, as it is beside a fresh run
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write all times, interval by interval, as a log of HdrHistograms
    #[arg(long, value_name = "FILE")]
    hlog: Option<PathBuf>,
    /// Show no summary, only failed gates and doubts
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    against: Against,
    #[command(flatten)]
    formats: Formats,
}

/// Executes the whole command. Exits as the run did, so that a step that only renders can be a gate; with a baseline, as
/// it would have with that.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let is_there = |name: &str| args.run.join(name).exists();
    if is_there(StoredSession::FILE) && !is_there("run.json") {
        return Err(CliError::Several(args.run.clone()));
    }
    let mut run = Run::read(&args.run)?;
    let past = Past::of_stored(&args.against, &run)?;
    let mut needed = vec![(args.run.clone(), "the stored run")];
    needed.extend((args.against.baseline.iter()).map(|file| (file.clone(), "the baseline")));
    if let Some(past) = past {
        past.settle_anew(&mut run);
    }
    let own: [(&Option<PathBuf>, Writer); 2] = [
        (&args.html, |run, out| report::html(run, out)),
        (&args.hlog, |run, out| report::hlog(run, out)),
    ];
    let own = own.into_iter();
    let own = own.filter_map(|(path, write)| Some((path.clone()?, write)));
    let formats = args.formats.open(&needed, own)?;
    let exit = run.verdict.exit;
    let mut text = Vec::new();
    let written = match args.quiet {
        true => report::failures(&run, exit, term::style(), None, &mut text),
        false => report::text(&run, exit, term::style(), None, &mut text),
    };
    let annotations = written.and_then(|()| formats.annotations(&run));
    let annotations = annotations.map_err(|source| CliError::System {
        doing: "write the summary",
        source,
    })?;
    text.extend(annotations);
    formats.render(&run)?.write()?;
    term::print(&text)?;
    Ok(exit)
}

//! `wsbench run`: load, plan, open outputs, run, judge, report.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::builder::RangedI64ValueParser;
use tracing::info;

use super::attempt::{self, Attempt, Played};
use super::error::CliError;
use super::formats::Formats;
use super::input::{Input, Loaded};
use super::log::Log;
use super::messages::Messages;
use super::past::{Against, Past};
use super::repeat::Repeat;
use super::signals::Signals;
use super::start;
use super::term;
use crate::engine::{self, cores};
use crate::plan::Share;
use crate::report::{self, Label, Labels, LabelsError, OutputSet, Run};
use crate::scenario::Scenario;
use crate::verdict::Exit;

/// The folder for reports without `--out`.
pub(super) const REPORTS: &str = "reports";

/// Run a scenario, and judge it by its gates.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,
    /// Write the report here [default: reports/SCENARIO/TIME]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Write a row for each answered message to this CSV file; - is standard output
    #[arg(long, value_name = "FILE", conflicts_with = "repeat")]
    messages: Option<PathBuf>,
    /// Log phases, dials and why connections ended to this file, to see later why a run failed; - is standard error
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    log: Option<PathBuf>,
    /// Seed of all random choices: the same seed gives the same schedule
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 1,
        allow_negative_numbers = true,
        value_parser = parse_seed
    )]
    seed: u64,
    /// Threads that send and receive [default: one for each core]
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = parse_workers())]
    workers: Option<u16>,
    /// Run so often: a session, which counts as one value where versions are compared
    #[arg(long, value_name = "NUMBER", default_value_t = 1, hide_default_value = true, value_parser = clap::value_parser!(u16).range(1..=100))]
    repeat: u16,
    #[command(flatten)]
    against: Against,
    /// Show no progress and no summary, only errors, failed gates and doubts
    #[arg(long, short)]
    quiet: bool,
    /// Print run.json instead of the summary
    #[arg(long)]
    json: bool,
    /// Put this into the report and on exported metrics, like commit=abc123; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    label: Vec<Label>,
    #[command(flatten)]
    formats: Formats,
}

pub(super) fn parse_seed(text: &str) -> Result<u64, &'static str> {
    text.parse()
        .map_err(|_| "write a whole number, not below 0 and below 2^64")
}

/// Reads a number of workers.
pub(super) fn parse_workers() -> RangedI64ValueParser<u16> {
    RangedI64ValueParser::<u16>::new().range(1..=1024)
}

/// Executes the whole command.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let mut loaded = args.input.load()?;
    let run = run_loaded(args, &mut loaded);
    run.map_err(|error| error.masked(&loaded.scenario.secrets))
}

fn run_loaded(args: &Args, loaded: &mut Loaded) -> Result<Exit, CliError> {
    let labels = labels(args, loaded)?;
    let started_at = SystemTime::now();
    let workers = engine::workers(args.workers.map(usize::from), cores())?;
    let past = Past::open(&args.against, loaded, workers)?;
    let plan = attempt::plan(loaded, args.seed, started_at);
    start::get_rights(&plan, Share::whole(workers))?;
    let (signals, _) = Signals::listen()?;
    if args.repeat > 1 {
        let _log = log(args, loaded, None)?;
        let repeat = Repeat {
            loaded,
            labels: &labels,
            past: past.as_ref(),
            times: args.repeat,
            seed: args.seed,
            workers,
            signals: &signals,
            out: args.out.as_deref(),
            quiet: args.quiet,
            json: args.json,
            formats: args.formats.open(&loaded.files, None)?,
        };
        return repeat.run(started_at);
    }
    let output = open_output(args, &loaded.scenario, started_at)?;
    let messages = messages_file(args, loaded, &output)?;
    let _log = log(args, loaded, Some(&output))?;
    let formats = args.formats.open(&loaded.files, None)?;
    info!(version = env!("CARGO_PKG_VERSION"), scenario = loaded.scenario.name, report = ?output.folder(), "started");
    let attempt = Attempt {
        loaded,
        labels,
        seed: args.seed,
        workers,
        signals: &signals,
        messages,
        quiet: args.quiet,
        started_at,
    };
    let Played {
        mut run,
        failure,
        messages,
        heard,
    } = attempt.play()?;
    if let Some(past) = &past {
        past.settle(&mut run);
    }
    let written = output.commit(&run).map_err(CliError::LateOutput);
    info!(
        outcome = run.facts.outcome.name(),
        exit = run.verdict.exit.code(),
        "judged"
    );
    // Shows all known results even if a file could not be written.
    let folder = written.as_deref().ok().map(Path::to_owned);
    let annotations = formats.annotations(&run);
    // As with standard output, a pipe may have a reader that does not read.
    let formats = formats.render(&run).and_then(|formats| {
        let write = move || formats.write();
        until_signal(&signals, heard, "the files of other formats", write)
    });
    let failures = [failure, written.err(), messages.err(), formats.err()];
    let mut exit = ended_by(&run, &failures);
    let text = text(args, &run, exit, folder.as_deref(), annotations);
    let heard = signals.count();
    let shown = until_signal(&signals, heard, "standard output", move || {
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
    Ok(exit)
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

/// The summary, or the output that was asked for instead.
fn text(
    args: &Args,
    run: &Run,
    exit: Exit,
    folder: Option<&Path>,
    annotations: io::Result<Vec<u8>>,
) -> Result<Vec<u8>, CliError> {
    let mut out = Vec::new();
    let written = if args.json {
        report::run_json(run, &mut out)
    } else if args.quiet {
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

fn open_output(
    args: &Args,
    scenario: &Scenario,
    started_at: SystemTime,
) -> Result<OutputSet, CliError> {
    let Some(folder) = &args.out else {
        return Ok(OutputSet::create_dated(
            REPORTS.as_ref(),
            scenario,
            started_at,
        )?);
    };
    let output = OutputSet::create(folder, scenario)?;
    if output.replaces() && !args.quiet {
        let folder = folder.display();
        term::note(format!(
            "note: {folder} has the report of an earlier run, which this one replaces"
        ));
    }
    Ok(output)
}

/// Opens the file of `--messages`.
fn messages_file(
    args: &Args,
    loaded: &Loaded,
    output: &OutputSet,
) -> Result<Option<Messages>, CliError> {
    let path = match args.messages.as_deref() {
        None => return Ok(None),
        Some(path) if path == Path::new("-") => Path::new("/dev/stdout"),
        Some(path) => path,
    };
    not_of_report(path, output)?;
    Messages::create(path, &loaded.files, &loaded.scenario).map(Some)
}

/// Opens the file of `--log`.
fn log(args: &Args, loaded: &Loaded, output: Option<&OutputSet>) -> Result<Option<Log>, CliError> {
    let Some(path) = args.log.as_deref() else {
        return Ok(None);
    };
    output.map_or(Ok(()), |output| not_of_report(path, output))?;
    let mut needed = loaded.files.clone();
    needed.extend((args.messages.iter()).map(|file| (file.clone(), "the file of `--messages`")));
    Log::start(path, &needed, &loaded.scenario.secrets).map(Some)
}

/// Refuses a path that the report uses for one of its own files, which do not exist yet.
fn not_of_report(path: &Path, output: &OutputSet) -> Result<(), CliError> {
    if !output.has(path) {
        return Ok(());
    }
    let (path, what) = (path.to_owned(), "a part of the report");
    Err(CliError::WriteOver { path, what })
}

/// The labels, without secrets.
fn labels(args: &Args, loaded: &Loaded) -> Result<Labels, LabelsError> {
    let secrets = &loaded.scenario.secrets;
    let masked = |label: &Label| Label::new(label.key(), &secrets.mask(label.value()));
    let masked = args.label.iter().map(masked);
    Labels::of(masked.collect::<Result<Vec<_>, _>>()?)
}

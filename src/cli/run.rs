//! `wsbench run`: load, plan, open outputs, run, judge, report.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use tracing::info;

use super::around::Around;
use super::error::CliError;
use super::formats::Formats;
use super::input::{Input, Loaded};
use super::log::Log;
use super::messages::Messages;
use super::progress::Shown;
use super::signals::Signals;
use super::start::{self, Started};
use super::term;
use crate::engine::{self, cores};
use crate::host::{self, Throttled};
use crate::measure::{Echoes, Usage};
use crate::net;
use crate::plan::Plan;
use crate::report::{self, Host, Label, Labels, LabelsError, Options, OutputSet, Parts, Run};
use crate::scenario::Scenario;
use crate::time;
use crate::units::counted;
use crate::verdict::{Exit, Facts, Outcome, Throttling, first_holding, judge};

/// The folder for reports without `--out`.
const REPORTS: &str = "reports";

/// Run a scenario, and judge it by its gates.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,
    /// Write the report here [default: reports/SCENARIO/TIME]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Write a row for each answered message to this CSV file; - is standard output
    #[arg(long, value_name = "FILE")]
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
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
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

fn parse_seed(text: &str) -> Result<u64, &'static str> {
    text.parse()
        .map_err(|_| "write a whole number, not below 0 and below 2^64")
}

/// Executes the whole command.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let loaded = args.input.load()?;
    let run = run_loaded(args, &loaded);
    run.map_err(|error| error.masked(&loaded.scenario.secrets))
}

fn run_loaded(args: &Args, loaded: &Loaded) -> Result<Exit, CliError> {
    let labels = labels(args, loaded)?;
    let started_at = SystemTime::now();
    let mut plan = Plan::new(loaded.scenario.clone(), args.seed, start::nonce(started_at));
    plan.keeps_echoes = args.messages.is_some();
    let workers = engine::workers(args.workers.map(usize::from), cores())?;
    start::get_rights(&plan, workers)?;
    let (signals, interrupt) = Signals::listen()?;
    let output = open_output(args, &loaded.scenario, started_at)?;
    let messages = messages_file(args, loaded, &output)?;
    let _log = log(args, loaded, &output)?;
    let formats = args.formats.open(&loaded.files, None)?;
    info!(version = env!("CARGO_PKG_VERSION"), scenario = loaded.scenario.name, report = ?output.folder(), "started");
    let Started {
        target,
        around,
        prepared,
    } = start::start(plan, args.seed, workers, &signals)?;

    let before = host::throttled();
    let mut observer = RunObserver::new(&loaded.scenario, &around, messages, args.quiet);
    let mut finished = prepared
        .run(interrupt, &mut observer)
        .map_err(CliError::Engine)?;
    let heard = signals.count();
    let ended = observer.end();
    let (surroundings, failure) = around.end(finished.origin, &mut finished.summary);
    let failure = finished.failure.map(CliError::Engine).or(failure);
    drop(target);

    let facts = Facts {
        outcome: outcome(failure.as_ref(), finished.interrupted, ended.held),
        workers: finished.workers,
        precise_timer: time::PRECISE,
        kernel_view: net::TCP_VIEW,
        cores: host::allowed_cores(),
        throttling: throttling(before),
        surroundings,
    };
    let verdict = judge(&loaded.scenario, &finished.summary, &facts);
    let run = Run::of(Parts {
        scenario: &loaded.scenario,
        scenario_text: &loaded.text,
        scenario_file: loaded.file.clone(),
        options: options(args, loaded, labels),
        host: Host::detect(),
        started_at,
        facts,
        summary: finished.summary,
        verdict,
    });
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
    let failures = [failure, written.err(), ended.messages.err(), formats.err()];
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

fn outcome(failure: Option<&CliError>, interrupted: bool, held: Option<String>) -> Outcome {
    match (failure, interrupted, held) {
        (Some(error), ..) => Outcome::Broken {
            why: format!("failed to {error}"),
        },
        (None, true, _) => Outcome::Interrupted,
        (None, false, Some(gate)) => Outcome::Aborted { gate },
        (None, false, None) => Outcome::Completed,
    }
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
fn log(args: &Args, loaded: &Loaded, output: &OutputSet) -> Result<Option<Log>, CliError> {
    let Some(path) = args.log.as_deref() else {
        return Ok(None);
    };
    not_of_report(path, output)?;
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

fn options(args: &Args, loaded: &Loaded, labels: Labels) -> Options {
    Options {
        seed: args.seed,
        overrides: loaded.overrides.clone(),
        labels,
    }
}

/// The throttling since `before`; `None` if there is no limit.
fn throttling(before: Option<Throttled>) -> Option<Throttling> {
    let Throttled { periods, throttled } = host::throttled()?.since(before?);
    Some(Throttling { periods, throttled })
}

/// Watches the run second by second: shows progress, and ends the run when an abort gate holds or the relay has failed.
struct RunObserver<'a> {
    progress: Shown,
    scenario: &'a Scenario,
    around: &'a Around,
    messages: Option<Messages>,
    held: Option<String>,
}

/// What was seen until the end.
struct Watched {
    /// The abort gate that held.
    held: Option<String>,
    /// Whether the file of single messages was written without an error.
    messages: Result<(), CliError>,
}

impl<'a> RunObserver<'a> {
    fn new(
        scenario: &'a Scenario,
        around: &'a Around,
        messages: Option<Messages>,
        quiet: bool,
    ) -> Self {
        Self {
            progress: Shown::start(term::progress(quiet)),
            scenario,
            around,
            messages,
            held: None,
        }
    }

    /// Ends the progress view and the file of single messages, and reports how many messages are missing from it.
    fn end(self) -> Watched {
        self.progress.finish();
        let left_out = self.messages.map_or(Ok(0), Messages::finish);
        if let Ok(more @ 1..) = left_out {
            term::note(format!(
                "{} had no room among `--messages`",
                counted(more, "message")
            ));
        }
        Watched {
            held: self.held,
            messages: left_out.map(|_| ()),
        }
    }
}

impl engine::Observer for RunObserver<'_> {
    fn measuring(&mut self, from: Instant) {
        self.around.measuring(from);
    }

    fn target(&mut self) -> Option<Usage> {
        self.around.target()
    }

    fn echoes(&mut self, echoes: Echoes) {
        if let Some(messages) = &mut self.messages {
            messages.write(echoes);
        }
    }

    fn second(&mut self, second: &engine::Second<'_>) -> ControlFlow<()> {
        self.progress.update(&second.progress);
        if self.around.has_failed() {
            return ControlFlow::Break(());
        }
        let abort = &self.scenario.gates.abort;
        // The load has ended normally, so there is nothing to abort.
        if abort.is_empty() || second.is_over || self.held.is_some() {
            return ControlFlow::Continue(());
        }
        let summary =
            second.snapshot(&|metric| abort.iter().any(|gate| gate.subject.is_of(metric)));
        self.held = first_holding(self.scenario, &summary).map(|gate| gate.text.clone());
        match &self.held {
            Some(gate) => {
                info!(gate, "an abort gate holds");
                ControlFlow::Break(())
            }
            None => ControlFlow::Continue(()),
        }
    }
}

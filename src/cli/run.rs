//! `wsbench run`: load, plan, open outputs, run, judge, report.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::builder::RangedI64ValueParser;
use tracing::info;

use super::attempt::{self, Attempt, Played};
use super::closing::{self, ClosingArgs};
use super::conclude::Reporting;
use super::error::CliError;
use super::files::Needed;
#[cfg(feature = "cluster")]
use super::fleet::{Lead, LeadArgs};
use super::input::{Input, Loaded};
use super::log::Log;
use super::messages::Messages;
use super::outputs::{Opening, OutputArgs};
#[cfg(feature = "cluster")]
use super::part::or_its_name;
use super::part::{Asked, Part, PartArgs};
use super::past::{Against, Generator, Past};
use super::repeat::{self, Repeat};
use super::signals::Signals;
use super::start;
use super::term;
use crate::engine::{self, cores};
use crate::plan::Share;
use crate::report::{self, OutputSet, Watched};
use crate::verdict::Exit;

/// Run a scenario, and judge it by its gates.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,
    /// Write a row for each answered message to this CSV file; - is standard output
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "repeat",
        help_heading = "Report"
    )]
    messages: Option<PathBuf>,
    /// Log phases, dials and why connections ended to this file, to see later why a run failed; - is standard error
    #[arg(
        long,
        value_name = "FILE",
        allow_hyphen_values = true,
        help_heading = "Report"
    )]
    log: Option<PathBuf>,
    /// Seed of all random choices: the same seed gives the same schedule
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 1,
        allow_negative_numbers = true,
        value_parser = parse_seed,
        help_heading = "Load"
    )]
    seed: u64,
    /// Threads that send and receive [default: one for each core]
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = parse_workers(), help_heading = "Load")]
    workers: Option<u16>,
    /// Run so often: a session, which counts as one value where versions are compared
    #[arg(long, value_name = "NUMBER", default_value_t = 1, hide_default_value = true, value_parser = clap::value_parser!(u16).range(1..=100), conflicts_with_all = ["output", "dashboard"], help_heading = "Load")]
    repeat: u16,
    #[command(flatten)]
    closing: ClosingArgs,
    #[command(flatten)]
    against: Against,
    #[command(flatten)]
    share: PartArgs,
    #[cfg(feature = "cluster")]
    #[command(flatten)]
    fleet: LeadArgs,
    #[command(flatten)]
    reporting: Reporting,
    #[command(flatten)]
    outputs: OutputArgs,
    /// End as by Ctrl-C at the end of standard input
    #[arg(long, hide = true)]
    tied: bool,
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
    #[cfg(feature = "cluster")]
    if let Some(agents) = args.fleet.agents {
        return lead_agents(args, agents.into());
    }
    let mut loaded = args.input.load()?;
    let run = match args.share.asked() {
        None => run_loaded(&args.whole(), &mut loaded, None),
        Some(asked) => run_part(args, &loaded, &asked),
    };
    run.map_err(|error| error.masked(&loaded.scenario.secrets))
}

/// What a run of the whole plan in this process takes of the command line.
pub(super) struct Whole<'a> {
    pub(super) messages: Option<&'a Path>,
    pub(super) log: Option<&'a Path>,
    pub(super) seed: u64,
    pub(super) workers: Option<u16>,
    pub(super) repeat: u16,
    pub(super) closing: &'a ClosingArgs,
    pub(super) against: &'a Against,
    pub(super) reporting: &'a Reporting,
    pub(super) outputs: &'a OutputArgs,
    pub(super) tied: bool,
}

impl Args {
    fn whole(&self) -> Whole<'_> {
        Whole {
            messages: self.messages.as_deref(),
            log: self.log.as_deref(),
            seed: self.seed,
            workers: self.workers,
            repeat: self.repeat,
            closing: &self.closing,
            against: &self.against,
            reporting: &self.reporting,
            outputs: &self.outputs,
            tied: self.tied,
        }
    }
}

/// Plays one part of the plan, and writes what it saw instead of judging it.
fn run_part(args: &Args, loaded: &Loaded, asked: &Asked<'_>) -> Result<Exit, CliError> {
    loaded.has_an_end("play in parts")?;
    let workers = engine::workers(args.workers.map(usize::from), cores())?;
    let _log = log(&args.whole(), loaded, None)?;
    let part = Part {
        loaded,
        asked,
        scenario: args.input.scenario(),
        seed: args.seed,
        workers,
        quiet: args.reporting.quiet,
    };
    part.play()
}

/// Lets agents play the plan. Variables of the environment that are not set here may be set there.
#[cfg(feature = "cluster")]
fn lead_agents(args: &Args, agents: usize) -> Result<Exit, CliError> {
    let mut loaded = args.input.load_with_env(&or_its_name)?;
    loaded.has_an_end("play by agents")?;
    let _log = log(&args.whole(), &loaded, None)?;
    let secrets = loaded.scenario.secrets.clone();
    let lead = Lead {
        scenario: args.input.scenario(),
        loaded: &mut loaded,
        seed: args.seed,
        agents,
        args: &args.fleet,
        against: &args.against,
        reporting: &args.reporting,
        outputs: &args.outputs,
    };
    lead.run().map_err(|error| error.masked(&secrets))
}

/// Runs a whole plan. `watched`: what is shown where single clients are watched.
pub(super) fn run_loaded(
    args: &Whole<'_>,
    loaded: &mut Loaded,
    watched: Option<Watched>,
) -> Result<Exit, CliError> {
    let labels = args.reporting.labels(loaded)?;
    let closes = closes(args, loaded)?;
    let started_at = SystemTime::now();
    let workers = engine::workers(args.workers.map(usize::from), cores())?;
    let past = Past::open(args.against, loaded, &Generator::here(workers))?;
    let plan = attempt::plan(loaded, args.seed, started_at);
    start::get_rights(&plan, Share::whole(workers))?;
    let (signals, _) = Signals::listen_tied(args.tied)?;
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
            out: args.reporting.out.as_deref(),
            quiet: args.reporting.quiet,
            json: args.reporting.json,
            formats: args.reporting.formats.open(&loaded.files, None)?,
        };
        return repeat.run(started_at);
    }
    let base = match closes {
        true => Some(repeat::folder(
            args.reporting.out.as_deref(),
            &loaded.scenario.name,
            started_at,
        )?),
        false => None,
    };
    let output = match &base {
        Some(base) => OutputSet::create(&closing::folder(base, 1), &loaded.scenario)?,
        None => (args.reporting).open_output(&loaded.scenario, started_at)?,
    };
    let messages = messages_file(args, loaded, &output)?;
    let _log = log(args, loaded, Some(&output))?;
    let formats = args.reporting.formats.open(&loaded.files, None)?;
    let outputs = args.outputs.open(Opening {
        loaded,
        labels: &labels,
        seed: args.seed,
        workers,
        started_at,
        needed: &needed(args, loaded),
        report: &output,
        stopper: signals.stopper(),
    })?;
    info!(version = env!("CARGO_PKG_VERSION"), scenario = loaded.scenario.name, report = ?output.folder(), "started");
    let (output, closing) = match base {
        Some(base) => {
            let args = args.closing;
            let first = output;
            (None, Some(closing::Plan { args, base, first }))
        }
        None => (Some(output), None),
    };
    let attempt = Attempt {
        loaded,
        labels,
        seed: args.seed,
        workers,
        signals: &signals,
        messages,
        outputs,
        quiet: args.reporting.quiet,
        started_at,
        closing,
        watched,
    };
    let Played {
        mut run,
        failure,
        messages,
        still,
        heard,
        closed,
        whole,
    } = attempt.play()?;
    if let Some(past) = &past {
        past.settle(&mut run);
    }
    let showing = still.show(&run);
    let failures = [failure, messages.err()];
    let Some(closing::Ended { all, output }) = closed else {
        let output = output.unwrap_or_else(|| unreachable!("no report was closed into it"));
        let concluded = (args.reporting).conclude(&run, output, formats, &signals, heard, failures);
        showing.finish();
        return Ok(concluded);
    };
    let concluded = (args.reporting).conclude(&run, output?, formats, &signals, heard, failures);
    showing.finish();
    let last = all.last(&run, &loaded.scenario, concluded);
    if !args.reporting.quiet {
        let reports = all.sentence(last);
        let whole = whole.as_ref().map(report::in_all);
        reports.into_iter().chain(whole).for_each(term::note);
    }
    Ok(last.max(all.exit))
}

/// Whether reports are closed while it runs.
fn closes(args: &Whole<'_>, loaded: &Loaded) -> Result<bool, CliError> {
    let closes = args.closing.applies_to(&loaded.scenario)?;
    let refused = |what, hint| Err(CliError::Closing { what, hint });
    if closes && args.repeat > 1 {
        return refused("of a run that is repeated", "`--repeat`");
    }
    if closes && args.against.baseline.is_some() {
        return refused("that are held against a baseline", "`--baseline`");
    }
    Ok(closes)
}

/// Opens the file of `--messages`.
fn messages_file(
    args: &Whole<'_>,
    loaded: &Loaded,
    output: &OutputSet,
) -> Result<Option<Messages>, CliError> {
    let path = match args.messages {
        None => return Ok(None),
        Some(path) if path == Path::new("-") => Path::new("/dev/stdout"),
        Some(path) => path,
    };
    not_of_report(path, output)?;
    Messages::create(path, &loaded.files, &loaded.scenario).map(Some)
}

/// Opens the file of `--log`.
fn log(
    args: &Whole<'_>,
    loaded: &Loaded,
    output: Option<&OutputSet>,
) -> Result<Option<Log>, CliError> {
    let Some(path) = args.log else {
        return Ok(None);
    };
    output.map_or(Ok(()), |output| not_of_report(path, output))?;
    let mut needed = loaded.files.clone();
    needed.extend((args.messages).map(|file| (file.to_owned(), "the file of `--messages`")));
    Log::start(path, &needed, &loaded.scenario.secrets).map(Some)
}

/// What outputs must not be written over.
fn needed(args: &Whole<'_>, loaded: &Loaded) -> Vec<Needed> {
    let others = [
        (args.messages, "the file of `--messages`"),
        (args.log, "the file of `--log`"),
    ];
    let others = others
        .into_iter()
        .filter_map(|(file, what)| Some((file?.to_owned(), what)));
    loaded.files.iter().cloned().chain(others).collect()
}

/// Refuses a path that the report uses for one of its own files, which do not exist yet.
pub(super) fn not_of_report(path: &Path, output: &OutputSet) -> Result<(), CliError> {
    if !output.has(path) {
        return Ok(());
    }
    let (path, what) = (path.to_owned(), "a part of the report");
    Err(CliError::WriteOver { path, what })
}

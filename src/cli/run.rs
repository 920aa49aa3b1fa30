//! `wsbench run`: load, plan, open outputs, run, judge, report.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Instant, SystemTime};

use super::around::Around;
use super::error::CliError;
use super::input::{Input, Loaded};
use super::messages::Log;
use super::target::RunningTarget;
use super::{signals, term};
use crate::engine::{self, Finished, Limits, Prepared};
use crate::host;
use crate::measure::{Echoes, Surroundings};
use crate::net;
use crate::plan::Plan;

use crate::report::{self, Host, Live, Options, OutputSet, RunReport};
use crate::scenario::{Fault, FaultKind, Process, Scenario, TargetUrl};
use crate::time;
use crate::verdict::{Exit, Facts, Outcome, first_holding, judge};

/// Where reports go without `--out`.
const REPORTS: &str = "reports";

/// Run a scenario, and judge it by its gates.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,
    /// Write the report here [default: reports/SCENARIO/TIME]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Write each answered message on a row of its own into this file, as CSV
    #[arg(long, value_name = "FILE")]
    messages: Option<PathBuf>,
    /// Where all chance comes from: the same seed gives the same schedule
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 1,
        allow_negative_numbers = true
    )]
    seed: u64,
    /// Threads that send and receive [default: one for each core]
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    /// Show no progress and no summary, only what went wrong
    #[arg(long, short)]
    quiet: bool,
    /// Print run.json instead of the summary
    #[arg(long)]
    json: bool,
}

/// Runs the whole program.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let loaded = args.input.load()?;
    let started_at = SystemTime::now();
    // Before anything is started: a network can only be left while there is one thread.
    own_network(&loaded.scenario)?;
    let output = open_output(args, &loaded.scenario, started_at)?;
    let messages = messages_log(args, &loaded, &output)?;
    let interrupt = signals::listen()?;
    // A target that is started here has as many connections, and inherits the limit of descriptors.
    Limits::of_this_machine();
    let target = RunningTarget::start(&loaded.scenario)?;
    let around = Around::start(&loaded.scenario, &target, args.seed)?;
    let mut plan = Plan::new(loaded.scenario.clone(), args.seed, nonce(started_at));
    plan.keeps_echoes = messages.is_some();
    let workers = args.workers.map(usize::from);
    let prepared = Prepared::new(plan, &target.url, around.routes(), workers);
    let prepared = prepared.map_err(CliError::Prepare)?;

    let mut watch = Watch::new(&loaded.scenario, &around, messages, args.quiet);
    let finished = prepared
        .run(interrupt, &mut watch)
        .map_err(CliError::Engine)?;
    let left_out = watch.end_messages();
    let outcome = watch.outcome(&finished);
    let facts = facts(outcome, &finished, around.end(finished.origin)?);
    drop(target);

    let verdict = judge(&loaded.scenario, &finished.summary, &facts);
    let report = RunReport {
        scenario: &loaded.scenario,
        scenario_text: &loaded.text,
        options: &options(args, &loaded),
        host: &Host::detect(),
        started_at,
        facts: &facts,
        summary: &finished.summary,
        verdict: &verdict,
    };
    let folder = output.commit(&report).map_err(CliError::LateOutput)?;
    match left_out? {
        0 => {}
        more => term::note(format!("{more} messages had no room among `--messages`")),
    }
    if args.json {
        print(|out| report::run_json(&report, out).map_err(Into::into))?;
    } else if args.quiet {
        print(|out| report::failures(&report, term::style(), Some(&folder), out))?;
    } else {
        print(|out| report::text(&report, term::style(), Some(&folder), out))?;
    }
    Ok(verdict.exit)
}

/// A client that vanishes needs a right that an own network gives, where wsbench starts the target in it too.
fn own_network(scenario: &Scenario) -> Result<(), CliError> {
    let vanishes = |fault: &Fault| matches!(fault.kind, FaultKind::Vanish { .. });
    let any = (scenario.cohorts.iter()).any(|cohort| cohort.faults.iter().any(vanishes));
    let starts_target = matches!(scenario.target.process, Process::Command(_))
        || scenario.target.url == TargetUrl::Embedded;
    if any && starts_target && !engine::can_vanish() {
        host::enter()?;
    }
    Ok(())
}

fn open_output(
    args: &Args,
    scenario: &Scenario,
    started_at: SystemTime,
) -> Result<OutputSet, CliError> {
    Ok(match &args.out {
        Some(folder) => OutputSet::create(folder, scenario)?,
        None => OutputSet::create_dated(REPORTS.as_ref(), scenario, started_at)?,
    })
}

/// The file of `--messages`, which may be written over if it is not the scenario or a part of the report.
fn messages_log(args: &Args, loaded: &Loaded, output: &OutputSet) -> Result<Option<Log>, CliError> {
    let Some(path) = args.messages.as_deref() else {
        return Ok(None);
    };
    let what = if args.input.is_of(path) {
        Some("the scenario")
    } else if output.has(path) {
        Some("a part of the report")
    } else {
        None
    };
    if let Some(what) = what {
        let path = path.to_owned();
        return Err(CliError::MessagesOver { path, what });
    }
    Log::create(path, &loaded.scenario).map(Some)
}

fn options(args: &Args, loaded: &Loaded) -> Options {
    Options {
        seed: args.seed,
        overrides: loaded.overrides.clone(),
    }
}

/// Tells this run's messages from those of another that reach the same server.
fn nonce(started_at: SystemTime) -> u32 {
    let since = started_at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    since.subsec_nanos() ^ (since.as_secs() as u32).rotate_left(16) ^ std::process::id()
}

fn print(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> Result<(), CliError> {
    let mut bytes = Vec::new();
    write(&mut bytes).map_err(|source| CliError::System {
        doing: "write the summary",
        source,
    })?;
    term::print(&bytes)
}

fn facts(outcome: Outcome, finished: &Finished, surroundings: Surroundings) -> Facts {
    Facts {
        outcome,
        workers: finished.workers,
        precise_timer: time::PRECISE,
        kernel_view: net::TCP_VIEW,
        surroundings,
    }
}

/// Looks at the run second by second: shows progress, and ends it when an abort gate holds.
struct Watch<'a> {
    live: Live,
    scenario: &'a Scenario,
    around: &'a Around,
    messages: Option<Log>,
    held: Option<String>,
}

impl<'a> Watch<'a> {
    fn new(scenario: &'a Scenario, around: &'a Around, messages: Option<Log>, quiet: bool) -> Self {
        Self {
            live: term::progress(quiet),
            scenario,
            around,
            messages,
            held: None,
        }
    }

    /// Ends the file of single messages, and says how many had no room in it.
    fn end_messages(&mut self) -> Result<u64, CliError> {
        self.messages.take().map_or(Ok(0), Log::finish)
    }

    fn outcome(self, finished: &Finished) -> Outcome {
        self.live.finish();
        match (finished.interrupted, self.held) {
            (true, _) => Outcome::Interrupted,
            (false, Some(gate)) => Outcome::Aborted { gate },
            (false, None) => Outcome::Completed,
        }
    }
}

impl engine::Observer for Watch<'_> {
    fn measuring(&mut self, from: Instant) {
        self.around.measuring(from);
    }

    fn echoes(&mut self, echoes: &Echoes) {
        if let Some(messages) = &mut self.messages {
            messages.write(echoes);
        }
    }

    fn second(&mut self, second: &engine::Second<'_>) -> ControlFlow<()> {
        self.live.update(&second.progress);
        let abort = &self.scenario.gates.abort;
        // The load has ended by itself: there is nothing to abort.
        if abort.is_empty() || second.is_over || self.held.is_some() {
            return ControlFlow::Continue(());
        }
        let summary = second.glimpse(&|metric| abort.iter().any(|gate| gate.subject.is_of(metric)));
        self.held = first_holding(self.scenario, &summary).map(|gate| gate.text.clone());
        match self.held {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }
}

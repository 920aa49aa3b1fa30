//! The command line, which combines the other layers. The only layer that prints, reads the environment, and
//! chooses an exit code.

mod ab;
mod access;
mod address;
mod around;
mod attempt;
mod baseline;
mod check;
mod closing;
#[cfg(feature = "cluster")]
mod cluster;
mod compare;
mod comparison;
mod completions;
mod conclude;
mod dashboard;
mod error;
mod exporter;
mod files;
#[cfg(feature = "cluster")]
mod fleet;
mod formats;
mod init;
mod input;
mod log;
mod man;
mod merge;
mod messages;
mod observer;
mod outputs;
mod part;
mod past;
mod presets;
mod probe;
mod progress;
mod repeat;
mod report;
mod run;
mod schema;
mod search;
pub mod serve;
mod sessions;
mod signals;
mod start;
mod target;
mod term;
mod tie;
mod trial;
mod watch;

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory as _, Parser, Subcommand};

use crate::scenario::nearest;
pub use crate::sys::keep_inherited_descriptors;
use crate::verdict::Exit;

const EXIT_CODES: &str = "Exit codes:
    0  every gate and contract held
    1  an unexpected error after the start; of `try`, a step or an answer that is not right
    2  refused before the first connection: usage, scenario, limits
    3  a gate or a contract failed
    4  no verdict: the run cannot be trusted
  130  interrupted; the reports are written";

/// Load testing and heartbeat monitoring for WebSocket services.
#[derive(Debug, Parser)]
#[command(name = "wsbench", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a scenario, and judge it by its gates
    Run(Box<run::Args>),
    /// Explain what a scenario will do and what it needs, without opening a connection
    Check(check::Args),
    /// Play a scenario once with one client of each cohort, and print each frame
    Try(trial::Args),
    /// Find the most with which a scenario still holds its gates
    Search(search::Args),
    /// Show a stored run again, or write it in another format
    Report(report::Args),
    /// Put the recorded parts of a run together, and judge them by its gates
    Merge(merge::Args),
    /// Wait for runs of `run --agents`, and play a share of each
    #[cfg(feature = "cluster")]
    Agent(Box<fleet::agent::Args>),
    /// Take over a run of agents whose coordinator has died, or make its report
    #[cfg(feature = "cluster")]
    Attach(Box<fleet::attach::Args>),
    /// End a run of agents everywhere, as Ctrl-C at its coordinator would
    #[cfg(feature = "cluster")]
    Stop(fleet::stop::Args),
    /// Prepare, examine and tidy up the NATS server of runs on many machines
    #[cfg(feature = "cluster")]
    Cluster(cluster::Args),
    /// Compare runs with runs, or with a baseline
    Compare(compare::Args),
    /// Keep what a server did, to compare later versions with
    Baseline(baseline::Args),
    /// Run against two servers in turn, and judge the one by the other
    Ab(ab::Args),
    /// Write a scenario to start from
    Init(init::Args),
    /// Watch a service: a few connections with pings, and a line when something happens
    Watch(Box<watch::Args>),
    /// Probe servers when Prometheus asks for it
    Exporter(exporter::Args),
    /// Examine how a server treats a client, and write a scenario for it
    Probe(probe::Args),
    /// Run an echo server until Ctrl-C
    Serve(serve::Args),
    /// List the servers for which contracts are computed from settings
    Presets,
    /// Print the JSON Schema of scenario files
    Schema,
    /// Print what a shell needs to complete the command line
    Completions(completions::Args),
    /// Write the man pages, one for each command
    Man(man::Args),
}

/// Parses the command line, executes the command, and returns its exit code.
pub fn main() -> ExitCode {
    keep_inherited_descriptors();
    let arguments = Arguments::try_parse().unwrap_or_else(|error| suggest(error).exit());
    let result = match arguments.command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Try(args) => trial::run(&args),
        Command::Search(args) => search::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Merge(args) => merge::run(&args),
        #[cfg(feature = "cluster")]
        Command::Agent(args) => fleet::agent::run(&args),
        #[cfg(feature = "cluster")]
        Command::Attach(args) => fleet::attach::run(&args),
        #[cfg(feature = "cluster")]
        Command::Stop(args) => fleet::stop::run(&args),
        #[cfg(feature = "cluster")]
        Command::Cluster(args) => cluster::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Baseline(args) => baseline::run(&args),
        Command::Ab(args) => ab::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Watch(args) => watch::run(&args),
        Command::Exporter(args) => exporter::run(&args),
        Command::Probe(args) => probe::run(&args),
        Command::Serve(args) => serve::run(&args).map(|()| Exit::Passed).map_err(Into::into),
        Command::Presets => presets::run(),
        Command::Schema => schema::run(),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    };
    let exit = result.unwrap_or_else(|error| {
        term::error(&error);
        error.exit()
    });
    exit.into()
}

/// Suggests the intended command if clap finds none: clap rates two swapped letters as too different.
fn suggest(mut error: clap::Error) -> clap::Error {
    let wrong = error.get(ContextKind::InvalidSubcommand);
    if let Some(ContextValue::String(word)) = wrong
        && error.get(ContextKind::SuggestedSubcommand).is_none()
        && let Some(meant) = nearest(
            word,
            Arguments::command().get_subcommands().map(|c| c.get_name()),
        )
    {
        let meant = ContextValue::Strings(vec![meant.to_owned()]);
        error.insert(ContextKind::SuggestedSubcommand, meant);
    }
    error
}

//! `wsbench baseline`: keeps the sessions of the past in a file, and shows them.

use std::path::PathBuf;

use clap::Subcommand;

use super::error::CliError;
use super::past::IfMissing;
use super::{files, past, sessions, term};
use crate::compare::{Baseline, FEWEST_SESSIONS, Session, spread};
use crate::units::{are, counted, visible};
use crate::verdict::Exit;

/// Keep what a server did, to compare later versions with.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a session to a baseline: runs on one machine, within an hour
    Add(Add),
    /// Show the sessions of a baseline, and how far they differ
    Show(Show),
}

#[derive(Debug, clap::Args)]
struct Add {
    /// The file of the baseline, which is made if there is none
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Runs: the folder of `run --repeat`, or folders of single runs. Without any, an empty baseline is made
    #[arg(value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// The newest sessions of a machine that are kept
    #[arg(long, value_name = "NUMBER", default_value_t = Baseline::KEPT, value_parser = parse_keep)]
    keep: usize,
}

#[derive(Debug, clap::Args)]
struct Show {
    /// The file of the baseline
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

fn parse_keep(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(keep @ FEWEST_SESSIONS..=500) => Ok(keep),
        _ => Err(format!(
            "write a whole number from {FEWEST_SESSIONS} to 500"
        )),
    }
}

/// Executes the whole command.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    match &args.command {
        Command::Add(args) => add(args),
        Command::Show(args) => show(args),
    }
}

fn add(args: &Add) -> Result<Exit, CliError> {
    let mut baseline = match args.file.exists() {
        true => past::read(&args.file, IfMissing::AddRuns)?,
        false => Baseline::default(),
    };
    let failed = |what: String| CliError::Baseline {
        path: args.file.clone(),
        what,
    };
    let new = sessions::read(&args.runs, &[])?.sessions;
    let added = new.len() as u64;
    let mut gone = 0;
    let machine = new.first().map(|session| session.machine.clone());
    for session in new {
        gone += baseline
            .add(session, args.keep)
            .map_err(|error| failed(error.to_string()))?;
    }
    let text = baseline.text().map_err(|error| failed(error.to_string()))?;
    files::replace(&args.file, text.as_bytes())
        .map_err(|source| CliError::write(&args.file, source))?;
    let there = machine
        .as_ref()
        .map_or(0, |machine| baseline.of(machine).count());
    let more = match FEWEST_SESSIONS.saturating_sub(there) {
        0 => String::new(),
        missing => format!("; it decides with {missing} more"),
    };
    let gone = match gone {
        0 => String::new(),
        gone => format!(", {} went", counted(gone as u64, "old one")),
    };
    let text = format!(
        "{}: {} added{gone}, {} of this machine{more}\n",
        args.file.display(),
        counted(added, "session"),
        counted(there as u64, "session"),
    );
    term::print(text.as_bytes())?;
    Ok(Exit::Passed)
}

fn show(args: &Show) -> Result<Exit, CliError> {
    let baseline = past::read(&args.file, IfMissing::AddRuns)?;
    let mut text = String::new();
    let mut machines: Vec<&Session> = Vec::new();
    for session in &baseline.sessions {
        if machines.iter().all(|one| one.machine != session.machine) {
            machines.push(session);
        }
    }
    if let Some(newest) = baseline.sessions.last() {
        let setting = &newest.setting;
        let overrides: String = setting
            .overrides
            .iter()
            .map(|one| format!(" {one}"))
            .collect();
        let processes = match setting.processes {
            1 => String::new(),
            many => format!(" in {many} processes"),
        };
        text += &format!(
            "{}{} against {}, {}{processes}\n",
            visible(&setting.scenario),
            visible(&overrides),
            visible(&setting.target),
            counted(setting.workers as u64, "worker")
        );
    }
    for first in machines {
        let sessions: Vec<Session> = baseline.of(&first.machine).cloned().collect();
        text += &format!("\n{}\n", first.machine);
        for session in &sessions {
            let labels = match session.labels.is_empty() {
                true => String::new(),
                false => format!(", {}", session.labels.shown()),
            };
            text += &format!(
                "  {}  {}, wsbench {}{labels}\n",
                visible(&session.started_at),
                counted(session.runs as u64, "run"),
                visible(&session.wsbench)
            );
        }
        if let Some(missing) = FEWEST_SESSIONS
            .checked_sub(sessions.len())
            .filter(|n| *n > 0)
        {
            let are = are(missing as u64);
            text += &format!(
                "  decides nothing: {missing} of {FEWEST_SESSIONS} sessions {are} missing\n"
            );
        }
        for line in spread(&sessions) {
            text += &format!("  {line}\n");
        }
    }
    if baseline.sessions.is_empty() {
        text += "no session yet\n";
    }
    term::print(text.as_bytes())?;
    Ok(Exit::Passed)
}

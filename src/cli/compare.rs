//! `wsbench compare`: holds runs against runs, or against a baseline.

use std::path::PathBuf;

use super::error::CliError;
use super::past::IfMissing;
use super::{files, past, sessions, term};
use crate::compare::{Baseline, Evidence, Session, Table, judge};
use crate::scenario::{BaselineGate, Subject};
use crate::verdict::{Exit, GateResult};

/// Compare runs with runs, or with a baseline.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Runs of the past, or with `--baseline` the new ones: folders of runs or of `run --repeat`
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// The new runs, behind `--`
    #[arg(value_name = "NEW", last = true)]
    new: Vec<PathBuf>,
    /// Compare with this baseline
    #[arg(long, value_name = "FILE", conflicts_with = "new")]
    baseline: Option<PathBuf>,
    /// Judge by this gate too, like "p50(latency.echo) < 110% of baseline"
    #[arg(long, value_name = "GATE")]
    gate: Vec<String>,
    /// Compare what was asked different things
    #[arg(long)]
    force: bool,
    /// Give no verdict (exit code 4) where a gate on the baseline is not decided
    #[arg(long)]
    strict: bool,
    /// Write the comparison as Markdown to this file; - is standard output
    #[arg(long, value_name = "FILE")]
    md: Option<PathBuf>,
}

/// Executes the whole command. Exits as the new runs did, or worse.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let given = gates(&args.gate)?;
    let asked: Vec<Subject> = given.iter().map(|gate| gate.subject.clone()).collect();
    let (base, new) = match &args.baseline {
        Some(file) => {
            let new = sessions::read(&args.runs, &asked)?;
            (past::read(file, IfMissing::AddRuns)?, new)
        }
        None if args.new.is_empty() => return Err(CliError::NothingNew),
        None => {
            let sessions = sessions::read(&args.runs, &asked)?.sessions;
            (Baseline { sessions }, sessions::read(&args.new, &asked)?)
        }
    };
    let mut gates = new.gates.clone();
    gates.retain(|gate| given.iter().all(|one| one.subject != gate.subject));
    gates.extend(given);
    let evidence = evidence(args, &base, &new.sessions)?;
    let judged: Vec<GateResult> = gates.iter().map(|gate| judge(gate, &evidence)).collect();
    let exit = exit(&judged, args.strict).max(new.exit);
    let table = Table::new(&evidence, &gates, judged);
    show(
        &table,
        args.md.as_deref(),
        "wsbench: comparison with the baseline",
    )?;
    Ok(exit)
}

/// Reads the gates of the command line.
pub(super) fn gates(texts: &[String]) -> Result<Vec<BaselineGate>, CliError> {
    let gates = texts.iter().map(|text| {
        let wrong = |what: String| CliError::Gate {
            gate: text.clone(),
            what,
        };
        let none = "it is not about a baseline\nhint: write a limit such as `110% of baseline`";
        let gate = BaselineGate::stored(text).map_err(wrong)?;
        gate.ok_or_else(|| wrong(none.to_owned()))
    });
    gates.collect()
}

/// What a comparison exits with, of what it decided.
pub(super) fn exit(judged: &[GateResult], strict: bool) -> Exit {
    let is_open = judged.is_empty() || judged.iter().any(GateResult::is_open);
    match judged.iter().any(|gate| !gate.passed) {
        true => Exit::Failed,
        false if strict && is_open => Exit::Untrusted,
        false => Exit::Passed,
    }
}

/// Prints a comparison, and writes it as Markdown where that is asked for.
pub(super) fn show(
    table: &Table,
    md: Option<&std::path::Path>,
    title: &str,
) -> Result<(), CliError> {
    let failed = |source| CliError::System {
        doing: "write the comparison",
        source,
    };
    let mut text = Vec::new();
    match md {
        Some(path) if path == std::path::Path::new("-") => {
            table.markdown(title, &mut text).map_err(failed)?;
            return term::print(&text);
        }
        Some(path) => {
            table.markdown(title, &mut text).map_err(failed)?;
            files::replace(path, &text).map_err(|source| CliError::write(path, source))?;
            text.clear();
        }
        None => {}
    }
    table.text(&mut text).map_err(failed)?;
    term::print(&text)
}

/// The sessions that can be compared.
///
/// # Errors
/// When they were asked different things, or the new ones are of two machines.
fn evidence(args: &Args, base: &Baseline, new: &[Session]) -> Result<Evidence, CliError> {
    let Some(first) = new.first() else {
        return Err(CliError::NothingNew);
    };
    let all = base.sessions.iter().chain(new);
    let mut differences = all.filter_map(|session| session.setting.differs(&first.setting));
    match differences.next() {
        Some(mismatch) if !args.force => {
            return Err(CliError::NotComparable(mismatch.to_string()));
        }
        Some(mismatch) => term::note(format!(
            "warning: not comparable, and compared by force: {mismatch}"
        )),
        None => {}
    }
    if let Some(other) = new.iter().find(|one| one.machine != first.machine) {
        let what = format!(
            "the new runs are of two machines: {}; and {}",
            first.machine, other.machine
        );
        return Err(CliError::NotComparable(what));
    }
    let here: Vec<Session> = base.of(&first.machine).cloned().collect();
    Ok(Evidence::History {
        elsewhere: base.sessions.len() - here.len(),
        base: here,
        new: new.to_vec(),
    })
}

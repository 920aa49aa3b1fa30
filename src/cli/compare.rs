//! `wsbench compare`: holds runs against runs, or against a baseline.

use std::path::{Path, PathBuf};

use super::comparison::{self, Formats};
use super::error::CliError;
use super::files::Needed;
use super::past::IfMissing;
use super::{past, sessions, term};
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
    #[command(flatten)]
    formats: Formats,
}

/// Executes the whole command. Exits as the new runs did, or worse.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    if let Some(option) = args.new.iter().find(|path| is_option(path)) {
        return Err(CliError::BehindDashes(option.display().to_string()));
    }
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
    let (evidence, forced) = evidence(args, &base, &new.sessions)?;
    let opened = args.formats.open(&needed(args))?;
    let judged: Vec<GateResult> = gates.iter().map(|gate| judge(gate, &evidence)).collect();
    let exit = comparison::exit(&judged, args.strict).max(new.exit);
    let mut table = Table::new(evidence, &gates, judged);
    if let Some(forced) = forced {
        term::note(format!("warning: {forced}"));
        table.remark(forced);
    }
    opened.show(&table, "wsbench: comparison with the baseline", exit)?;
    Ok(exit)
}

/// Whether this is meant as an option, and not as the folder of a run.
fn is_option(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().starts_with(b"-") && !path.exists()
}

/// The files that must not be overwritten.
fn needed(args: &Args) -> Vec<Needed> {
    let runs = args.runs.iter().chain(&args.new);
    let baseline = args.baseline.iter();
    (runs.map(|path| (path.clone(), "a run that is compared")))
        .chain(baseline.map(|path| (path.clone(), "the baseline")))
        .collect()
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

/// The sessions that can be compared; and what differs, where they are compared by force.
///
/// # Errors
/// When they were asked different things, or the new ones are of two machines.
fn evidence(
    args: &Args,
    base: &Baseline,
    new: &[Session],
) -> Result<(Evidence, Option<String>), CliError> {
    let Some(first) = new.first() else {
        return Err(CliError::NothingNew);
    };
    let all = base.sessions.iter().chain(new);
    let mut differences = all.filter_map(|session| session.setting.differs(&first.setting));
    let forced = match differences.next() {
        Some(mismatch) if !args.force => {
            return Err(CliError::NotComparable(mismatch.to_string()));
        }
        mismatch => {
            mismatch.map(|mismatch| format!("not comparable, and compared by force: {mismatch}"))
        }
    };
    if let Some(other) = new.iter().find(|one| one.machine != first.machine) {
        let what = format!(
            "the new runs are of two machines: {}; and {}",
            first.machine, other.machine
        );
        return Err(CliError::NotComparable(what));
    }
    let here: Vec<Session> = base.of(&first.machine).cloned().collect();
    let evidence = Evidence::History {
        elsewhere: base.sessions.len() - here.len(),
        base: here,
        new: new.to_vec(),
    };
    Ok((evidence, forced))
}

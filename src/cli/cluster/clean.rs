//! `wsbench cluster clean`: removes what the server keeps of runs.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use super::{NatsArgs, PATIENCE, ls};
use crate::cli::error::CliError;
use crate::cli::term;
use crate::cluster::{Known, Role, RunId, Seen};
use crate::units::{counted, parse_duration};
use crate::verdict::Exit;

/// Remove what the server keeps of old runs. Runs that an agent plays at the moment stay.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Remove these runs, however old they are
    #[arg(value_name = "RUN")]
    runs: Vec<RunId>,
    /// Otherwise, remove all runs that began so long ago
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = parse_duration, conflicts_with = "runs")]
    older_than: Duration,
    #[command(flatten)]
    nats: NatsArgs,
}

/// Executes the whole command.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let link = args.nats.connect(Role::Coordinator, PATIENCE)?;
    // Asks the agents first: a run that ends meanwhile is spared once more than it has to be.
    let agents = link.call(|broker| async move { broker.agents(ls::ANSWERS, ls::MOST).await })?;
    let played = played(&agents);
    let known = link.call(|broker| async move { broker.runs(PATIENCE).await })?;
    let runs = match args.runs.is_empty() {
        true => {
            let mut old = old(&known, args.older_than);
            old.retain(|run| !played.contains(run));
            old
        }
        false => args.runs.clone(),
    };
    if let Some(run) = runs.iter().find(|run| played.contains(run)) {
        return Err(CliError::RunGoesOn(run.clone()));
    }
    let is_known = |run: &RunId| known.iter().any(|known| known.run == *run);
    let unknown: Vec<String> = runs
        .iter()
        .filter(|run| !is_known(run))
        .map(RunId::to_string)
        .collect();
    if !unknown.is_empty() {
        return Err(CliError::NoSuchRuns(unknown.join(", ")));
    }
    let runs: BTreeSet<RunId> = runs.into_iter().collect();
    let mut messages = 0;
    let count = runs.len();
    for run in runs {
        messages += link.call(move |broker| async move { broker.purge(&run, PATIENCE).await })?;
    }
    let text = format!(
        "{} removed, with {}; {} left\n",
        counted(count as u64, "run"),
        counted(messages, "message"),
        known.len().saturating_sub(count)
    );
    term::print(text.as_bytes())?;
    Ok(Exit::Passed)
}

/// The runs that agents play at the moment.
fn played(agents: &[Seen]) -> BTreeSet<RunId> {
    let runs = agents.iter().filter_map(|seen| seen.card.run.as_deref());
    runs.filter_map(|run| run.parse().ok()).collect()
}

fn old(known: &[Known], older_than: Duration) -> Vec<RunId> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let latest = now
        .unwrap_or_default()
        .saturating_sub(older_than)
        .as_nanos() as i128;
    let old = known.iter().filter(|known| known.begun_ns < latest);
    old.map(|known| known.run.clone()).collect()
}

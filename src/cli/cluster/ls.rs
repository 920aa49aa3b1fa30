//! `wsbench cluster ls`: lists the agents that are there, and the runs that the server still knows.

use std::time::{Duration, SystemTime};

use super::{NatsArgs, PATIENCE};
use crate::cli::error::CliError;
use crate::cli::term;
use crate::cluster::{Error, Known, Role, Seen};
use crate::report::utc;
use crate::units::{counted, visible};
use crate::verdict::Exit;

/// How long agents may take to answer.
pub(super) const ANSWERS: Duration = Duration::from_millis(500);
/// The most agents that are listed.
pub(super) const MOST: usize = 10_000;

/// List the agents that are there, and the runs that the server still knows.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    nats: NatsArgs,
}

/// Executes the whole command.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let link = args.nats.connect(Role::Coordinator, PATIENCE)?;
    let agents = link.call(|broker| async move { broker.agents(ANSWERS, MOST).await })?;
    let runs = match link.call(|broker| async move { broker.runs(PATIENCE).await }) {
        // Without a stream there was no run.
        Err(Error::Missing(_)) => Vec::new(),
        other => other?,
    };
    let mut lines = vec![match agents.len() {
        0 => "no agent answers".to_owned(),
        some => counted(some as u64, "agent"),
    }];
    lines.extend(table(agents.iter().map(agent)));
    lines.push(match runs.len() {
        0 => "no run is known".to_owned(),
        some => counted(some as u64, "run"),
    });
    lines.extend(table(runs.iter().map(known)));
    lines.push(String::new());
    term::print(lines.join("\n").as_bytes())?;
    Ok(Exit::Passed)
}

fn agent(seen: &Seen) -> Vec<String> {
    let card = &seen.card;
    let does = match &card.run {
        Some(run) => format!("plays {}", visible(run)),
        None => "waits".to_owned(),
    };
    vec![
        visible(&card.name),
        visible(&card.host),
        counted(card.workers.into(), "worker"),
        counted(card.descriptors, "descriptor"),
        format!("wsbench {}", visible(&card.wsbench)),
        does,
    ]
}

fn known(known: &Known) -> Vec<String> {
    let begun = Duration::from_nanos(known.begun_ns.try_into().unwrap_or_default());
    let (name, begun) = (known.run.to_string(), utc(SystemTime::UNIX_EPOCH + begun));
    if known.is_given_up {
        return vec![name, begun, "given up before its start".to_owned()];
    }
    let ready = counted(known.ready as u64, "agent");
    let done = known.done;
    vec![name, begun, format!("{ready} ready, {done} ended")]
}

/// Rows with their columns below each other.
pub(super) fn table(rows: impl Iterator<Item = Vec<String>>) -> Vec<String> {
    let rows: Vec<Vec<String>> = rows.collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let cells = cells.map(|(cell, width)| format!("{cell:<width$}"));
        format!("  {}", cells.collect::<Vec<_>>().join("  "))
            .trim_end()
            .to_owned()
    };
    rows.iter().map(line).collect()
}

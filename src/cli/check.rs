//! `wsbench check`: explains what a scenario will do and what it needs, before anything is opened.

mod compression;
mod explanation;
mod groups;
mod rows;
mod ways;

use self::explanation::Explanation;
use super::error::CliError;
use super::input::Input;
use super::{past, term};
use crate::engine::{Limits, check_devices, check_sources, cores};
use crate::net::check_tls;
use crate::plan::Budget;
use crate::verdict::Exit;

/// Explain what a scenario will do and what it needs.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print the scenario as its dialect makes it, with nothing of the dialect left
    #[arg(long, conflicts_with_all = ["json", "Access", "Changes", "pid"])]
    expand: bool,
    #[command(flatten)]
    input: Input,
}

/// Prints the explanation; fails if this machine cannot run the scenario.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let scenario = args.input.load()?.scenario;
    if args.expand {
        term::print(args.input.expanded()?.as_bytes())?;
        return Ok(Exit::Passed);
    }
    let limits = Limits::of_this_machine();
    let budget = Budget::new(&scenario, cores());
    let explanation = Explanation::new(&scenario, &budget, limits);
    let text = if args.json {
        term::json(&explanation)?
    } else {
        explanation.text(&scenario)
    };
    term::print(text.as_bytes())?;
    for gate in scenario
        .gates
        .baseline
        .iter()
        .filter(|gate| gate.wants_slack(None))
    {
        term::note(past::slack(gate));
    }
    limits.check(&budget, 1)?;
    for access in scenario.accesses() {
        check_sources(&access.sources)?;
    }
    check_devices(&scenario)?;
    check_tls(&scenario).map_err(|error| CliError::Engine(error.into()))?;
    Ok(Exit::Passed)
}

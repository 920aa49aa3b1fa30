//! `wsbench attach`: takes a run over whose coordinator has died, or makes its report when it is over.

use std::time::{Duration, SystemTime};

use super::lead::asked;
use super::led::{Judging, generator, lead};
use super::{connect, refused};
use crate::cli::cluster::{NatsArgs, PATIENCE};
use crate::cli::conclude::Reporting;
use crate::cli::error::CliError;
use crate::cli::part::{again, or_its_name};
use crate::cli::past::{Against, Past};
use crate::cli::signals::Signals;
use crate::cli::term;
use crate::cluster::{Role, RunId};
use crate::engine::Limits;
use crate::fleet;
use crate::plan::Plan;
use crate::verdict::Exit;

/// Take over a run of agents whose coordinator has died, or make its report
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The run, as its coordinator named it; `wsbench cluster ls` lists them
    #[arg(value_name = "RUN")]
    run: RunId,
    #[command(flatten)]
    nats: NatsArgs,
    #[command(flatten)]
    against: Against,
    #[command(flatten)]
    reporting: Reporting,
}

/// Executes the whole command.
pub(in crate::cli) fn run(args: &Args) -> Result<Exit, CliError> {
    Limits::of_this_machine();
    let (signals, _) = Signals::listen()?;
    let leaves = || signals.heard();
    let options = args.nats.options(Role::Coordinator, PATIENCE)?;
    let link = connect(&options, &signals)?;
    let past = fleet::Past::read(link, args.run.clone(), &leaves)?;
    let assigned = past.assigned.clone();
    let mut loaded = again(&assigned.recipe, &or_its_name)?;
    let baseline = Past::open(&args.against, &mut loaded, &generator(&assigned))?;
    let labels = args.reporting.labels(&loaded)?;
    let plan = Plan::new(loaded.scenario.clone(), assigned.recipe.seed, 0);
    refused::check(&plan, assigned.seats.len())?;
    let since = Duration::from_nanos(past.wall_ns().unwrap_or_default());
    let started_at = SystemTime::UNIX_EPOCH + since;
    let output = args.reporting.open_output(&loaded.scenario, started_at)?;
    let formats = args.reporting.formats.open(&loaded.files, None)?;
    let seed = assigned.recipe.seed;
    if !args.reporting.quiet {
        term::note(match past.is_over() {
            true => format!("run {} is over; its report is made", args.run),
            false => format!("run {} goes on, led from here", args.run),
        });
    }
    // Who began the run started its target, and did to it what was planned.
    let judging = Judging::elsewhere(&loaded, labels, seed, started_at)?;
    let interrupt = signals.interrupts()?;
    let begun = past.take_over(asked(&plan), &leaves)?;
    let heard = (&signals, interrupt);
    let judged = lead(
        begun,
        &plan,
        &assigned,
        judging,
        heard,
        args.reporting.quiet,
    )?;
    judged.conclude(
        &args.reporting,
        baseline.as_ref(),
        output,
        formats,
        &signals,
    )
}

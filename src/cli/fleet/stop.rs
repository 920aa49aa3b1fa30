//! `wsbench stop`: ends a run of agents from anywhere, as Ctrl-C at its coordinator would.

use super::connect;
use crate::cli::cluster::{NatsArgs, PATIENCE};
use crate::cli::error::CliError;
use crate::cli::signals::Signals;
use crate::cli::term;
use crate::cluster::{Role, RunId};
use crate::fleet::Past;
use crate::verdict::Exit;

/// End a run of agents everywhere, as Ctrl-C at its coordinator would
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The run, as its coordinator named it; `wsbench cluster ls` lists them
    #[arg(value_name = "RUN")]
    run: RunId,
    #[command(flatten)]
    nats: NatsArgs,
}

/// Executes the whole command.
pub(in crate::cli) fn run(args: &Args) -> Result<Exit, CliError> {
    let (signals, _) = Signals::listen()?;
    let options = args.nats.options(Role::Coordinator, PATIENCE)?;
    let link = connect(&options, &signals)?;
    let past = Past::read(link, args.run.clone(), &|| signals.heard())?;
    let run = &args.run;
    if past.is_over() {
        term::note(format!("run {run} is over already"));
        return Ok(Exit::Passed);
    }
    past.stop("it was stopped before its start")?;
    term::note(format!("run {run}: its agents were told to end their load"));
    Ok(Exit::Passed)
}

//! `wsbench cluster`: what surrounds runs on many machines, which is mostly their NATS server.

mod auth;
mod clean;
mod doctor;
mod init;
mod ls;
mod manifest;
mod nats;

use clap::Subcommand;

use super::error::CliError;
use crate::verdict::Exit;
pub(super) use nats::{NatsArgs, PATIENCE};

/// Prepare, examine and tidy up the NATS server of runs on many machines.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look at the NATS server and at what this role may do there, and say what is wrong
    Doctor(doctor::Args),
    /// Make the stream WSBENCH, or give it other limits
    Init(init::Args),
    /// List the agents that are there, and the runs that the server still knows
    Ls(ls::Args),
    /// Remove what the server keeps of old runs
    Clean(clean::Args),
    /// Print the configuration of a NATS server in which each role may do what it has to and nothing else
    Auth(auth::Args),
    /// Print what starts agents elsewhere, to be looked at and changed
    Manifest(manifest::Args),
}

/// Executes the whole command.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    match &args.command {
        Command::Doctor(args) => doctor::run(args),
        Command::Init(args) => init::run(args),
        Command::Ls(args) => ls::run(args),
        Command::Clean(args) => clean::run(args),
        Command::Auth(args) => auth::run(args),
        Command::Manifest(args) => manifest::run(args),
    }
}

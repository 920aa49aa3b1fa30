//! The program: parses the command line and runs it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use wsbench::cli::serve;

/// Load testing and heartbeat monitoring for WebSocket services.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Args),
}

#[expect(clippy::print_stderr, reason = "the one place that prints errors")]
fn main() -> ExitCode {
    let Command::Serve(args) = Arguments::parse().command;
    match serve::run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: failed to {error}");
            ExitCode::from(1)
        }
    }
}

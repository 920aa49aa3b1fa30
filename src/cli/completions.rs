//! `wsbench completions`: prints what a shell needs to complete the command line.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::error::CliError;
use super::{Arguments, term};
use crate::verdict::Exit;

/// Where each shell looks for it.
const PLACES: &str = "Where to write it:
  bash        ~/.local/share/bash-completion/completions/wsbench
  zsh         a folder of $fpath, as _wsbench
  fish        ~/.config/fish/completions/wsbench.fish
  elvish      ~/.config/elvish/rc.elv, at its end
  powershell  the file that $PROFILE names, at its end";

/// Print what a shell needs to complete the command line.
#[derive(Debug, clap::Args)]
#[command(after_help = PLACES)]
pub(super) struct Args {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Prints the script of the shell.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut Arguments::command(),
        "wsbench",
        &mut script,
    );
    term::print(&script)?;
    Ok(Exit::Passed)
}

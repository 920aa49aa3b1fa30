//! `wsbench init`: a scenario to start from.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

use super::error::CliError;
use super::term;
use crate::scenario::starter;
use crate::verdict::Exit;

/// Write a scenario to start from.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file to write; never one that is there already
    #[arg(default_value = "scenario.toml")]
    file: PathBuf,
}

/// Writes the file, and says what to do with it.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let path = args.file.clone();
    let mut file = match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(CliError::Exists(path));
        }
        Err(source) => return Err(CliError::Write { path, source }),
    };
    file.write_all(starter().as_bytes())
        .map_err(|source| CliError::Write {
            path: path.clone(),
            source,
        })?;
    let path = path.display();
    term::note(format!(
        "wrote {path}\nhint: look at it, then type: wsbench run {path}"
    ));
    Ok(Exit::Passed)
}

//! `wsbench init`: writes a scenario to start from.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;

use super::error::CliError;
use super::term;
use crate::scenario::{shipped, starter};
use crate::verdict::Exit;

/// Write a scenario to start from.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// File to write; an existing one is never overwritten; - prints it [default: scenario.toml, or
    /// NAME.toml]
    file: Option<PathBuf>,
    /// Write this shipped scenario, like echo or heartbeat-contract
    #[arg(long, value_name = "NAME", value_parser = shipped_names())]
    from: Option<String>,
}

fn shipped_names() -> PossibleValuesParser {
    PossibleValuesParser::new(shipped::ALL.iter().map(|(name, _)| *name))
}

/// Writes the file, and explains what to do with it.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let named = args.from.as_deref().and_then(shipped::named);
    let text = named.unwrap_or_else(starter).as_bytes();
    let name = args.from.as_deref().unwrap_or("scenario");
    let path = args.file.clone();
    let path = path.unwrap_or_else(|| format!("{name}.toml").into());
    if path == Path::new("-") {
        return term::print(text).map(|()| Exit::Passed);
    }
    let file = OpenOptions::new().write(true).create_new(true).open(&path);
    let mut file = file.map_err(|error| CliError::write(&path, error))?;
    file.write_all(text).map_err(|source| CliError::Write {
        path: path.clone(),
        source,
    })?;
    let path = path.display();
    term::note(format!(
        "wrote {path}\nhint: look at it, then type: wsbench run {path}"
    ));
    Ok(Exit::Passed)
}

//! `wsbench man`: writes the man pages, one for each command.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

use clap::CommandFactory as _;

use super::error::CliError;
use super::{Arguments, term};
use crate::verdict::Exit;

/// Write the man pages, one for each command.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder to write them to, which is made; such as ~/.local/share/man/man1
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Writes the pages.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let folder = &args.folder;
    let write = || {
        fs::create_dir_all(folder)?;
        clap_mangen::generate_to(Arguments::command(), folder)
    };
    write().map_err(|source| {
        let source = match source.kind() {
            ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
                io::Error::new(source.kind(), "it is no folder\nhint: name a folder")
            }
            _ => source,
        };
        let path = folder.clone();
        CliError::Write { path, source }
    })?;
    term::note(format!("wrote the pages to {}", folder.display()));
    Ok(Exit::Passed)
}

//! Where an agent keeps what it sees until that is handed in.

use std::fs::{File, OpenOptions, remove_file};
use std::path::{Path, PathBuf};

use crate::cli::error::CliError;
use crate::cluster::RunId;

/// A folder that could be written into.
pub(super) struct Keep(PathBuf);

impl Keep {
    /// Tries the folder, and leaves nothing in it. An agent that could not keep anything would be lost at the start.
    ///
    /// # Errors
    /// When no file can be made in it.
    pub(super) fn new(folder: PathBuf) -> Result<Self, CliError> {
        let path = folder.join(format!("wsbench-agent-{}.try", std::process::id()));
        match made(&path) {
            Ok(file) => drop(Kept::new(file, path)),
            Err(source) => return Err(CliError::Keep { folder, source }),
        }
        Ok(Self(folder))
    }

    /// Makes the file of a share.
    ///
    /// # Errors
    /// When it cannot be made, or is there.
    pub(super) fn file(&self, run: &RunId, number: u32) -> Result<Kept, CliError> {
        let path = self.0.join(format!("wsbench-{run}-{number}.wsbr"));
        let file = made(&path).map_err(|source| CliError::write(&path, source))?;
        Ok(Kept::new(file, path))
    }
}

/// A file; removed when dropped, unless there is something in it that is not handed in.
pub(super) struct Kept {
    file: Option<File>,
    path: PathBuf,
    is_needed: bool,
}

impl Kept {
    fn new(file: File, path: PathBuf) -> Self {
        Self {
            file: Some(file),
            path,
            is_needed: false,
        }
    }

    /// Its name.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// To be written to. From now on it stays.
    ///
    /// # Errors
    /// When that was done before.
    pub(super) fn written(&mut self) -> std::io::Result<File> {
        let file = self.file.take().ok_or(std::io::ErrorKind::NotFound)?;
        self.is_needed = true;
        Ok(file)
    }

    /// All of it is handed in.
    pub(super) fn handed_in(mut self) {
        self.is_needed = false;
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if !self.is_needed {
            // One that stays is in nobody's way.
            let _ = remove_file(&self.path);
        }
    }
}

fn made(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

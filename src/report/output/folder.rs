//! The folder of a report: made where it is not there, held by one run at a time, synced.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::OutputError;
use super::part::unguessable;

/// Keeps every other run out of a folder. The kernel lets go of it when the process ends, however that ends.
#[derive(Debug)]
pub(super) struct Lock(Option<File>);

impl Lock {
    /// Takes the folder.
    ///
    /// # Errors
    /// Another run has it.
    pub(super) fn take(folder: &Path) -> Result<Self, OutputError> {
        // Some file systems have no locks, and some systems open no folders: there it stays open to all.
        let Ok(file) = File::open(folder) else {
            return Ok(Self(None));
        };
        match file.try_lock() {
            Ok(()) => Ok(Self(Some(file))),
            Err(TryLockError::WouldBlock) => {
                let taken = io::Error::new(
                    io::ErrorKind::ResourceBusy,
                    "another run is writing its report there",
                );
                Err(OutputError::at("use the folder", folder)(taken))
            }
            Err(TryLockError::Error(_)) => Ok(Self(None)),
        }
    }

    /// Whether no other run can be in the folder.
    pub(super) fn is_held(&self) -> bool {
        self.0.is_some()
    }
}

/// Makes a folder and those above it, and says which were not there before, the outermost first.
pub(super) fn make(folder: &Path) -> Result<Vec<PathBuf>, OutputError> {
    let above = folder
        .ancestors()
        .filter(|path| !path.as_os_str().is_empty());
    let mut missing: Vec<PathBuf> = above
        .take_while(|path| !path.exists())
        .map(Path::to_owned)
        .collect();
    missing.reverse();
    fs::create_dir_all(folder).map_err(OutputError::at("create the folder", folder))?;
    Ok(missing)
}

/// A new folder with this name, or with a number behind it: two runs may start in the same second.
pub(super) fn make_fresh(parent: &Path, name: &str) -> Result<PathBuf, OutputError> {
    let mut folder = parent.join(name);
    for number in 2..100 {
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                folder = parent.join(format!("{name}-{number}"));
            }
            Err(error) => return Err(OutputError::at("create the folder", &folder)(error)),
        }
    }
    let taken = io::Error::from(io::ErrorKind::AlreadyExists);
    Err(OutputError::at("create the folder", &folder)(taken))
}

/// Removes folders from the innermost on, as long as they are empty.
pub(super) fn remove_empty(folders: &[PathBuf]) {
    for folder in folders.iter().rev() {
        if fs::remove_dir(folder).is_err() {
            return;
        }
    }
}

/// Removes a file, if there is one.
pub(super) fn remove_if_there(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes the renames last.
#[cfg(unix)]
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
pub(super) fn sync(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Lets the link `latest` lead to `folder`, in one step. Something else of that name is left alone.
#[cfg(unix)]
pub(super) fn point(latest: &Path, folder: &Path) -> io::Result<()> {
    let is_other = fs::symlink_metadata(latest).is_ok_and(|found| !found.is_symlink());
    let Some(name) = folder.file_name().filter(|_| !is_other) else {
        return Ok(());
    };
    let temporary = latest.with_extension(format!("{}.part", unguessable()));
    std::os::unix::fs::symlink(name, &temporary)?;
    fs::rename(&temporary, latest).inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

#[cfg(not(unix))]
pub(super) fn point(_latest: &Path, _folder: &Path) -> io::Result<()> {
    Ok(())
}

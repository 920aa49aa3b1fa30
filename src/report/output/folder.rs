//! The folder of a report: created if missing, locked by one run at a time, synced to disk.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::OutputError;
use super::part::unguessable;

/// Keeps every other run out of a folder. The kernel releases the lock when the process ends for any reason.
#[derive(Debug)]
pub(super) struct Lock(Option<File>);

impl Lock {
    /// Locks the folder.
    ///
    /// # Errors
    /// When another run holds the lock.
    pub(super) fn take(folder: &Path) -> Result<Self, OutputError> {
        // Continues without a lock on systems that cannot open folders, and on file systems without locks.
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

    /// Whether it is certain that no other run uses the folder.
    pub(super) fn is_held(&self) -> bool {
        self.0.is_some()
    }
}

/// Creates a folder and its missing parents, and returns the folders that it created, the outermost first.
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

/// Creates a new folder with this name, or with a number appended, because two runs may start in the same second.
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

/// Removes these folders, the innermost first, until one is not empty.
pub(super) fn remove_empty(folders: &[PathBuf]) {
    for folder in folders.iter().rev() {
        if fs::remove_dir(folder).is_err() {
            return;
        }
    }
}

/// Removes a file if it exists.
pub(super) fn remove_if_there(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Syncs the folder, so that renames in it survive a crash.
#[cfg(unix)]
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
pub(super) fn sync(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Atomically points the link `latest` to `folder`. Does nothing if something else than a link has that name.
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

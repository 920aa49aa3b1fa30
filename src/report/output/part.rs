//! A file that gets its name only when it is whole: `.NAME.RANDOM.part` until then.

use std::fs::{self, File};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::Writer;
use crate::report::run_report::RunReport;

/// One file that is not there yet under its own name. Dropped without [`Self::land`], it is removed.
#[derive(Debug)]
pub(super) struct Part {
    file: File,
    /// `None` once it has its name.
    temporary: Option<PathBuf>,
    name: PathBuf,
    write: Writer,
}

impl Part {
    /// Makes a new file for `name`. Follows no link and opens nothing that is there already: the folder may be one
    /// that others can write to.
    ///
    /// # Errors
    /// When the file cannot be made; with the name that it was to have until it is whole.
    pub(super) fn create(name: PathBuf, write: Writer) -> Result<Self, (PathBuf, io::Error)> {
        let plain = name.file_name().unwrap_or_default().to_string_lossy();
        let temporary = name.with_file_name(format!(".{plain}.{}.part", unguessable()));
        match File::create_new(&temporary) {
            Ok(file) => Ok(Self {
                file,
                temporary: Some(temporary),
                name,
                write,
            }),
            Err(error) => Err((temporary, error)),
        }
    }

    /// The name that it will have.
    pub(super) fn name(&self) -> &Path {
        &self.name
    }

    /// Writes all of it, down to the disk.
    pub(super) fn fill(&self, report: &RunReport<'_>) -> io::Result<()> {
        let mut out = BufWriter::new(&self.file);
        (self.write)(report, &mut out)?;
        out.flush()?;
        self.file.sync_all()
    }

    /// Gives it its name.
    pub(super) fn land(mut self) -> io::Result<()> {
        if let Some(temporary) = &self.temporary {
            fs::rename(temporary, &self.name)?;
            self.temporary = None;
        }
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // Nobody is left to tell, and the next run into this folder removes it.
            let _ = fs::remove_file(temporary);
        }
    }
}

/// Removes what runs that were killed left of these files. Whoever calls it holds the folder's lock: no file is one
/// of a run that goes on.
pub(super) fn remove_left(folder: &Path, names: impl Iterator<Item = &'static str> + Clone) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let found = entry.file_name();
        let found = found.to_string_lossy();
        let is_left = names.clone().any(|name| {
            let rest = found.strip_prefix('.').and_then(|f| f.strip_prefix(name));
            rest.is_some_and(|rest| rest.starts_with('.') && rest.ends_with(".part"))
        });
        if is_left {
            // One that cannot be removed is in nobody's way.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// 16 letters that nobody can foretell: the standard library seeds its hashers from the system.
pub(super) fn unguessable() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

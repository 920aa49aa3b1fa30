//! A file that is named `.NAME.RANDOM.part` until it is complete, and then gets its final name.

use std::fs::{self, File};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::Writer;
use crate::report::run::Run;

/// A file that does not have its final name yet. Removed if it is dropped without [`Self::land`].
#[derive(Debug)]
pub(super) struct PartFile {
    file: File,
    /// `None` once the file has its final name.
    temporary: Option<PathBuf>,
    name: PathBuf,
    write: Writer,
}

impl PartFile {
    /// Creates a new file for `name`. Follows no link and opens no existing file, because other users may be able to
    /// write to the folder.
    ///
    /// # Errors
    /// When the file cannot be created; the error contains the temporary name.
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

    /// The final name.
    pub(super) fn name(&self) -> &Path {
        &self.name
    }

    /// Writes the file, and syncs it to disk.
    pub(super) fn fill(&self, run: &Run) -> io::Result<()> {
        let mut out = BufWriter::new(&self.file);
        (self.write)(run, &mut out)?;
        out.flush()?;
        self.file.sync_all()
    }

    /// Renames the file to its final name.
    pub(super) fn land(mut self) -> io::Result<()> {
        if let Some(temporary) = &self.temporary {
            fs::rename(temporary, &self.name)?;
            self.temporary = None;
        }
        Ok(())
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // Ignores the error: nobody can be told, and the next run into this folder removes the file.
            let _ = fs::remove_file(temporary);
        }
    }
}

/// Removes unfinished files that killed runs left in the folder. The caller must hold the folder's lock, so that none
/// of the files belongs to a running run.
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
            // Ignores the error: a leftover file does no harm.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// 16 hexadecimal digits that cannot be predicted: the standard library seeds its hashers from the system's random
/// source.
pub(super) fn unguessable() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

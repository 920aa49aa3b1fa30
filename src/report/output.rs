//! The files of one report: created before the first connection, landed whole at the end.
//! A run that dies in between leaves nothing behind but its folder's name.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::run_report::{RunReport, utc};
use super::{connections_csv, contracts_csv, histogram_csv, run_json, summary_csv, timeline_csv};
use crate::scenario::Scenario;

/// A report that could not be written. Fits after "failed to".
#[derive(Debug, thiserror::Error)]
#[error("{what} {}: {error}{}", .path.display(), hint(.error))]
pub struct OutputError {
    what: &'static str,
    path: PathBuf,
    error: io::Error,
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "\nhint: make room there",
        _ => "\nhint: choose another folder with `--out`",
    }
}

impl OutputError {
    /// The file or folder that it is about.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn at(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |error| Self { what, path, error }
    }
}

/// How one file is written.
type Writer = fn(&RunReport<'_>, &mut BufWriter<File>) -> io::Result<()>;

/// Only where there is a contract to tell of.
const CONTRACTS: &str = "contracts.csv";

/// `run.json` comes last: where it is, the others are whole.
const FILES: [(&str, Writer); 6] = [
    ("summary.csv", |report, out| {
        Ok(summary_csv::write(report, out)?)
    }),
    ("histogram.csv", |report, out| {
        Ok(histogram_csv::write(report, out)?)
    }),
    ("timeline.csv", |report, out| {
        Ok(timeline_csv::write(report, out)?)
    }),
    ("connections.csv", |report, out| {
        Ok(connections_csv::write(report, out)?)
    }),
    (CONTRACTS, |report, out| {
        Ok(contracts_csv::write(report, out)?)
    }),
    ("run.json", |report, out| Ok(run_json::write(report, out)?)),
];

/// One file that is not there yet under its own name.
#[derive(Debug)]
struct Pending {
    file: File,
    temporary: PathBuf,
    name: PathBuf,
    write: Writer,
}

/// The files of one report, open for writing. Dropped without [`Self::commit`] it removes them.
#[derive(Debug)]
pub struct OutputSet {
    folder: PathBuf,
    pending: Vec<Pending>,
    /// Folders made for this report, the outermost first.
    made: Vec<PathBuf>,
    /// The link to the newest report, for a report in a folder of its own.
    latest: Option<PathBuf>,
    /// A file that this report does not have; one of an older report would belong to another run.
    stale: Option<PathBuf>,
}

impl OutputSet {
    /// Whether this is one of its files. Its folder is there.
    pub fn has(&self, path: &Path) -> bool {
        let same = |folder: &Path| {
            let folders = (folder.canonicalize(), self.folder.canonicalize());
            matches!(folders, (Ok(one), Ok(other)) if one == other)
        };
        let is_there = match path.parent() {
            Some(folder) if folder.as_os_str().is_empty() => same(Path::new(".")),
            Some(folder) => same(folder),
            None => false,
        };
        is_there
            && FILES
                .iter()
                .any(|(name, _)| path.file_name() == Some(name.as_ref()))
    }

    /// Opens every file of a report in `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// When the folder or a file in it cannot be made.
    pub fn create(folder: &Path, scenario: &Scenario) -> Result<Self, OutputError> {
        let made = make_folders(folder)?;
        let mut set = Self {
            folder: folder.to_owned(),
            pending: Vec::with_capacity(FILES.len()),
            made,
            latest: None,
            stale: None,
        };
        let promises = scenario
            .cohorts
            .iter()
            .any(|cohort| cohort.contract.is_some());
        for (name, write) in FILES {
            if name == CONTRACTS && !promises {
                set.stale = Some(folder.join(name));
                continue;
            }
            let temporary = folder.join(format!(".{name}.{}.part", std::process::id()));
            let name = folder.join(name);
            if name.is_dir() {
                let is_folder = io::Error::from(io::ErrorKind::IsADirectory);
                return Err(OutputError::at("write", &name)(is_folder));
            }
            let file = File::create(&temporary).map_err(OutputError::at("create", &temporary))?;
            set.pending.push(Pending {
                file,
                temporary,
                name,
                write,
            });
        }
        Ok(set)
    }

    /// The same in a folder of its own, `<root>/<scenario>/<UTC time>`; the link `latest` beside it will
    /// lead to it.
    ///
    /// # Errors
    /// When the folder or a file in it cannot be made.
    pub fn create_dated(
        root: &Path,
        scenario: &Scenario,
        started_at: SystemTime,
    ) -> Result<Self, OutputError> {
        let of_scenario = root.join(&scenario.name);
        let time = utc(started_at).replace(['-', ':'], "");
        let mut made = make_folders(&of_scenario)?;
        let folder = match fresh_folder(&of_scenario, &time) {
            Ok(folder) => folder,
            Err(error) => {
                remove_empty(&made);
                return Err(error);
            }
        };
        made.push(folder.clone());
        let mut set = match Self::create(&folder, scenario) {
            Ok(set) => set,
            Err(error) => {
                remove_empty(&made);
                return Err(error);
            }
        };
        set.made = made;
        set.latest = Some(of_scenario.join("latest"));
        Ok(set)
    }

    /// Where the report will be.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes all files, and only then gives them their names.
    ///
    /// # Errors
    /// When a file cannot be written, synced or renamed; those not yet renamed are removed.
    pub fn commit(mut self, report: &RunReport<'_>) -> Result<PathBuf, OutputError> {
        for pending in &mut self.pending {
            let failed = OutputError::at("write", &pending.name);
            pending.fill(report).map_err(failed)?;
        }
        self.made.clear();
        while !self.pending.is_empty() {
            let Pending {
                temporary, name, ..
            } = &self.pending[0];
            fs::rename(temporary, name).map_err(OutputError::at("rename a file to", name))?;
            self.pending.remove(0);
        }
        if let Some(stale) = &self.stale {
            remove_if_there(stale).map_err(OutputError::at("remove", stale))?;
        }
        sync_folder(&self.folder).map_err(OutputError::at("sync", &self.folder))?;
        if let Some(latest) = &self.latest {
            point(latest, &self.folder).map_err(OutputError::at("link", latest))?;
        }
        Ok(self.folder.clone())
    }
}

impl Drop for OutputSet {
    fn drop(&mut self) {
        for pending in &self.pending {
            // Nobody is left to tell, and a file that stays is harmless.
            let _ = fs::remove_file(&pending.temporary);
        }
        remove_empty(&self.made);
    }
}

impl Pending {
    fn fill(&mut self, report: &RunReport<'_>) -> io::Result<()> {
        let mut out = BufWriter::new(self.file.try_clone()?);
        (self.write)(report, &mut out)?;
        out.flush()?;
        self.file.sync_all()
    }
}

/// Makes a folder and those above it, and says which were not there before, the outermost first.
fn make_folders(folder: &Path) -> Result<Vec<PathBuf>, OutputError> {
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

/// Two runs may start in the same second.
fn fresh_folder(parent: &Path, time: &str) -> Result<PathBuf, OutputError> {
    let mut folder = parent.join(time);
    for number in 2..100 {
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                folder = parent.join(format!("{time}-{number}"));
            }
            Err(error) => return Err(OutputError::at("create the folder", &folder)(error)),
        }
    }
    let taken = io::Error::from(io::ErrorKind::AlreadyExists);
    Err(OutputError::at("create the folder", &folder)(taken))
}

/// Removes folders from the innermost on, as long as they are empty.
fn remove_empty(folders: &[PathBuf]) {
    for folder in folders.iter().rev() {
        if fs::remove_dir(folder).is_err() {
            return;
        }
    }
}

fn remove_if_there(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes the renames last.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Lets the link `latest` lead to `folder`, in one step. Something else of that name is left alone.
#[cfg(unix)]
fn point(latest: &Path, folder: &Path) -> io::Result<()> {
    let is_other = fs::symlink_metadata(latest).is_ok_and(|found| !found.is_symlink());
    let Some(name) = folder.file_name().filter(|_| !is_other) else {
        return Ok(());
    };
    let temporary = latest.with_extension(format!("{}.part", std::process::id()));
    // Left by a run that was killed here, and had our number.
    let _ = fs::remove_file(&temporary);
    std::os::unix::fs::symlink(name, &temporary)?;
    fs::rename(&temporary, latest).inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

#[cfg(not(unix))]
fn point(_latest: &Path, _folder: &Path) -> io::Result<()> {
    Ok(())
}

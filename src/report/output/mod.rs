//! The files of one report: created before the first connection, and renamed to their final names at the end, when
//! they are complete.
//! If a run is killed, the next run into the same folder removes its unfinished files.

mod folder;
mod part;

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use self::folder::Lock;
use self::part::PartFile;
use super::run::{self, Run};
use super::{
    connections_csv, contracts_csv, histogram_csv, html, intervals_jsonl, judged_csv, summary_csv,
    timeline_csv,
};
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
        io::ErrorKind::FileTooLarge => "\nhint: allow larger files (`ulimit -f`)",
        _ => "\nhint: choose another folder with `--out`",
    }
}

impl OutputError {
    /// The file or folder that could not be written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn at(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |error| Self { what, path, error }
    }
}

/// The function that writes one file.
type Writer = fn(&Run, &mut BufWriter<&File>) -> io::Result<()>;

const CONTRACTS: &str = "contracts.csv";

/// These files are written only if the scenario has a contract.
const OF_CONTRACTS: [&str; 2] = [CONTRACTS, judged_csv::FILE];

const RUN: &str = "run.json";

/// `run.json` comes last: if it exists, each of the others is complete, or missing because it could not be written.
const FILES: [(&str, Writer); 9] = [
    ("summary.csv", |run, out| {
        summary_csv::write(run, out).map_err(io_error)
    }),
    ("histogram.csv", |run, out| {
        histogram_csv::write(run, out).map_err(io_error)
    }),
    ("timeline.csv", |run, out| {
        timeline_csv::write(run, out).map_err(io_error)
    }),
    ("connections.csv", |run, out| {
        connections_csv::write(run, out).map_err(io_error)
    }),
    (CONTRACTS, |run, out| {
        contracts_csv::write(run, out).map_err(io_error)
    }),
    (judged_csv::FILE, |run, out| {
        judged_csv::write(run, out).map_err(io_error)
    }),
    (intervals_jsonl::FILE, |run, out| {
        intervals_jsonl::write(run, out)
    }),
    ("report.html", |run, out| html::write(run, out)),
    (RUN, |run, out| run::write(run, out)),
];

/// Returns the system's error. The conversion of the csv crate would hide the kind of error, such as a full disk.
pub fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// The files of one report, open for writing. Removes them if it is dropped without [`Self::commit`].
#[derive(Debug)]
pub struct OutputSet {
    folder: PathBuf,
    parts: Vec<PartFile>,
    /// Folders created for this report, the outermost first.
    made: Vec<PathBuf>,
    /// The link to the newest report, if the report has a dated folder.
    latest: Option<PathBuf>,
    /// Held until the report is written.
    _lock: Lock,
}

/// The name of a dated folder.
fn name_of(started_at: SystemTime) -> String {
    let time = humantime::format_rfc3339_seconds(started_at.max(SystemTime::UNIX_EPOCH));
    time.to_string().replace(['-', ':'], "")
}

impl OutputSet {
    /// Whether this path is one of its files. The folder must exist.
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

    /// Creates every file of a report in `folder`, which is created if missing. Locks the folder against other runs,
    /// and removes unfinished files that killed runs left in it.
    ///
    /// # Errors
    /// When the folder or a file in it cannot be created, or another run uses the folder.
    pub fn create(folder: &Path, scenario: &Scenario) -> Result<Self, OutputError> {
        let made = folder::make(folder)?;
        let lock = match Lock::take(folder) {
            Ok(lock) => lock,
            Err(error) => {
                folder::remove_empty(&made);
                return Err(error);
            }
        };
        if lock.is_held() {
            part::remove_left(folder, FILES.iter().map(|(name, _)| *name));
        }
        let mut set = Self {
            folder: folder.to_owned(),
            parts: Vec::with_capacity(FILES.len()),
            made,
            latest: None,
            _lock: lock,
        };
        let promises = scenario
            .cohorts
            .iter()
            .any(|cohort| cohort.contract.is_some());
        for (name, write) in FILES {
            if OF_CONTRACTS.contains(&name) && !promises {
                continue;
            }
            let name = folder.join(name);
            if name.is_dir() {
                let is_folder = io::Error::from(io::ErrorKind::IsADirectory);
                return Err(OutputError::at("write", &name)(is_folder));
            }
            let part = PartFile::create(name, write);
            let part = part.map_err(|(path, error)| OutputError::at("create", &path)(error))?;
            set.parts.push(part);
        }
        Ok(set)
    }

    /// As [`Self::create`], in a folder of its own, `<root>/<scenario>/<UTC time>`. When the report is written, the
    /// link `latest` beside it points to it.
    ///
    /// # Errors
    /// When the folder or a file in it cannot be created.
    pub fn create_dated(
        root: &Path,
        scenario: &Scenario,
        started_at: SystemTime,
    ) -> Result<Self, OutputError> {
        let of_scenario = root.join(&scenario.name);
        let time = name_of(started_at);
        let mut made = folder::make(&of_scenario)?;
        let folder = match folder::make_fresh(&of_scenario, &time) {
            Ok(folder) => folder,
            Err(error) => {
                folder::remove_empty(&made);
                return Err(error);
            }
        };
        made.push(folder.clone());
        let mut set = match Self::create(&folder, scenario) {
            Ok(set) => set,
            Err(error) => {
                folder::remove_empty(&made);
                return Err(error);
            }
        };
        set.made = made;
        set.latest = Some(of_scenario.join("latest"));
        Ok(set)
    }

    /// Makes a folder of its own for several reports, `<root>/<name>/<UTC time>`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn dated_folder(
        root: &Path,
        name: &str,
        started_at: SystemTime,
    ) -> Result<PathBuf, OutputError> {
        let of_scenario = root.join(name);
        let time = name_of(started_at);
        folder::make(&of_scenario)?;
        folder::make_fresh(&of_scenario, &time)
    }

    /// The folder of the report.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the folder has a report of an earlier run, which this one replaces.
    pub fn replaces(&self) -> bool {
        FILES
            .iter()
            .any(|(name, _)| self.folder.join(name).exists())
    }

    /// Writes all files, and only then renames them to their final names. If one cannot be written, the others are
    /// still written. Removes all files of an earlier run.
    ///
    /// # Errors
    /// The first failure, when a file cannot be written, synced or renamed, or an old file cannot be removed.
    pub fn commit(mut self, run: &Run) -> Result<PathBuf, OutputError> {
        let mut failures = Vec::new();
        let parts = std::mem::take(&mut self.parts).into_iter();
        let whole: Vec<PartFile> = parts
            .filter_map(|part| match part.fill(run) {
                Ok(()) => Some(part),
                Err(error) => {
                    failures.push(OutputError::at("write", part.name())(error));
                    None
                }
            })
            .collect();
        // Removes `run.json` first: an old one must never be beside new files.
        for (name, _) in FILES.iter().rev() {
            let old = self.folder.join(name);
            if *name == RUN || !whole.iter().any(|part| part.name() == old) {
                let removed = folder::remove_if_there(&old);
                failures.extend(removed.err().map(OutputError::at("remove", &old)));
            }
        }
        for part in whole {
            let name = part.name().to_owned();
            let landed = part.land();
            failures.extend(landed.err().map(OutputError::at("rename a file to", &name)));
        }
        let synced = folder::sync(&self.folder);
        failures.extend(synced.err().map(OutputError::at("sync", &self.folder)));
        if let Some(latest) = &self.latest {
            let linked = folder::point(latest, &self.folder);
            failures.extend(linked.err().map(OutputError::at("link", latest)));
        }
        match failures.into_iter().next() {
            Some(first) => Err(first),
            None => Ok(self.folder.clone()),
        }
    }
}

impl Drop for OutputSet {
    fn drop(&mut self) {
        self.parts.clear();
        // Keeps folders that are not empty.
        folder::remove_empty(&self.made);
    }
}

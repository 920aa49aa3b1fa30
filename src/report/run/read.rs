//! Reads a run back: `run.json`, or the copy of it inside of a page, and the files beside it.

use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::copy::{self, BrokenCopy, Page};
use super::{Run, SCHEMA_VERSION};
use crate::report::{intervals_jsonl, judged_csv};

/// A stored run that could not be read. Fits after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be opened or read.
    #[error("read {}: {source}{}", .path.display(), way_out(source))]
    System {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// It is longer than a run can be.
    #[error(
        "read {}: it has more than {} MiB, which no run has",
        .path.display(), most >> 20
    )]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The longest that is read, in bytes.
        most: u64,
    },
    /// It was not written by wsbench.
    #[error(
        "read {}: it is no run of wsbench\nhint: name the folder of a report, or the `run.json` or `report.html` in it",
        .path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It was written in another version of the format.
    #[error(
        "read {}: its `schema_version` is {found}, this wsbench reads {SCHEMA_VERSION}\nhint: use the wsbench that wrote it, or run the scenario again",
        .path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The version of its format.
        found: u32,
    },
    /// It was written by wsbench, but it is cut short, changed or contradicts itself.
    #[error("read {}: it is broken: {source}\nhint: run the scenario again, or use the wsbench that wrote it if that is an older one", .path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
    /// It is a page that holds no copy of its run.
    #[error(
        "read {}: its run was too long for a copy inside of this page\nhint: name the `run.json` beside it",
        .path.display()
    )]
    WithoutCopy {
        /// The page.
        path: PathBuf,
    },
    /// It is a page about several runs, such as a comparison.
    #[error(
        "read {}: this page is about several runs, and holds none of them\nhint: name the folder of one run, or its `run.json`",
        .path.display()
    )]
    OfSeveral {
        /// The page.
        path: PathBuf,
    },
    /// The copy of the run inside of a page is broken.
    #[error(
        "read {}: the copy of the run inside of this page is broken: {broken}\nhint: name the `run.json` beside it",
        .path.display()
    )]
    Copy {
        /// The page.
        path: PathBuf,
        /// What is wrong with the copy.
        broken: BrokenCopy,
    },
    /// The file of its intervals is broken.
    #[error(
        "read {}: line {line} is broken: {broken}\nhint: without this file the run is shown without its course over time",
        .path.display()
    )]
    Intervals {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        broken: intervals_jsonl::Broken,
    },
    /// The file of what promises were judged by is broken.
    #[error(
        "read {}: line {line} is broken: {broken}\nhint: without this file the run is shown without single connections",
        .path.display()
    )]
    Judged {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: u64,
        /// What is wrong with it.
        broken: judged_csv::Broken,
    },
}

/// What to do about an error of the system, where that is known.
fn way_out(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "\nhint: name the folder of a report, like reports/chat/latest",
        _ => "",
    }
}

/// So many bytes tell whether a file is a page.
const START: u64 = 256;

/// The part that says whether the rest can be understood.
#[derive(Deserialize)]
struct DocumentHead {
    schema_version: u32,
    tool: ToolName,
    /// How many steps `intervals.jsonl` has.
    #[serde(default)]
    intervals: usize,
    #[serde(default)]
    verdict: VerdictHead,
}

#[derive(Default, Deserialize)]
struct VerdictHead {
    contracts: Vec<ContractHead>,
}

#[derive(Deserialize)]
struct ContractHead {
    /// How many rows of `judged.csv` are about it.
    #[serde(default)]
    judged: usize,
}

#[derive(Deserialize)]
struct ToolName {
    name: String,
}

impl Run {
    /// The longest file that [`Self::read`] reads, in bytes: more than the limits of a run allow.
    pub const MAX_BYTES: u64 = 1 << 30;

    /// Reads a run from its folder, or from the `run.json` or the page in it. All that is made from it is the same as from
    /// the run itself. It has no intervals where `intervals.jsonl` is not beside it.
    ///
    /// # Errors
    /// When a file cannot be read, is no run of wsbench, has another version, or is broken.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        if path.is_dir() {
            return Self::read(&path.join("run.json"));
        }
        let named = || path.to_owned();
        let bytes = document(path)?;
        let head = serde_json::from_slice::<DocumentHead>(&bytes);
        match &head {
            Ok(head) if head.tool.name != env!("CARGO_PKG_NAME") => {
                return Err(ReadError::Foreign { path: named() });
            }
            Ok(head) if head.schema_version != SCHEMA_VERSION => {
                let found = head.schema_version;
                return Err(ReadError::Version {
                    path: named(),
                    found,
                });
            }
            Err(_) if !begins_as_ours(&bytes) => return Err(ReadError::Foreign { path: named() }),
            Ok(_) | Err(_) => {}
        }
        let run = serde_json::from_slice(&bytes).map_err(|source| ReadError::Broken {
            path: named(),
            source,
        });
        let (mut run, head): (Self, DocumentHead) = run.and_then(|run| {
            let head = head.map_err(|source| ReadError::Broken {
                path: named(),
                source,
            });
            Ok((run, head?))
        })?;
        run.add_intervals(path.with_file_name(intervals_jsonl::FILE), head.intervals)?;
        let judged = head.verdict.contracts.iter();
        let judged: Vec<usize> = judged.map(|contract| contract.judged).collect();
        run.add_judged(path.with_file_name(judged_csv::FILE), &judged)?;
        Ok(run)
    }

    /// Adds so many intervals from this file, if it is there.
    fn add_intervals(&mut self, path: PathBuf, steps: usize) -> Result<(), ReadError> {
        let file = match beside(&path, steps) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(()),
            Err(source) => return Err(ReadError::System { path, source }),
        };
        let read = intervals_jsonl::read(self, BufReader::new(file), steps);
        self.summary.intervals =
            read.map_err(|(line, broken)| ReadError::Intervals { path, line, broken })?;
        Ok(())
    }

    /// Adds what promises were judged by from this file, if it is there: so many rows for each.
    fn add_judged(&mut self, path: PathBuf, judged: &[usize]) -> Result<(), ReadError> {
        let file = match beside(&path, judged.iter().sum()) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(()),
            Err(source) => return Err(ReadError::System { path, source }),
        };
        judged_csv::read(&mut self.verdict.contracts, judged, file)
            .map_err(|(line, broken)| ReadError::Judged { path, line, broken })
    }
}

/// Opens a file beside `run.json` that has so many parts; `None` if it has none, or is not there.
fn beside(path: &Path, parts: usize) -> io::Result<Option<impl io::Read + use<>>> {
    match File::open(path) {
        _ if parts == 0 => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => Ok(Some(file?.take(Run::MAX_BYTES))),
    }
}

/// Reads the document of a run: from its own file, or from the copy inside of a page.
fn document(path: &Path) -> Result<Vec<u8>, ReadError> {
    let named = || path.to_owned();
    let system = |source| ReadError::System {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(system)?;
    let mut bytes = Vec::new();
    let start = file.by_ref().take(START).read_to_end(&mut bytes);
    start.map_err(system)?;
    let is_page = copy::is_page(&bytes);
    let most = if is_page {
        copy::MAX_PAGE
    } else {
        Run::MAX_BYTES
    };
    let rest = file.take(most + 1 - START).read_to_end(&mut bytes);
    rest.map_err(system)?;
    if bytes.len() as u64 > most {
        return Err(ReadError::TooLong {
            path: named(),
            most,
        });
    }
    if !is_page {
        return Ok(bytes);
    }
    match copy::unpack(&bytes) {
        Ok(Page::Document(document)) => Ok(document),
        Ok(Page::WithoutCopy) => Err(ReadError::WithoutCopy { path: named() }),
        Ok(Page::OfSeveral) => Err(ReadError::OfSeveral { path: named() }),
        Ok(Page::Foreign) => Err(ReadError::Foreign { path: named() }),
        Err(broken) => Err(ReadError::Copy {
            path: named(),
            broken,
        }),
    }
}

/// Whether a document that cannot be parsed begins as a run does.
fn begins_as_ours(bytes: &[u8]) -> bool {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(256)]);
    let start: String = start.split_whitespace().collect();
    start.starts_with("{\"schema_version\":") && start.contains("\"wsbench\"")
}

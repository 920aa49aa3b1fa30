//! `wsbench run --messages FILE`: one row for each answered message, written during the run.
//! For users who analyse single messages; the reports have everything else. A separate thread writes the rows. If it
//! is too slow, rows are dropped and counted, and the run does not wait.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use super::error::CliError;
use super::files::{self, Needed};
use crate::measure::Echoes;
use crate::report::io_error;
use crate::scenario::{Cohort, Scenario};

/// The columns, in order. Times are nanoseconds since the first dial.
const COLUMNS: [&str; 8] = [
    "cohort",
    "connection",
    "message",
    "sequence",
    "intended_ns",
    "sent_ns",
    "arrived_ns",
    "received_ns",
];

/// The seconds of rows that may wait to be written.
const WAITING: usize = 4;
/// How long to wait after the run for a pipe whose reader is blocked; then the remaining rows are given up. Waits for
/// a disk without a limit: a second signal ends that too.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// The open file. Errors during the run are reported after it.
pub(super) struct Messages {
    path: PathBuf,
    rows: SyncSender<Echoes>,
    done: Receiver<csv::Result<()>>,
    /// Whether it is a regular file, not a pipe or a device.
    is_file: bool,
    handed: u64,
    written: Arc<AtomicU64>,
    left_out: u64,
}

impl Messages {
    /// Creates the file, or empties an existing one.
    ///
    /// # Errors
    /// When the file cannot be written, or is an input of the run.
    pub(super) fn create(
        path: &Path,
        needed: &[Needed],
        scenario: &Scenario,
    ) -> Result<Self, CliError> {
        let file = files::create(path, needed)?;
        let written = Arc::new(AtomicU64::new(0));
        let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
        let rows = Rows {
            out: csv::Writer::from_writer(file),
            names: scenario.cohorts.iter().map(names).collect(),
            written: written.clone(),
        };
        let (sender, seconds) = sync_channel(WAITING);
        let (finished, done) = sync_channel(1);
        std::thread::Builder::new()
            .name("messages".to_owned())
            .spawn(move || {
                // Ignores the error: nobody waits for the result if the run was given up.
                let _ = finished.send(rows.write_all(&seconds, is_file));
            })
            .map_err(|source| CliError::System {
                doing: "start a thread",
                source,
            })?;
        Ok(Self {
            path: path.to_owned(),
            rows: sender,
            done,
            is_file,
            handed: 0,
            written,
            left_out: 0,
        })
    }

    /// Queues the messages answered in one second; drops and counts them if the queue is full.
    pub(super) fn write(&mut self, echoes: Echoes) {
        let rows = echoes.rows.len() as u64;
        self.left_out += echoes.more;
        if rows == 0 {
            return;
        }
        match self.rows.try_send(echoes) {
            Ok(()) => self.handed += rows,
            // The queue is full, or the thread has failed, which `finish` reports.
            Err(_) => self.left_out += rows,
        }
    }

    /// Closes the file, and returns how many messages were left out of it.
    ///
    /// # Errors
    /// When the file could not be written to its end.
    pub(super) fn finish(self) -> Result<u64, CliError> {
        let Self {
            path,
            rows,
            done,
            is_file,
            handed,
            written,
            left_out,
        } = self;
        drop(rows);
        let mut before = written.load(Ordering::Relaxed);
        loop {
            match done.recv_timeout(MAX_WAIT) {
                Ok(Ok(())) => return Ok(left_out),
                Ok(Err(error)) => {
                    let source = io_error(error);
                    return Err(CliError::LateWrite { path, source });
                }
                Err(RecvTimeoutError::Timeout) => {
                    let now = written.load(Ordering::Relaxed);
                    if now == before && !is_file {
                        return Ok(left_out + handed - now);
                    }
                    before = now;
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let source = std::io::Error::other("its thread panicked");
                    return Err(CliError::LateWrite { path, source });
                }
            }
        }
    }
}

/// The name of a cohort and the names of its messages and steps, by slot.
fn names(cohort: &Cohort) -> (String, Vec<String>) {
    let messages = cohort.messages.iter().map(|message| message.name.clone());
    let steps = cohort.each_step().map(|step| step.name.clone());
    let slots = messages.chain(steps.map(Option::unwrap_or_default));
    (cohort.name.clone(), slots.collect())
}

/// The file as the writing thread uses it.
struct Rows {
    out: csv::Writer<File>,
    /// For each cohort, its name and the names of its messages and steps.
    names: Vec<(String, Vec<String>)>,
    written: Arc<AtomicU64>,
}

impl Rows {
    fn write_all(mut self, seconds: &Receiver<Echoes>, is_file: bool) -> csv::Result<()> {
        self.out.write_record(COLUMNS)?;
        for echoes in seconds {
            self.write(&echoes)?;
        }
        self.out.flush()?;
        // Pipes and devices cannot be synced.
        if is_file {
            self.out.get_ref().sync_all()?;
        }
        Ok(())
    }

    fn write(&mut self, echoes: &Echoes) -> csv::Result<()> {
        for echo in &echoes.rows {
            let (cohort, messages) = &self.names[echo.cohort];
            self.out.serialize((
                cohort,
                echo.connection,
                &messages[echo.message],
                echo.sequence,
                echo.intended_ns,
                echo.sent_ns,
                echo.arrived_ns,
                echo.received_ns,
            ))?;
            self.written.fetch_add(1, Ordering::Relaxed);
        }
        self.out.flush()?;
        Ok(())
    }
}

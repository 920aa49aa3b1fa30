//! `wsbench run --messages FILE`: one row for each answered message, written while the run goes on.
//! For those who look at single messages; all else is in the reports.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::error::CliError;
use crate::measure::Echoes;
use crate::scenario::Scenario;

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

/// The open file. What goes wrong while the run goes on is told after it.
pub(super) struct Log {
    path: PathBuf,
    out: csv::Writer<File>,
    /// For each cohort its name and those of its messages.
    names: Vec<(String, Vec<String>)>,
    failure: Option<csv::Error>,
    left_out: u64,
}

impl Log {
    /// Makes the file, or empties the one that is there.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn create(path: &Path, scenario: &Scenario) -> Result<Self, CliError> {
        let file = File::create(path).map_err(|source| CliError::Write {
            path: path.to_owned(),
            source,
        })?;
        let mut out = csv::Writer::from_writer(file);
        let failure = out.write_record(COLUMNS).err();
        let messages = |cohort: &crate::scenario::Cohort| {
            let names = cohort.messages.iter().map(|message| message.name.clone());
            (cohort.name.clone(), names.collect())
        };
        Ok(Self {
            path: path.to_owned(),
            out,
            names: scenario.cohorts.iter().map(messages).collect(),
            failure,
            left_out: 0,
        })
    }

    /// Writes what was answered in a second. Nothing more after the first failure.
    pub(super) fn write(&mut self, echoes: &Echoes) {
        self.left_out += echoes.more;
        if self.failure.is_none() {
            self.failure = self.rows(echoes).err();
        }
    }

    fn rows(&mut self, echoes: &Echoes) -> csv::Result<()> {
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
        }
        Ok(())
    }

    /// Ends the file, and says how many messages had no room in it.
    ///
    /// # Errors
    /// When it could not be written to its end.
    pub(super) fn finish(mut self) -> Result<u64, CliError> {
        let failed = |source: std::io::Error| CliError::LateWrite {
            path: self.path.clone(),
            source,
        };
        if let Some(failure) = self.failure.take() {
            return Err(failed(failure.into()));
        }
        (self.out.flush())
            .and_then(|()| self.out.get_ref().sync_all())
            .map_err(failed)?;
        Ok(self.left_out)
    }
}

//! Writes the lines of `intervals.jsonl` as they happen.

use std::io::{self, Write};

use super::about::About;
use super::hub::{Output, Second, SendError};
use crate::report::{interval_lines, intervals_head};

/// Writes to a file or a pipe.
pub struct Jsonl<W> {
    out: W,
    cohorts: Vec<String>,
    /// The first line, until it is written.
    head: Option<Vec<u8>>,
}

impl<W: Write + Send> Jsonl<W> {
    /// Prepares the output of this run.
    ///
    /// # Errors
    /// When the first line cannot be made.
    pub fn new(out: W, about: &About) -> io::Result<Self> {
        let mut head = Vec::new();
        intervals_head(about.started_at, &about.cohorts, &mut head)?;
        Ok(Self {
            out,
            cohorts: about.cohorts.clone(),
            head: Some(head),
        })
    }
}

impl<W: Write + Send> Output for Jsonl<W> {
    fn send(&mut self, second: &Second) -> Result<(), SendError> {
        // Whole lines go out by one call: who reads the file meanwhile seldom meets a part of one.
        let mut lines = self.head.take().unwrap_or_default();
        let interval = second.interval.encode();
        let written = interval_lines(&interval, &self.cohorts, &mut lines);
        let written = written
            .and_then(|()| self.out.write_all(&lines))
            .and_then(|()| self.out.flush());
        written.map_err(SendError::lasting)
    }
}

//! Everything that is known about one run, gathered for the reports.
//! Borrowed, so that it can be made as often as it is needed.

use std::time::SystemTime;

use super::host::Host;
use crate::measure::Summary;
use crate::scenario::{Scenario, TargetUrl};
use crate::verdict::{Facts, Verdict};

/// Everything that is known about one run.
#[derive(Debug, Clone)]
pub struct RunReport<'a> {
    /// What was asked for.
    pub scenario: &'a Scenario,
    /// The same as text, as the user wrote it: `${NAME}` is left in place.
    pub scenario_text: &'a str,
    /// What else was asked for.
    pub options: &'a Options,
    /// The machine that ran it.
    pub host: &'a Host,
    /// The first dial.
    pub started_at: SystemTime,
    /// How it ended, and with what means.
    pub facts: &'a Facts,
    /// The numbers.
    pub summary: &'a Summary,
    /// The judgement.
    pub verdict: &'a Verdict,
}

/// What was asked for besides the scenario file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The same seed makes the same schedule.
    pub seed: u64,
    /// What the command line changed, as the user wrote it: `--connections 100`.
    pub overrides: Vec<String>,
}

impl RunReport<'_> {
    /// How people see the server's address; never with a secret in it.
    pub(super) fn target(&self) -> &str {
        match &self.scenario.target.url {
            TargetUrl::Embedded => "the built-in echo server",
            TargetUrl::Url(url) => &url.shown,
        }
    }

    /// The start in UTC, to the second: `2026-11-23T20:15:00Z`.
    pub(super) fn started_at_utc(&self) -> String {
        utc(self.started_at)
    }
}

/// A clock set before 1970 is shown as 1970.
pub(super) fn utc(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time.max(SystemTime::UNIX_EPOCH)).to_string()
}

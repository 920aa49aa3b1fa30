//! Everything that is known about one run, collected for the reports.
//! Holds only references, so that it can be created as often as needed.

use std::time::SystemTime;

use super::host::Host;
use crate::measure::Summary;
use crate::scenario::{Scenario, TargetUrl};
use crate::verdict::{Facts, Verdict};

/// Everything that is known about one run.
#[derive(Debug, Clone)]
pub struct RunReport<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The scenario as text, as the user wrote it: `${NAME}` is not replaced.
    pub scenario_text: &'a str,
    /// What the command line asked for.
    pub options: &'a Options,
    /// The machine that ran it.
    pub host: &'a Host,
    /// The time of the first dial.
    pub started_at: SystemTime,
    /// How the run ended, and which features the system had.
    pub facts: &'a Facts,
    /// The numbers.
    pub summary: &'a Summary,
    /// The verdict.
    pub verdict: &'a Verdict,
}

/// What was asked for in addition to the scenario file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The seed: the same seed gives the same schedule.
    pub seed: u64,
    /// What the command line changed, as the user wrote it: `--connections 100`.
    pub overrides: Vec<String>,
}

impl RunReport<'_> {
    /// The server's address for people; never contains a secret.
    pub(super) fn target(&self) -> &str {
        match &self.scenario.target.url {
            TargetUrl::Embedded => "the built-in echo server",
            TargetUrl::Url(url) => &url.shown,
        }
    }

    /// The time of the first dial in UTC, to the second: `2026-11-23T20:15:00Z`.
    pub(super) fn started_at_utc(&self) -> String {
        utc(self.started_at)
    }
}

/// Formats a time in UTC. A clock before 1970 is shown as 1970.
pub(super) fn utc(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time.max(SystemTime::UNIX_EPOCH)).to_string()
}

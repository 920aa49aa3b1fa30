//! What outputs say of a run besides its numbers.

use std::time::SystemTime;

use crate::report::Labels;

/// What a run is, for those who see only its numbers. Contains no secret, and no address.
#[derive(Debug, Clone)]
pub struct About {
    /// The name of the scenario.
    pub scenario: String,
    /// The names of the cohorts, in the order of the parts of an interval.
    pub cohorts: Vec<String>,
    /// What the user called the run.
    pub labels: Labels,
    /// Tells this run from others: eight characters.
    pub run: String,
    /// When the run started, as in its report.
    pub started_at: SystemTime,
}

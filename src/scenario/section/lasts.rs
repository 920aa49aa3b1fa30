//! `load.duration`: how long measuring lasts.

use std::time::Duration;

use super::cohort::Cohort;
use super::target::Target;
use crate::scenario::reading::{Text, Time};

/// How long a run measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasts {
    /// This long. Above zero.
    For(Duration),
    /// Until a signal ends it. Its reports are closed while it goes on.
    Endless,
}

impl Lasts {
    /// What an endless run is taken for where it is asked whether something is due in it: a gate on what is due less
    /// often could never be judged in a report.
    pub const FORESEEN: Duration = Duration::from_secs(24 * 60 * 60);

    /// Some seconds, at least one.
    pub(in crate::scenario) const fn seconds(seconds: u64) -> Self {
        Self::For(Duration::from_secs(seconds))
    }

    /// The length; `None` without end.
    pub fn limit(self) -> Option<Duration> {
        match self {
            Self::For(time) => Some(time),
            Self::Endless => None,
        }
    }

    /// The length as far as it is looked ahead: [`Self::FORESEEN`] without end.
    pub fn foreseen(self) -> Duration {
        self.limit().unwrap_or(Self::FORESEEN)
    }
}

/// What a run without end cannot have, each with the reason; `None` if it has none of it.
pub(in crate::scenario) fn refused(
    cohorts: &[Cohort],
    target: &Target,
    has_path: bool,
) -> Option<(String, &'static str)> {
    const LENGTH: &str = "leave that out, or write a length, like `duration = \"24h\"`: `run --duration 24h` and `watch --for 24h` do so too";
    let mut contracts = cohorts.iter().filter(|cohort| cohort.contract.is_some());
    if let Some(cohort) = contracts.next() {
        let what = format!(
            "cannot be \"endless\" with the contract of cohort `{}`: it is judged when its connections have ended",
            cohort.name
        );
        return Some((what, LENGTH));
    }
    let what = match (has_path, target.faults.is_empty()) {
        (false, true) => return None,
        (true, _) => "cannot be \"endless\" with `[path]`, whose faults happen once",
        (false, false) => "cannot be \"endless\" with `[[target.fault]]`, which happens once",
    };
    Some((what.into(), LENGTH))
}

impl Text for Lasts {
    const NAME: &'static str = "Lasts";
    const EXPECTING: &'static str = "a duration such as \"30s\", or \"endless\"";
    const PATTERN: &'static str =
        r"^\s*(endless|[0-9]+(\.[0-9]+)?\s*[a-zA-Z]+(\s*[0-9]+(\.[0-9]+)?\s*[a-zA-Z]+)*)\s*$";

    fn read(text: &str) -> Result<Self, String> {
        match text.trim() {
            "endless" => Ok(Self::Endless),
            _ => Time::read(text).map(|time| Self::For(time.0)),
        }
    }

    fn written(&self) -> String {
        match self {
            Self::For(time) => Time(*time).written(),
            Self::Endless => "endless".into(),
        }
    }
}

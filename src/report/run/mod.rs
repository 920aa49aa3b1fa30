//! One finished run as data: all that files and the terminal summary show of it, and what `run.json` holds. Owns
//! everything, and knows nothing of the scenario's model, so that a run that is read back shows the same.

mod baseline;
pub(super) mod copy;
mod document;
mod doubts;
mod judged;
mod labels;
mod metrics;
mod of;
mod outputs;
mod parts;
mod read;
mod surroundings;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::host::Host;
use crate::measure::Summary;
use crate::scenario::HttpWord;
use crate::verdict::{
    ActivityResult, CohortEnds, ContractResult, Exit, Facts, GateCohort, GateResult, View,
};

pub use baseline::{BaselineRecord, BaselineTimes};
pub use document::{SCHEMA_VERSION, write};
pub use labels::{Label, LabelError, Labels, LabelsError};
pub use of::{Parts, utc};
pub use outputs::OutputRecord;
pub use parts::PartRecord;
pub use read::ReadError;

/// One finished run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The program that ran it.
    pub tool: Tool,
    /// What was to be done, as far as it is shown.
    pub scenario: ScenarioRecord,
    /// What the command line asked for.
    pub options: Options,
    /// The machine that ran it.
    pub host: Host,
    /// The time of the first dial in UTC, to the millisecond: `2026-11-23T20:15:00.250Z`.
    pub started_at: String,
    /// How the run ended, which features the system had, and what happened around the connections.
    pub facts: Facts,
    /// The processes that played it, if it was played in parts; empty if one did.
    pub parts: Vec<PartRecord>,
    /// The numbers.
    pub summary: Summary,
    /// The verdict.
    pub verdict: Judgement,
    /// The baseline that it was held against, if there is one.
    pub baseline: Option<BaselineRecord>,
    /// Where its numbers went while it ran.
    pub outputs: Vec<OutputRecord>,
}

/// The program that ran it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// `wsbench`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// A scenario, as far as reports show it. Contains no secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScenarioRecord {
    /// The name.
    pub name: String,
    /// What it is for; may be empty.
    pub description: String,
    /// The path of its file, as the user wrote it; `None` for a shipped scenario, and for one made of an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The text, as the user wrote it: `${NAME}` is not replaced.
    pub text: String,
    /// The SHA-256 of the text, in hexadecimal.
    pub sha256: String,
    /// The server's address for people.
    pub target: String,
    /// The cohorts, in the order of the scenario.
    pub cohorts: Vec<CohortRecord>,
    /// The stages of the load; empty if it has none.
    pub stages: Vec<StageRecord>,
}

/// A cohort, as far as reports show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CohortRecord {
    /// The name.
    pub name: String,
    /// The number of connections, as in the scenario.
    pub connections: u32,
    /// The proxy that its connections go through, without credentials.
    pub proxy: Option<String>,
    /// The servers that its connections go to in turn, by their weights; empty for the built-in one.
    #[serde(default)]
    pub servers: Vec<ServerRecord>,
    /// The version of HTTP that they are asked over.
    #[serde(default = "the_older")]
    pub http: HttpWord,
    /// Whether its clients ping the server.
    pub heartbeat: bool,
    /// The kinds of faults of its clients. Empty for healthy clients.
    pub faults: Vec<String>,
    /// Whether its contract expects the server to end its connections.
    pub expects_end: bool,
    /// The preset of its contract and the settings it was computed from, if there is one.
    pub preset: Option<String>,
}

/// What there was before reports told the version.
fn the_older() -> HttpWord {
    HttpWord::One
}

impl CohortRecord {
    /// Whether its clients have no fault.
    pub fn is_healthy(&self) -> bool {
        self.faults.is_empty()
    }
}

/// One of the servers of a cohort.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerRecord {
    /// Its address for people.
    pub address: String,
    /// How many connections it gets for each one that a server of weight 1 gets. Above zero.
    pub weight: u32,
}

/// One stage of the load.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StageRecord {
    /// The planned length, in seconds.
    pub seconds: f64,
    /// The number of connections at its end.
    pub connections: u32,
}

impl StageRecord {
    /// The planned length.
    pub fn duration(&self) -> Duration {
        Duration::try_from_secs_f64(self.seconds).unwrap_or_default()
    }
}

/// What was asked for in addition to the scenario file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The seed: the same seed gives the same schedule.
    pub seed: u64,
    /// What the command line changed, as the user wrote it: `--connections 100`.
    pub overrides: Vec<String>,
    /// What the user called the run.
    pub labels: Labels,
}

/// The verdict, with all that reports say about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The exit code.
    pub exit: Exit,
    /// Every gate, as in [`crate::verdict::Verdict::gates`].
    pub gates: Vec<GateResult>,
    /// Every promise of every cohort, in the order of the scenario.
    pub contracts: Vec<ContractResult>,
    /// How the connections of each cohort with a contract ended.
    pub ends: Vec<CohortEnds>,
    /// Which frame kept connections alive, for cohorts with a contract that send nothing but one kind.
    pub activity: Vec<ActivityResult>,
    /// Why not every gate and promise can be judged.
    pub distrust: Vec<DoubtNote>,
    /// What a reader of the numbers should know.
    pub warnings: Vec<Note>,
}

/// A warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The stable name of its kind.
    pub kind: String,
    /// What was seen, for people.
    pub text: String,
    /// What to do about it, if there is something to do.
    pub hint: Option<String>,
}

/// A doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoubtNote {
    /// The stable name of its kind.
    pub kind: String,
    /// What was seen, for people.
    pub text: String,
    /// What to do about it, if there is something to do.
    pub hint: Option<String>,
    /// The gates and promises that have no verdict because of it: gates as written, promises as `closed of main`.
    pub concerns: Vec<String>,
    /// Whether it is about the whole run, and so concerns all of them.
    pub whole_run: bool,
}

impl Run {
    /// The numbers as gates look at them.
    pub fn view(&self) -> View<'_> {
        let groups = self.scenario.cohorts.iter().map(|cohort| GateCohort {
            name: &cohort.name,
            is_healthy: cohort.is_healthy(),
            expects_end: cohort.expects_end,
        });
        View::of_groups(groups, &self.summary)
    }
}

#[cfg(test)]
mod tests;

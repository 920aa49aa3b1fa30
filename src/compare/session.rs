//! A session: runs of one scenario that followed each other on one machine. It counts as one value.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::stat::median;
use super::times::{self, Times};
use super::values::{look_up, values};
use crate::report::{Host, Labels, Run, SCHEMA_VERSION};
use crate::scenario::Subject;
use crate::units::{counted, visible};
use crate::verdict::{Exit, Outcome};

/// One session, as far as it is compared with others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// When its first run began, in UTC to the second: `2026-11-23T20:15:00Z`.
    pub started_at: String,
    /// The version of wsbench.
    pub wsbench: String,
    /// The machine that ran it.
    pub machine: Machine,
    /// What was asked of the server.
    pub setting: Setting,
    /// What the user called its first run.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// How many runs it has. At least one.
    pub runs: usize,
    /// The numbers of each run in the units of reports, by their names in gates; `None` for a run without data.
    pub values: BTreeMap<String, Vec<Option<f64>>>,
    /// The times that gates on a baseline are about, of all its runs, so that a report can draw them.
    #[serde(default, skip_serializing_if = "Times::is_empty")]
    pub times: Times,
}

/// What two sessions must share so that nothing but the server differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// The name of the scenario.
    pub scenario: String,
    /// The SHA-256 of what the scenario asks, in hexadecimal: without comments, gates and description, which change no
    /// number.
    pub sha256: String,
    /// What the command line changed of it: no gates, no addresses, no process ids.
    pub overrides: Vec<String>,
    /// How the server is reached: `ws`, `wss`, `embedded` …
    pub target: String,
    /// The number of threads that sent and received.
    pub workers: usize,
    /// How many processes played it: one, or the parts of a run.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub processes: usize,
    /// The version of the format of its runs.
    pub schema_version: u32,
}

fn one() -> usize {
    1
}

fn is_one(processes: &usize) -> bool {
    *processes == 1
}

/// A machine, as far as it makes runs faster or slower.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// `linux`, `macos`, …
    pub os: String,
    /// The number of cores, if known.
    pub cpus: Option<usize>,
    /// The name of the processor, if known.
    pub cpu_model: Option<String>,
}

/// The first difference between two settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} differs: {base} there, {new} here")]
pub struct Mismatch {
    /// What differs, in words.
    pub what: &'static str,
    /// What the base has.
    pub base: String,
    /// What the new runs have.
    pub new: String,
}

/// Why runs are no session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// There is no run.
    #[error("there is no run")]
    Empty,
    /// A run without a verdict, or that was cut short: its numbers say nothing.
    #[error("the run that began {began} {why}")]
    NoVerdict {
        /// When it began.
        began: String,
        /// What is wrong with it, as in "is in doubt (exit code 4)".
        why: &'static str,
        /// Its exit code.
        exit: Exit,
    },
    /// Runs of different settings.
    #[error("the runs are of two settings: {0}")]
    Mixed(#[from] Mismatch),
    /// Runs of different machines.
    #[error("the runs are of two machines: {}; and {}", .0.0, .0.1)]
    Machines(Box<(Machine, Machine)>),
}

impl Session {
    /// A session of these runs, with what is `asked` for besides the usual numbers: its numbers, and its times whole.
    ///
    /// # Errors
    /// When there is no run, one cannot be trusted, or they do not belong together.
    pub fn of<'a>(
        runs: impl IntoIterator<Item = &'a Run>,
        asked: &[Subject],
    ) -> Result<Self, SessionError> {
        let mut session: Option<Self> = None;
        for run in runs {
            let one = Self::of_run(run, asked)?;
            match &mut session {
                Some(session) => session.add(one)?,
                None => session = Some(one),
            }
        }
        session.ok_or(SessionError::Empty)
    }

    fn of_run(run: &Run, asked: &[Subject]) -> Result<Self, SessionError> {
        if let Some(why) = distrusted(run) {
            return Err(SessionError::NoVerdict {
                began: run.started_at.clone(),
                why,
                exit: run.verdict.exit,
            });
        }
        let values = values(run, asked).into_iter();
        Ok(Self {
            started_at: run.started_at.clone(),
            wsbench: run.tool.version.clone(),
            machine: Machine::of(&run.host),
            setting: Setting::of_run(run),
            labels: run.options.labels.clone(),
            runs: 1,
            values: values
                .map(|(name, value)| (name, vec![Some(value)]))
                .collect(),
            times: times::times(run, asked),
        })
    }

    /// Adds runs that followed.
    ///
    /// # Errors
    /// When they are of another setting or machine.
    pub fn add(&mut self, later: Self) -> Result<(), SessionError> {
        if let Some(mismatch) = self.setting.differs(&later.setting) {
            return Err(mismatch.into());
        }
        if self.machine != later.machine {
            let both = (self.machine.clone(), later.machine);
            return Err(SessionError::Machines(Box::new(both)));
        }
        for runs in self.values.values_mut() {
            runs.resize(self.runs, None);
        }
        for (name, runs) in later.values {
            let before = self.runs;
            let all = self.values.entry(name);
            all.or_insert_with(|| vec![None; before]).extend(runs);
        }
        self.runs += later.runs;
        for runs in self.values.values_mut() {
            runs.resize(self.runs, None);
        }
        times::add(&mut self.times, later.times);
        self.started_at = self.started_at.clone().min(later.started_at);
        Ok(())
    }

    /// The number of one run, counted from 0; `None` where it had no data for it.
    pub fn of_one(&self, subject: &Subject, run: usize) -> Option<f64> {
        look_up(subject, |name| *self.values.get(name)?.get(run)?)
    }

    /// The median of its runs; `None` where one had no data for it.
    pub fn median(&self, subject: &Subject) -> Option<f64> {
        let runs = (0..self.runs).map(|run| self.of_one(subject, run));
        median(&runs.collect::<Option<Vec<f64>>>()?)
    }
}

/// Why the numbers of a run say nothing; `None` where they can be compared.
fn distrusted(run: &Run) -> Option<&'static str> {
    match (run.verdict.exit, &run.facts.outcome) {
        (Exit::Untrusted, _) => Some("is in doubt (exit code 4)"),
        (Exit::Interrupted, _) | (_, Outcome::Interrupted) => {
            Some("was interrupted (exit code 130)")
        }
        (Exit::Unexpected, _) | (_, Outcome::Broken { .. }) => Some("broke off (exit code 1)"),
        (_, Outcome::Aborted { .. }) => Some("was ended by an `abort` gate, before its time"),
        (Exit::Passed | Exit::Failed | Exit::Invalid, Outcome::Completed) => None,
    }
}

impl Setting {
    /// The setting of a stored run.
    pub fn of_run(run: &Run) -> Self {
        Self::new(
            &run.scenario.name,
            &run.scenario.text,
            &run.scenario.target,
            &run.options.overrides,
            run.facts.workers,
        )
        .of_processes(run.parts.len())
    }

    /// The same, played by so many processes; none is one, that knows of no others.
    pub fn of_processes(self, processes: usize) -> Self {
        let processes = processes.max(1);
        Self { processes, ..self }
    }

    /// The setting of a run that is to come: the name and the text of its scenario, its target as reports show it, what
    /// the command line changes, and the number of workers.
    pub fn new(name: &str, text: &str, target: &str, overrides: &[String], workers: usize) -> Self {
        let changes_load = |change: &&String| {
            let options = ["--gate ", "--url ", "--pid "];
            !options.iter().any(|option| change.starts_with(option))
        };
        Self {
            scenario: name.to_owned(),
            sha256: asked_of_server(text),
            overrides: overrides.iter().filter(changes_load).cloned().collect(),
            target: kind_of(target).to_owned(),
            workers,
            processes: one(),
            schema_version: SCHEMA_VERSION,
        }
    }

    /// The first difference between this one and a new one; `None` where they can be compared.
    pub fn differs(&self, new: &Self) -> Option<Mismatch> {
        let overrides = |setting: &Self| match setting.overrides.as_slice() {
            [] => "no option".to_owned(),
            some => visible(&some.join(" ")),
        };
        let short = |setting: &Self| setting.sha256.chars().take(12).collect::<String>();
        let all = [
            (
                "the scenario's name",
                visible(&self.scenario),
                visible(&new.scenario),
            ),
            ("the scenario (its SHA-256)", short(self), short(new)),
            ("the command line", overrides(self), overrides(new)),
            (
                "the kind of target",
                visible(&self.target),
                visible(&new.target),
            ),
            (
                "the number of workers",
                counted(self.workers as u64, "worker"),
                counted(new.workers as u64, "worker"),
            ),
            (
                "the number of processes",
                self.processes.to_string(),
                new.processes.to_string(),
            ),
            (
                "the version of run.json",
                self.schema_version.to_string(),
                new.schema_version.to_string(),
            ),
        ];
        let mut all = all.into_iter();
        let (what, base, new) = all.find(|(_, base, new)| base != new)?;
        Some(Mismatch { what, base, new })
    }
}

/// A digest of what a scenario asks of a server. Of the whole text where it is no TOML.
fn asked_of_server(text: &str) -> String {
    let asked = text.parse::<toml::Table>().ok().and_then(|mut table| {
        table.remove("gates");
        table.remove("description");
        // Sorted by key, so that only what is meant counts.
        serde_json::to_value(table).ok()
    });
    let canonical = asked.map_or_else(|| text.to_owned(), |asked| asked.to_string());
    let digest = Sha256::digest(canonical);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The scheme of an address as reports show it, or all of what is no address.
fn kind_of(target: &str) -> &str {
    let end = target.find(':').unwrap_or(target.len());
    &target[..end]
}

impl Machine {
    /// The machine of a run.
    pub fn of(host: &Host) -> Self {
        Self {
            os: host.os.clone(),
            cpus: host.cpus,
            cpu_model: host.cpu_model.clone(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = self.cpu_model.as_deref().map(visible);
        f.write_str(model.as_deref().unwrap_or("an unknown processor"))?;
        if let Some(cpus) = self.cpus {
            write!(f, ", {}", counted(cpus as u64, "core"))?;
        }
        write!(f, ", {}", visible(&self.os))
    }
}

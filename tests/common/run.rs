//! Runs wsbench as its users do, and reads what it left behind.
//! A run that says itself that the machine was too busy proves nothing: [`trusted`] makes it again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use serde_json::Value;
use tempfile::TempDir;

use super::real::wsbench;

/// So often is a run made again.
const TRIES: usize = 5;

/// A finished run.
pub struct Run {
    pub exit: i32,
    /// What it said on standard error.
    pub said: String,
    /// `run.json`.
    pub report: Value,
    folder: TempDir,
}

/// Makes a run, with whatever it needs, until it is not the machine's fault that it cannot be trusted.
pub fn trusted<T>(attempt: impl Fn() -> (Run, T)) -> (Run, T) {
    let mut tries = 0;
    loop {
        tries += 1;
        let (run, needed) = attempt();
        if tries == TRIES || !run.was_starved() {
            return (run, needed);
        }
    }
}

/// `wsbench run` with a scenario of the test's own.
pub fn run_text(scenario: &str, arguments: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scenario.toml");
    std::fs::write(&file, scenario).unwrap();
    run(&[&[file.to_str().unwrap()], arguments].concat())
}

/// `wsbench run` with these arguments, its report in a folder of its own.
pub fn run(arguments: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let Output { status, stderr, .. } = Command::new(wsbench())
        .arg("run")
        .args(arguments)
        .args(["--quiet", "--out"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(stderr).unwrap();
    let json = std::fs::read(folder.path().join("run.json"))
        .unwrap_or_else(|error| panic!("no report ({error}), {status}: {said}"));
    Run {
        exit: status.code().expect("an exit code"),
        said,
        report: serde_json::from_slice(&json).unwrap(),
        folder,
    }
}

impl Run {
    /// A file of the report.
    pub fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Whether the only doubts about it are the generator's own lateness.
    fn was_starved(&self) -> bool {
        let doubts = self.report["verdict"]["distrust"].as_array().unwrap();
        let is_own =
            |doubt: &Value| matches!(doubt["kind"].as_str(), Some("sends_late" | "not_sent"));
        !doubts.is_empty() && doubts.iter().all(is_own)
    }

    /// Panics, with all there is to know, unless every gate held and the exit code is 0.
    pub fn assert_passed(&self) {
        let verdict = &self.report["verdict"];
        let (warnings, errors) = (&self.report["warnings"], &self.report["errors"]);
        assert_eq!(
            self.exit, 0,
            "{verdict:#} {warnings:#} {errors:#} {}",
            self.said
        );
        let gates = verdict["gates"].as_array().unwrap();
        assert!(
            !gates.is_empty() && gates.iter().all(|gate| gate["passed"] == true),
            "{gates:#?}"
        );
        assert_eq!(self.report["outcome"], "completed");
    }

    /// The rows of what was measured, by cohort and stage.
    pub fn measured(&self) -> BTreeMap<Part, Row> {
        rows(&self.report["metrics"])
    }

    /// The rows of the whole run, by cohort.
    pub fn totals(&self) -> BTreeMap<Part, Row> {
        rows(&self.report["totals"])
    }

    /// A count of what was measured, all cohorts and stages together.
    pub fn count(&self, name: &str) -> u64 {
        self.measured().values().map(|row| row.count(name)).sum()
    }

    /// A count of the whole run, all cohorts together.
    pub fn total(&self, name: &str) -> u64 {
        self.totals().values().map(|row| row.count(name)).sum()
    }

    /// A statistic of a distribution over the whole run, in nanoseconds; of the only cohort.
    pub fn total_ns(&self, name: &str, stat: &str) -> u64 {
        let rows = self.report["totals"].as_array().unwrap();
        let row = rows.iter().find(|row| row["name"] == name);
        let us = row.and_then(|row| row[stat].as_f64());
        (us.unwrap_or_else(|| panic!("no {stat} of {name}")) * 1e3).round() as u64
    }

    /// A distribution of what was measured in nanoseconds, all cohorts and stages together. Read by the library and
    /// not by wsbench: what `hdr` holds is for others.
    pub fn histogram(&self, name: &str) -> Histogram<u64> {
        let mut all = Histogram::new(3).unwrap();
        for row in self.report["metrics"].as_array().unwrap() {
            if row["name"] == name {
                let hdr = BASE64.decode(row["hdr"].as_str().unwrap()).unwrap();
                all.add(
                    Deserializer::new()
                        .deserialize::<u64, _>(&mut &hdr[..])
                        .unwrap(),
                )
                .unwrap();
            }
        }
        assert!(!all.is_empty(), "no samples of {name}");
        all
    }
}

/// A cohort, and a stage of it: where a row of numbers belongs. Empty and `None` where it does not apply.
pub type Part = (String, Option<u64>);

/// The counts of one part by name; the samples, for a histogram.
#[derive(Debug, Clone, Default)]
pub struct Row(BTreeMap<String, u64>);

impl Row {
    /// One count; zero where nothing was counted.
    pub fn count(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// All counts whose names begin so.
    pub fn sum(&self, begins: &str) -> u64 {
        let named = self.0.iter().filter(|(name, _)| name.starts_with(begins));
        named.map(|(_, count)| count).sum()
    }

    /// Whether this part has a row of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

fn rows(metrics: &Value) -> BTreeMap<Part, Row> {
    let mut parts: BTreeMap<Part, Row> = BTreeMap::new();
    for metric in metrics.as_array().unwrap() {
        let text = |key: &str| metric[key].as_str().unwrap_or_default().to_owned();
        let part = (text("cohort"), metric["stage"].as_u64());
        let count = metric["count"].as_u64().unwrap();
        let before = parts.entry(part).or_default().0.insert(text("name"), count);
        assert_eq!(before, None, "two rows of {metric}");
    }
    parts
}

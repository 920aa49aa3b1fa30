//! A whole run and its numbers, row by row, which [`books`](super::books) checks.
//! A run that reports that the machine was too busy proves nothing: [`trusted`] repeats it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use serde_json::Value;
use wsbench::scenario::shipped;

use super::program::{Ended, Running};
use super::report::Report;

/// The most attempts at one run.
const TRIES: usize = 5;

/// A finished run.
pub struct Run {
    pub ended: Ended,
    pub report: Report,
}

/// Runs `wsbench run` with this scenario and these arguments to its end.
pub fn run(scenario: &str, arguments: &[&str]) -> Run {
    let ended = Running::start(scenario, &[arguments, &["--quiet"]].concat()).end();
    Run {
        report: ended.report(),
        ended,
    }
}

/// Repeats a run, with all that it needs, until it is not doubted because of a busy machine.
pub fn trusted<T>(attempt: impl Fn() -> (Run, T)) -> (Run, T) {
    let mut tries = 0;
    loop {
        tries += 1;
        let (run, needed) = attempt();
        if tries == TRIES || !run.report.was_starved() {
            return (run, needed);
        }
    }
}

/// Repeats a run, with all that it needs, until neither a doubt nor a warning says that the machine was busy.
#[track_caller]
pub fn undisturbed<T>(attempt: impl Fn() -> (Run, T)) -> (Run, T) {
    let mut said = Vec::new();
    for _ in 0..TRIES {
        let (run, needed) = attempt();
        said = run.report.disturbances();
        if said.is_empty() {
            return (run, needed);
        }
    }
    panic!("measured badly, {TRIES} times: {said:?}\nhint: a machine that does nothing else");
}

/// Runs a shipped scenario with each of these texts replaced; each must occur in it.
#[track_caller]
pub fn shortened(name: &str, changes: &[(&str, &str)]) -> Run {
    let mut scenario = shipped::named(name).unwrap().to_owned();
    for (from, to) in changes {
        assert!(scenario.contains(from), "no `{from}` in {name}");
        scenario = scenario.replace(from, to);
    }
    let (run, ()) = trusted(|| (run(&scenario, &[]), ()));
    run
}

impl Run {
    /// Panics with all details unless every gate held and the exit code is 0.
    #[track_caller]
    pub fn assert_passed(&self) {
        let json = &self.report.json;
        let (verdict, errors) = (&json["verdict"], &json["errors"]);
        assert_eq!(
            self.ended.code, 0,
            "{verdict:#} {errors:#} {}",
            self.ended.stderr
        );
        assert_eq!(self.report.failed_gates(), Vec::<&str>::new());
        assert_eq!(json["outcome"], "completed");
    }

    /// The rows of the measured window, by cohort and stage.
    pub fn measured(&self) -> BTreeMap<Part, Row> {
        rows(&self.report.json["metrics"])
    }

    /// The rows of the whole run, by cohort.
    pub fn totals(&self) -> BTreeMap<Part, Row> {
        rows(&self.report.json["totals"])
    }

    /// A count in the measured window, summed over all cohorts and stages.
    pub fn count(&self, name: &str) -> u64 {
        self.measured().values().map(|row| row.count(name)).sum()
    }

    /// A statistic of a distribution over the whole run, in nanoseconds; for runs with one cohort.
    pub fn total_ns(&self, name: &str, stat: &str) -> u64 {
        let rows = self.report.rows("totals", name);
        let us = rows.first().and_then(|row| row[stat].as_f64());
        (us.unwrap_or_else(|| panic!("no {stat} of {name}")) * 1e3).round() as u64
    }

    /// A distribution of the measured window in nanoseconds, merged over all cohorts and stages. Decoded by the library
    /// and not by wsbench, because `hdr` is made for other programs.
    pub fn histogram(&self, name: &str) -> Histogram<u64> {
        let mut all = Histogram::new(3).unwrap();
        for row in self.report.rows("metrics", name) {
            let hdr = BASE64.decode(row["hdr"].as_str().unwrap()).unwrap();
            all.add(
                Deserializer::new()
                    .deserialize::<u64, _>(&mut &hdr[..])
                    .unwrap(),
            )
            .unwrap();
        }
        assert!(!all.is_empty(), "no samples of {name}");
        all
    }
}

/// The cohort and the stage of a row of numbers. Empty and `None` where they do not apply.
pub type Part = (String, Option<u64>);

/// The counts of one part by name; for a histogram, the number of samples.
#[derive(Debug, Clone, Default)]
pub struct Row(BTreeMap<String, u64>);

impl Row {
    /// One count; zero if nothing was counted.
    pub fn count(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// The sum of all counts whose names begin with this text.
    pub fn sum(&self, begins: &str) -> u64 {
        let named = self.0.iter().filter(|(name, _)| name.starts_with(begins));
        named.map(|(_, count)| count).sum()
    }

    /// Whether this part has a row of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

/// The rows of a list of a report, by cohort and stage.
pub fn rows(metrics: &Value) -> BTreeMap<Part, Row> {
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

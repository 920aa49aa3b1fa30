//! Reads the report of a run as a user would: JSON and CSV, with the names of the catalogue.
//! Fails if a test asks for a metric that does not exist.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use wsbench::metric;

use super::books::assert_kept;

/// The files of a report.
pub const FILES: [&str; 7] = [
    "connections.csv",
    "histogram.csv",
    "intervals.jsonl",
    "report.html",
    "run.json",
    "summary.csv",
    "timeline.csv",
];

/// The rows of a CSV file, by column.
pub fn table(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut csv = csv::Reader::from_path(path).unwrap();
    csv.deserialize().map(Result::unwrap).collect()
}

/// The report of a run.
pub struct Report {
    pub json: Value,
    /// The rows of `connections.csv`.
    pub connections: Vec<BTreeMap<String, String>>,
}

impl Report {
    /// Reads the files of a report, and checks that its counts add up.
    #[track_caller]
    pub fn read(folder: &Path) -> Self {
        let report = Self::read_closed(folder);
        assert_kept(&report.json);
        report
    }

    /// Reads the files of a report that was closed while the run went on: what was in flight then is counted as sent in
    /// it, and as answered in the next.
    #[track_caller]
    pub fn read_closed(folder: &Path) -> Self {
        let json = fs::read_to_string(folder.join("run.json")).expect("a run.json");
        Self {
            json: serde_json::from_str(&json).unwrap(),
            connections: table(&folder.join("connections.csv")),
        }
    }

    /// A counter of the whole run, summed over all cohorts and stages.
    #[track_caller]
    pub fn count(&self, name: &str) -> u64 {
        assert!(
            metric::kind_of(name, &["echo"]).is_some(),
            "no metric `{name}`"
        );
        let rows = self.rows("totals", name);
        rows.iter().map(|row| row["count"].as_u64().unwrap()).sum()
    }

    /// The rows of a metric in `totals` or `metrics`.
    pub fn rows(&self, list: &str, name: &str) -> Vec<&Value> {
        let rows = self.json[list].as_array().unwrap().iter();
        rows.filter(|row| row["name"] == name).collect()
    }

    /// A count of one cohort over the whole run; zero if nothing was counted.
    pub fn total_of(&self, cohort: &str, name: &str) -> u64 {
        let rows = self.rows("totals", name);
        let row = rows.iter().find(|row| row["cohort"] == cohort);
        row.map_or(0, |row| row["count"].as_u64().unwrap())
    }

    /// All that the plan fixes, by name and cohort. None of it may be nothing, for that would be the same for everybody.
    pub fn fixed_by_the_plan(&self) -> BTreeMap<(&'static str, String), u64> {
        let mut counts = BTreeMap::new();
        for (part, name) in [
            ("totals", "connections.attempted"),
            ("totals", "connections.opened"),
            ("metrics", "messages.due"),
            ("metrics", "messages.sent"),
            ("metrics", "messages.echoed"),
            ("metrics", "heartbeat.pings_sent"),
        ] {
            let mut all = 0;
            for row in self.rows(part, name) {
                let count = row["count"].as_u64().unwrap();
                let cohort = row["cohort"].as_str().unwrap_or_default().to_owned();
                *counts.entry((name, cohort)).or_default() += count;
                all += count;
            }
            assert!(all > 0, "nothing of {name}");
        }
        counts
    }

    /// Every `errors.*` counter that is not zero.
    pub fn errors(&self) -> BTreeMap<&str, u64> {
        let kinds = self.json["errors"].as_array().unwrap().iter();
        kinds
            .map(|kind| {
                (
                    kind["kind"].as_str().unwrap(),
                    kind["count"].as_u64().unwrap(),
                )
            })
            .collect()
    }

    /// Every `closes.*` counter that is not zero.
    pub fn closes(&self) -> BTreeMap<&str, u64> {
        let rows = self.json["totals"].as_array().unwrap().iter();
        rows.filter_map(|row| {
            let how = row["name"].as_str().unwrap().strip_prefix("closes.")?;
            Some((how, row["count"].as_u64().unwrap())).filter(|(_, count)| *count > 0)
        })
        .collect()
    }

    /// The examples of one kind of error, joined into one text.
    pub fn examples(&self, kind: &str) -> String {
        let kinds = self.json["errors"].as_array().unwrap().iter();
        let found = kinds.filter(|found| found["kind"] == kind);
        found.map(|found| found["examples"].to_string()).collect()
    }

    /// The gates that failed, each up to its comparison operator.
    pub fn failed_gates(&self) -> Vec<&str> {
        let gates = self.json["verdict"]["gates"].as_array().unwrap().iter();
        gates
            .filter(|gate| gate["passed"] == false)
            .map(|gate| gate["gate"].as_str().unwrap())
            .collect()
    }

    /// A promise of a cohort: whether it was kept, and its whole entry.
    #[track_caller]
    pub fn promise(&self, cohort: &str, promise: &str) -> (bool, &Value) {
        let mut all = self.json["verdict"]["contracts"].as_array().unwrap().iter();
        let found = all.find(|row| row["cohort"] == cohort && row["contract"] == promise);
        let found = found.expect("a promise of the scenario");
        (found["passed"].as_bool().unwrap(), found)
    }

    /// The kinds of warnings.
    pub fn warnings(&self) -> Vec<&str> {
        let warnings = self.json["warnings"].as_array().unwrap().iter();
        warnings
            .map(|warning| warning["kind"].as_str().unwrap())
            .collect()
    }

    /// Whether the run has doubts that all concern the generator, because this machine was too busy.
    pub fn was_starved(&self) -> bool {
        const OWN: [&str; 6] = [
            "sends_late",
            "pings_late",
            "not_sent",
            "workers_late",
            "throttled",
            "generator_busy",
        ];
        let doubts = self.distrust();
        !doubts.is_empty() && doubts.iter().all(|doubt| OWN.contains(doubt))
    }

    /// The kinds of doubts about the run, and of warnings that it was held up.
    pub fn disturbances(&self) -> Vec<String> {
        let warnings = self.json["warnings"].as_array().unwrap().iter();
        let kinds = warnings.map(|warning| warning["kind"].as_str().unwrap());
        let held_up = kinds.filter(|kind| ["held_up", "throttled"].contains(kind));
        self.distrust()
            .into_iter()
            .chain(held_up)
            .map(str::to_owned)
            .collect()
    }

    /// The kinds of doubts about the run.
    pub fn distrust(&self) -> Vec<&str> {
        let reasons = self.json["verdict"]["distrust"].as_array().unwrap().iter();
        reasons
            .map(|reason| reason["kind"].as_str().unwrap())
            .collect()
    }
}

//! A run that an earlier build of version 0.1.0 stored is read and shown: what it lacks is said, and all else is there.

use std::fs;
use std::path::Path;

use serde_json::Value;
use wsbench::measure;
use wsbench::report::{self, Run};

use super::{everything, written};

/// Stored by the first build of version 0.1.0 whose runs can be read again.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reports/stored");

#[test]
fn a_run_of_an_earlier_build_is_shown() {
    let path = Path::new(FOLDER).join("run.json");
    let document: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let run = Run::read(Path::new(FOLDER)).unwrap();
    assert_eq!(
        (run.tool.version.as_str(), run.verdict.exit.code()),
        ("0.1.0", 3)
    );
    assert!(run.options.labels.is_empty() && run.summary.intervals.is_empty());

    let rows = document["metrics"].as_array().unwrap();
    assert_eq!(rows.len(), run.summary.metrics.len());
    for (row, metric) in rows.iter().zip(&run.summary.metrics) {
        assert_eq!(row["name"], metric.name);
        let count = match &metric.value {
            measure::Value::Counter(count) => *count,
            measure::Value::Histogram(times) => times.count(),
            measure::Value::Gauge(stats) => stats.samples,
        };
        assert_eq!(row["count"], count, "{}", metric.name);
    }

    for format in everything(&run) {
        assert!(!format.is_empty());
    }
    let page = written(|out| report::html(&run, out));
    assert!(page.contains("<code>intervals.jsonl</code> was not beside the stored run"));
    assert!(page.contains("id=\"run-json\""));

    // Stored by this build, it is still the same run.
    let again = tempfile::tempdir().unwrap();
    let stored = written(|out| report::run_json(&run, out));
    fs::write(again.path().join("run.json"), stored).unwrap();
    assert!(Run::read(again.path()).unwrap() == run);
}

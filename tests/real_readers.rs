//! What other programs make of our files: JUnit XML, logs of HdrHistograms, and the text for Prometheus.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::process;
use common::real::reader;
use common::{Ended, Running};
use serde::Deserialize;
use serde_json::Value;
use wsbench::measure::Histogram;
use wsbench::report::Run;

const SCENARIO: &str = include_str!("common/eventful.toml");

/// A run, and its report in the formats that others read.
struct Written {
    ended: Ended,
}

impl Written {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("readers.toml"), SCENARIO).unwrap();
        let run = [
            "run",
            "readers.toml",
            "--out",
            "report",
            "--label",
            "commit=abc123",
        ];
        let run = Running::call(folder, &run, &[]).end();
        assert!([3, 4].contains(&run.code), "{}", run.stderr);
        let report = run.folder().join("report").display().to_string();
        let report = [
            "report",
            &report,
            "--quiet",
            "--junit",
            "a.xml",
            "--hlog",
            "a.hlog",
            "--openmetrics",
            "a.txt",
        ];
        let ended = Running::call(tempfile::tempdir().unwrap(), &report, &[]).end();
        assert_eq!(ended.code, run.code, "{}", ended.stderr);
        fs::rename(run.folder().join("report"), ended.folder().join("report")).unwrap();
        Self { ended }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.ended.folder().join(name)
    }

    fn run(&self) -> Run {
        Run::read(&self.path("report")).unwrap()
    }
}

fn told(mut command: Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    output
}

/// What a reader of another project prints about a file.
fn read(script: &str, file: &Path) -> Value {
    let mut command = reader(script);
    command.arg(file);
    serde_json::from_slice(&told(command).stdout).unwrap()
}

#[test]
#[ignore = "needs xmllint; run by scripts/test"]
fn jenkins_schema_allows_our_junit() {
    let written = Written::new();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/targets/junit/junit-10.xsd");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for file in [
        written.path("a.xml"),
        golden.join("junit.xml"),
        golden.join("doubtful.xml"),
    ] {
        let mut xmllint = process::command("xmllint");
        xmllint
            .arg("--noout")
            .arg("--schema")
            .arg(&schema)
            .arg(file);
        told(xmllint);
    }
}

#[test]
#[ignore = "needs the readers in Python; run by scripts/test"]
fn junitparser_sees_each_gate_and_promise() {
    let written = Written::new();
    let run = written.run();
    let seen = read("read_junit.py", &written.path("a.xml"));
    let tests = seen["tests"].as_array().unwrap();
    let verdict = &run.verdict;
    assert_eq!(
        tests.len(),
        1 + verdict.gates.len() + verdict.contracts.len()
    );
    assert_eq!(tests[0][1], "run can be trusted");
    for (test, gate) in tests[1..].iter().zip(&verdict.gates) {
        assert_eq!(test[1], gate.gate);
        let outcome = match (gate.doubted, gate.passed) {
            (true, _) => "skipped",
            (_, true) => "",
            _ => "failure",
        };
        assert_eq!(test[2], outcome, "{test}");
    }
    assert_eq!(seen["properties"]["label.commit"], "abc123");
}

/// The times of one metric and cohort, as a reader sees them.
#[derive(Debug, Deserialize)]
struct Times {
    count: u64,
    /// In nanoseconds: p50, p90, p99 and p99.9.
    percentiles: [u64; 4],
}

fn histograms_are_read_as_ours(script: &str) {
    let written = Written::new();
    let run = written.run();
    let mut ours: BTreeMap<String, Histogram> = BTreeMap::new();
    for interval in &run.summary.intervals {
        for (cohort, part) in run.summary.cohorts.iter().zip(&interval.cohorts) {
            for (name, times) in &part.times {
                let all = ours.entry(format!("{name}/{cohort}")).or_default();
                all.merge(&times.decode().unwrap());
            }
        }
    }
    let theirs = read(script, &written.path("a.hlog"));
    let mut theirs: BTreeMap<String, Times> = serde_json::from_value(theirs).unwrap();
    assert!(ours.len() >= 8, "{:?}", ours.keys());
    for (tag, ours) in ours {
        let theirs = theirs.remove(&tag).unwrap_or_else(|| panic!("no {tag}"));
        assert_eq!(theirs.count, ours.count(), "{tag}");
        for (percent, theirs) in [50.0, 90.0, 99.0, 99.9].into_iter().zip(theirs.percentiles) {
            // Some round the rank of a percentile to the nearest, others up: it is one sample away at most. And theirs
            // is the end of a bucket, which the exact maximum need not be.
            let one = 100.0 / ours.count() as f64;
            let at = |percent: f64| ours.percentile(percent.clamp(0.0, 100.0)).unwrap();
            let (from, to) = (at(percent - one), at(percent + one));
            let bucket = from - (from / 1_000).max(64).min(from)..=to + (to / 1_000).max(64);
            assert!(
                bucket.contains(&theirs),
                "{tag} p{percent}: {bucket:?} ns, and {theirs} ns"
            );
        }
    }
    theirs.retain(|tag, _| tag.contains('/'));
    assert!(theirs.is_empty(), "only theirs: {theirs:?}");
}

#[test]
#[ignore = "needs the readers in Node.js; run by scripts/test"]
fn hdr_histogram_js_reads_our_log() {
    histograms_are_read_as_ours("read_hlog.js");
}

#[test]
#[ignore = "needs the readers in Python; run by scripts/test"]
fn hdrhistogram_of_python_reads_our_log() {
    histograms_are_read_as_ours("read_hlog.py");
}

#[test]
#[ignore = "needs promtool; run by scripts/test"]
fn promtool_has_no_objection_to_our_text() {
    let written = Written::new();
    let mut promtool = process::command("promtool");
    let text = fs::File::open(written.path("a.txt")).unwrap();
    promtool.args(["check", "metrics"]).stdin(Stdio::from(text));
    let output = told(promtool);
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "",
        "not even a hint"
    );
}

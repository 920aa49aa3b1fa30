//! Any run, stored and read back, gives the same bytes in every form; what cannot be read says why.

mod dice;
mod page;
mod size;

use std::fs;

use proptest::prelude::*;

use self::dice::Dice;
use super::*;
use crate::measure::{Histogram, Metric, Row, Value};
use crate::report::{self, Style};

/// All that is made from a run.
fn everything(run: &Run) -> Vec<String> {
    let written = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::new();
        write(&mut bytes);
        String::from_utf8(bytes).expect("text")
    };
    vec![
        written(&|out| report::text(run, run.verdict.exit, Style::COLOUR, None, out).unwrap()),
        written(&|out| report::failures(run, run.verdict.exit, Style::PLAIN, None, out).unwrap()),
        written(&|out| report::run_json(run, out).unwrap()),
        written(&|out| report::summary_csv(run, out).unwrap()),
        written(&|out| report::histogram_csv(run, out).unwrap()),
        written(&|out| report::timeline_csv(run, out).unwrap()),
        written(&|out| report::connections_csv(run, out).unwrap()),
        written(&|out| report::contracts_csv(run, out).unwrap()),
        written(&|out| report::judged_csv(run, out).unwrap()),
        written(&|out| report::intervals_jsonl(run, out).unwrap()),
        written(&|out| report::html(run, out).unwrap()),
        written(&|out| report::junit(run, out).unwrap()),
        written(&|out| report::markdown(run, out).unwrap()),
        written(&|out| report::github(run, Some("a.toml"), out).unwrap()),
        written(&|out| report::hlog(run, out).unwrap()),
        written(&|out| report::bench_json(run, out).unwrap()),
        written(&|out| report::openmetrics(run, out).unwrap()),
    ]
}

fn stored(run: &Run) -> Vec<u8> {
    let mut bytes = Vec::new();
    report::run_json(run, &mut bytes).unwrap();
    bytes
}

fn read(bytes: &[u8]) -> Result<Run, ReadError> {
    read_beside(bytes, None)
}

/// Reads a `run.json`, with these intervals beside it.
fn read_beside(bytes: &[u8], intervals: Option<&str>) -> Result<Run, ReadError> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("run.json"), bytes).unwrap();
    if let Some(intervals) = intervals {
        fs::write(folder.path().join("intervals.jsonl"), intervals).unwrap();
    }
    Run::read(folder.path())
}

/// Stores all of a run, with this `judged.csv`, and reads it back.
fn stored_and_read(run: &Run, judged: &str) -> Result<Run, ReadError> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("run.json"), stored(run)).unwrap();
    fs::write(folder.path().join("intervals.jsonl"), intervals(run)).unwrap();
    fs::write(folder.path().join("judged.csv"), judged).unwrap();
    Run::read(folder.path())
}

fn judged(run: &Run) -> String {
    let mut bytes = Vec::new();
    report::judged_csv(run, &mut bytes).unwrap();
    String::from_utf8(bytes).expect("text")
}

fn intervals(run: &Run) -> String {
    let mut bytes = Vec::new();
    report::intervals_jsonl(run, &mut bytes).unwrap();
    String::from_utf8(bytes).expect("text")
}

fn made_up(seed: u64) -> Run {
    Dice::new(seed).run()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_read_back_shows_the_same(seed: u64) {
        let run = made_up(seed);
        let again = stored_and_read(&run, &judged(&run)).unwrap();
        prop_assert_eq!(&again, &run);
        prop_assert_eq!(everything(&again), everything(&run));
    }

    #[test]
    fn what_is_cut_short_is_broken(seed: u64, part in 0.0..1.0) {
        let bytes = stored(&made_up(seed));
        let length = (bytes.len() as f64 * part) as usize;
        let cut = read(&bytes[..length]).unwrap_err();
        let is_told = match cut {
            ReadError::Broken { .. } => true,
            ReadError::Foreign { .. } => length < 64,
            _ => false,
        };
        prop_assert!(is_told, "{cut} of {length} bytes");
    }
}

#[test]
fn a_run_without_the_file_of_its_intervals_has_none() {
    let run = with_intervals();
    let again = read(&stored(&run)).unwrap();
    assert!(again.summary.intervals.is_empty());
    assert_eq!(again.summary.timeline, run.summary.timeline);
}

fn with_intervals() -> Run {
    let runs = (0..).map(made_up);
    let mut runs = runs.filter(|run| run.summary.intervals.len() > 1);
    runs.next().expect("some have intervals")
}

#[test]
fn broken_rows_of_judged_connections_say_which_line_is_wrong() {
    let runs = (0..).map(made_up);
    let has_rows = |run: &Run| {
        run.verdict
            .contracts
            .iter()
            .any(|one| one.evidence.rows.len() > 1)
    };
    let run = runs.into_iter().find(has_rows).expect("some have rows");
    let text = judged(&run);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.len();
    let joined = |lines: &[&str]| {
        lines
            .iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    for (broken, line, why) in [
        (joined(&lines[..last - 1]), last as u64, "it is missing"),
        (
            format!("{text}{}\n", lines[1]),
            last as u64 + 1,
            "not the row that was written there",
        ),
        (
            text.replacen(",true\n", ",perhaps\n", 1),
            0,
            "was not `true` or `false`",
        ),
    ] {
        let Err(error) = stored_and_read(&run, &broken) else {
            panic!("read {broken}");
        };
        let is_there = |at: u64| line == 0 || at == line;
        assert!(
            matches!(&error, ReadError::Judged { line, .. } if is_there(*line)),
            "{error}"
        );
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn broken_intervals_say_which_line_is_wrong() {
    let run = with_intervals();
    let text = intervals(&run);
    let lines: Vec<&str> = text.lines().collect();
    let joined = |lines: &[&str]| {
        lines
            .iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    let last = lines.len();
    let without = |index: usize| {
        let mut some = lines.clone();
        some.remove(index);
        joined(&some)
    };
    let other = text.replacen(&run.started_at, "another start", 1);
    for (broken, line, why) in [
        (String::new(), 1, "it is missing"),
        (other, 1, "belongs to another run"),
        (without(1), 2, "not the line that was written there"),
        (joined(&lines[..2]), 3, "is missing"),
        (
            text.replacen("\"phase\":", "\"face\":", 1),
            2,
            "missing field `phase`",
        ),
        (format!("{text}{{}}\n"), last + 1, "missing field `from_s`"),
    ] {
        let Err(error) = read_beside(&stored(&run), Some(&broken)) else {
            panic!("read {broken}");
        };
        assert!(
            matches!(&error, ReadError::Intervals { line: at, .. } if *at == line),
            "{error}"
        );
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    let text = String::from_utf8(stored(&made_up(1))).unwrap();
    let refused = |bytes: &[u8]| read(bytes).unwrap_err();
    for foreign in [
        &b"\x89PNG"[..],
        b"",
        b"{}",
        b"[1, 2]",
        b"{\"tool\": \"other\"}",
    ] {
        assert!(matches!(refused(foreign), ReadError::Foreign { .. }));
    }
    let other = text.replace("\"name\": \"wsbench\"", "\"name\": \"other\"");
    assert!(matches!(
        refused(other.as_bytes()),
        ReadError::Foreign { .. }
    ));

    let newer = text.replace("\"schema_version\": 1", "\"schema_version\": 7");
    let error = refused(newer.as_bytes());
    assert!(matches!(error, ReadError::Version { found: 7, .. }));
    assert!(error.to_string().contains("\nhint: "), "{error}");

    let broken = text.replace("\"outcome\": ", "\"outcom\": ");
    let error = refused(broken.as_bytes());
    assert!(matches!(error, ReadError::Broken { .. }));
    assert!(
        error.to_string().contains("missing field `outcome`"),
        "{error}"
    );

    let missing = Run::read("no/such/run.json".as_ref()).unwrap_err();
    assert!(matches!(missing, ReadError::System { .. }));
}

#[test]
fn what_contradicts_itself_is_broken() {
    let mut run = made_up(1);
    let step = Dice::new(1).step();
    run.summary.timeline = vec![Row { cohort: 0, ..step }];
    let mut times = Histogram::new();
    times.record(5_000);
    run.summary.metrics = vec![Metric {
        name: "heartbeat.rtt".to_owned(),
        cohort: None,
        stage: None,
        seconds: 1.0,
        value: Value::Histogram(Box::new(times)),
    }];
    let text = String::from_utf8(stored(&run)).unwrap();
    for (right, wrong, why) in [
        (
            "\"count\":1,\"sum\"",
            "\"count\":2,\"sum\"",
            "contradict its `hdr`",
        ),
        (
            "\"kind\":\"histogram\"",
            "\"kind\":\"pie\"",
            "no kind `pie`",
        ),
        ("\"name\":\"main\",", "\"name\":\"other\",", "cohort `main`"),
        ("\"phase\":\"", "\"phase\":\"no", "is no phase of a run"),
        (
            "heartbeat.rtt",
            "heartbeat.\\u001b[31m",
            "which no scenario allows",
        ),
    ] {
        assert!(text.contains(right), "{text}");
        let error = read(text.replace(right, wrong).as_bytes()).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}
